//! When which tracker is told what: one torrent's announcing, without clock, dice or sockets.
//!
//! Trackers come in tiers (BEP 12). A **lane** is a list of which one tracker at a time is in use: each tier is a lane;
//! of a private torrent (BEP 27) all tiers together are one, so that there is one tracker at a time altogether. A lane
//! stays with a tracker while it answers; when it fails, the next is tried in order, and one that answers moves to the
//! front of its tier. A tracker is asked on a [line](mod@line) for each address family that its host may have; it has failed
//! when none of them works.
//!
//! What is promised, with `now` that does not run backwards:
//! - `started` is the first thing an answered line was told, and comes until it is answered.
//! - `completed` is told by each lane at most once, and to one host (with its port) at most once, never by a peer that
//!   began complete; it is queued until it is answered.
//! - `stopped` is told once to each line that heard `started`, and nothing after it.
//! - Without an event to tell, a line that answered is not asked before its min interval is over, and at the latest
//!   when its interval is (and [`SPREAD_PERCENT`] of it). `retry in` is kept in any case but `stopped`.

mod line;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, RngExt as _};
use swarm::Event;
use wire::http::RetryIn;

use super::status::{State, TrackerStatus};
use super::target::{Family, Target};
use line::{Due, Line, Role};

/// Peers asked for at most in one announce.
pub const WANT_MAX: u32 = 200;

/// Trackers of one torrent that are used; what is past them is left out.
pub const TRACKERS_MAX: usize = 100;

/// By how much a regular announce may come after its interval, in percent, so that what began together parts.
pub const SPREAD_PERCENT: u32 = 5;

/// Which line an [`Ask`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LineId {
    tracker: usize,
    line: usize,
}

/// How far a torrent is: what trackers are told. Byte counts are of this session, `left` of the whole torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Payload bytes sent to peers.
    pub uploaded: u64,
    /// Payload bytes received from peers and web seeds; what was found on disk does not count.
    pub downloaded: u64,
    /// Bytes still missing; `None` while nobody knows, as of a magnet link without its metadata.
    pub left: Option<u64>,
    /// Whether all that is wanted is there although bytes are missing: a partial seed (BEP 21).
    pub partial: bool,
}

/// How many more peers a torrent could use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// So many; [`WANT_MAX`] are asked for at most.
    pub peers: u32,
    /// Whether it cannot wait for the interval to end: trackers are asked as early as they allow, then ever less often.
    pub badly: bool,
}

/// An announce to make now.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) id: LineId,
    pub(crate) target: Arc<Target>,
    pub(crate) family: Family,
    pub(crate) event: Event,
    pub(crate) want: u32,
    pub(crate) progress: Progress,
    /// What the tracker asked to be told again.
    pub(crate) tracker_id: Option<Vec<u8>>,
}

/// What a tracker answered, peers aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Seconds.
    pub(crate) interval: Option<u32>,
    /// Seconds.
    pub(crate) min_interval: Option<u32>,
    pub(crate) seeders: Option<u32>,
    pub(crate) leechers: Option<u32>,
    pub(crate) warning: Option<String>,
    pub(crate) tracker_id: Option<Vec<u8>>,
}

/// Why an announce came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Miss {
    /// The tracker said no, in these words.
    Refused { reason: String, retry_in: Option<RetryIn> },
    /// It did not answer, or not in its protocol.
    Failed(String),
    /// Its host has no address in this family, or this machine has none.
    Absent,
}

/// One torrent's announcing.
#[derive(Debug)]
pub(crate) struct Schedule {
    trackers: Vec<Tracker>,
    lanes: Vec<Lane>,
    hosts: Vec<Host>,
    private: bool,
    progress: Progress,
    wish: Wish,
    completion: Completion,
    leaving: bool,
    /// Of a private torrent, the tracker whose peers are in use.
    answered_by: Option<usize>,
}

#[derive(Debug)]
struct Tracker {
    url: String,
    tier: usize,
    /// `Err` says why the address is none.
    target: Result<Arc<Target>, String>,
    lane: usize,
    host: usize,
    lines: Vec<Line>,
}

