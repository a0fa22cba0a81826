//! Numbers and columns as people read them.

/// 1234567 as 1,234,567.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// 1234567.8 as 1,234,568.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive figure, for people")]
pub(crate) fn whole(number: f64) -> String {
    thousands(number.round() as u64)
}

/// A Markdown table whose columns are also straight in a terminal; the first row is the head.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut lines: Vec<String> = rows.iter().map(|row| line(row, &widths)).collect();
    let rule = |(column, width): (usize, &usize)| {
        if column == 0 { "-".repeat(*width) } else { "-".repeat(width - 1) + ":" }
    };
    let rules: Vec<String> = widths.iter().enumerate().map(rule).collect();
    lines.insert(1.min(lines.len()), line(&rules, &widths));
    lines.concat()
}

/// Names to the left, numbers to the right.
fn line(cells: &[String], widths: &[usize]) -> String {
    let place = |(column, (cell, width)): (usize, (&String, &usize))| {
        if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
    };
    let placed: Vec<String> = cells.iter().zip(widths).enumerate().map(place).collect();
    format!("| {} |\n", placed.join(" | "))
}
