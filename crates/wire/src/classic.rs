//! The four home-grown protocols of small file-sharing programs, both sides of each.
//!
//! `token` and `index` are JSON over TCP, `chunklist` is text over UDP with a TCP side channel, `beacon` is JSON over
//! UDP. Their clients exist and cannot be changed, so replies keep to what those can take: one write, and no more bytes
//! than their one `recv` has room for. What their peers say to each other is in [`transfer`].

pub mod beacon;
pub mod chunklist;
pub mod index;
pub mod token;
pub mod transfer;

mod json;
mod literal;

pub use json::Scanner;
pub use literal::{Literal, literal};

/// The longest request of a JSON dialect, in bytes: a register of some ten thousand names.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// The most names in one request.
pub const NAMES_MAX: usize = 10_000;
