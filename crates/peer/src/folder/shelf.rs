//! What of a folder to offer, to take back and to wait for: decided from looks at it, and nothing else.
//!
//! An entry (a file or a folder at the top) is offered when two looks far enough apart found it the same, and taken back
//! when a look finds it changed or gone. What a download puts into the folder is that download's business until it is
//! whole; from then on it is an entry like any other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use swarm::InfoHash;

#[cfg(test)]
mod tests;

/// How long an entry must stay as it is before it is offered: whoever writes it may only be pausing.
pub const QUIET: Duration = Duration::from_secs(1);

/// Entries that are kept track of. More are left out, and that is said.
pub const ENTRIES_MAX: usize = 10_000;

/// What a look found an entry to be. Two that are equal stand for the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub [u8; 20]);

/// What of the folder a look was at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    All,
    /// These entries.
    Names(BTreeSet<String>),
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When it began.
    pub began: Duration,
    /// When it ended.
    pub ended: Duration,
    /// Of the names in it, those that were not found are not there.
    pub scope: Scope,
    /// What was found.
    pub found: BTreeMap<String, Stamp>,
}

/// A torrent that is fetched into the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Download {
    /// Which.
    pub info_hash: InfoHash,
    /// Whether all of it is there.
    pub whole: bool,
}

/// An entry to be hashed and shared; then [`Shelf::offered`] is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Which.
    pub name: String,
    /// What it is.
    pub stamp: Stamp,
}

/// A torrent to be shared no longer; then [`Shelf::withdrawn`] is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// The entry that it was.
    pub name: String,
    /// The torrent.
    pub info_hash: InfoHash,
}

/// What is known of a folder's entries. Times are those of one clock that only goes forward.
#[derive(Debug)]
pub struct Shelf {
    entries: BTreeMap<String, Entry>,
    entries_max: usize,
    withdrawals: VecDeque<Withdrawal>,
    /// Torrents that shall be withdrawn, and are not yet, and the entries that they were.
    leaving: BTreeMap<InfoHash, String>,
    /// Entries of which something is being hashed, be it what they were before.
    working: BTreeSet<String>,
    /// Whether there was a look at everything.
    looked: bool,
}

#[derive(Debug)]
struct Entry {
    stamp: Stamp,
    state: State,
    /// The first look found it, and it has not changed since.
    first: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has been as it is since then.
    Waiting(Duration),
    /// It has been as it is since then, which is long enough to offer it.
    Due(Duration),
    /// It is being hashed.
    Offering,
    /// It is shared as this torrent.
    Shared(InfoHash),
    /// It is not to be offered as it is.
    Withheld,
    /// A download that is not whole.
    Fetching(InfoHash),
    /// A download that is whole. What the last look found may be from before; what the next finds is what is shared.
    Arrived(InfoHash),
    /// Somebody took down this torrent. Once that is done, what the next look finds is not to be offered.
    Dismissed(InfoHash),
}

