//! What trackers are told, and what they tell.

use std::sync::Arc;
use std::time::Duration;

use engine::{Event, Source};
use swarm::InfoHash;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Inner, Running};
use crate::announce::{Announcer, Outcome, Outcomes, Progress, Torrent};

/// How old what a tracker is told of transfers may be.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

impl Inner {
    /// Begins to announce a torrent, unless it is announced already.
    pub(super) fn announce(self: &Arc<Self>, hash: InfoHash, tiers: Vec<Vec<String>>) {
        let Some(trackers) = self.trackers.clone() else { return };
        let now = self.now();
        let mut core = self.core.lock();
        let Some(running) = core.torrents.get_mut(&hash).filter(|running| running.announcer.is_none()) else {
            return;
        };
        let private = running.storage.as_ref().is_some_and(|storage| storage.layout().metainfo().private());
        let progress = running.progress(now);
        let (announcer, outcomes) =
            Announcer::start(trackers, Torrent { info_hash: hash, tiers, private, progress });
        running.announcer = Some(announcer);
        drop(core);
        self.runtime.spawn(follow(self.clone(), hash, outcomes));
    }

    /// Tells trackers of a torrent's progress.
    pub(super) fn report(&self, hash: InfoHash) {
        let now = self.now();
        if let Some(running) = self.core.lock().torrents.get_mut(&hash) {
            running.report(now);
        }
    }
}

impl Running {
    pub(super) fn report(&mut self, now: engine::Micros) {
        let progress = self.progress(now);
        if let Some(announcer) = &self.announcer {
            announcer.report(progress);
        }
    }

    fn progress(&mut self, now: engine::Micros) -> Progress {
        let stats = self.engine.stats(now);
        Progress {
            uploaded: stats.uploaded,
            downloaded: stats.downloaded,
            left: self.engine.layout().is_some().then_some(stats.left),
            partial: false,
        }
    }
}

/// Takes in what trackers say, for as long as the torrent is announced.
async fn follow(inner: Arc<Inner>, hash: InfoHash, mut outcomes: Outcomes) {
    let mut reports = interval_at(Instant::now() + REPORT_INTERVAL, REPORT_INTERVAL);
    reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            outcome = outcomes.next() => match outcome {
                Some(Outcome::Peers(endpoints)) => {
                    inner.handle(hash, Event::Addresses { source: Source::Tracker, endpoints: &endpoints });
                }
                Some(Outcome::DropPeers) => {
                    inner.handle(hash, Event::Pause);
                    inner.handle(hash, Event::Resume);
                }
                Some(Outcome::Said(status)) => tracing::info!(%hash, "{status}"),
                None => return,
            },
            _ = reports.tick() => inner.report(hash),
        }
    }
}
