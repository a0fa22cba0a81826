//! Arrays: the text of `array_out`, element by element, into JSON arrays. Lower bounds are left out; the dimensions of a
//! many-dimensional array become nested arrays (Debezium writes nulls or the names of Java objects there).

use super::{ArrayWriter, Misfit, Scratch, number};

/// `[0:1]={1,NULL,"a b"}`: bounds are skipped, quotes and backslashes undone, the rest is the element type's business.
pub(super) fn write(
    array: &ArrayWriter,
    text: &[u8],
    out: &mut Vec<u8>,
    scratch: &mut Scratch,
) -> Result<(), Misfit> {
    let mut rest = without_bounds(text)?;
    let mut depth = 0_usize;
    loop {
        // An element or the start of an array.
        match rest.split_first().ok_or(Misfit::Malformed)? {
            (b'{', after) if depth < MAX_DIMENSIONS => {
                depth += 1;
                out.push(b'[');
                rest = after;
                if after.first() != Some(&b'}') {
                    continue;
                }
            }
            _ if depth == 0 => return Err(Misfit::Malformed),
            (b'"', after) => rest = quoted(array, after, out, scratch)?,
            _ => rest = bare(array, rest, out, scratch)?,
        }
        // The ends of arrays, and then the delimiter or the end of all.
        while let Some(after) = rest.strip_prefix(b"}") {
            depth = depth.checked_sub(1).ok_or(Misfit::Malformed)?;
            out.push(b']');
            rest = after;
        }
        match rest.split_first() {
            None if depth == 0 => return Ok(()),
            Some((delimiter, after)) if *delimiter == array.delimiter && depth > 0 => {
                out.push(b',');
                rest = after;
            }
            _ => return Err(Misfit::Malformed),
        }
    }
}

/// `1 2 3`, the text of the server's own vectors of numbers.
pub(super) fn vector(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    out.push(b'[');
    for (index, element) in text.split(|&byte| byte == b' ').filter(|_| !text.is_empty()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        number::int(element, i64::MIN, i64::MAX, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Takes away `[1:2][0:4]=`.
pub(super) fn without_bounds(text: &[u8]) -> Result<&[u8], Misfit> {
    if text.first() != Some(&b'[') {
        return Ok(text);
    }
    let equals = memchr::memchr(b'=', text).ok_or(Misfit::Malformed)?;
    Ok(&text[equals + 1..])
}

/// An element without quotes, up to the delimiter or the end of its array.
fn bare<'a>(
    array: &ArrayWriter,
    text: &'a [u8],
    out: &mut Vec<u8>,
    scratch: &mut Scratch,
) -> Result<&'a [u8], Misfit> {
    let end = memchr::memchr2(array.delimiter, b'}', text).ok_or(Misfit::Malformed)?;
    let (element, rest) = text.split_at(end);
    if element.eq_ignore_ascii_case(b"NULL") {
        out.extend_from_slice(b"null");
        scratch.nulls = scratch.nulls.wrapping_add(1);
    } else if element.is_empty() {
        return Err(Misfit::Malformed);
    } else {
        push_element(array, element, out, scratch)?;
    }
    Ok(rest)
}

/// A quoted element; `text` begins behind its first quote.
fn quoted<'a>(
    array: &ArrayWriter,
    text: &'a [u8],
    out: &mut Vec<u8>,
    scratch: &mut Scratch,
) -> Result<&'a [u8], Misfit> {
    let end = memchr::memchr2(b'"', b'\\', text).ok_or(Misfit::Malformed)?;
    if text[end] == b'"' {
        push_element(array, &text[..end], out, scratch)?;
        return Ok(&text[end + 1..]);
    }
    let mut element = std::mem::take(&mut scratch.element);
    element.clear();
    let rest = unescape(text, &mut element);
    let result = rest.and_then(|rest| push_element(array, &element, out, scratch).map(|()| rest));
    scratch.element = element;
    result
}

/// Copies up to the closing quote without the backslashes; returns what follows the quote.
fn unescape<'a>(text: &'a [u8], element: &mut Vec<u8>) -> Result<&'a [u8], Misfit> {
    let mut rest = text;
    loop {
        let end = memchr::memchr2(b'"', b'\\', rest).ok_or(Misfit::Malformed)?;
        let (run, special) = rest.split_at(end);
        element.extend_from_slice(run);
        rest = match special {
            [b'"', after @ ..] => return Ok(after),
            [_, escaped, after @ ..] => {
                element.push(*escaped);
                after
            }
            _ => return Err(Misfit::Malformed),
        };
    }
}

