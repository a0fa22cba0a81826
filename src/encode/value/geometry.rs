//! The geometric types: structs of coordinates, and well-known binary (little-endian) for what has many points.

use std::str;

use super::Misfit;
use super::number::push_double;
use crate::encode::writer::push_base64;

/// Which of the types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) enum Shape {
    Point,
    Line,
    Segment,
    Box,
    Path,
    Polygon,
    Circle,
}

impl Shape {
    #[cfg(test)]
    pub(super) const ALL: [Self; 7] =
        [Self::Point, Self::Line, Self::Segment, Self::Box, Self::Path, Self::Polygon, Self::Circle];
}

/// A coordinate pair.
type Point = [f64; 2];

pub(super) fn write(shape: Shape, text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let numbers = numbers(text)?;
    let points: Vec<Point> = numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
    let even = numbers.len() % 2 == 0;
    match (shape, &*points) {
        (Shape::Point, [one]) if even => point(*one, out),
        (Shape::Line, [[a, b]]) if numbers.len() == 3 => {
            let c = numbers[2];
            for (name, value) in [("{\"a\":", *a), (",\"b\":", *b), (",\"c\":", c)] {
                out.extend_from_slice(name.as_bytes());
                push_double(value, out)?;
            }
            out.push(b'}');
            Ok(())
        }
        (Shape::Circle, [center]) if numbers.len() == 3 => {
            out.extend_from_slice(b"{\"center\":");
            point(*center, out)?;
            out.extend_from_slice(b",\"radius\":");
            push_double(numbers[2], out)?;
            out.push(b'}');
            Ok(())
        }
        (Shape::Segment, [_, _]) if even => {
            shaped(&line_string(&points), "\"type\":\"lseg\"", out);
            Ok(())
        }
        (Shape::Box, [[right, top], [left, bottom]]) if even => {
            let ring = [[*right, *top], [*right, *bottom], [*left, *bottom], [*left, *top], [*right, *top]];
            shaped(&polygon(&ring), "\"type\":\"box\"", out);
            Ok(())
        }
        (Shape::Path, [_, ..]) if even => {
            let closed = text.first() == Some(&b'(');
            let extensions = if closed {
                "\"type\":\"path\",\"closed\":\"true\""
            } else {
                "\"type\":\"path\",\"closed\":\"false\""
            };
            shaped(&line_string(&points), extensions, out);
            Ok(())
        }
        (Shape::Polygon, [first, ..]) if even => {
            let mut ring = points.clone();
            if points.last() != Some(first) {
                ring.push(*first);
            }
            shaped(&polygon(&ring), "\"type\":\"polygon\"", out);
            Ok(())
        }
        _ => Err(Misfit::Malformed),
    }
}

/// What Debezium has in the place of one: the unit shape of its kind. Its path is neither open nor closed.
pub(super) fn zero(shape: Shape) -> Vec<u8> {
    let text: &[u8] = match shape {
        Shape::Point => b"(0,0)",
        Shape::Line => b"{0,1,0}",
        Shape::Segment => b"[(0,0),(1,0)]",
        Shape::Box => b"(0,0),(1,1)",
        Shape::Polygon => b"((0,0),(1,0),(0,1))",
        Shape::Circle => b"<(0,0),0>",
        Shape::Path => b"",
    };
    let mut out = Vec::new();
    if shape != Shape::Path && write(shape, text, &mut out).is_ok() {
        return out;
    }
    shaped(&line_string(&[[0.0, 0.0], [1.0, 0.0]]), "\"type\":\"path\"", &mut out);
    out
}

/// `{"x":…,"y":…,"wkb":…,"srid":null}`
pub(super) fn point(at: Point, out: &mut Vec<u8>) -> Result<(), Misfit> {
    out.extend_from_slice(b"{\"x\":");
    push_double(at[0], out)?;
    out.extend_from_slice(b",\"y\":");
    push_double(at[1], out)?;
    out.extend_from_slice(b",\"wkb\":\"");
    let mut wkb = header(1);
    push_points(&[at], &mut wkb);
    push_base64(out, &wkb);
    out.extend_from_slice(b"\",\"srid\":null}");
    Ok(())
}

