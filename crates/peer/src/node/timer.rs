use std::sync::Arc;
use std::time::Duration;

use engine::{Event, Micros};

use super::{Core, Inner};

/// How long the timer rests at least, so that timeouts close together are one round.
const REST: Micros = engine::MILLISECOND;

/// Tells each engine when its time has come.
pub(super) async fn run(inner: Arc<Inner>) {
    loop {
        let wait = match round(&inner) {
            Micros::MAX => Duration::from_secs(3600),
            at => Duration::from_micros(at.saturating_sub(inner.now()).max(REST)),
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = inner.sooner.notified() => {}
        }
    }
}

/// Tells those whose time has come, and says when the next is.
fn round(inner: &Arc<Inner>) -> Micros {
    let now = inner.now();
    let mut core = inner.core.lock();
    let Core { session, torrents, armed } = &mut *core;
    let mut next = Micros::MAX;
    for (hash, running) in torrents {
        if running.engine.next_timeout(now, session).is_some_and(|at| at <= now) {
            running.engine.handle(Event::Tick, now, session);
            inner.act(*hash, running, session, now, None);
        }
        next = next.min(running.engine.next_timeout(now, session).unwrap_or(Micros::MAX));
    }
    *armed = next;
    next
}
