//! Bytes to domain words and back, one file a protocol.
//!
//! Every protocol has the same two verbs: `decode` turns bytes into words, `encode` appends bytes to a buffer that
//! the caller keeps. No protocol's own words (`transaction_id`, `compact`, `+`-escaping) leave its file. Every
//! length is checked before it is believed; nothing here allocates more than a stated multiple of its input,
//! recurses without a bound, or panics on any input.
//!
//! This crate is pure: no sockets, files, threads, clocks or randomness.

pub mod bencode;
pub mod classic;
pub mod hash_text;
pub mod http;
pub mod magnet;
pub mod metainfo;
pub mod peer;
pub mod proxy;
pub mod udp;

mod announce;
mod fingerprint;
mod malformed;
mod passkey;

pub use announce::Announce;
pub use fingerprint::Fingerprint;
pub use malformed::Malformed;
pub use passkey::{PASSKEY_BYTES_MAX, passkey};
