//! The four classic dialects from a peer's side: telling their trackers what is offered here and asking them who has
//! what ([`token`], [`index`], [`chunklist`], [`beacon`]), giving files to their peers ([`Server`]), and getting files
//! from them ([`fetch`]). In all of them at once, [`Presence`] keeps trackers told, and [`Directory`] asks them.
//!
//! Whatever comes from the network is bounded in size and in time, and a name that comes from there is looked up among
//! the names that are offered, never on the disk.

pub mod beacon;
pub mod chunklist;
pub mod directory;
pub mod fetch;
pub mod index;
pub mod token;

mod conversation;
mod datagram;
mod error;
mod pace;
mod presence;
mod serve;
mod shelf;
mod slots;
mod stock;

pub use directory::Directory;
pub use error::{Error, Wrong};
pub use pace::Pace;
pub use presence::Presence;
pub use serve::{Served, Server};
pub use shelf::{Files, Shelf};
pub use stock::{DOWNLOAD_PREFIX, Item, Stock};
pub use swarm::directory::Dialect;

use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a tracker may take for its answer.
const ANSWER: Duration = Duration::from_secs(10);
