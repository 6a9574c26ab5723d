//! Looking at a directory without changing it: single entries, pages of all, counts.

use std::fmt;
use std::net::IpAddr;

use super::Directory;
use super::dialect::{Dialect, Key, Transfer};
use super::holder::{Holder, HolderId};
use super::look_up::{Ask, Row};
use super::names::Name;
use super::offer::Extent;
use super::queue::Queue;
use super::slab::NONE;
use crate::{Endpoint, Families, Seconds};

/// How many places are looked at for one page: where much was given up, a page has fewer rows, or none, and goes on.
const PLACES_PER_PAGE_MAX: usize = 4_096;

/// A holder, to look at.
#[derive(Clone, Copy)]
pub struct HolderView<'d> {
    directory: &'d Directory,
    id: HolderId,
    holder: &'d Holder,
}

/// A name, to look at.
#[derive(Clone, Copy)]
pub struct NameView<'d> {
    directory: &'d Directory,
    number: u32,
    name: &'d Name,
}

/// Some of many, and where to go on.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// Those of this page; maybe none, although there are more.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<u32>,
}

/// How much is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Holders by the dialect that they registered in, in the order of [`Dialect::ALL`].
    pub holders: [usize; Dialect::ALL.len()],
    /// Names by the dialects in whose look-ups somebody can be found who holds them, in the same order.
    pub names: [usize; Dialect::ALL.len()],
    /// Different names.
    pub names_in_all: usize,
    /// Listed seeders of `chunklist`.
    pub seeders: usize,
    /// Bytes taken of the budget.
    pub memory_bytes: usize,
    /// Joins refused since the start.
    pub refused: u64,
    /// Probes under way.
    pub probes: usize,
}

impl Directory {
    /// How much is here.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            holders: Dialect::ALL.map(|dialect| self.holders.len(dialect)),
            names: Dialect::ALL.map(|dialect| self.names.served(dialect.transfer())),
            names_in_all: self.names.len(),
            seeders: self.lists.seats().len(),
            memory_bytes: self.memory_bytes(),
            refused: self.refused,
            probes: self.holders.queues.len(Queue::Answer),
        }
    }

    /// The holder of a key, if it is here.
    #[must_use]
    pub fn holder(&self, key: &Key<'_>) -> Option<HolderView<'_>> {
        self.holders.find(key, &self.salt).map(|id| HolderView::new(self, id))
    }

    /// A name, if somebody holds it.
    #[must_use]
    pub fn name(&self, name: &str) -> Option<NameView<'_>> {
        let number = self.names.find(name, &self.salt)?;
        Some(NameView { directory: self, number, name: self.names.name(number) })
    }

    /// Up to `rows_max` holders registered in a dialect, from where the last page ended; 0 to begin. Who is here all the
    /// time is on one page, and only one, whoever else comes and goes in between.
    #[must_use]
    pub fn holders(&self, dialect: Dialect, from: u32, rows_max: usize) -> Page<HolderView<'_>> {
        page(from, self.holders.slots(dialect), rows_max, |at| {
            let id = HolderId::new(dialect, at);
            self.holders.get(id).map(|holder| HolderView { directory: self, id, holder })
        })
    }

    /// Up to `rows_max` names, from where the last page ended; 0 to begin. What is held all the time is on one page, and
    /// only one.
    #[must_use]
    pub fn names(&self, from: u32, rows_max: usize) -> Page<NameView<'_>> {
        page(from, self.names.slots(), rows_max, |number| {
            self.names.get(number).map(|name| NameView { directory: self, number, name })
        })
    }
}

fn page<T>(from: u32, places: usize, rows_max: usize, row: impl Fn(u32) -> Option<T>) -> Page<T> {
    let places = u32::try_from(places).unwrap_or(u32::MAX);
    let mut page = Page { rows: Vec::new(), next: None };
    for (looked, at) in (from..places).enumerate() {
        if page.rows.len() == rows_max || looked == PLACES_PER_PAGE_MAX {
            page.next = Some(at);
            break;
        }
        page.rows.extend(row(at));
    }
    page
}