impl Shelf {
    /// A folder that was not looked at yet. It keeps track of `entries_max` entries at most.
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            entries_max,
            withdrawals: VecDeque::new(),
            leaving: BTreeMap::new(),
            working: BTreeSet::new(),
            looked: false,
        }
    }

    /// How many more entries there is room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.entries_max.saturating_sub(self.entries.len())
    }

    /// Whether an entry is kept track of.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Takes in a look. `downloads`: the torrents that were being fetched into the folder, or had been fetched, when it
    /// had ended, by the names that they have there.
    pub fn see(&mut self, look: &Look, downloads: &BTreeMap<String, Download>) {
        let first = !self.looked && look.scope == Scope::All;
        let mut names: BTreeSet<String> = match &look.scope {
            Scope::All => self.entries.keys().chain(look.found.keys()).cloned().collect(),
            Scope::Names(names) => names.clone(),
        };
        // A download becomes whole without anything in the folder changing.
        names.extend(downloads.keys().cloned());
        for name in names {
            let is_in_scope = match &look.scope {
                Scope::All => true,
                Scope::Names(names) => names.contains(&name),
            };
            let found = is_in_scope.then(|| look.found.get(&name).copied());
            let download =
                downloads.get(&name).filter(|download| !self.leaving.contains_key(&download.info_hash));
            match (download, found) {
                (Some(download), found) if self.state(&name) != Some(State::Shared(download.info_hash)) => {
                    self.see_download(&name, *download, found);
                }
                (_, Some(Some(stamp))) => self.see_entry(&name, stamp, look, first),
                (_, Some(None)) => self.see_nothing(&name),
                (_, None) => {}
            }
        }
        self.looked |= look.scope == Scope::All;
    }

    /// What is to be taken back next, if anything.
    pub fn next_withdrawal(&mut self) -> Option<Withdrawal> {
        self.withdrawals.pop_front()
    }

    /// What is to be offered next, if anything: what has been quiet for longest. What was made of an entry before it
    /// changed is dealt with first, since it may be the same torrent.
    pub fn next_offer(&mut self) -> Option<Offer> {
        let Self { entries, working, leaving, .. } = self;
        let is_busy = |name: &String| working.contains(name) || leaving.values().any(|left| left == name);
        let due = entries.iter_mut().filter_map(|(name, entry)| match entry.state {
            State::Due(since) if !is_busy(name) => Some((since, name, entry)),
            _ => None,
        });
        let (_, name, entry) = due.min_by_key(|(since, ..)| *since)?;
        entry.state = State::Offering;
        working.insert(name.clone());
        Some(Offer { name: name.clone(), stamp: entry.stamp })
    }

    /// Whether an entry is still to be offered as it was when that was asked.
    #[must_use]
    pub fn is_wanted(&self, offer: &Offer) -> bool {
        let wanted = |entry: &Entry| entry.stamp == offer.stamp && entry.state == State::Offering;
        self.entries.get(&offer.name).is_some_and(wanted)
    }

    /// Takes in what came of an [`Offer`]: the torrent as which it is shared, or `None` if it cannot be.
    pub fn offered(&mut self, offer: &Offer, torrent: Option<InfoHash>) {
        self.working.remove(&offer.name);
        let wanted = self.is_wanted(offer);
        match (self.entries.get_mut(&offer.name), torrent) {
            (Some(entry), _) if wanted => entry.state = torrent.map_or(State::Withheld, State::Shared),
            (Some(entry), Some(hash)) if entry.state.torrent() == Some(hash) => {}
            // It changed or went in the meantime.
            (_, Some(hash)) => self.withdraw(&offer.name, hash),
            (_, None) => {}
        }
    }

    /// Takes in that a [`Withdrawal`] is done.
    pub fn withdrawn(&mut self, info_hash: InfoHash) {
        self.leaving.remove(&info_hash);
    }

    /// Takes note that somebody is taking down a torrent, and will tell [`withdrawn`](Self::withdrawn): its entry is not
    /// offered again before it changes.
    pub fn dismiss(&mut self, info_hash: InfoHash) {
        let mut entries = self.entries.iter_mut();
        if let Some((name, entry)) = entries.find(|(_, entry)| entry.state.torrent() == Some(info_hash)) {
            entry.state = State::Dismissed(info_hash);
            self.leaving.insert(info_hash, name.clone());
        }
    }

    /// When the next look is due, if one may find more than the last.
    #[must_use]
    pub fn next_look(&self) -> Option<Duration> {
        self.entries.values().filter_map(Entry::look_at).min()
    }

    /// The entries for which a look is due.
    #[must_use]
    pub fn ripe(&self, now: Duration) -> BTreeSet<String> {
        let ripe = self.entries.iter().filter(|(_, entry)| entry.look_at().is_some_and(|at| at <= now));
        ripe.map(|(name, _)| name.clone()).collect()
    }

    /// Whether everything that the first look found is shared, or known not to be, or has changed since.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let settled = |entry: &Entry| {
            !entry.first || !matches!(entry.state, State::Waiting(_) | State::Due(_) | State::Offering)
        };
        self.looked && self.entries.values().all(settled)
    }

    fn state(&self, name: &str) -> Option<State> {
        self.entries.get(name).map(|entry| entry.state)
    }

    fn withdraw(&mut self, name: &str, hash: InfoHash) {
        self.leaving.insert(hash, name.to_owned());
        self.withdrawals.push_back(Withdrawal { name: name.to_owned(), info_hash: hash });
    }

    /// `found`: what the look found, if it was at this.
    fn see_download(&mut self, name: &str, download: Download, found: Option<Option<Stamp>>) {
        let Download { info_hash, whole } = download;
        let before = self.state(name);
        let state = match (before, found) {
            (Some(State::Arrived(hash)), found) if hash == info_hash && whole => match found {
                Some(Some(_)) => State::Shared(hash),
                Some(None) => {
                    self.withdraw(name, hash);
                    self.entries.remove(name);
                    return;
                }
                None => return,
            },
            _ if whole => State::Arrived(info_hash),
            _ => State::Fetching(info_hash),
        };
        if let Some(State::Shared(other)) = before {
            self.withdraw(name, other);
        }
        let stamp = found.flatten();
        if let Some(entry) = self.entries.get_mut(name) {
            entry.state = state;
            entry.stamp = stamp.unwrap_or(entry.stamp);
        } else if self.room() > 0 {
            let stamp = stamp.unwrap_or(Stamp([0; 20]));
            self.entries.insert(name.to_owned(), Entry { stamp, state, first: false });
        }
    }

    fn see_entry(&mut self, name: &str, stamp: Stamp, look: &Look, first: bool) {
        // It may have been seen at any time in between.
        let Look { began, ended, .. } = *look;
        let Some(entry) = self.entries.get_mut(name) else {
            if self.room() > 0 {
                self.entries.insert(name.to_owned(), Entry { stamp, state: State::Waiting(ended), first });
            }
            return;
        };
        let changed = entry.stamp != stamp;
        entry.stamp = stamp;
        entry.first &= !changed;
        let before = entry.state;
        entry.state = match before {
            State::Dismissed(hash) if self.leaving.contains_key(&hash) => before,
            State::Dismissed(_) => State::Withheld,
            // Fetched no longer, though nobody said that it is not to be offered.
            State::Fetching(_) | State::Arrived(_) => State::Waiting(ended),
            _ if changed => State::Waiting(ended),
            State::Waiting(since) if began >= since.saturating_add(QUIET) => State::Due(since),
            same => same,
        };
        if let State::Shared(hash) = before
            && changed
        {
            self.withdraw(name, hash);
        }
    }

    fn see_nothing(&mut self, name: &str) {
        if let Some(State::Shared(hash)) = self.state(name) {
            self.withdraw(name, hash);
        }
        self.entries.remove(name);
    }
}

impl State {
    fn torrent(self) -> Option<InfoHash> {
        match self {
            Self::Shared(hash) | Self::Fetching(hash) | Self::Arrived(hash) => Some(hash),
            Self::Waiting(_) | Self::Due(_) | Self::Offering | Self::Withheld | Self::Dismissed(_) => None,
        }
    }
}

impl Entry {
    fn look_at(&self) -> Option<Duration> {
        match self.state {
            State::Waiting(since) => Some(since.saturating_add(QUIET)),
            State::Arrived(_) | State::Dismissed(_) => Some(Duration::ZERO),
            _ => None,
        }
    }
}
