//! Java's serialisation, as far as Kafka Connect's `FileOffsetBackingStore` goes: one `java.util.HashMap` of byte arrays to
//! byte arrays. By the Object Serialization Stream Protocol; whatever is not that map is refused.
//!
//! ```text
//! ACED 0005                                                    magic, version
//! 73 72 0011 "java.util.HashMap" uid(8) 03 0002                object, class, serializable with data of its own, two fields
//!    46 000A "loadFactor" 49 0009 "threshold" 78 70            float and int; end of annotations, no superclass
//! loadFactor(4) threshold(4) 77 08 buckets(4) size(4)          fields, and a block of data
//!    size × { key value }                                      each a byte array, or 70 for null
//! 78                                                           end of the data
//!
//! byte array: 75 class length(4) bytes, where class is
//!    72 0002 "[B" uid(8) 02 0000 78 70                         the first time
//!    71 007E0002                                               a reference to it afterwards
//! ```

/// How such a stream begins.
pub(super) const MAGIC: [u8; 4] = [0xAC, 0xED, 0x00, 0x05];

/// What is wrong with a stream, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub at: usize,
    pub reason: &'static str,
}

/// A key and its value; null is none.
pub(super) type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

/// Reads the map.
pub(super) fn byte_map(bytes: &[u8]) -> Result<Vec<Pair>, Mistake> {
    let mut stream = Stream { bytes, at: 0, knows_arrays: false };
    stream.expect(&MAGIC, "no stream of Java objects")?;
    stream.expect(&[OBJECT, CLASS], "the stream does not begin with an object")?;
    stream.expect(b"\x00\x11java.util.HashMap", "the object is no java.util.HashMap")?;
    stream.expect(&HASH_MAP_UID, "another version of java.util.HashMap")?;
    stream
        .expect(b"\x03\x00\x02F\x00\x0aloadFactorI\x00\x09threshold", "another form of java.util.HashMap")?;
    stream.expect(&[END, NULL], "another form of java.util.HashMap")?;
    stream.take(8)?;
    stream.expect(&[BLOCK, 8], "another form of java.util.HashMap")?;
    stream.take(4)?;
    let size = stream.length()?;
    let mut pairs = Vec::new();
    for _ in 0..size {
        let key = stream.array()?;
        pairs.push((key, stream.array()?));
    }
    stream.expect(&[END], "more in the map than it says")?;
    if stream.at == bytes.len() { Ok(pairs) } else { Err(stream.mistake("something follows the map")) }
}

struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The class of byte arrays was described, and has its number.
    knows_arrays: bool,
}

impl<'a> Stream<'a> {
    fn mistake(&self, reason: &'static str) -> Mistake {
        Mistake { at: self.at, reason }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Mistake> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.mistake("the stream ends too early"))?;
        self.at += length;
        Ok(taken)
    }

    fn expect(&mut self, expected: &[u8], reason: &'static str) -> Result<(), Mistake> {
        let begin = self.at;
        if self.take(expected.len())? == expected { Ok(()) } else { Err(Mistake { at: begin, reason }) }
    }

    fn length(&mut self) -> Result<usize, Mistake> {
        let begin = self.at;
        let bytes: [u8; 4] =
            self.take(4)?.try_into().map_err(|_| self.mistake("the stream ends too early"))?;
        usize::try_from(i32::from_be_bytes(bytes))
            .map_err(|_| Mistake { at: begin, reason: "a negative length" })
    }

    fn array(&mut self) -> Result<Option<Vec<u8>>, Mistake> {
        let begin = self.at;
        match self.take(1)? {
            [NULL] => return Ok(None),
            [ARRAY] => {}
            _ => return Err(Mistake { at: begin, reason: "neither a byte array nor null" }),
        }
        if self.knows_arrays {
            self.expect(&[REFERENCE, 0x00, 0x7E, 0x00, 0x02], "an array of another class")?;
        } else {
            self.expect(b"\x72\x00\x02[B", "an array that is not of bytes")?;
            self.expect(&BYTES_UID, "another version of byte arrays")?;
            self.expect(&[0x02, 0x00, 0x00, END, NULL], "another form of byte arrays")?;
            self.knows_arrays = true;
        }
        let length = self.length()?;
        Ok(Some(self.take(length)?.to_vec()))
    }
}

const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const ARRAY: u8 = 0x75;
const BLOCK: u8 = 0x77;
const END: u8 = 0x78;
const HASH_MAP_UID: [u8; 8] = [0x05, 0x07, 0xDA, 0xC1, 0xC3, 0x16, 0x60, 0xD1];
const BYTES_UID: [u8; 8] = [0xAC, 0xF3, 0x17, 0xF8, 0x06, 0x08, 0x54, 0xE0];

#[cfg(test)]
mod tests {
    use super::*;

    /// As Kafka 4.3.1's `FileOffsetBackingStore` wrote it for Debezium 3.7.0, on Java 17.
    const WRITTEN: &[u8] = include_bytes!("../../../tests/import/connect.offsets");

    #[test]
    fn reads_what_connect_wrote() {
        let pairs = byte_map(WRITTEN).unwrap();
        let texts: Vec<_> = pairs
            .iter()
            .map(|(key, value)| [key, value].map(|bytes| String::from_utf8(bytes.clone().unwrap()).unwrap()))
            .collect();
        assert_eq!(texts.len(), 2);
        for [key, value] in texts {
            assert!(key.starts_with("[\"") && key.contains("{\"server\":\""), "{key}");
            assert!(value.contains("\"lsn\":"), "{value}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for end in 0..WRITTEN.len() {
            assert!(byte_map(&WRITTEN[..end]).is_err(), "{end}");
        }
        assert!(byte_map(&[WRITTEN, &[0]].concat()).unwrap_err().reason.contains("follows"));
        for (at, byte) in [(5, 0x70), (7, 0x12), (30, 0x01), (90, 0xFF)] {
            let mut other = WRITTEN.to_vec();
            other[at] = byte;
            let mistake = byte_map(&other).unwrap_err();
            assert!(mistake.at <= at + 4, "{at}: {mistake:?}");
        }
    }

    #[test]
    fn a_null_and_an_empty_map_are_no_mistakes() {
        let size = WRITTEN.windows(2).position(|pair| pair == [BLOCK, 8]).unwrap() + 6;
        let map = |size_bytes: [u8; 4], rest: &[u8]| [&WRITTEN[..size], &size_bytes, rest].concat();
        assert_eq!(byte_map(&map([0; 4], &[END])), Ok(vec![]));
        assert_eq!(byte_map(&map([0, 0, 0, 1], &[NULL, NULL, END])), Ok(vec![(None, None)]));
        assert!(byte_map(&map([0xFF; 4], &[END])).unwrap_err().reason.contains("negative"));
    }
}
