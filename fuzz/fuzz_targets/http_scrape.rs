//! Any query through the scrape reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::http_scrape(data));
