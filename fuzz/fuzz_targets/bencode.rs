//! Any bytes through the bencode readers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bencode(data));