impl<'d> HolderView<'d> {
    pub(super) fn new(directory: &'d Directory, id: HolderId) -> Self {
        Self { directory, id, holder: directory.holders.holder(id) }
    }

    /// What it is known by.
    #[must_use]
    pub fn key(&self) -> Key<'d> {
        self.directory.holders.key(self.id)
    }

    /// The dialect it registered in.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.id.dialect()
    }

    /// Peer id, user name or seeder's name; empty in `beacon`.
    #[must_use]
    pub fn label(&self) -> &'d str {
        &self.holder.label
    }

    /// The address it was seen at.
    #[must_use]
    pub const fn source(&self) -> IpAddr {
        self.holder.source
    }

    /// Where others reach it.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.holder.endpoint
    }

    /// Whether it serves the clients of all dialects.
    #[must_use]
    pub const fn serves_all(&self) -> bool {
        self.holder.serves_all
    }

    /// Whether it is listed among the seeders of `chunklist`.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.holder.seat != NONE
    }

    /// How many names it offers.
    #[must_use]
    pub fn names_len(&self) -> usize {
        self.holder.names.len()
    }

    /// What it offers, in no order.
    pub fn names(&self) -> impl Iterator<Item = (&'d str, Extent)> + use<'d> {
        let Self { directory, id, holder } = *self;
        holder.names.iter().map(move |&number| {
            let name = directory.names.name(number);
            let extent = |transfer| {
                let at = directory.held(id, number, transfer)?;
                Some(name.shelf(transfer).postings()[at].extent.into())
            };
            (name.text(), Transfer::ALL.into_iter().find_map(extent).unwrap_or_default())
        })
    }

    /// The name of its chunk list, and how many bytes that has.
    #[must_use]
    pub fn chunk_list(&self) -> Option<(&'d str, usize)> {
        let lists = &self.directory.lists;
        let name = lists.name(self.holder.list)?;
        Some((self.directory.names.name(name).text(), lists.bytes(self.holder.list)?.len()))
    }

    /// Seconds since its last sign of life where it has a deadline; elsewhere since the last probe, or since it joined.
    #[must_use]
    pub const fn idle_secs(&self, now: Seconds) -> u32 {
        now.saturating_sub(self.holder.wait.since)
    }

    /// How many probes it failed in a row; `None` where it has a deadline.
    #[must_use]
    pub const fn failures(&self) -> Option<u8> {
        match self.holder.wait.queue {
            Some(Queue::Probe | Queue::Answer) => Some(self.holder.failures),
            _ => None,
        }
    }
}

impl<'d> NameView<'d> {
    /// The name.
    #[must_use]
    pub fn text(&self) -> &'d str {
        self.name.text()
    }

    /// Where a page begins that is to have the names behind this one, and not this one.
    #[must_use]
    pub const fn next(&self) -> u32 {
        self.number + 1
    }

    /// How many holders the clients of a dialect are told of. Looks at each of them.
    #[must_use]
    pub fn holders_len(&self, dialect: Dialect) -> usize {
        let shelf = self.name.shelf(dialect.transfer()).postings();
        let ask = self.ask(dialect, usize::MAX);
        (0..shelf.len()).filter(|at| self.directory.is_told(shelf, *at, &ask)).count()
    }

    /// Up to `rows_max` holders that can serve the clients of a dialect, from where the last page ended; 0 to begin.
    /// Who comes or goes in between moves the others.
    #[must_use]
    pub fn holders(&self, dialect: Dialect, from: u32, rows_max: usize) -> Page<Row<'d>> {
        let shelf = self.name.shelf(dialect.transfer()).postings();
        let ask = self.ask(dialect, rows_max);
        page(from, shelf.len(), rows_max, |at| {
            let at = at as usize;
            self.directory.is_told(shelf, at, &ask).then(|| self.directory.row(self.name.text(), shelf[at]))
        })
    }

    /// The question of somebody who could be told of anybody.
    fn ask(&self, dialect: Dialect, want: usize) -> Ask<'d> {
        Ask { dialect, name: self.text(), asker: None, families: Families::Both, want }
    }
}

impl fmt::Debug for HolderView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.dialect(), self.key())
    }
}

impl fmt::Debug for NameView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text(), f)
    }
}
