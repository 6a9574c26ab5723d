//! The task that announces one torrent.

mod queue;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use swarm::{Endpoint, InfoHash};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::schedule::{Answer, LineId, Miss, Progress, Schedule, Wish};
use super::status::{State, TrackerStatus};
use super::{Trackers, WANT_MAX};
use queue::Queue;

/// Outcomes that wait for the session to take them; the oldest are dropped for new ones.
pub const OUTCOMES_MAX: usize = 32;

/// How long trackers have to hear `stopped` (and a `completed` before it).
pub const STOP_TIME_MAX: Duration = Duration::from_secs(3);

/// How long is waited, when all that is on its way are announces from before the stop: one of them may be the `started`
/// that makes a `stopped` necessary.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// A torrent to announce.
#[derive(Debug, Clone)]
pub struct Torrent {
    /// Which.
    pub info_hash: InfoHash,
    /// Its trackers in their tiers (BEP 12): the torrent's own, or those that the person named instead.
    pub tiers: Vec<Vec<String>>,
    /// Whether it is private (BEP 27).
    pub private: bool,
    /// How far it is now. Whoever begins with nothing missing will never say `completed`.
    pub progress: Progress,
}

/// The handle of a torrent's announcing. Dropped, it stops as [`stop`](Self::stop) does, without anybody waiting for it.
#[derive(Debug)]
pub struct Announcer {
    reports: watch::Sender<Report>,
    status: watch::Receiver<(Instant, Vec<TrackerStatus>)>,
    task: JoinHandle<()>,
}

/// What announcing brings, one by one.
#[derive(Debug)]
pub struct Outcomes(mpsc::Receiver<Outcome>);

/// Something that announcing brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A tracker named these peers: at least one, some perhaps known, one perhaps ourselves.
    Peers(Vec<Endpoint>),
    /// All peers known so far must be left: a private torrent goes by another tracker now (BEP 27).
    DropPeers,
    /// A tracker's state is another than before: for a person to read.
    Said(TrackerStatus),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Report {
    progress: Progress,
    wish: Wish,
}

impl Announcer {
    /// Begins to announce `torrent`, which wants peers unless it is said otherwise. `progress` is asked how far it is
    /// when a tracker is to be told; what it does not know was [reported](Self::report). To be called within a tokio
    /// runtime.
    #[must_use]
    pub fn start(
        trackers: Arc<Trackers>,
        torrent: Torrent,
        progress: impl Fn() -> Option<Progress> + Send + Sync + 'static,
    ) -> (Self, Outcomes) {
        let mut dice = SmallRng::from_rng(&mut rand::rng());
        let schedule = Schedule::new(&torrent.tiers, torrent.private, torrent.progress, &mut dice);
        let report = Report { progress: torrent.progress, wish: Wish { peers: WANT_MAX, badly: false } };
        let (reports, reported) = watch::channel(report);
        let (status, statuses) = watch::channel((Instant::now(), schedule.status(Duration::ZERO)));
        // The queue before it is where outcomes wait.
        let (sender, receiver) = mpsc::channel(1);
        let run = Run {
            trackers,
            info_hash: torrent.info_hash,
            schedule,
            dice,
            since: Instant::now(),
            progress: Box::new(progress),
            reports: reported,
            status,
            flying: JoinSet::new(),
            queue: Queue::default(),
            said: HashMap::new(),
        };
        let task = tokio::spawn(run.run(sender));
        (Self { reports, status: statuses, task }, Outcomes(receiver))
    }

    /// Tells how far the torrent is: to be called when it is whole, and before it stops.
    pub fn report(&self, progress: Progress) {
        self.update(|report| report.progress = progress);
    }

    /// Tells how many peers could be used.
    pub fn wish(&self, wish: Wish) {
        self.update(|report| report.wish = wish);
    }

    /// How things stand with each tracker, in order.
    #[must_use]
    pub fn status(&self) -> Vec<TrackerStatus> {
        let (at, mut status) = self.status.borrow().clone();
        for wait in status.iter_mut().filter_map(|status| status.next_in.as_mut()) {
            *wait = wait.saturating_sub(at.elapsed());
        }
        status
    }

    /// Tells the trackers that we leave; takes [`STOP_TIME_MAX`] at most.
    pub async fn stop(self) {
        let Self { reports, status: _, task } = self;
        drop(reports);
        // It ends by itself in time; if it panicked, that was said already.
        let _ = task.await;
    }

