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

use std::net::IpAddr;

use swarm::directory::{FileName, LABEL_BYTES_MAX};

use crate::Malformed;

pub use json::Scanner;
pub use literal::{Literal, literal};

/// The longest request of a JSON dialect, in bytes: a register of some ten thousand names.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// The most names in one request.
pub const NAMES_MAX: usize = 10_000;

/// What a peer calls itself, as it is written in replies and logs.
fn peer_name(name: &str) -> Result<String, Malformed> {
    if name.is_empty() || name.len() > LABEL_BYTES_MAX || name.contains(char::is_control) {
        let expected = "1 to 255 bytes long and without control characters";
        return Err(Malformed::found("the peer's name", name.as_bytes(), expected));
    }
    Ok(name.to_owned())
}

fn file_name(name: &str) -> Result<String, Malformed> {
    match FileName::new(name) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(error) => Err(Malformed::new(error.to_string())),
    }
}

fn address(text: &str) -> Result<IpAddr, Malformed> {
    text.parse().map_err(|_| Malformed::found("the address", text.as_bytes(), "an IP address"))
}

/// A number in decimal digits and nothing else.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Those rows of another's list that can be used. One that cannot be, because its holder listens nowhere say, does not
/// take the others with it; if none can be, that is a fault.
fn usable<T>(rows: impl Iterator<Item = Result<T, Malformed>>) -> Result<Vec<T>, Malformed> {
    let (mut usable, mut fault) = (Vec::new(), None);
    for row in rows {
        match row {
            Ok(row) => usable.push(row),
            Err(wrong) => fault = fault.or(Some(wrong)),
        }
    }
    fault.filter(|_| usable.is_empty()).map_or(Ok(usable), Err)
}
