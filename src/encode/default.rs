//! Column defaults as `pg_get_expr` prints them: a constant, or something the server computes.

use std::borrow::Cow;

/// What a default is, as far as it can be known without the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Default<'a> {
    /// The text of a constant, as the output function of its type prints it.
    Constant(Cow<'a, str>),
    Null,
    /// A function, an operator, a sequence.
    Computed,
}

/// Reads `5`, `true`, `1.5`, `'it''s'::character varying`, `NULL::text`, `nextval('s'::regclass)`.
pub(super) fn parse_default(expression: &str) -> Default<'_> {
    // B'101' and E'\\x' are the only prefixes that the server prints.
    let literal = expression.strip_prefix(['B', 'E']).filter(|rest| rest.starts_with('\''));
    let escapes = literal.is_some() && expression.starts_with('E');
    if let Some(rest) = literal.unwrap_or(expression).strip_prefix('\'') {
        return match closing_quote(rest) {
            Some(end) if is_cast(&rest[end + 1..]) => {
                let text = &rest[..end];
                let text: Cow<'_, str> =
                    if text.contains("''") { text.replace("''", "'").into() } else { text.into() };
                Default::Constant(if escapes { text.replace("\\\\", "\\").into() } else { text })
            }
            _ => Default::Computed,
        };
    }
    let (bare, cast) = expression.split_at(expression.find("::").unwrap_or(expression.len()));
    let bare = bare.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(bare);
    match bare {
        _ if !is_cast(cast) => Default::Computed,
        "true" => Default::Constant("t".into()),
        "false" => Default::Constant("f".into()),
        "NULL" => Default::Null,
        _ if bare.starts_with(|first: char| first.is_ascii_digit() || first == '-')
            && bare.bytes().skip(1).all(|byte| byte.is_ascii_digit() || byte == b'.') =>
        {
            Default::Constant(bare.into())
        }
        _ => Default::Computed,
    }
}

/// Where the quote is that ends a literal; two in a row stand for one inside it.
fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        match (byte, bytes.get(index + 1)) {
            (b'\'', Some(b'\'')) => index += 2,
            (b'\'', _) => return Some(index),
            _ => index += 1,
        }
    }
    None
}

/// Nothing, or casts to types and nothing behind them.
fn is_cast(text: &str) -> bool {
    text.is_empty()
        || (text.starts_with("::")
            && text[2..].chars().all(|letter| letter.is_alphanumeric() || " \"_.:[](),".contains(letter)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn constants_and_the_rest() {
        for (expression, text) in [
            ("5", "5"),
            ("'-7'::integer", "-7"),
            ("(-7)", "-7"),
            ("1.5", "1.5"),
            ("true", "t"),
            ("'deflt'::text", "deflt"),
            ("''::text", ""),
            ("'it''s'::character varying", "it's"),
            ("'2024-02-29 12:34:56'::timestamp without time zone", "2024-02-29 12:34:56"),
            ("'101'::\"bit\"", "101"),
            ("B'101'::\"bit\"", "101"),
            ("'1.50'::numeric(6,2)", "1.50"),
        ] {
            assert_eq!(parse_default(expression), Default::Constant(text.into()), "{expression}");
        }
        for expression in [
            "now()",
            "(1 + 2)",
            "nextval('sq'::regclass)",
            "('a'::text || 'b'::text)",
            "CURRENT_DATE",
            "'a'",
            "'a' || 'b'",
        ] {
            let constant = parse_default(expression) == Default::Constant("a".into());
            assert_eq!(constant, expression == "'a'", "{expression}");
        }
        assert_eq!(parse_default("NULL::character varying"), Default::Null);
        assert_eq!(parse_default("lower('ABC'::text)"), Default::Computed);
        assert_eq!(parse_default("('now'::text)::date"), Default::Computed);
    }

    proptest! {
        #[test]
        fn any_expression_is_read(expression: String, quoted in "['BE:()\\\\a ]{0,12}") {
            parse_default(&expression);
            parse_default(&quoted);
        }
    }
}
