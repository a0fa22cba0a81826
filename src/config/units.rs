//! Durations and sizes as people write them: `100ms`, `1m 30s`, `64MiB`, `1GB`, and back again.

use std::time::Duration;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// Names of units, in lower case, with their bytes; the plain prefix is decimal as in SI.
const SIZES: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kib", KIB),
    ("mib", MIB),
    ("gib", GIB),
    ("tib", TIB),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
];

/// Bytes of a text such as `64MiB`; the error says what to write instead.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let Ok(number) = number.parse::<u64>() else {
        return Err("write a whole number of bytes with a unit, for example \"64MiB\"".to_owned());
    };
    let Some((_, bytes)) = SIZES.iter().find(|(name, _)| *name == unit) else {
        return Err(match unit.as_str() {
            "k" | "m" | "g" | "t" => {
                let prefix = unit.to_ascii_uppercase();
                format!("write \"{number}{prefix}iB\" (1024) or \"{number}{prefix}B\" (1000)")
            }
            _ => "the units are B, KiB, MiB, GiB, TiB and kB, MB, GB, TB; the number is whole".to_owned(),
        });
    };
    number.checked_mul(*bytes).ok_or_else(|| "write a smaller size".to_owned())
}

/// The shortest exact way to write `bytes`.
pub(super) fn format_size(bytes: u64) -> String {
    for (unit, size) in [("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)] {
        if bytes >= size && bytes % size == 0 {
            return format!("{}{unit}", bytes / size);
        }
    }
    format!("{bytes}B")
}

/// A text such as `100ms`; the error says what to write instead.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("give a unit: \"{text}ms\" or \"{text}s\""));
    }
    humantime::parse_duration(text)
        .map_err(|_| "write a number with a unit, for example \"100ms\", \"10s\" or \"5m\"".to_owned())
}

/// The usual way to write a duration.
pub(super) fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size(" 1 GB "), Ok(1_000_000_000));
        assert_eq!(parse_size("512"), Ok(512));
        assert_eq!(parse_size("10kB"), Ok(10_000));
        assert!(parse_size("64M").is_err_and(|fix| fix.contains("64MiB")));
        for wrong in ["", "MiB", "-1", "1.5GiB", "99999999999999999999", "18446744073709551615KiB", "1e3"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("10").is_err_and(|fix| fix.contains("10ms")));
        for wrong in ["", "ms", "-1s", "1.s", "99999999999999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".*") {
            let _ = parse_size(&text);
            let _ = parse_duration(&text);
        }

        #[test]
        fn written_sizes_are_read_back(bytes in any::<u64>()) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn written_durations_are_read_back(millis in 0..u64::from(u32::MAX)) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
