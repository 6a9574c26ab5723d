//! Any payload through the readers of the peer protocol's extensions.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::peer_extension(data));
