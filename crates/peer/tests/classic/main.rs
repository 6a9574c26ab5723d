//! The four classic dialects from a peer's side, against trackers and peers that say, byte by byte, what those in the
//! wild do.

#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

mod clients;
mod fetching;
mod originals;
mod presence;
mod serving;
mod stub;
