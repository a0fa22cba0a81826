#![no_main]
//! Any bytes, in any mode.

libfuzzer_sys::fuzz_target!(|data: &[u8]| headwater_fuzz::message(data));
