//! The named files of the four classic dialects.
//!
//! A **holder** speaks one dialect with the tracker, is known by its [`Key`], and offers **names**. A name is told to
//! those whose client can fetch it there: `token` and `beacon` clients fetch alike, so their holders serve both;
//! `index` and `chunklist` holders serve their own; a peer of Skep's says that it serves all ([`Join::serving_all`]).
//!
//! How long a holder stays depends on its dialect. In `index` and `beacon` it is gone when it has been silent for its
//! time, in `chunklist` too once it has ever beaten. All others are probed: [`Directory::next_probe`] says whom to
//! connect to, [`Directory::probed`] is told what came of it, and who did not answer three times in a row is gone. A
//! holder is there until [`Directory::expire`] or a probe finds it gone.
//!
//! Everything that strangers can fill has a bound ([`Config`]). A join that would pass one is refused as a whole.

mod dialect;
mod holder;
mod join;
mod life;
mod lists;
mod look_up;
mod names;
mod offer;
mod queue;
mod refused;
mod shelf;
mod shelving;
mod slab;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use dialect::{Dialect, Key};
pub use join::{Join, Joined};
pub use life::{Expired, PROBE_FAILURES_MAX, Probe, Ticket};
pub use look_up::{Answer, Ask, Row};
pub use offer::{
    CHUNK_LIST_BYTES_MAX, ChunkList, Extent, FILE_NAME_BYTES_MAX, FileName, FileNameError, Offer, PART_BYTES,
};
pub use refused::{LABEL_BYTES_MAX, Refused};
pub use view::{HolderView, NameView, Page, Stats};

use crate::salt::Salt;
use holder::Holders;
use lists::Lists;
use names::Names;

/// What a directory is told at its beginning.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Bytes that holders, names and chunk lists may take together. Never exceeded.
    pub memory_bytes_max: usize,
    /// How many different names there may be.
    pub names_max: usize,
    /// How many names a holder may offer.
    pub names_per_holder_max: usize,
    /// How many holders there may be at one source address.
    pub holders_per_address_max: usize,
    /// Seconds that a holder may be silent in `index`.
    pub index_ttl_secs: u32,
    /// Seconds that a holder may be silent in `beacon`.
    pub beacon_ttl_secs: u32,
    /// Seconds that a holder may be silent in `chunklist`, once it has beaten.
    pub chunklist_ttl_secs: u32,
    /// Seconds between what came of one probe of a holder and the next.
    pub probe_interval_secs: u32,
    /// How many probes may be under way.
    pub probes_in_flight_max: usize,
    /// A number nobody outside knows: without it, strangers could choose names that collide.
    pub secret: u64,
}

/// Who holds which names, in all four dialects.
///
/// Not shared and not locked. What only looks takes `&self`.
#[derive(Debug)]
pub struct Directory {
    config: Config,
    salt: Salt,
    holders: Holders,
    names: Names,
    lists: Lists,
    refused: u64,
}

impl Config {
    /// The times that the dialects' clients count on, and bounds that suit a hub for a few thousand of them.
    #[must_use]
    pub const fn usual(memory_bytes_max: usize, secret: u64) -> Self {
        Self {
            memory_bytes_max,
            names_max: 1 << 20,
            names_per_holder_max: 4_096,
            holders_per_address_max: 4_096,
            index_ttl_secs: 15,
            beacon_ttl_secs: 30,
            chunklist_ttl_secs: 30,
            probe_interval_secs: 60,
            probes_in_flight_max: 64,
            secret,
        }
    }
}

impl Directory {
    /// An empty directory.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            salt: Salt::new(config.secret),
            holders: Holders::default(),
            names: Names::default(),
            lists: Lists::default(),
            refused: 0,
        }
    }

    /// Bytes taken of the budget: what is asked of the allocator; its own few bytes a block are not counted.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.holders.memory_bytes() + self.names.memory_bytes() + self.lists.memory_bytes()
    }
}
