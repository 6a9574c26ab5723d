use std::collections::BTreeSet;

use swarm::Endpoint;
use wire::peer::{PEX_INTERVAL_SECS, PEX_PEERS_MAX, PexFlags, encode_pex};

use crate::time::{Micros, SECOND};

/// Whom a peer was told of (BEP 11).
#[derive(Debug, Default)]
pub(crate) struct Told {
    peers: BTreeSet<Endpoint>,
    at: Option<Micros>,
    heard_at: Option<Micros>,
}

impl Told {
    /// Whether a message to the peer is due.
    pub(crate) fn is_due(&self, now: Micros) -> bool {
        self.at.is_none_or(|at| now >= at + Micros::from(PEX_INTERVAL_SECS) * SECOND)
    }

    /// Whether the peer may send a message now: half the interval is forgiven for clocks and queues.
    pub(crate) fn may_hear(&mut self, now: Micros) -> bool {
        let soon = self.heard_at.is_some_and(|at| now < at + Micros::from(PEX_INTERVAL_SECS) * SECOND / 2);
        if !soon {
            self.heard_at = Some(now);
        }
        !soon
    }

    /// The payload that tells the peer what has changed since the last; `None` if nothing has.
    pub(crate) fn update(&mut self, connected: &[(Endpoint, PexFlags)], now: Micros) -> Option<Vec<u8>> {
        let present: BTreeSet<Endpoint> = connected.iter().map(|(endpoint, _)| *endpoint).collect();
        let new = connected.iter().filter(|(endpoint, _)| !self.peers.contains(endpoint));
        let added: Vec<_> = new.take(PEX_PEERS_MAX).copied().collect();
        let dropped: Vec<_> = self.peers.difference(&present).take(PEX_PEERS_MAX).copied().collect();
        if added.is_empty() && dropped.is_empty() {
            return None;
        }
        self.at = Some(now);
        self.peers.extend(added.iter().map(|(endpoint, _)| *endpoint));
        dropped.iter().for_each(|endpoint| _ = self.peers.remove(endpoint));
        let mut payload = Vec::new();
        encode_pex(&added, &dropped, &mut payload);
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice_or_too_often() {
        let endpoint = |n| Endpoint::new([10, 0, 0, n].into(), swarm::Port::new(1).unwrap());
        let all: Vec<_> = (0..70).map(|n| (endpoint(n), PexFlags::default())).collect();
        let mut told = Told::default();
        let read = |payload: Option<Vec<u8>>| {
            let payload = payload.unwrap();
            let pex = wire::peer::Pex::decode(&payload).unwrap();
            (pex.added().count(), pex.dropped().count())
        };
        assert!(told.is_due(0));
        assert_eq!(read(told.update(&all, 0)), (50, 0));
        assert!(!told.is_due(59 * SECOND) && told.is_due(60 * SECOND));
        assert_eq!(read(told.update(&all, 60 * SECOND)), (20, 0));
        assert_eq!(told.update(&all, 0), None);
        assert_eq!(read(told.update(&all[1..], 0)), (0, 1));
        assert!(told.may_hear(0) && !told.may_hear(SECOND) && told.may_hear(40 * SECOND));
    }
}
