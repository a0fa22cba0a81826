//! Values that Connect takes from elsewhere: `${provider:path:key}` of its configuration providers. Headwater resolves none
//! of them, but knows where some of them point.

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// It is the value itself.
    Here(&'a str),
    /// `${env:VARIABLE}`
    Variable(&'a str),
    /// `${directory:/run/secrets:password}`, `${dir:…}`: a file that holds the value and nothing else.
    File(String),
    /// `${file:/etc/secrets.properties:password}`, a vault, or a text with a placeholder somewhere in it.
    Elsewhere,
}

/// Finds out.
pub(crate) fn origin(value: &str) -> Origin<'_> {
    let inner = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let inner = inner.filter(|inner| !inner.contains(['{', '}']));
    match inner.and_then(|inner| inner.split_once(':')) {
        // With a path in between the provider takes only the last part for the name.
        Some(("env", rest)) => Origin::Variable(rest.rsplit(':').next().unwrap_or_default()),
        Some(("dir" | "directory", rest)) if rest.contains(':') => {
            let (directory, file) = rest.rsplit_once(':').unwrap_or_default();
            Origin::File(format!("{}/{file}", directory.trim_end_matches('/')))
        }
        _ if has_placeholder(value) => Origin::Elsewhere,
        _ => Origin::Here(value),
    }
}

/// Whether Connect would replace something in the value.
fn has_placeholder(value: &str) -> bool {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once("${") {
        match after.split_once('}') {
            Some((inner, _)) if inner.contains(':') => return true,
            _ => rest = after,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_a_value_is() {
        for (value, expected) in [
            ("secret", Origin::Here("secret")),
            ("a${b}c", Origin::Here("a${b}c")),
            ("${env:PGPASSWORD}", Origin::Variable("PGPASSWORD")),
            ("${env::PGPASSWORD}", Origin::Variable("PGPASSWORD")),
            ("${directory:/run/secrets/:password}", Origin::File("/run/secrets/password".into())),
            ("${dir:/run:pg}", Origin::File("/run/pg".into())),
            ("${file:/etc/kafka/db.properties:password}", Origin::Elsewhere),
            ("${vault:db/creds:password}", Origin::Elsewhere),
            ("jdbc-${env:HOST}-${env:PORT}", Origin::Elsewhere),
        ] {
            assert_eq!(origin(value), expected, "{value}");
        }
    }
}
