//! The embedded store: one SQLite file in the state directory.
//!
//! WAL with `synchronous=FULL`: a change that was acknowledged survives the loss of power, and readers never wait for
//! the writer. All SQL of the hub is in this room and in `migrations/`.

mod backup;
pub mod ledger;
mod open;
mod read;
mod roll;
mod search;
mod write;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use backup::{back_up, restore};
use open::Database;
use rusqlite::{Connection, TransactionBehavior};
use swarm::InfoHash;

use super::roll::{AuditEntry, Invite, Member, Pass, Rule, Span, Token};
use super::{Change, Effect, Fault, OpenError, Page, Select, Store, Torrent};

/// Name of the database in the state directory. Beside it SQLite keeps `skep.db-wal` and `skep.db-shm`, which belong
/// to it: whoever copies one copies all three.
pub const FILE_NAME: &str = "skep.db";

const CATALOGUE: Database = Database {
    file: FILE_NAME,
    migrations: &[
        include_str!("../../migrations/0001_catalogue.sql"),
        include_str!("../../migrations/0002_members.sql"),
        include_str!("../../migrations/0003_rules.sql"),
        include_str!("../../migrations/0004_limits.sql"),
    ],
};

/// A connection to the database.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    /// Opens the database in `state_dir` for reading and writing: makes the directory and the file if they are not
    /// there, checks the file, and brings its tables up to date.
    ///
    /// Fails if the file cannot be read or written, is damaged, is something else, or was written by a newer program.
    /// The check reads the whole file.
    pub fn open(state_dir: &Path) -> Result<Self, OpenError> {
        let opened = Self::open_unchecked(state_dir)?;
        Self::check(state_dir)?;
        Ok(opened)
    }

    /// The same without the check that the file is not damaged, for whoever has that [made](Self::check) meanwhile.
    pub fn open_unchecked(state_dir: &Path) -> Result<Self, OpenError> {
        open::writer(state_dir, &CATALOGUE).map(|connection| Self { connection })
    }

    /// Checks the file that [`Sqlite::open_unchecked`] has opened. Reads all of it.
    pub fn check(state_dir: &Path) -> Result<(), OpenError> {
        open::check(state_dir, &CATALOGUE)
    }

    /// Opens the same database once more, to read only; [`Sqlite::open`] must have been there before.
    pub fn open_reader(state_dir: &Path) -> Result<Self, OpenError> {
        open::reader(state_dir, &CATALOGUE).map(|connection| Self { connection })
    }

    /// Several statements on one state of the database, whatever is written meanwhile.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        work(&*self.connection.unchecked_transaction()?)
    }
}

impl Store for Sqlite {
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Effect>, Fault> {
        let mut apply = || {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let effects =
                changes.iter().map(|change| write::apply(&transaction, change)).collect::<Result<_, _>>()?;
            transaction.commit()?;
            Ok(effects)
        };
        apply().map_err(fault("write to the store"))
    }

    fn get(&self, hash: &InfoHash) -> Result<Option<Torrent>, Fault> {
        let get = |snapshot: &Connection| Ok(read::torrent(snapshot, hash)?.map(|(_, torrent)| torrent));
        self.read(get).map_err(fault("read a torrent of the catalogue"))
    }

    fn metainfo(&self, hash: &InfoHash) -> Result<Option<Vec<u8>>, Fault> {
        read::metainfo(&self.connection, hash).map_err(fault("read a .torrent file of the catalogue"))
    }

    fn list(&self, select: &Select) -> Result<Page, Fault> {
        self.read(|snapshot| search::page(snapshot, select)).map_err(fault("list the catalogue"))
    }

    fn completed(&self) -> Result<Vec<(InfoHash, u64)>, Fault> {
        read::completed(&self.connection).map_err(fault("read the completed counts of the catalogue"))
    }

    fn member(&self, name: &str) -> Result<Option<Member>, Fault> {
        roll::member(&self.connection, name).map_err(fault("read a member"))
    }

    fn members(&self, span: Span) -> Result<Vec<Member>, Fault> {
        roll::members(&self.connection, span).map_err(fault("list the members"))
    }

    fn passes(&self) -> Result<Vec<Pass>, Fault> {
        roll::passes(&self.connection).map_err(fault("read the members' passkeys"))
    }

    fn invites(&self, span: Span) -> Result<Vec<Invite>, Fault> {
        roll::invites(&self.connection, span).map_err(fault("list the invitations"))
    }

    fn tokens(&self) -> Result<Vec<Token>, Fault> {
        roll::tokens(&self.connection).map_err(fault("read the tokens"))
    }

    fn rules(&self) -> Result<Vec<Rule>, Fault> {
        roll::rules(&self.connection).map_err(fault("read the access rules"))
    }

    fn audit(&self, span: Span) -> Result<Vec<(i64, AuditEntry)>, Fault> {
        roll::audit(&self.connection, span).map_err(fault("read the audit log"))
    }
}

fn fault(doing: &'static str) -> impl Fn(rusqlite::Error) -> Fault {
    move |error| Fault::new(doing, error)
}
