//! pgvector's types: `vector` and `halfvec` as arrays of numbers, `sparsevec` as its dimensions and the places that are not
//! zero.

use super::Misfit;
use super::number::{self, FLOAT4, FLOAT8};

/// Which of the types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) enum Kind {
    /// `vector`: doubles, as Debezium has them.
    Double,
    /// `halfvec`
    Float,
    /// `sparsevec`
    Sparse,
}

impl Kind {
    #[cfg(test)]
    pub(super) const ALL: [Self; 3] = [Self::Double, Self::Float, Self::Sparse];
}

pub(super) fn write(kind: Kind, text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    match kind {
        Kind::Double => dense(text, FLOAT8, out),
        Kind::Float => dense(text, FLOAT4, out),
        Kind::Sparse => sparse(text, out),
    }
}

/// `[1,2.5]`
fn dense(text: &[u8], width: number::Width, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let inner = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")).ok_or(Misfit::Malformed)?;
    out.push(b'[');
    for (index, element) in inner.split(|&byte| byte == b',').filter(|_| !inner.is_empty()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        number::float(element, width, out)?;
    }
    out.push(b']');
    Ok(())
}

/// `{1:1.5,3:2}/5` becomes `{"dimensions":5,"vector":[[1,1.5],[3,2.0]]}`: Connect writes a map whose keys are no strings as
/// pairs.
fn sparse(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let slash = memchr::memrchr(b'/', text).ok_or(Misfit::Malformed)?;
    let (pairs, dimensions) = (&text[..slash], &text[slash + 1..]);
    let pairs =
        pairs.strip_prefix(b"{").and_then(|pairs| pairs.strip_suffix(b"}")).ok_or(Misfit::Malformed)?;
    out.extend_from_slice(b"{\"dimensions\":");
    number::int(dimensions, 0, i32::MAX.into(), out)?;
    out.extend_from_slice(b",\"vector\":[");
    for (index, pair) in pairs.split(|&byte| byte == b',').filter(|_| !pairs.is_empty()).enumerate() {
        let colon = memchr::memchr(b':', pair).ok_or(Misfit::Malformed)?;
        out.extend_from_slice(if index == 0 { b"[" } else { b",[" });
        number::int(&pair[..colon], 0, i32::MAX.into(), out)?;
        out.push(b',');
        number::float(&pair[colon + 1..], FLOAT8, out)?;
        out.push(b']');
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn vectors_of_three_kinds() {
        for (kind, text, expected) in [
            (Kind::Double, "[1,2.5,-0.1]", "[1.0,2.5,-0.1]"),
            (Kind::Float, "[1,65504]", "[1.0,65504.0]"),
            (Kind::Double, "[]", "[]"),
            (Kind::Sparse, "{1:1.5,3:2}/5", r#"{"dimensions":5,"vector":[[1,1.5],[3,2.0]]}"#),
            (Kind::Sparse, "{}/3", r#"{"dimensions":3,"vector":[]}"#),
        ] {
            assert_eq!(json(&ValueWriter::Embedding(kind), text).as_deref(), Ok(expected), "{text}");
        }
        for kind in Kind::ALL {
            for text in ["", "[", "[1", "[1,]", "{1:2}", "{1}/2", "{1:2}/", "{1:}/2", "1/2"] {
                assert_eq!(json(&ValueWriter::Embedding(kind), text), Err(Misfit::Malformed), "{text}");
            }
        }
    }
}
