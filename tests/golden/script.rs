//! SQL scripts as psql takes them: one statement after the other, each for itself unless `begin` says otherwise.

/// A step of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Statement(String),
    /// A pause, so that what was done before is published under the catalog as it is now.
    Settle,
    /// `\set ON_ERROR_STOP`: whether a statement may fail from here on.
    MayFail(bool),
}

/// Cuts a script at the semicolons that end statements.
pub(super) fn steps(script: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = script.trim_start();
    while !rest.is_empty() {
        if rest.starts_with('\\') || rest.starts_with("--") {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            if line.starts_with("\\set ON_ERROR_STOP") {
                steps.push(Step::MayFail(line.ends_with("off")));
            }
            rest = after.trim_start();
            continue;
        }
        let (statement, after) = rest.split_at(statement_len(rest));
        if statement.contains("pg_sleep(") {
            steps.push(Step::Settle);
        } else {
            steps.push(Step::Statement(statement.to_owned()));
        }
        rest = after.trim_start();
    }
    steps
}

/// Bytes up to and with the semicolon, or all.
fn statement_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &text[at..];
        at += match byte {
            b';' => return at + 1,
            b'\'' => quoted(rest, '\'', matches!(at.checked_sub(1).map(|at| bytes[at]), Some(b'E' | b'e'))),
            b'"' => quoted(rest, '"', false),
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'$' => dollar_quoted(rest),
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    bytes.len()
}

/// Length of a quoted text, from quote to quote; a doubled quote is two texts side by side.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        if escapes && char == '\\' {
            chars.next();
        } else if char == quote {
            return at + 1;
        }
    }
    text.len()
}

/// Length of `$tag$ … $tag$`, or 1 when it is a dollar only.
fn dollar_quoted(text: &str) -> usize {
    let tag = text[1..].find(|char: char| !char.is_alphanumeric() && char != '_').map(|len| &text[..len + 2]);
    let Some(tag) = tag.filter(|tag| tag.ends_with('$')) else { return 1 };
    text[tag.len()..].find(tag).map_or(text.len(), |len| tag.len() + len + tag.len())
}

#[test]
fn statements_end_at_semicolons_outside_of_quotes() {
    let statement = |text: &str| Step::Statement(text.to_owned());
    assert_eq!(
        steps("-- first\nselect ';''', \";\";\nselect E'\\';' ;do $x$ begin; end $x$; select $1"),
        [
            statement("select ';''', \";\";"),
            statement("select E'\\';' ;"),
            statement("do $x$ begin; end $x$;"),
            statement("select $1")
        ]
    );
    assert_eq!(
        steps("-- why\n\\set ON_ERROR_STOP off\nselect pg_sleep(0.6);\n\\set ON_ERROR_STOP on\n-- end\n"),
        [Step::MayFail(true), Step::Settle, Step::MayFail(false)]
    );
}
