//! When which torrent wants to be told that time has passed. Those that wait for nothing cost nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use engine::{Event, Micros, Session};

use super::torrent::{Running, Stay};
use super::{Core, Inner};

/// How long the timer rests at least, so that timeouts close together are one round.
const REST: Micros = engine::MILLISECOND;

/// How long it rests at most; nothing depends on it.
const REST_MAX: Duration = Duration::from_secs(3_600);

/// The torrents that wait for something, the next first; each at most once.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    due: BTreeSet<(Micros, Stay)>,
}

impl Agenda {
    /// Takes note of when a torrent wants to be told. True if that is before all others.
    pub(super) fn arm(&mut self, running: &mut Running, session: &mut Session, now: Micros) -> bool {
        // A later time is found out when the sooner one has come.
        let Some(at) = running.engine.next_timeout(now, session).filter(|at| *at < running.due) else {
            return false;
        };
        self.forget(running);
        running.due = at;
        self.due.insert((at, running.stay));
        self.due.first() == Some(&(at, running.stay))
    }

    /// A torrent leaves.
    pub(super) fn forget(&mut self, running: &Running) {
        if running.due < Micros::MAX {
            self.due.remove(&(running.due, running.stay));
        }
    }

    /// Those whose time has come.
    fn take(&mut self, now: Micros) -> BTreeSet<(Micros, Stay)> {
        let Some(next) = now.checked_add(1) else { return std::mem::take(&mut self.due) };
        let later = self.due.split_off(&(next, Stay::FIRST));
        std::mem::replace(&mut self.due, later)
    }
}

/// Tells each engine when its time has come.
pub(super) async fn run(inner: Arc<Inner>) {
    loop {
        let wait = match round(&inner) {
            Some(at) => Duration::from_micros(at.saturating_sub(inner.now()).max(REST)).min(REST_MAX),
            None => REST_MAX,
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = inner.sooner.notified() => {}
        }
    }
}

/// Tells those whose time has come, and says when the next is.
fn round(inner: &Arc<Inner>) -> Option<Micros> {
    let due = {
        let Core { agenda, torrents, .. } = &mut *inner.core.lock();
        let due = agenda.take(inner.now());
        for (_, stay) in &due {
            if let Some(running) = torrents.get_mut(&stay.hash).filter(|running| running.stay == *stay) {
                running.due = Micros::MAX;
            }
        }
        due
    };
    for (_, stay) in due {
        inner.handle(stay, Event::Tick);
    }
    inner.core.lock().agenda.due.first().map(|(at, _)| *at)
}
