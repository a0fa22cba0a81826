//! Java's `.properties` format, as `java.util.Properties.load` reads it: comments, continued lines, escapes, and `=`, `:` or
//! white space behind the key. One thing is stricter: a line without a value is a mistake, as no property of a connector is
//! set that way.

/// A property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub key: String,
    pub value: String,
}

/// What is wrong with a line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub line: usize,
    pub reason: String,
    pub repair: String,
}

/// The properties of a text in their order, those that come twice too.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>, Mistake> {
    let mut lines = Vec::new();
    let mut natural = text.lines().enumerate();
    while let Some((index, first)) = natural.next() {
        let first = first.trim_start_matches(BLANK);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while ends_in_escape(&logical) {
            logical.pop();
            match natural.next() {
                Some((_, next)) => logical.push_str(next.trim_start_matches(BLANK)),
                None => break,
            }
        }
        lines.push(property(index + 1, &logical)?);
    }
    Ok(lines)
}

/// An odd number of backslashes at the end.
fn ends_in_escape(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn property(number: usize, line: &str) -> Result<Line, Mistake> {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (c == '=' || c == ':' || BLANK.contains(&c));
        escaped = !escaped && c == '\\';
        ends
    });
    let Some(end) = end else {
        return Err(Mistake {
            line: number,
            reason: "a key without a value".to_owned(),
            repair: "write key=value, or begin the line with # if it is a comment".to_owned(),
        });
    };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(BLANK);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(BLANK);
    let unescaped = |text: &str| {
        unescape(text).map_err(|(reason, repair)| Mistake {
            line: number,
            reason: reason.to_owned(),
            repair: repair.to_owned(),
        })
    };
    // Connect trims what it reads.
    Ok(Line { key: unescaped(key)?, value: unescaped(rest)?.trim().to_owned() })
}

fn unescape(text: &str) -> Result<String, (&'static str, &'static str)> {
    let mut result = String::with_capacity(text.len());
    let mut units: Vec<u16> = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let (plain, unit) = match c {
            '\\' => match chars.next() {
                Some('u') => (None, Some(code_unit(&mut chars)?)),
                Some('t') => (Some('\t'), None),
                Some('n') => (Some('\n'), None),
                Some('r') => (Some('\r'), None),
                Some('f') => (Some('\u{c}'), None),
                other => (other, None),
            },
            c => (Some(c), None),
        };
        if let Some(unit) = unit {
            units.push(unit);
        } else {
            result.push_str(&String::from_utf16_lossy(&units));
            units.clear();
            result.extend(plain);
        }
    }
    result.push_str(&String::from_utf16_lossy(&units));
    Ok(result)
}

/// The four digits of `\uXXXX`, a unit of UTF-16.
fn code_unit(chars: &mut std::str::Chars<'_>) -> Result<u16, (&'static str, &'static str)> {
    let digits: String = chars.take(4).collect();
    let whole = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let unit = if whole { u16::from_str_radix(&digits, 16).ok() } else { None };
    unit.ok_or(("\\u without four hexadecimal digits", "write a backslash twice where one is meant: \\\\"))
}

/// White space between key and value.
const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|line| (line.key, line.value)).collect()
    }

    #[test]
    fn reads_what_java_reads() {
        for (text, key, value) in [
            ("a=b", "a", "b"),
            ("  a : b ", "a", "b"),
            ("a b=c", "a", "b=c"),
            ("a=", "a", ""),
            (r"a\=b\:c=d", "a=b:c", "d"),
            (r"t=s1\\.keep.*", "t", r"s1\.keep.*"),
            (r"t=s1\.keep", "t", "s1.keep"),
            ("a=b,\\\n   c,\\\n   d", "a", "b,c,d"),
            (r"a=\u00e9\ud83d\ude00\t|", "a", "é😀\t|"),
            ("a=b\\", "a", "b"),
        ] {
            assert_eq!(pairs(text), [(key.to_owned(), value.to_owned())], "{text}");
        }
        assert_eq!(pairs("# c\n! c\n\n  # c\\\na=1\nb=2\n").len(), 2);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, line, reason) in
            [("a=1\n\nnonsense", 3, "a key without a value"), ("a=\\\n1\nb=\\u12", 3, "\\u without four")]
        {
            let mistake = parse(text).unwrap_err();
            assert_eq!(mistake.line, line);
            assert!(mistake.reason.starts_with(reason), "{mistake:?}");
        }
    }
}