fn shaped(wkb: &[u8], extensions: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"wkb\":\"");
    push_base64(out, wkb);
    out.extend_from_slice(b"\",\"srid\":null,\"extensions\":{");
    out.extend_from_slice(extensions.as_bytes());
    out.extend_from_slice(b"}}");
}

fn line_string(points: &[Point]) -> Vec<u8> {
    let mut wkb = header(2);
    push_count(points.len(), &mut wkb);
    push_points(points, &mut wkb);
    wkb
}

fn polygon(ring: &[Point]) -> Vec<u8> {
    let mut wkb = header(3);
    push_count(1, &mut wkb);
    push_count(ring.len(), &mut wkb);
    push_points(ring, &mut wkb);
    wkb
}

/// Little-endian, and the kind of geometry.
fn header(kind: u8) -> Vec<u8> {
    vec![1, kind, 0, 0, 0]
}

fn push_count(count: usize, wkb: &mut Vec<u8>) {
    wkb.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn push_points(points: &[Point], wkb: &mut Vec<u8>) {
    wkb.extend(points.iter().flatten().flat_map(|coordinate| coordinate.to_le_bytes()));
}

/// The numbers of a geometric text; what stands between them is checked by their count alone.
fn numbers(text: &[u8]) -> Result<Vec<f64>, Misfit> {
    let text = str::from_utf8(text).map_err(|_| Misfit::Malformed)?;
    text.split(|letter: char| "()[]{}<>,".contains(letter))
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().map_err(|_| Misfit::Malformed))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn structs_and_well_known_binary() {
        for (shape, text, expected) in [
            (Shape::Point, "(1,2)", r#"{"x":1.0,"y":2.0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA","srid":null}"#),
            (
                Shape::Point,
                "(-1.5,1e+10)",
                r#"{"x":-1.5,"y":1.0E10,"wkb":"AQEAAAAAAAAAAAD4vwAAACBfoAJC","srid":null}"#,
            ),
            (
                Shape::Point,
                "(NaN,Infinity)",
                r#"{"x":"NaN","y":"Infinity","wkb":"AQEAAAAAAAAAAAD4fwAAAAAAAPB/","srid":null}"#,
            ),
            (Shape::Line, "{-1,0.5,0}", r#"{"a":-1.0,"b":0.5,"c":0.0}"#),
            (
                Shape::Segment,
                "[(0,0),(1,1)]",
                r#"{"wkb":"AQIAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8=","srid":null,"extensions":{"type":"lseg"}}"#,
            ),
            (
                Shape::Box,
                "(2,3),(0,0)",
                r#"{"wkb":"AQMAAAABAAAABQAAAAAAAAAAAABAAAAAAAAACEAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACEAAAAAAAAAAQAAAAAAAAAhA","srid":null,"extensions":{"type":"box"}}"#,
            ),
            (
                Shape::Path,
                "[(0,0),(1,1),(2,0)]",
                r#"{"wkb":"AQIAAAADAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8AAAAAAAAAQAAAAAAAAAAA","srid":null,"extensions":{"type":"path","closed":"false"}}"#,
            ),
            (
                Shape::Path,
                "((0,0),(1,1))",
                r#"{"wkb":"AQIAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8=","srid":null,"extensions":{"type":"path","closed":"true"}}"#,
            ),
            (
                Shape::Polygon,
                "((0,0),(1,1),(2,0))",
                r#"{"wkb":"AQMAAAABAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADwPwAAAAAAAPA/AAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","srid":null,"extensions":{"type":"polygon"}}"#,
            ),
            (
                Shape::Polygon,
                "((0,0))",
                r#"{"wkb":"AQMAAAABAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAA=","srid":null,"extensions":{"type":"polygon"}}"#,
            ),
            (
                Shape::Circle,
                "<(1,2),3.5>",
                r#"{"center":{"x":1.0,"y":2.0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA","srid":null},"radius":3.5}"#,
            ),
        ] {
            assert_eq!(json(&ValueWriter::Geometry(shape), text).as_deref(), Ok(expected), "{text}");
        }
        for shape in Shape::ALL {
            for text in ["", "(1)", "(a,b)", "(1,2,3,4,5)"] {
                assert_eq!(json(&ValueWriter::Geometry(shape), text), Err(Misfit::Malformed), "{text}");
            }
        }
    }
}