/// One element; null, and counted, where its form cannot hold it.
fn push_element(
    array: &ArrayWriter,
    element: &[u8],
    out: &mut Vec<u8>,
    scratch: &mut Scratch,
) -> Result<(), Misfit> {
    let start = out.len();
    match array.element.write(element, out, scratch) {
        Err(Misfit::Unrepresentable) => {
            out.truncate(start);
            out.extend_from_slice(b"null");
            scratch.lossy += 1;
            Ok(())
        }
        result => result,
    }
}

/// `MAXDIM` of the server.
const MAX_DIMENSIONS: usize = 6;

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    fn of(element: ValueWriter) -> ValueWriter {
        ValueWriter::Array(ArrayWriter { element: Box::new(element), delimiter: b',' })
    }

    #[test]
    fn elements_and_nulls() {
        let int = ValueWriter::Int { min: i64::MIN, max: i64::MAX };
        for (element, text, expected) in [
            (int.clone(), "{1,NULL,3}", "[1,null,3]"),
            (int.clone(), "{}", "[]"),
            (int.clone(), "{NULL}", "[null]"),
            (int, "[0:1]={7,8}", "[7,8]"),
            (ValueWriter::Float4, "{1.5,NULL,NaN}", "[1.5,null,\"NaN\"]"),
            (ValueWriter::Decimal { scale: 2 }, "{1.10,NULL,2.00}", "[\"bg==\",null,\"AMg=\"]"),
            (ValueWriter::VariableDecimal, "{NaN,2}", "[null,{\"scale\":0,\"value\":\"Ag==\"}]"),
            (ValueWriter::Bool, "{t,f,NULL}", "[true,false,null]"),
            (
                ValueWriter::Bytea(crate::modes::BinaryMode::Bytes),
                r#"{"\\xdeadbeef",NULL}"#,
                "[\"3q2+7w==\",null]",
            ),
            (ValueWriter::Bits, "{101,NULL}", "[\"BQ==\",null]"),
            (
                ValueWriter::TimestampMicros,
                r#"{"2024-02-29 12:34:56.789123",NULL}"#,
                "[1709210096789123,null]",
            ),
            (ValueWriter::Hstore, r#"{"\"a\"=>\"1\"",NULL}"#, r#"["{\"a\":\"1\"}",null]"#),
            (
                ValueWriter::Text,
                r#"{a,NULL,"NULL","","with space","with,comma","with\"quote","back\\\\slash","{brace}",é😀}"#,
                r#"["a",null,"NULL","","with space","with,comma","with\"quote","back\\\\slash","{brace}","é😀"]"#,
            ),
        ] {
            assert_eq!(json(&of(element), text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn dimensions_nest() {
        let int = of(ValueWriter::Int { min: i64::MIN, max: i64::MAX });
        for (text, expected) in [
            ("{{1,2},{3,4}}", "[[1,2],[3,4]]"),
            ("{{{1},{2}},{{3},{4}}}", "[[[1],[2]],[[3],[4]]]"),
            ("[-1:0][5:6]={{1,2},{3,4}}", "[[1,2],[3,4]]"),
        ] {
            assert_eq!(json(&int, text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(
            json(&of(ValueWriter::Text), "{{a,b},{c,NULL}}").as_deref(),
            Ok(r#"[["a","b"],["c",null]]"#)
        );
    }

    #[test]
    fn vectors() {
        assert_eq!(json(&ValueWriter::Vector, "1 2").as_deref(), Ok("[1,2]"));
        assert_eq!(json(&ValueWriter::Vector, "").as_deref(), Ok("[]"));
        assert_eq!(json(&ValueWriter::Vector, "1,2"), Err(Misfit::Malformed));
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for text in [
            "",
            "1",
            "{",
            "{1",
            "{1,",
            "{1,}",
            "{,1}",
            "}",
            "{}}",
            "{{}",
            "{\"a}",
            "{1}x",
            "[0:1]",
            "{{{{{{{1}}}}}}}",
        ] {
            assert_eq!(json(&of(ValueWriter::Text), text), Err(Misfit::Malformed), "{text}");
        }
    }
}
