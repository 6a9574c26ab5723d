//! Who has a name, for somebody who would like it.

use std::sync::Arc;

use rand_core::Rng;

use super::Directory;
use super::dialect::{Dialect, Key, Transfer};
use super::holder::HolderId;
use super::offer::Extent;
use super::shelf::Posting;
use super::slab::NONE;
use super::view::HolderView;
use crate::chance::Shuffle;
use crate::{Endpoint, Families};

/// What somebody would like to know.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The dialect of the client that will fetch.
    pub dialect: Dialect,
    /// The file's name.
    pub name: &'a str,
    /// Who asks, by its key in this dialect, where that can be known: it is not told of itself. In `token` it can, in
    /// `index` if a user is named; what asks in `beacon` and `chunklist` does not say who it is.
    pub asker: Option<Key<'a>>,
    /// Holders at addresses that the asker can reach: clients this old open sockets of the family they are written for.
    pub families: Families,
    /// At most so many holders.
    pub want: usize,
}

/// Who has the name, and how large it is.
#[derive(Debug, Clone, Default)]
pub struct Answer<'d> {
    /// Holders in random order.
    pub rows: Vec<Row<'d>>,
    /// For an asker of `token`: of how many parts the file is by the account of most who hold it, the asker and those
    /// not told of included; of numbers that equally many give, the largest. `None` if nobody says.
    pub parts: Option<u32>,
}

/// A holder of a name.
#[derive(Debug, Clone, Copy)]
pub struct Row<'d> {
    /// Who it is.
    pub holder: HolderView<'d>,
    /// The name.
    pub name: &'d str,
    /// How large the file is by its account; for an asker of `chunklist`, the size that its list is said to have.
    pub extent: Extent,
}

impl Directory {
    /// Some of those who hold a name and can serve the asker: as many as wanted, each choice as likely as any other.
    ///
    /// Holders of several dialects at one endpoint are one peer: those of the asker's dialect are told of, else one of
    /// them. Two holders of one dialect are two, even at one endpoint, because their labels differ.
    pub fn look_up(&self, ask: &Ask<'_>, rng: &mut impl Rng) -> Answer<'_> {
        let Some(number) = self.names.find(ask.name, &self.salt) else { return Answer::default() };
        let name = self.names.name(number);
        let shelf = name.shelf(ask.dialect.transfer()).postings();
        let asker = ask.asker.and_then(|key| self.holders.find(&key, &self.salt));
        let parts = if ask.dialect == Dialect::Token { most_said(shelf) } else { None };
        let mut rows = Vec::with_capacity(ask.want.min(shelf.len()));
        let mut shuffle = Shuffle::new(u32::try_from(shelf.len()).unwrap_or(u32::MAX));
        while rows.len() < ask.want
            && let Some(at) = shuffle.draw(rng)
        {
            let at = at as usize;
            if self.is_told(shelf, at, ask) && !self.is_same(shelf[at].holder, asker) {
                rows.push(self.row(name.text(), shelf[at]));
            }
        }
        Answer { rows, parts }
    }

    /// The listed seeders of `chunklist`: all, or as many as wanted, each choice as likely as any other.
    ///
    /// Of those who seed under one name, the ones are listed whose list is that of the first.
    pub fn seeders(&self, want: usize, families: Families, rng: &mut impl Rng) -> Vec<Row<'_>> {
        let seats = self.lists.seats();
        let mut rows = Vec::with_capacity(want.min(seats.len()));
        let mut shuffle = Shuffle::new(u32::try_from(seats.len()).unwrap_or(u32::MAX));
        while rows.len() < want
            && let Some(at) = shuffle.draw(rng)
        {
            let id = seats[at as usize];
            let holder = self.holders.holder(id);
            let Some(name) = self.lists.name(holder.list) else { continue };
            let Some(at) = self.held(id, name, Transfer::Chunks) else { continue };
            if reaches(families, holder.endpoint) {
                let name = self.names.name(name);
                rows.push(self.row(name.text(), name.shelf(Transfer::Chunks).postings()[at]));
            }
        }
        rows
    }

