//! How torrents come, rest and go.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use engine::{Config, Event, Identity};
use swarm::InfoHash;
use wire::metainfo::Metainfo;

use super::torrent::{Running, Stay};
use super::{Change, Files, Inner, Limits, Pause, Phase};
use crate::announce::Announcer;
use crate::disk::{Place, Storage};

/// What is still to be done for a torrent that was taken out.
pub(super) struct Leaving {
    inner: Arc<Inner>,
    announcer: Option<Announcer>,
    unsaved: Option<Storage>,
}

impl Leaving {
    pub(super) async fn leave(self) {
        let Self { inner, announcer, unsaved } = self;
        let runtime = inner.runtime.clone();
        let saving = runtime.spawn_blocking(move || inner.keeper.finish(unsaved));
        if let Some(announcer) = announcer {
            announcer.stop().await;
        }
        // If it panicked, that was said already.
        let _ = saving.await;
    }
}

impl Inner {
    /// Takes a torrent in. If its description is known, it waits to be [brought in](Self::bring_in). `None` if it is
    /// here already.
    pub(super) fn add(
        self: &Arc<Self>,
        hash: InfoHash,
        metainfo: Option<Arc<Metainfo>>,
        place: Place,
        files: Files,
    ) -> Option<Stay> {
        let identity =
            Identity { info_hash: hash, peer_id: self.peer_id, port: self.port, client: self.client };
        let engine = engine::Torrent::new(identity, None, Config::default(), rand::random(), self.now());
        let stay = {
            let mut core = self.core.lock();
            let stay = Stay { hash, number: core.next_stay };
            core.next_stay += 1;
            let Entry::Vacant(vacant) = core.torrents.entry(hash) else { return None };
            vacant.insert(Running::new(stay, engine, metainfo, place, files, self.changes.clone()));
            stay
        };
        // Nobody listens, perhaps.
        let _ = self.changes.send(Change::Added(hash));
        self.turn(stay, |turn| match turn.running.metainfo {
            Some(_) => turn.tell(Event::Pause),
            None => turn.tell(Event::Tick),
        });
        Some(stay)
    }

    /// Takes a torrent out; what it had is closed. `None` if it is not here.
    pub(super) fn take_out(self: &Arc<Self>, stay: Stay) -> Option<Leaving> {
        self.turn(stay, |turn| {
            turn.running.cancel_check();
            turn.tell(Event::Pause);
            turn.running.report(turn.now);
        })?;
        let mut running = {
            let mut core = self.core.lock();
            let running = core.torrents.remove(&stay.hash)?;
            core.agenda.forget(&running);
            running
        };
        let _ = self.changes.send(Change::Removed(stay.hash));
        let unsaved = running.unsaved_storage();
        Some(Leaving { inner: self.clone(), announcer: running.announcer, unsaved })
    }

    /// Stops all transfers of a torrent, and its announcing. One that is paused already stays so, for the same reason.
    pub(super) fn pause(self: &Arc<Self>, stay: Stay, why: Pause) {
        self.turn(stay, |turn| {
            if turn.running.is_paused() {
                return;
            }
            turn.running.cancel_check();
            turn.tell(Event::Pause);
            turn.running.report(turn.now);
            // Dropped, it tells the trackers by itself.
            drop(turn.running.announcer.take());
            turn.running.enter(Phase::Paused(why));
        });
        self.save_soon(stay);
    }

    pub(super) fn resume(self: &Arc<Self>, stay: Stay) {
        let described = self.turn(stay, |turn| {
            if !turn.running.is_paused() {
                return None;
            }
            if turn.running.metainfo.is_none() {
                turn.running.enter(Phase::Describing);
                turn.tell(Event::Resume);
            } else {
                turn.running.enter(Phase::Checking);
            }
            Some(turn.running.metainfo.is_some())
        });
        match described.flatten() {
            Some(true) => {
                let inner = self.clone();
                self.runtime.spawn(async move {
                    if let Err(problem) = inner.open(stay).await {
                        inner.fail(stay, &problem);
                    }
                });
            }
            Some(false) => self.announce(stay, Vec::new()),
            None => {}
        }
    }

    pub(super) fn limit(self: &Arc<Self>, limits: Limits) {
        let stays: Vec<Stay> = {
            let mut core = self.core.lock();
            core.session.upload.set(limits.upload);
            core.session.download.set(limits.download);
            core.torrents.values().map(|running| running.stay).collect()
        };
        // What waits for a limit may go on now.
        stays.into_iter().for_each(|stay| self.handle(stay, Event::Tick));
    }
}
