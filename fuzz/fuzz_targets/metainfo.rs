//! Any bytes through the torrent file reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::metainfo(data));
