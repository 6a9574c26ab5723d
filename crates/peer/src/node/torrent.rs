//! A torrent and what belongs to it.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use engine::{Micros, PeerKey, Stats};
use swarm::InfoHash;
use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;
use wire::metainfo::Metainfo;

use super::changes::Change;
use super::opening::Check;
use crate::announce::{Announcer, TrackerStatus, WANT_MAX, Wish};
use crate::disk::{self, Place, Storage};
use crate::net::Outbound;

/// How far a torrent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Its description is asked of peers.
    Describing,
    /// Its files are looked for, and what is not known to be good is hashed.
    Checking,
    /// Pieces are fetched.
    Fetching,
    /// Everything that is wanted is there, at this path, and shared.
    Whole(PathBuf),
    /// It does nothing until it is resumed.
    Paused(Pause),
}

/// Why a torrent is paused. It prints as a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    /// Somebody wanted it so.
    Asked,
    /// Something is wrong, mostly with its files.
    Problem(String),
}

/// Which files of a torrent are fetched.
#[derive(Clone, Default)]
pub enum Files {
    /// All of them.
    #[default]
    All,
    /// Those for which this says so, in the order of [`Metainfo::files`]; or why that cannot be said. It is asked once
    /// the torrent's description is known.
    Chosen(Arc<Chooser>),
}

/// Chooses files of a torrent.
pub type Chooser = dyn Fn(&Metainfo) -> Result<Vec<bool>, String> + Send + Sync;

/// A torrent as a person wants to see it.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its name, once that is known.
    pub name: Option<String>,
    /// Bytes of the files that are wanted, once they are known; without padding between files.
    pub bytes: Option<u64>,
    /// How far it is.
    pub phase: Phase,
    /// How much was hashed when its files were last looked at, and had to be: it is being hashed if that is less.
    pub check: disk::Progress,
    /// Its numbers.
    pub stats: Stats,
}

/// One of a node's torrents.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What it is called among peers and trackers.
    pub hash: InfoHash,
    /// How it stands.
    pub status: Status,
    /// What its trackers said, in order.
    pub trackers: Vec<TrackerStatus>,
}

/// A torrent's time in the node: whoever comes again after having been removed is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stay {
    pub(super) number: u64,
    pub(super) hash: InfoHash,
}

/// A torrent and what belongs to it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) stay: Stay,
    pub(super) engine: engine::Torrent,
    pub(super) links: HashMap<PeerKey, Link>,
    /// What it is; `None` until peers have told (BEP 9).
    pub(super) metainfo: Option<Arc<Metainfo>>,
    pub(super) place: Place,
    pub(super) files: Files,
    /// Its files; `None` until they were looked for.
    pub(super) storage: Option<Storage>,
    /// More is known of its files than what was saved.
    pub(super) unsaved: bool,
    /// Held while its files are looked at.
    pub(super) gate: Arc<tokio::sync::Mutex<()>>,
    /// Its files are being looked at.
    pub(super) check: Option<Arc<Check>>,
    /// What came of the last look at its files.
    pub(super) checked: disk::Progress,
    /// Its trackers, in their tiers; none if it is not to be announced.
    pub(super) tiers: Vec<Vec<String>>,
    pub(super) announcer: Option<Announcer>,
    /// When it wants to be told that time has passed.
    pub(super) due: Micros,
    phase: watch::Sender<Phase>,
    changes: broadcast::Sender<Change>,
    /// What trackers were told of it: nobody is there to fetch from.
    lonely: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) outbound: Arc<Outbound>,
    pub(super) task: AbortHandle,
}

impl Stay {
    /// Before all others.
    pub(super) const FIRST: Self = Self { number: 0, hash: InfoHash([0; 20]) };
}

impl Running {
    pub(super) fn new(
        stay: Stay,
        engine: engine::Torrent,
        metainfo: Option<Arc<Metainfo>>,
        place: Place,
        files: Files,
        changes: broadcast::Sender<Change>,
    ) -> Self {
        let phase = if metainfo.is_some() { Phase::Checking } else { Phase::Describing };
        Self {
            stay,
            engine,
            links: HashMap::new(),
            metainfo,
            place,
            files,
            storage: None,
            unsaved: false,
            gate: Arc::default(),
            check: None,
            checked: disk::Progress::default(),
            tiers: Vec::new(),
            announcer: None,
            due: Micros::MAX,
            phase: watch::Sender::new(phase),
            changes,
            lonely: false,
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        // Nobody listens, perhaps.
        let _ = self.changes.send(Change::Phase(self.stay.hash, phase.clone()));
        self.phase.send_replace(phase);
    }

    pub(super) fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(super) fn is_paused(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Paused(_))
    }

    pub(super) fn is_in(&self, phase: &Phase) -> bool {
        *self.phase.borrow() == *phase
    }

    /// Whether it takes part in its swarm.
    pub(super) fn is_active(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Describing | Phase::Fetching | Phase::Whole(_))
    }

    pub(super) fn is_private(&self) -> bool {
        self.metainfo.as_ref().is_some_and(|metainfo| metainfo.private())
    }

    /// Its files, if they are to be saved; then they are taken as saved.
    pub(super) fn unsaved_storage(&mut self) -> Option<Storage> {
        if std::mem::take(&mut self.unsaved) { self.storage.clone() } else { None }
    }

    /// Breaks off looking at its files, if that is being done.
    pub(super) fn cancel_check(&mut self) {
        if let Some(check) = self.check.take() {
            check.cancel();
        }
    }

    /// Has trackers asked earlier while there is nobody to fetch from.
    pub(super) fn look_for_peers(&mut self) {
        let wants = || matches!(*self.phase.borrow(), Phase::Describing | Phase::Fetching);
        let lonely = self.announcer.is_some() && self.links.is_empty() && wants();
        if lonely != self.lonely {
            self.lonely = lonely;
            if let Some(announcer) = &self.announcer {
                announcer.wish(Wish { peers: WANT_MAX, badly: lonely });
            }
        }
    }

    pub(super) fn trackers(&self) -> Vec<TrackerStatus> {
        self.announcer.as_ref().map(Announcer::status).unwrap_or_default()
    }

    pub(super) fn listed(&mut self, now: Micros) -> Listed {
        Listed { hash: self.stay.hash, status: self.status(now), trackers: self.trackers() }
    }

    pub(super) fn status(&mut self, now: Micros) -> Status {
        let bytes = |metainfo: &Arc<Metainfo>| match &self.storage {
            Some(storage) => storage.wanted_bytes(),
            None => metainfo.size(),
        };
        Status {
            name: self.metainfo.as_ref().map(|metainfo| metainfo.name().to_owned()),
            bytes: self.metainfo.as_ref().map(bytes),
            phase: self.phase.borrow().clone(),
            check: self.check.as_ref().map_or(self.checked, |check| check.progress()),
            stats: self.engine.stats(now),
        }
    }
}

impl Files {
    /// Which of a torrent's files are wanted.
    pub(super) fn choose(&self, metainfo: &Metainfo) -> Result<Vec<bool>, String> {
        match self {
            Self::All => Ok(vec![true; metainfo.files().len()]),
            Self::Chosen(chooser) => chooser(metainfo),
        }
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "All",
            Self::Chosen(_) => "Chosen",
        })
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("paused"),
            Self::Problem(why) => f.write_str(why),
        }
    }
}
