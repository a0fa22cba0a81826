//! PostGIS's `geometry` and `geography`: the extended well-known binary that its output functions print as hexadecimal
//! digits, as it is, and the SRID taken out of it.

use super::{Misfit, binary};
use crate::encode::writer::push_int;
use crate::modes::BinaryMode;

/// Which of the types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) enum Kind {
    Geometry,
    Geography,
}

impl Kind {
    #[cfg(test)]
    pub(super) const ALL: [Self; 2] = [Self::Geometry, Self::Geography];
}

/// `{"wkb":"base64","srid":4326,"extensions":null}`, for a `geography` without the last.
pub(super) fn write(kind: Kind, text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    out.extend_from_slice(b"{\"wkb\":");
    binary::push_hex(text, BinaryMode::Bytes, out)?;
    out.extend_from_slice(b",\"srid\":");
    match srid(text)? {
        Some(srid) => push_int(out, srid),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(match kind {
        Kind::Geometry => b",\"extensions\":null}",
        Kind::Geography => b"}",
    });
    Ok(())
}

/// The SRID, when the geometry says one: four bytes behind the type, in the order that the first byte names.
fn srid(text: &[u8]) -> Result<Option<i32>, Misfit> {
    let little = match binary::byte(text, 0)? {
        0 => false,
        1 => true,
        _ => return Err(Misfit::Malformed),
    };
    let number = |at: usize| -> Result<i32, Misfit> {
        let mut bytes = [0; 4];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = binary::byte(text, 2 * (at + index))?;
        }
        Ok(if little { i32::from_le_bytes(bytes) } else { i32::from_be_bytes(bytes) })
    };
    if number(1)? & HAS_SRID == 0 { Ok(None) } else { number(5).map(Some) }
}

/// The flag in the type.
const HAS_SRID: i32 = 0x2000_0000;

/// An empty collection.
pub(super) const EMPTY: &[u8] = b"010700000000000000";

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn the_binary_and_its_srid() {
        for (kind, text, expected) in [
            (
                Kind::Geometry,
                "0101000000000000000000F03F0000000000000040",
                r#"{"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA","srid":null,"extensions":null}"#,
            ),
            (
                Kind::Geography,
                "0101000020E6100000000000000000F03F0000000000000040",
                r#"{"wkb":"AQEAACDmEAAAAAAAAAAA8D8AAAAAAAAAQA==","srid":4326}"#,
            ),
            (
                Kind::Geometry,
                "0020000001000010E63FF00000000000004000000000000000",
                r#"{"wkb":"ACAAAAEAABDmP/AAAAAAAABAAAAAAAAAAA==","srid":4326,"extensions":null}"#,
            ),
            (
                Kind::Geometry,
                str::from_utf8(EMPTY).unwrap(),
                r#"{"wkb":"AQcAAAAAAAAA","srid":null,"extensions":null}"#,
            ),
        ] {
            assert_eq!(json(&ValueWriter::Postgis(kind), text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["", "01", "0101000020E610", "0201000000", "POINT(1 2)", "010100000"] {
            assert_eq!(json(&ValueWriter::Postgis(Kind::Geometry), text), Err(Misfit::Malformed), "{text}");
        }
    }
}
