//! Any body through the readers of a tracker's answers over HTTP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::http_reply(data));