    /// The chunk list that goes by a name, byte for byte as it came.
    ///
    /// Whoever was first to give the name a list says what its list is, for as long as it is here. Another holder may
    /// give the name another list, and has it when the first is gone; until then it is not listed, so that whatever
    /// seeder a client picks, the list it gets is that seeder's.
    #[must_use]
    pub fn chunk_list(&self, name: &str) -> Option<Arc<[u8]>> {
        let name = self.names.name(self.names.find(name, &self.salt)?);
        let mut holders = name.shelf(Transfer::Chunks).postings().iter();
        let listed = holders.find(|posting| self.holders.holder(posting.holder).seat != NONE)?;
        self.lists.bytes(self.holders.holder(listed.holder).list).cloned()
    }

    pub(super) fn row<'d>(&'d self, name: &'d str, posting: Posting) -> Row<'d> {
        Row { holder: HolderView::new(self, posting.holder), name, extent: posting.extent.into() }
    }

    /// Whether the holder at a place on a shelf is one that the asker may be told of.
    pub(super) fn is_told(&self, shelf: &[Posting], at: usize, ask: &Ask<'_>) -> bool {
        let holder = self.holders.holder(shelf[at].holder);
        if !reaches(ask.families, holder.endpoint) {
            return false;
        }
        if ask.dialect == Dialect::Chunklist {
            return holder.seat != NONE;
        }
        if shelf[at].holder.dialect() == ask.dialect {
            return true;
        }
        // Those at one endpoint stand side by side, the transfer's own dialects first. So the first of them stands for
        // all, unless it is of `beacon` and the asker and the next are of `token`.
        let there = |at: Option<usize>| {
            let id = shelf.get(at?)?.holder;
            (self.holders.holder(id).endpoint == holder.endpoint).then(|| id.dialect())
        };
        there(at.checked_sub(1)).is_none() && there(at.checked_add(1)) != Some(ask.dialect)
    }

    /// Whether a holder is the asker: itself, or under the name that it has in another dialect.
    fn is_same(&self, id: HolderId, asker: Option<HolderId>) -> bool {
        let elsewhere = |asker: HolderId| {
            asker.dialect() != id.dialect()
                && self.holders.holder(asker).endpoint == self.holders.holder(id).endpoint
        };
        asker.is_some_and(|asker| asker == id || elsewhere(asker))
    }
}

fn reaches(families: Families, endpoint: Endpoint) -> bool {
    families == Families::Both || families == Families::of(endpoint.ip())
}

/// The number of parts that most give; of those that equally many give, the largest.
fn most_said(shelf: &[Posting]) -> Option<u32> {
    let said = || shelf.iter().filter_map(|posting| Extent::from(posting.extent).parts());
    // Boyer and Moore's vote: if more than half agree, on this.
    let (candidate, _) = said().fold((0, 0usize), |(candidate, lead), parts| match lead {
        0 => (parts, 1),
        _ if parts == candidate => (candidate, lead + 1),
        _ => (candidate, lead - 1),
    });
    if said().filter(|&parts| parts == candidate).count() > said().count() / 2 {
        return Some(candidate);
    }
    let mut all: Vec<u32> = said().collect();
    all.sort_unstable();
    let most = all.chunk_by(|a, b| a == b).max_by_key(|same| same.len())?;
    most.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_decide_and_of_equals_the_largest() {
        let said = |extents: &[Extent]| {
            let posting = |&extent: &Extent| Posting { holder: HolderId(0), extent: extent.into() };
            most_said(&extents.iter().map(posting).collect::<Vec<_>>())
        };
        let parts = Extent::Parts;
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[Extent::Unknown]), None);
        assert_eq!(said(&[parts(5), parts(7), parts(5)]), Some(5));
        assert_eq!(said(&[parts(7), parts(5)]), Some(7));
        assert_eq!(said(&[parts(9), parts(5), parts(7), parts(5), parts(7), parts(2)]), Some(7));
        assert_eq!(
            said(&[Extent::Bytes(65_537), Extent::Unknown, parts(2), parts(8), Extent::Unknown]),
            Some(2)
        );
    }
}
