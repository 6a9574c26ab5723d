//! The scrape query (BEP 48).

use super::ScrapeRequest;
use super::query::{Pairs, info_hash};
use crate::Malformed;

/// Reads the query of a scrape, which may name at most `hashes_max` swarms.
///
/// # Errors
///
/// [`Malformed`] if an info hash is none, or there are more than `hashes_max`.
pub fn decode_scrape(query: &[u8], hashes_max: usize) -> Result<ScrapeRequest, Malformed> {
    let mut request = ScrapeRequest { hashes: Vec::new(), json: false };
    for (name, value) in Pairs::of(query)? {
        match name {
            b"info_hash" => {
                let hash = info_hash(value)?;
                if request.hashes.len() == hashes_max {
                    let fault =
                        format!("a scrape of more than {hashes_max} info_hash is too long: ask in parts");
                    return Err(Malformed::new(fault));
                }
                request.hashes.push(hash);
            }
            b"format" => request.json = value == b"json",
            _ => {}
        }
    }
    request.hashes.sort_unstable();
    request.hashes.dedup();
    Ok(request)
}