    /// Takes note, and wakes the task only if it may have something to do.
    fn update(&self, change: impl FnOnce(&mut Report)) {
        self.reports.send_if_modified(|report| {
            let urgent = |report: &Report| {
                (report.progress.left == Some(0), report.progress.partial, report.wish.badly)
            };
            let before = urgent(report);
            change(report);
            urgent(report) != before
        });
    }
}

impl Outcomes {
    /// The next outcome; `None` once announcing has stopped.
    pub async fn next(&mut self) -> Option<Outcome> {
        self.0.recv().await
    }
}

type Landed = (LineId, Result<(Answer, Vec<Endpoint>), Miss>);

struct Run {
    trackers: Arc<Trackers>,
    info_hash: InfoHash,
    schedule: Schedule,
    dice: SmallRng,
    since: Instant,
    progress: Box<dyn Fn() -> Option<Progress> + Send + Sync>,
    reports: watch::Receiver<Report>,
    status: watch::Sender<(Instant, Vec<TrackerStatus>)>,
    flying: JoinSet<Landed>,
    queue: Queue,
    /// Each tracker's state as it was last told.
    said: HashMap<String, State>,
}

impl Run {
    async fn run(mut self, outcomes: mpsc::Sender<Outcome>) {
        loop {
            self.launch();
            self.publish();
            let wake = self.schedule.wake_at().map(|at| self.since + at);
            tokio::select! {
                changed = self.reports.changed() => {
                    if changed.is_err() {
                        break;
                    }
                }
                Some(landed) = self.flying.join_next() => {
                    if let Ok((id, outcome)) = landed {
                        self.land(id, outcome);
                    }
                }
                permit = outcomes.reserve(), if !self.queue.is_empty() => match (permit, self.queue.pop()) {
                    (Ok(permit), Some(outcome)) => permit.send(outcome),
                    (Ok(_), None) => {}
                    // Nobody listens, and nobody will.
                    (Err(_), _) => self.queue.clear(),
                },
                () = sleep_until(wake.unwrap_or(self.since)), if wake.is_some() => {}
            }
        }
        self.take_leave().await;
    }

    /// Sets out with all announces that are due.
    fn launch(&mut self) {
        let Report { progress, wish } = *self.reports.borrow_and_update();
        self.schedule.report((self.progress)().unwrap_or(progress));
        self.schedule.wish(wish);
        while let Some(ask) = self.schedule.poll(self.since.elapsed()) {
            let (trackers, info_hash) = (self.trackers.clone(), self.info_hash);
            self.flying.spawn(async move { (ask.id, trackers.announce(info_hash, &ask).await) });
        }
    }

    fn land(&mut self, id: LineId, outcome: Result<(Answer, Vec<Endpoint>), Miss>) {
        let now = self.since.elapsed();
        match outcome {
            Ok((answer, peers)) => {
                if self.schedule.answered(id, answer, now, &mut self.dice) {
                    self.queue.push(Outcome::DropPeers);
                }
                if !peers.is_empty() {
                    self.queue.push(Outcome::Peers(peers));
                }
            }
            Err(miss) => self.schedule.missed(id, miss, now, &mut self.dice),
        }
    }

    /// Shows how things stand, and queues what is new in it.
    fn publish(&mut self) {
        let status = self.schedule.status(self.since.elapsed());
        for tracker in &status {
            if tracker.state != State::Unasked && self.said.get(&tracker.url) != Some(&tracker.state) {
                self.said.insert(tracker.url.clone(), tracker.state.clone());
                self.queue.push(Outcome::Said(tracker.clone()));
            }
        }
        self.status.send_replace((Instant::now(), status));
    }

    async fn take_leave(mut self) {
        self.schedule.stop();
        let (deadline, patience) = (Instant::now() + STOP_TIME_MAX, Instant::now() + STOP_PATIENCE);
        loop {
            self.launch();
            if self.schedule.is_over() {
                return;
            }
            let until = if self.schedule.is_taking_leave() { deadline } else { patience };
            match timeout_at(until, self.flying.join_next()).await {
                Ok(Some(Ok((id, outcome)))) => self.land(id, outcome),
                Ok(Some(Err(_))) => {}
                // What is still on its way is given up when the set is dropped.
                Ok(None) | Err(_) => return,
            }
        }
    }
}
