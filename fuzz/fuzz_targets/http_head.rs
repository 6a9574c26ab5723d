//! Any bytes through the state machine of an HTTP connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::http_head(data));
