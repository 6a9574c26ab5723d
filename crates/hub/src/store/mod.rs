//! What must last, behind one small trait: catalogue rows and their completed counts, and the [roll] of who takes part.
//! Beside it what may be lost: the [snapshot] of the swarms.
//!
//! The trait speaks in domain words and is blocking: the [catalogue](crate::catalogue) keeps it away from whoever may
//! not wait. SQL is known to [`sqlite`] alone. What every store must do alike, whatever its engine, is in the rooms
//! beside: `merge` (what a second addition may change), `words` (what a search text means), `cursor` (where a
//! page begins).

mod cursor;
mod fault;
pub mod ledger;
mod merge;
pub mod roll;
mod rows;
pub mod snapshot;
pub mod sqlite;
mod words;

#[cfg(test)]
mod battery;
#[cfg(test)]
mod model;

use std::net::IpAddr;

use roll::{AuditEntry, Invite, Member, Pass, Rule, Span, Token};
use swarm::InfoHash;

pub use cursor::{BadCursor, Cursor};
pub use fault::{Fault, OpenError};
pub use rows::{Addition, Change, Effect, NewTorrent, Outcome, Page, Select, Torrent, TorrentFile};
pub use words::Words;

/// The most bytes of file lists that a page of a listing holds, the last torrent's not counted: a page of torrents with
/// very many files ends early.
pub const PAGE_FILE_BYTES_MAX: usize = 4 << 20;

/// Durable storage. Blocking; one writer at a time, any number of readers, each with a `Store` of its own.
pub trait Store: Send {
    /// Makes all of `changes`, in order and in one transaction, and tells what came of each.
    ///
    /// When it returns they are on disk, synced. When it fails nothing has changed.
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Effect>, Fault>;

    /// One torrent with its files.
    fn get(&self, hash: &InfoHash) -> Result<Option<Torrent>, Fault>;

    /// The .torrent file of one torrent, if there is one.
    fn metainfo(&self, hash: &InfoHash) -> Result<Option<Vec<u8>>, Fault>;

    /// A page of the torrents that `select` tells, in an order that does not change while rows come and go:
    ///
    /// - without words, newest first;
    /// - with words, first those whose name is the text itself (letter case of ASCII aside), then those with all words
    ///   in their names, then those that need the names of their files too; newest first in each.
    fn list(&self, select: &Select) -> Result<Page, Fault>;

    /// Every torrent there is, with its completed downloads.
    fn completed(&self) -> Result<Vec<(InfoHash, u64)>, Fault>;

    /// The member of a name, in any letter case.
    fn member(&self, name: &str) -> Result<Option<Member>, Fault>;

    /// Members in the order in which they came.
    fn members(&self, span: Span) -> Result<Vec<Member>, Fault>;

    /// What a tracker needs to know of every member that has a passkey.
    fn passes(&self) -> Result<Vec<Pass>, Fault>;

    /// Invitations in the order in which they were made, those that are used up too.
    fn invites(&self, span: Span) -> Result<Vec<Invite>, Fault>;

    /// Every token.
    fn tokens(&self) -> Result<Vec<Token>, Fault>;

    /// Every access rule, those that are over too, in the order in which they were first made.
    fn rules(&self) -> Result<Vec<Rule>, Fault>;

    /// Acts and their numbers, the newest first; `span` begins before its number, or with the newest if that is 0.
    fn audit(&self, span: Span) -> Result<Vec<(i64, AuditEntry)>, Fault>;
}

/// The addresses that count as one where additions are counted, as the first and the last one's bytes: the address
/// itself, or its /64 network if it is IPv6, where one person has 2^64 of them.
fn counted_as_one(ip: IpAddr) -> (Vec<u8>, Vec<u8>) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => (ip.octets().to_vec(), ip.octets().to_vec()),
        IpAddr::V6(ip) => {
            let network = &ip.octets()[..8];
            ([network, &[0; 8]].concat(), [network, &[0xff; 8]].concat())
        }
    }
}
