//! Any query through the announce reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::http_announce(data));
