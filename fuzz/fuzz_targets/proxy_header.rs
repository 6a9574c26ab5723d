//! Any bytes through the reader of the header that load balancers write before a connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::proxy_header(data));
