//! Any bytes as the state file of an older tracker.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::legacy(data));
