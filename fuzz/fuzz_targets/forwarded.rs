//! Any value through the readers of the headers that proxies write.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::forwarded(data));