/// A list of trackers of which one at a time is in use.
#[derive(Debug)]
struct Lane {
    tiers: Vec<Vec<usize>>,
    current: Option<usize>,
    completed: Debt,
}

/// Who may be behind several addresses.
#[derive(Debug)]
struct Host {
    name: (Arc<str>, u16),
    completed: Debt,
}

/// Whether a `completed` has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Debt {
    None,
    Owed,
    Asking(LineId),
    Told,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Completion {
    /// It began complete, or has been: no `completed` will be owed.
    Over,
    Ahead,
}

impl Schedule {
    /// A torrent that begins to announce with `progress`. Addresses named twice count once, where they come first;
    /// within a tier the order is thrown (BEP 12).
    pub(crate) fn new(tiers: &[Vec<String>], private: bool, progress: Progress, dice: &mut impl Rng) -> Self {
        let completion = if progress.left == Some(0) { Completion::Over } else { Completion::Ahead };
        let mut schedule = Self {
            trackers: Vec::new(),
            lanes: Vec::new(),
            hosts: Vec::new(),
            private,
            progress,
            wish: Wish { peers: WANT_MAX, badly: false },
            completion,
            leaving: false,
            answered_by: None,
        };
        for tier in tiers {
            schedule.add_tier(tier, dice);
        }
        schedule
    }

    /// Takes note of how far the torrent is.
    pub(crate) fn report(&mut self, progress: Progress) {
        self.progress = progress;
        if progress.left == Some(0) && self.completion == Completion::Ahead {
            self.completion = Completion::Over;
            if progress.downloaded > 0 {
                self.lanes.iter_mut().for_each(|lane| lane.completed = Debt::Owed);
            }
        }
    }

    /// Takes note of how many peers could be used.
    pub(crate) fn wish(&mut self, wish: Wish) {
        self.wish = wish;
        if !wish.badly {
            self.lines_mut().for_each(Line::calm);
        }
    }

    /// From now on only takes leave.
    pub(crate) fn stop(&mut self) {
        self.leaving = true;
    }

    /// Whether leave has been taken of all that heard `started`, and no outcome is awaited.
    pub(crate) fn is_over(&self) -> bool {
        self.leaving && self.lines().all(|line| !line.is_asked() && !line.has_leave_to_take())
    }

    /// Whether a `completed` or `stopped` is on its way.
    pub(crate) fn is_taking_leave(&self) -> bool {
        self.lines().any(|line| matches!(line.asked(), Some(Event::Completed | Event::Stopped)))
    }

