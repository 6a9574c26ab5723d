//! Who has what: swarms of peers by content hash and files by name, their expiry and their statistics.
//!
//! This crate is pure. It opens no socket or file, starts no thread, and never asks what time it is or rolls its
//! own dice: the time and the random source arrive as arguments, so that a test may say "now + 31 min" and look.

pub mod accounts;
mod announce;
mod chance;
pub mod directory;
mod endpoint;
mod info_hash;
mod registry;
mod salt;
#[cfg(test)]
mod testing;
mod user;

pub use announce::{Announce, Counts, Detail, Event, Families, PeerId, Reply, Seconds, Want};
pub use directory::Directory;
pub use endpoint::{Endpoint, Port};
pub use info_hash::{InfoHash, InfoHashError};
pub use registry::{
    Config, ExportCursor, Full, Outcome, PeerRecord, Population, Registry, Role, Shed, Stage, Stats,
    SwarmView, Swept,
};
pub use user::UserId;
