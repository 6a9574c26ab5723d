//! Any operations on a directory and its model.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::classic_chunklist(data));
