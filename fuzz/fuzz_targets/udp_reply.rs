//! Any datagram through the reader of a tracker's answers over UDP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::udp_reply(data));
