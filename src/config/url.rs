//! `source.url`: a connection URI as libpq defines it (PostgreSQL manual, 34.1.1.2), taken apart into the keys that say
//! the same. It is no WHATWG URL: the host may be empty or a percent-encoded path, and parameters may repeat the parts.

use percent_encoding::percent_decode_str;

use super::report::closest;

/// Parameters of the URI and the keys that they stand for.
const PARAMETERS: [(&str, &str); 10] = [
    ("host", "source.host"),
    ("port", "source.port"),
    ("dbname", "source.database"),
    ("user", "source.user"),
    ("password", "source.password"),
    ("sslmode", "source.sslmode"),
    ("sslrootcert", "source.sslrootcert"),
    ("sslcert", "source.sslcert"),
    ("sslkey", "source.sslkey"),
    ("connect_timeout", "source.connect_timeout"),
];

/// Why a URL is not taken: reason and repair, neither of which shows the password.
pub(super) type Wrong = (String, String);

/// Keys and their texts, each key once.
pub(super) fn parse(url: &str) -> Result<Vec<(&'static str, String)>, Wrong> {
    let rest =
        url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")).ok_or_else(|| {
            wrong("is not a PostgreSQL URL", "write postgres://user@host:port/database?sslmode=verify-full")
        })?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (user, host),
        None => ("", authority),
    };
    if host.contains(',') || query.split('&').any(|pair| pair.starts_with("host=") && pair.contains(',')) {
        return Err(wrong("names more than one host", "name the primary, or an address that moves with it"));
    }
    if database.contains(['@', '/']) || query.contains('@') {
        // The rest of a password would become the name of a database or parameter, and be shown.
        let fix = "percent-encode what is special in its parts: @ as %40, / as %2F, : as %3A, ? as %3F";
        return Err(wrong("has an @, or a second /, where only database and parameters can be", fix));
    }
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let (host, port) = split_port(host)?;
    let mut parts = Vec::new();
    for (key, text) in [
        ("source.user", user),
        ("source.password", password),
        ("source.host", host),
        ("source.port", port),
        ("source.database", database),
    ] {
        if !text.is_empty() {
            parts.push((key, decode(text)?));
        }
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        add_parameter(pair, &mut parts)?;
    }
    Ok(parts)
}

fn add_parameter(pair: &str, parts: &mut Vec<(&'static str, String)>) -> Result<(), Wrong> {
    let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
    let Some((_, key)) = PARAMETERS.iter().find(|(known, _)| *known == name) else {
        let names = PARAMETERS.iter().map(|(name, _)| *name);
        let fix = match closest(name, names.clone()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("the parameters are {}", names.collect::<Vec<_>>().join(", ")),
        };
        return Err((format!("has the parameter {name}, which is not taken"), fix));
    };
    let mut text = decode(text)?;
    match name {
        "connect_timeout" => text.push('s'),
        // libpq's word for the authorities of the system, which are the default here.
        "sslrootcert" if text == "system" => return Ok(()),
        _ => {}
    }
    match parts.iter().find(|(known, _)| known == key) {
        Some((_, earlier)) if *earlier != text => {
            Err((format!("says {name} twice, and not the same"), "say it once".to_owned()))
        }
        Some(_) => Ok(()),
        None => {
            parts.push((*key, text));
            Ok(())
        }
    }
}

fn split_port(host: &str) -> Result<(&str, &str), Wrong> {
    let brackets = || wrong("has an IPv6 address that is not whole", "write [::1]:5432");
    if let Some(address) = host.strip_prefix('[') {
        let (address, port) = address.split_once(']').ok_or_else(brackets)?;
        return match port.strip_prefix(':') {
            Some(port) => Ok((address, port)),
            None if port.is_empty() => Ok((address, "")),
            None => Err(brackets()),
        };
    }
    match host.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            Err(wrong("has colons in the host", "put an IPv6 address in brackets: [::1]:5432"))
        }
        Some(parts) => Ok(parts),
        None => Ok((host, "")),
    }
}

fn decode(text: &str) -> Result<String, Wrong> {
    let hex = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.split('%').skip(1).all(hex) {
        return Err(wrong("has a % without two hexadecimal digits", "write a percent sign as %25"));
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) if !text.contains('\0') => Ok(text.into_owned()),
        _ => Err(wrong("does not decode to UTF-8 text", "percent-encode the bytes of the UTF-8 form")),
    }
}

fn wrong(reason: &str, fix: &str) -> Wrong {
    (reason.to_owned(), fix.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(url: &str) -> Vec<(&'static str, String)> {
        parse(url).unwrap()
    }

    #[test]
    fn all_parts() {
        assert_eq!(
            parts("postgres://u%40x:p%2Fw@db.example:6432/shop%20x?sslmode=verify-ca&connect_timeout=5"),
            [
                ("source.user", "u@x".to_owned()),
                ("source.password", "p/w".to_owned()),
                ("source.host", "db.example".to_owned()),
                ("source.port", "6432".to_owned()),
                ("source.database", "shop x".to_owned()),
                ("source.sslmode", "verify-ca".to_owned()),
                ("source.connect_timeout", "5s".to_owned()),
            ]
        );
    }

    #[test]
    fn sockets_and_addresses() {
        let host = |url| parts(url).into_iter().find(|(key, _)| *key == "source.host").map(|(_, host)| host);
        assert_eq!(
            host("postgresql://u@/d?host=/var/run/postgresql").as_deref(),
            Some("/var/run/postgresql")
        );
        assert_eq!(host("postgresql://u@%2Fvar%2Frun/d").as_deref(), Some("/var/run"));
        assert_eq!(host("postgresql://u@[::1]:5433/d").as_deref(), Some("::1"));
        assert_eq!(host("postgresql:///d?user=u"), None);
    }

    #[test]
    fn refuses_with_a_repair() {
        for (url, reason) in [
            ("mysql://u@h/d", "not a PostgreSQL URL"),
            ("postgres://u@a,b/d", "more than one host"),
            ("postgres://u@h/d?sslmod=x", "parameter sslmod"),
            ("postgres://u@h/d?host=i", "twice"),
            ("postgres://u:100%@h/d", "without two hexadecimal"),
            ("postgres://u@::1/d", "colons"),
            ("postgres://u:p@ss/w@h/d", "where only database"),
            ("postgres://u:p?w&x@h/d", "where only database"),
            ("postgres://u:%ff@h/d", "UTF-8"),
        ] {
            let (said, fix) = parse(url).unwrap_err();
            assert!(said.contains(reason), "{url}: {said}");
            assert!(!fix.is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".*") {
            let _ = parse(&text);
            let _ = parse(&format!("postgres://{text}"));
        }
    }
}
