//! The parsers of files that another program wrote.

#[path = "../../src/import/offsets/java.rs"]
mod java;
#[path = "../../src/import/properties.rs"]
pub mod properties;

/// Kafka Connect's file of offsets: what a mistake points at is in the file.
pub fn offsets(data: &[u8]) {
    match java::byte_map(data) {
        Ok(pairs) => assert!(pairs.len() <= data.len()),
        Err(mistake) => assert!(mistake.at <= data.len()),
    }
}
