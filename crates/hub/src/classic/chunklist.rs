//! What the tracker of `chunklist` does, but for its side channel.

use std::net::IpAddr;
use std::sync::Arc;

use swarm::directory::{ChunkList, Dialect, FileName, Join, Key};
use swarm::{Endpoint, Families, Port};
use wire::Malformed;
use wire::classic::chunklist::{REPLY_BYTES_MAX, Seeder};
use wire::classic::{Literal, literal};

use super::{Count, Registrar};

/// Seeders that are looked up for one reply: no row has fewer bytes.
const ROWS_MAX: usize = REPLY_BYTES_MAX / "('a', '1.1.1.1', 1, 1, 1), ".len();

/// What a `register` of `chunklist` says, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeding {
    /// The seeder's name.
    pub name: String,
    /// The address that its datagram came from.
    pub source: IpAddr,
    /// The address that it states.
    pub stated: Option<IpAddr>,
    /// Where it gives chunks away.
    pub port: Port,
    /// How many bytes it believes its list to have.
    pub size: u64,
}

impl Registrar {
    /// Takes note of a seeder whose chunk list has come.
    ///
    /// # Errors
    /// In words: the list is none, or the directory takes no more.
    pub fn seeder(&self, seeding: &Seeding, list: &[u8]) -> Result<(), String> {
        check(list).map_err(|fault| {
            self.note(Dialect::Chunklist, Count::Malformed);
            fault.to_string()
        })?;
        let name = FileName::new(&seeding.name).map_err(|error| error.to_string())?;
        let stated = seeding.stated.filter(|_| self.trust_stated_ip);
        let endpoint = Endpoint::new(stated.unwrap_or(seeding.source), seeding.port);
        let list = ChunkList { name, bytes: list, stated_bytes: seeding.size };
        self.join(&Join::chunklist(seeding.source, endpoint, list), 1).map_err(|why| why.to_string())
    }

    /// The seeders that an asker at `source` is told of, with their lists at `chunk_list_port`.
    pub fn seeders(&self, source: IpAddr, chunk_list_port: Port) -> Vec<Seeder> {
        self.note(Dialect::Chunklist, Count::LookUps);
        let shelves = &mut *self.shelves.lock();
        let rows = shelves.directory.seeders(ROWS_MAX, Families::of(source), &mut shelves.dice);
        let seeder = |row: &swarm::directory::Row<'_>| Seeder {
            name: row.name.to_owned(),
            ip: row.holder.endpoint().ip(),
            port: row.holder.endpoint().port(),
            chunk_list_port,
            size: row.extent.bytes().unwrap_or(0),
        };
        rows.iter().map(seeder).collect()
    }

    /// A seeder's heartbeat.
    pub fn seeder_beats(&self, name: &str, source: IpAddr) {
        self.beat(&Key::chunklist(name, source));
    }

    /// A seeder is gone.
    pub fn seeder_leaves(&self, name: &str, source: IpAddr) {
        self.leave(&Key::chunklist(name, source));
    }

    /// The chunk list that goes by a name, as it came.
    #[must_use]
    pub fn chunk_list(&self, name: &str) -> Option<Arc<[u8]>> {
        self.note(Dialect::Chunklist, Count::Lists);
        self.shelves.lock().directory.chunk_list(name)
    }
}

/// A list is served as it came, but only if it is one: clients evaluate what they get.
fn check(list: &[u8]) -> Result<(), Malformed> {
    let wrong = || Malformed::found("the chunk list", list, "a list or a dict in Python's notation");
    match literal(std::str::from_utf8(list).map_err(|_| wrong())?)? {
        Literal::List(_) | Literal::Dict(_) => Ok(()),
        _ => Err(wrong()),
    }
}
