//! Any bytes through the reader of what peers say.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::peer_stream(data));
