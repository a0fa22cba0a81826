//! `hstore` as a JSON string that holds a JSON object, its keys in the server's order.

use super::{Misfit, Scratch};
use crate::encode::writer::{Wholeness, push_escaped, push_string};

/// `"a"=>"1", "b"=>NULL` becomes `"{\"a\":\"1\",\"b\":null}"`.
pub(super) fn json(text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), Misfit> {
    scratch.object.clear();
    object(text, &mut scratch.object, &mut scratch.lossy)?;
    // Whole: what is no UTF-8 was replaced inside the object.
    let _ = push_string(out, &scratch.object);
    Ok(())
}

fn object(text: &[u8], out: &mut Vec<u8>, lossy: &mut u32) -> Result<(), Misfit> {
    let mut rest = text;
    out.push(b'{');
    while !rest.is_empty() {
        rest = quoted(rest, out, lossy)?;
        rest = rest.strip_prefix(b"=>").ok_or(Misfit::Malformed)?;
        out.push(b':');
        rest = match rest.strip_prefix(b"NULL") {
            Some(rest) => {
                out.extend_from_slice(b"null");
                rest
            }
            None => quoted(rest, out, lossy)?,
        };
        if !rest.is_empty() {
            rest = rest.strip_prefix(b", ").filter(|rest| !rest.is_empty()).ok_or(Misfit::Malformed)?;
            out.push(b',');
        }
    }
    out.push(b'}');
    Ok(())
}

/// A quoted string at the start of `text`; returns what follows it.
fn quoted<'a>(text: &'a [u8], out: &mut Vec<u8>, lossy: &mut u32) -> Result<&'a [u8], Misfit> {
    let mut rest = text.strip_prefix(b"\"").ok_or(Misfit::Malformed)?;
    out.push(b'"');
    loop {
        let end = memchr::memchr2(b'"', b'\\', rest).ok_or(Misfit::Malformed)?;
        let (run, special) = rest.split_at(end);
        if push_escaped(out, run) == Wholeness::Replaced {
            *lossy += 1;
        }
        rest = match special {
            [b'"', after @ ..] => {
                out.push(b'"');
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
        }
        for text in ["a", "\"a\"", "\"a\"=>", "\"a\"=>\"b\",", "\"a\"=>\"b\", ", "\"a\"=>\"\\", "\"a\"=>nil"]
        {
            assert_eq!(json(&ValueWriter::Hstore, text), Err(Misfit::Malformed), "{text}");
        }
    }
}
