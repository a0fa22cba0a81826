//! Column defaults as `pg_get_expr` prints them: a constant, something the server computes, and what Debezium reads into either.
//!
//! Debezium knows defaults of some types only, takes the first literal of an expression for its value, and a zero of the type for
//! what a function computes (`PostgresDefaultValueConverter`). With `events.quirks = "debezium"` so does this; otherwise an
//! expression that is not constant has no value, but for the zero of a function, which consumers count on.

use std::borrow::Cow;

use super::value::oid;
use crate::source::catalog::{TypeDetails, TypeKind};

/// How Debezium reads a default of the type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Any text is a value.
    Text,
    Bool,
    Int,
    Float,
    Numeric,
    /// What the type takes is a value.
    Other,
    Enum,
}

/// The value of the default, in the form in which the server prints values of the type; none when there is none to be known.
pub(super) fn default_text<'a>(expression: &'a str, ty: &TypeDetails, quirky: bool) -> Option<Cow<'a, str>> {
    let (reading, generated) = reading(ty)?;
    if reading != Reading::Enum && is_generated(expression) {
        return Some(generated.into());
    }
    if !quirky {
        return match parse_default(expression) {
            Default::Constant(text) => Some(text),
            Default::Null | Default::Computed => None,
        };
    }
    if expression.starts_with("NULL::") {
        return None;
    }
    let text = first_literal(expression).unwrap_or_else(|| expression.into());
    match reading {
        // A name with a dot in it is taken for one of two parts.
        Reading::Enum if ty.name.contains('.') => None,
        // Whole, with both quotes of a pair.
        Reading::Enum => {
            let (literal, _) = expression.rsplit_once("::")?;
            Some(literal.strip_prefix('\'')?.strip_suffix('\'')?.into())
        }
        // The one value of a type that Debezium writes and does not take for a default.
        Reading::Other if ty.oid.0 == oid::TIMESTAMPTZ && text.ends_with("infinity") => None,
        // A date alone is its beginning.
        Reading::Other if ty.oid.0 == oid::TIMESTAMP && is_date(&text) => {
            Some(format!("{text} 00:00:00").into())
        }
        Reading::Other if ty.oid.0 == oid::TIMESTAMPTZ && is_date(&text) => {
            Some(format!("{text} 00:00:00+00").into())
        }
        Reading::Text | Reading::Other => Some(text),
        Reading::Bool => Some(if text.eq_ignore_ascii_case("true") { "t" } else { "f" }.into()),
        Reading::Int => text.parse::<i64>().is_ok().then_some(text),
        Reading::Float => text.parse::<f64>().is_ok().then_some(text),
        Reading::Numeric => text.parse::<f64>().is_ok_and(f64::is_finite).then_some(text),
    }
}

/// `2020-01-01`
fn is_date(text: &str) -> bool {
    text.len() >= 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// For types with defaults: how they are read, and the text that stands for what a function computes.
fn reading(ty: &TypeDetails) -> Option<(Reading, &'static str)> {
    match (&ty.kind, ty.oid.0) {
        (TypeKind::Enum { .. }, _) => Some((Reading::Enum, "")),
        (TypeKind::Base, known) => Some(match known {
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::XML => (Reading::Text, ""),
            oid::JSON | oid::JSONB => (Reading::Text, "{}"),
            oid::BOOL => (Reading::Bool, "f"),
            oid::BIT | oid::VARBIT => (Reading::Other, "0"),
            oid::INT2 | oid::INT4 | oid::INT8 => (Reading::Int, "0"),
            oid::FLOAT4 | oid::FLOAT8 => (Reading::Float, "0"),
            oid::NUMERIC => (Reading::Numeric, "0.0"),
            oid::UUID => (Reading::Other, "00000000-0000-0000-0000-000000000000"),
            oid::DATE => (Reading::Other, "1970-01-01"),
            oid::TIME | oid::INTERVAL => (Reading::Other, "00:00:00"),
            oid::TIMESTAMP => (Reading::Other, "1970-01-01 00:00:00"),
            oid::TIMESTAMPTZ => (Reading::Other, "1970-01-01 00:00:00+00"),
            _ => return None,
        }),
        _ => None,
    }
}

/// Whether Debezium takes it for a call of a function: a name and something in parentheses, whatever follows.
fn is_generated(expression: &str) -> bool {
    const NOW: [&str; 5] =
        ["current_timestamp", "current_time", "current_date", "localtime", "localtimestamp"];
    let call = expression.strip_prefix('(').unwrap_or(expression);
    let arguments = call
        .trim_start_matches(|letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.');
    let named = arguments.len() < call.len();
    (named && arguments.strip_prefix('(').is_some_and(|arguments| arguments.contains(')')))
        || NOW.iter().any(|now| expression.eq_ignore_ascii_case(now))
}

/// What stands between the first two quotes, as it stands there.
fn first_literal(expression: &str) -> Option<Cow<'_, str>> {
    let (_, rest) = expression.split_once('\'')?;
    Some(undoubled(&rest[..closing_quote(rest)?]))
}

/// The inside of a literal, in which two quotes stand for one.
fn undoubled(literal: &str) -> Cow<'_, str> {
    if literal.contains("''") { literal.replace("''", "'").into() } else { literal.into() }
}

