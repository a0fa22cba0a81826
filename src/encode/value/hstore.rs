//! `hstore` as a JSON object, or a string that holds one, its keys in the server's order.

use std::ops::Range;
use std::str;

use super::text::Texts;
use super::{Misfit, Scratch};
use crate::encode::writer::{Wholeness, push_escaped, push_string};

/// `"a"=>"1", "b"=>NULL` becomes `"{\"a\":\"1\",\"b\":null}"`.
pub(super) fn json(text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), Misfit> {
    scratch.object.clear();
    object(text, &mut scratch.object, &mut scratch.texts)?;
    // Whole: what is no UTF-8 has its form inside the object already.
    let _ = push_string(out, &scratch.object);
    Ok(())
}

/// The object itself.
pub(super) fn object(text: &[u8], out: &mut Vec<u8>, texts: &mut Texts) -> Result<(), Misfit> {
    let mut rest = text;
    out.push(b'{');
    while !rest.is_empty() {
        rest = pair(rest, out, texts)?;
        if !rest.is_empty() {
            out.push(b',');
        }
    }
    out.push(b'}');
    Ok(())
}

/// One pair of a text that has one; returns the next, or nothing.
fn pair<'a>(text: &'a [u8], out: &mut Vec<u8>, texts: &mut Texts) -> Result<&'a [u8], Misfit> {
    let rest = quoted(text, out, texts)?;
    let rest = rest.strip_prefix(b"=>").ok_or(Misfit::Malformed)?;
    out.push(b':');
    let rest = match rest.strip_prefix(b"NULL") {
        Some(rest) => {
            out.extend_from_slice(b"null");
            rest
        }
        None => quoted(rest, out, texts)?,
    };
    if rest.is_empty() {
        return Ok(rest);
    }
    rest.strip_prefix(b", ").filter(|rest| !rest.is_empty()).ok_or(Misfit::Malformed)
}

/// A pair that waits for its place.
#[derive(Debug)]
pub(super) struct Pair {
    hash: u32,
    span: Range<usize>,
}

/// The object with its keys in the order of a Java `HashMap`, which Debezium keeps it in: by the low bits of the hash, and
/// as they came where those are the same.
pub(super) fn hashed_object(text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), Misfit> {
    let Scratch { object, pairs, texts, .. } = scratch;
    object.clear();
    pairs.clear();
    let mut rest = text;
    while !rest.is_empty() {
        let start = object.len();
        let hash = java_hash(rest);
        rest = pair(rest, object, texts)?;
        pairs.push(Pair { hash, span: start..object.len() });
    }
    let mut buckets = 16;
    while pairs.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    pairs.sort_unstable_by_key(|pair| (pair.hash as usize & (buckets - 1), pair.span.start));
    out.push(b'{');
    for (index, pair) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(object.get(pair.span.clone()).unwrap_or_default());
    }
    out.push(b'}');
    Ok(())
}

/// `String.hashCode` of the key that `pairs` begins with, spread as `HashMap` does it.
fn java_hash(pairs: &[u8]) -> u32 {
    let mut hash: u32 = 0;
    let mut escaped = false;
    let bytes = pairs.get(1..).unwrap_or_default();
    let end = bytes.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let key = str::from_utf8(bytes.get(..end.unwrap_or(0)).unwrap_or_default()).unwrap_or_default();
    escaped = false;
    for unit in key.encode_utf16() {
        escaped = unit == u16::from(b'\\') && !escaped;
        if !escaped {
            hash = hash.wrapping_mul(31).wrapping_add(unit.into());
        }
    }
    hash ^ hash >> 16
}

/// A quoted string at the start of `text`; returns what follows it.
fn quoted<'a>(text: &'a [u8], out: &mut Vec<u8>, texts: &mut Texts) -> Result<&'a [u8], Misfit> {
    let inner = text.strip_prefix(b"\"").ok_or(Misfit::Malformed)?;
    let start = out.len();
    let mut rest = inner;
    let mut plain = true;
    out.push(b'"');
    loop {
        let end = memchr::memchr2(b'"', b'\\', rest).ok_or(Misfit::Malformed)?;
        let (run, special) = rest.split_at(end);
        plain = plain && texts.is_utf8(run) && push_escaped(out, run) == Wholeness::Whole;
        rest = match special {
            [b'"', after @ ..] => {
                out.push(b'"');
                if !plain {
                    out.truncate(start);
                    texts.push_quoted(&inner[..inner.len() - special.len()], out);
                }
                return Ok(after);
            }
            [_, escaped @ (b'"' | b'\\'), after @ ..] => {
                out.extend_from_slice(&[b'\\', *escaped]);
                after
            }
            _ => return Err(Misfit::Malformed),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn an_object_inside_a_string() {
        for (text, expected) in [
            (
                r#""a"=>"1", "b"=>NULL, "q\"uote"=>"\\", "c d"=>"e,f""#,
                r#"{"a":"1","b":null,"q\"uote":"\\","c d":"e,f"}"#,
            ),
            ("", "{}"),
            (r#""é"=>"😀""#, r#"{"é":"😀"}"#),
            ("\"tab\"=>\"\t\"", r#"{"tab":"\t"}"#),
            (r#""k"=>"NULL""#, r#"{"k":"NULL"}"#),
        ] {
            let written = json(&ValueWriter::Hstore, text).unwrap();
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), expected, "{text}");
            assert_eq!(json(&ValueWriter::HstoreMap, text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["a", "\"a\"", "\"a\"=>", "\"a\"=>\"b\",", "\"a\"=>\"b\", ", "\"a\"=>\"\\", "\"a\"=>nil"]
        {
            assert_eq!(json(&ValueWriter::Hstore, text), Err(Misfit::Malformed), "{text}");
        }
    }

    #[test]
    fn the_order_of_a_hash_map() {
        let many: Vec<String> = (0..13).map(|key| format!("\"k{key}\"=>\"\"")).collect();
        for (text, expected) in [
            (
                r#""a"=>"1", "b"=>NULL, "c d"=>"e,f", "new"=>"1", "q\"uote"=>"\\\\""#,
                r#"{"a":"1","new":"1","b":null,"q\"uote":"\\\\","c d":"e,f"}"#,
            ),
            ("", "{}"),
            // Thirteen keys take 32 buckets.
            (
                many.join(", ").as_str(),
                r#"{"k0":"","k1":"","k2":"","k3":"","k4":"","k5":"","k11":"","k6":"","k10":"","k7":"","k8":"","k12":"","k9":""}"#,
            ),
        ] {
            let mut out = Vec::new();
            hashed_object(text.as_bytes(), &mut out, &mut Scratch::default()).unwrap();
            assert_eq!(str::from_utf8(&out).unwrap(), expected);
        }
    }
}