    /// The next announce to make now; its outcome must be told to [`answered`](Self::answered) or
    /// [`missed`](Self::missed). To be called until it returns `None`.
    pub(crate) fn poll(&mut self, now: Duration) -> Option<Ask> {
        if self.leaving {
            return self.poll_leaving(now);
        }
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].current.is_none() {
                self.lanes[lane].current = self.candidate(lane, now);
            }
            let Some(tracker) = self.lanes[lane].current else { continue };
            for line in 0..self.trackers[tracker].lines.len() {
                let id = LineId { tracker, line };
                if self.due(id).is_some_and(|due| due <= now) {
                    return self.ask(id, self.event(id), now);
                }
            }
        }
        None
    }

    /// When [`poll`](Self::poll) may have something to say if nothing happens before; `None`: never.
    pub(crate) fn wake_at(&self) -> Option<Duration> {
        if self.leaving {
            return None;
        }
        let of_tracker = |tracker: usize| {
            let lines = 0..self.trackers[tracker].lines.len();
            lines.filter_map(move |line| self.due(LineId { tracker, line })).min()
        };
        let of_lane = |lane: &Lane| match lane.current {
            Some(tracker) => of_tracker(tracker),
            None => lane.tiers.iter().flatten().filter_map(|&tracker| of_tracker(tracker)).min(),
        };
        self.lanes.iter().filter_map(of_lane).min()
    }

    /// The outcome of an ask: it was heard. True if the peers known so far must be dropped, because a private torrent
    /// goes by another tracker now (BEP 27).
    pub(crate) fn answered(
        &mut self,
        id: LineId,
        answer: Answer,
        now: Duration,
        dice: &mut impl Rng,
    ) -> bool {
        let Some(event) = self.line_mut(id).answered(answer, now, dice) else { return false };
        self.settle_completed(id, event, true);
        let lane = self.trackers[id.tracker].lane;
        for tier in &mut self.lanes[lane].tiers {
            if let Some(at) = tier.iter().position(|&tracker| tracker == id.tracker) {
                tier[..=at].rotate_right(1);
            }
        }
        if self.leaving {
            return false;
        }
        let before = self.answered_by.replace(id.tracker);
        self.private && before.is_some_and(|before| before != id.tracker)
    }

    /// The outcome of an ask: it came to nothing.
    pub(crate) fn missed(&mut self, id: LineId, miss: Miss, now: Duration, dice: &mut impl Rng) {
        let Some(event) = self.line_mut(id).missed(miss, now, dice) else { return };
        self.settle_completed(id, event, false);
        let tracker = &self.trackers[id.tracker];
        if tracker.lines.iter().all(|line| !line.is_asked() && !line.works()) {
            let lane = tracker.lane;
            self.lanes[lane].current = None;
        }
    }

    /// What a person may want to know of each tracker, in order.
    pub(crate) fn status(&self, now: Duration) -> Vec<TrackerStatus> {
        let in_order =
            self.lanes.iter().flat_map(|lane| lane.tiers.iter().flatten().map(move |t| (lane, *t)));
        in_order.map(|(lane, tracker)| self.status_of(lane, tracker, now)).collect()
    }

    fn status_of(&self, lane: &Lane, at: usize, now: Duration) -> TrackerStatus {
        let tracker = &self.trackers[at];
        let (name, invalid) = match &tracker.target {
            Ok(target) => (target.name(), None),
            Err(why) => (super::words::plain(&tracker.url), Some(State::GivenUp(why.clone()))),
        };
        let lines = tracker.lines.iter();
        let state = lines.clone().filter_map(|line| line.word()).max_by_key(|state| state.weight()).cloned();
        let used = lane.current == Some(at) || lane.current.is_none();
        let due = (0..tracker.lines.len()).filter_map(|line| self.due(LineId { tracker: at, line })).min();
        TrackerStatus {
            url: tracker.url.clone(),
            name,
            tier: tracker.tier,
            state: invalid.or(state).unwrap_or(State::Unasked),
            asking: lines.clone().any(Line::is_asked),
            seeders: lines.clone().filter_map(|line| line.seeders()).max(),
            leechers: lines.filter_map(|line| line.leechers()).max(),
            next_in: due.filter(|_| used && !self.leaving).map(|due| due.saturating_sub(now)),
        }
    }

    fn add_tier(&mut self, urls: &[String], dice: &mut impl Rng) {
        let tier_at = self.trackers.last().map_or(0, |tracker| tracker.tier + 1);
        let lane = if self.private { 0 } else { self.lanes.len() };
        let mut tier = Vec::new();
        for url in urls {
            let url = url.trim();
            if url.is_empty() || self.trackers.iter().any(|tracker| tracker.url == url) {
                continue;
            }
            if self.trackers.len() == TRACKERS_MAX {
                tracing::debug!(
                    url,
                    "a torrent with more than {TRACKERS_MAX} trackers: this one is left out"
                );
                continue;
            }
            let target = Target::parse(url).map(Arc::new);
            let families = target.as_ref().map_or(&[][..], |target| target.families());
            let lines = families.iter().map(|&family| Line::new(family)).collect();
            let host = target.as_ref().map_or(0, |target| self.host(target));
            tier.push(self.trackers.len());
            self.trackers.push(Tracker { url: url.to_owned(), tier: tier_at, target, lane, host, lines });
        }
        // Fisher and Yates.
        for at in (1..tier.len()).rev() {
            tier.swap(at, dice.random_range(0..=at));
        }
        if tier.is_empty() {
            return;
        }
        match self.lanes.get_mut(lane) {
            Some(lane) => lane.tiers.push(tier),
            None => self.lanes.push(Lane { tiers: vec![tier], current: None, completed: Debt::None }),
        }
    }

    fn host(&mut self, target: &Target) -> usize {
        let name = (target.host.clone(), target.port);
        self.hosts.iter().position(|host| host.name == name).unwrap_or_else(|| {
            self.hosts.push(Host { name, completed: Debt::None });
            self.hosts.len() - 1
        })
    }

    /// The first tracker of a lane that may be asked now.
    fn candidate(&self, lane: usize, now: Duration) -> Option<usize> {
        let mut in_order = self.lanes[lane].tiers.iter().flatten().copied();
        in_order.find(|&tracker| {
            let mut lines = 0..self.trackers[tracker].lines.len();
            lines.any(|line| self.due(LineId { tracker, line }).is_some_and(|due| due <= now))
        })
    }

    fn due(&self, id: LineId) -> Option<Duration> {
        let owes = self.owes_completed(id);
        self.line(id).due(Due { role: self.role(), badly: self.wish.badly, owes_completed: owes })
    }

    fn event(&self, id: LineId) -> Event {
        match self.role() {
            _ if !self.line(id).has_heard_started() => Event::Started,
            _ if self.owes_completed(id) => Event::Completed,
            Role::Partial => Event::Paused,
            Role::Seeder | Role::Leecher => Event::Update,
        }
    }

    fn ask(&mut self, id: LineId, event: Event, now: Duration) -> Option<Ask> {
        let role = self.role();
        let want = if event == Event::Stopped { 0 } else { self.wish.peers.min(WANT_MAX) };
        if event == Event::Completed {
            let tracker = &self.trackers[id.tracker];
            self.lanes[tracker.lane].completed = Debt::Asking(id);
            self.hosts[tracker.host].completed = Debt::Asking(id);
        }
        let progress = self.progress;
        let tracker = &mut self.trackers[id.tracker];
        let target = tracker.target.as_ref().ok()?.clone();
        let line = tracker.lines.get_mut(id.line)?;
        line.ask(event, role, now);
        let (family, tracker_id) = (line.family(), line.tracker_id().map(<[u8]>::to_vec));
        Some(Ask { id, target, family, event, want, progress, tracker_id })
    }

    fn poll_leaving(&mut self, now: Duration) -> Option<Ask> {
        for tracker in 0..self.trackers.len() {
            for line in 0..self.trackers[tracker].lines.len() {
                let id = LineId { tracker, line };
                if self.line(id).is_asked() || !self.line(id).has_leave_to_take() {
                    continue;
                }
                let in_use = self.lanes[self.trackers[tracker].lane].current == Some(tracker);
                let completed = in_use && self.line(id).works() && self.owes_completed(id);
                return self.ask(id, if completed { Event::Completed } else { Event::Stopped }, now);
            }
        }
        None
    }

    fn owes_completed(&self, id: LineId) -> bool {
        let tracker = &self.trackers[id.tracker];
        self.lanes[tracker.lane].completed == Debt::Owed && self.hosts[tracker.host].completed == Debt::None
    }

    /// What the outcome of an ask means for the `completed` that it may have carried.
    fn settle_completed(&mut self, id: LineId, event: Event, heard: bool) {
        if event != Event::Completed {
            return;
        }
        let tracker = &self.trackers[id.tracker];
        let (lane, host) = (&mut self.lanes[tracker.lane].completed, &mut self.hosts[tracker.host].completed);
        (*lane, *host) = match (heard, self.leaving) {
            (true, _) => (Debt::Told, Debt::Told),
            (false, false) => (Debt::Owed, Debt::None),
            // There is no time for another try.
            (false, true) => (Debt::None, Debt::None),
        };
    }

    fn role(&self) -> Role {
        match self.progress {
            Progress { left: Some(0), .. } => Role::Seeder,
            Progress { partial: true, .. } => Role::Partial,
            _ => Role::Leecher,
        }
    }

    fn line(&self, id: LineId) -> &Line {
        &self.trackers[id.tracker].lines[id.line]
    }

    fn line_mut(&mut self, id: LineId) -> &mut Line {
        &mut self.trackers[id.tracker].lines[id.line]
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.trackers.iter().flat_map(|tracker| &tracker.lines)
    }

    fn lines_mut(&mut self) -> impl Iterator<Item = &mut Line> {
        self.trackers.iter_mut().flat_map(|tracker| &mut tracker.lines)
    }
}
