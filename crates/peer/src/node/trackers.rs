//! What trackers are told, and what they tell.

use std::sync::Arc;

use engine::{Event, Micros, Source};

use super::torrent::{Running, Stay};
use super::{Change, Inner, Turn};
use crate::announce::{Announcer, Outcome, Outcomes, Progress, Torrent};

impl Inner {
    /// Announces a torrent to these trackers, unless it has others, as long as it is active.
    pub(super) fn announce(self: &Arc<Self>, stay: Stay, tiers: Vec<Vec<String>>) {
        self.turn(stay, |turn| {
            if turn.running.tiers.is_empty() {
                turn.running.tiers = tiers;
            }
            turn.begin_to_announce();
        });
    }
}

impl Turn<'_> {
    /// Begins to announce the torrent, if it is active, has trackers, and is not announced already.
    pub(super) fn begin_to_announce(&mut self) {
        let Some(trackers) = self.inner.trackers.clone() else { return };
        let running = &mut *self.running;
        if !running.is_active() || running.announcer.is_some() || running.tiers.is_empty() {
            return;
        }
        let (stay, inner) = (running.stay, Arc::downgrade(self.inner));
        let torrent = Torrent {
            info_hash: stay.hash,
            tiers: running.tiers.clone(),
            private: running.is_private(),
            progress: running.progress(self.now),
        };
        let progress = move || inner.upgrade()?.turn(stay, |turn| turn.running.progress(turn.now));
        let _runtime = self.inner.runtime.enter();
        let (announcer, outcomes) = Announcer::start(trackers, torrent, progress);
        running.announcer = Some(announcer);
        tokio::spawn(follow(self.inner.clone(), stay, outcomes));
    }
}

impl Running {
    /// Tells trackers how far it is, now if that is news, otherwise when they are asked next.
    pub(super) fn report(&mut self, now: Micros) {
        let progress = self.progress(now);
        if let Some(announcer) = &self.announcer {
            announcer.report(progress);
        }
    }

    fn progress(&mut self, now: Micros) -> Progress {
        let stats = self.engine.stats(now);
        let left = self.engine.missing_bytes();
        Progress {
            uploaded: stats.uploaded,
            downloaded: stats.downloaded,
            left,
            partial: left.is_some_and(|left| left > 0) && self.engine.is_complete(),
        }
    }
}

/// Takes in what trackers say, for as long as the torrent is announced.
async fn follow(inner: Arc<Inner>, stay: Stay, mut outcomes: Outcomes) {
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Outcome::Peers(endpoints) => {
                inner.handle(stay, Event::Addresses { source: Source::Tracker, endpoints: &endpoints });
            }
            Outcome::DropPeers => {
                inner.turn(stay, |turn| {
                    turn.tell(Event::Pause);
                    if turn.running.is_active() {
                        turn.tell(Event::Resume);
                    }
                });
            }
            Outcome::Said(status) => {
                tracing::info!(hash = %stay.hash, "{status}");
                // Nobody listens, perhaps.
                let _ = inner.changes.send(Change::Tracker(stay.hash, status));
            }
        }
    }
}
