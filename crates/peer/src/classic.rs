//! The four classic dialects from a peer's side: telling their trackers what is offered here and asking them who has
//! what ([`token`], [`index`], [`chunklist`], [`beacon`]), giving files to their peers ([`Server`]), and getting files
//! from them ([`fetch`]).
//!
//! Whatever comes from the network is bounded in size and in time, and a name that comes from there is looked up among
//! the names that are offered, never on the disk.

pub mod beacon;
pub mod chunklist;
pub mod fetch;

pub mod index;
pub mod token;

mod conversation;
mod datagram;
mod error;
mod pace;
mod serve;
mod shelf;
mod slots;

pub use error::{Error, Wrong};
pub use pace::Pace;
pub use serve::{Served, Server};
pub use shelf::{Files, Shelf};

use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a tracker may take for its answer.
const ANSWER: Duration = Duration::from_secs(10);
