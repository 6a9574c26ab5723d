//! Any datagram through the tracker's reader of requests over UDP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::udp_request(data));
