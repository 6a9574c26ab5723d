//! Any text through the magnet link reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::magnet(data));