/// What a default is, as far as it can be known without the server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Default<'a> {
    /// The text of a constant, as the output function of its type prints it.
    Constant(Cow<'a, str>),
    Null,
    /// A function, an operator, a sequence.
    Computed,
}

/// Reads `5`, `true`, `1.5`, `'it''s'::character varying`, `NULL::text`, `nextval('s'::regclass)`.
fn parse_default(expression: &str) -> Default<'_> {
    // B'101' and E'\\x' are the only prefixes that the server prints.
    let literal = expression.strip_prefix(['B', 'E']).filter(|rest| rest.starts_with('\''));
    let escapes = literal.is_some() && expression.starts_with('E');
    if let Some(rest) = literal.unwrap_or(expression).strip_prefix('\'') {
        return match closing_quote(rest) {
            Some(end) if is_cast(&rest[end + 1..]) => {
                let text = undoubled(&rest[..end]);
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
    use crate::lsn::Oid;

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

    fn text(oid: u32, expression: &str, quirky: bool) -> Option<String> {
        let ty =
            TypeDetails { oid: Oid(oid), schema: String::new(), name: String::new(), kind: TypeKind::Base };
        default_text(expression, &ty, quirky).map(Cow::into_owned)
    }

    /// Expression, honest, as Debezium reads it.
    #[test]
    fn what_is_no_constant_is_one_to_debezium() {
        for (oid, expression, honest, quirky) in [
            (oid::TEXT, "('x'::text || 'y'::text)", None, Some("x")),
            (oid::TEXT, "CURRENT_USER", None, Some("CURRENT_USER")),
            (oid::TEXT, "E'a\\\\b'::text", Some("a\\b"), Some("a\\\\b")),
            (oid::TEXT, "NULL::text", None, None),
            (oid::BOOL, "(NOT true)", None, Some("f")),
            (oid::DATE, "('2020-01-01'::date + 1)", None, Some("2020-01-01")),
            (oid::INT2, "'-3'::integer", Some("-3"), Some("-3")),
            (oid::INT8, "(5)::bigint", Some("5"), None),
            (oid::INT4, "(1 + 2)", None, None),
            (oid::NUMERIC, "'NaN'::numeric", Some("NaN"), None),
            (oid::TIMESTAMPTZ, "'infinity'::timestamp with time zone", Some("infinity"), None),
        ] {
            assert_eq!(text(oid, expression, false).as_deref(), honest, "{expression}");
            assert_eq!(text(oid, expression, true).as_deref(), quirky, "{expression}");
        }
    }

    #[test]
    fn a_function_gives_a_zero_of_the_type_and_some_types_have_none() {
        for (oid, expression, expected) in [
            (oid::INT4, "nextval('s'::regclass)", Some("0")),
            (oid::JSONB, "jsonb_build_object('a', 1)", Some("{}")),
            (oid::TIMESTAMP, "(now() AT TIME ZONE 'utc'::text)", Some("1970-01-01 00:00:00")),
            (oid::DATE, "CURRENT_DATE", Some("1970-01-01")),
            (oid::INET, "'127.0.0.1'::inet", None),
            (oid::BYTEA, "'\\x01'::bytea", None),
        ] {
            assert_eq!(text(oid, expression, false).as_deref(), expected, "{expression}");
            assert_eq!(text(oid, expression, true).as_deref(), expected, "{expression}");
        }
    }

    proptest! {
        #[test]
        fn any_expression_is_read(expression: String, quoted in "['BE:()\\\\a ]{0,12}") {
            for oid in [oid::TEXT, oid::INT4, oid::BOOL] {
                text(oid, &expression, true);
                text(oid, &quoted, true);
                text(oid, &quoted, false);
            }
        }
    }
}
