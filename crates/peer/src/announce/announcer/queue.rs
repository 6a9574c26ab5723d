//! Outcomes that wait for a session that has other things to do.

use std::collections::VecDeque;

use super::{OUTCOMES_MAX, Outcome};

/// At most [`OUTCOMES_MAX`]; the oldest is dropped for a new one, but never the order to drop peers.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Outcome>);

impl Queue {
    pub(super) fn push(&mut self, outcome: Outcome) {
        if outcome == Outcome::DropPeers {
            // Peers that nobody has taken yet are dropped here.
            self.0.retain(|waiting| matches!(waiting, Outcome::Said(_)));
        }
        self.0.push_back(outcome);
        if self.0.len() > OUTCOMES_MAX
            && let Some(at) = self.0.iter().position(|waiting| *waiting != Outcome::DropPeers)
        {
            self.0.remove(at);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Outcome> {
        self.0.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use swarm::{Endpoint, Port};

    use super::*;

    fn peers(port: u16) -> Outcome {
        Outcome::Peers(vec![Endpoint::new([10, 0, 0, 1].into(), Port::new(port).unwrap())])
    }

    #[test]
    fn the_order_to_drop_peers_is_never_lost_and_takes_them_along() {
        let mut queue = Queue::default();
        queue.push(peers(1));
        queue.push(Outcome::DropPeers);
        for port in 0..1000 {
            queue.push(peers(port + 2));
        }
        assert_eq!(queue.pop(), Some(Outcome::DropPeers));
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(rest.len(), OUTCOMES_MAX - 1);
        assert_eq!(rest.last(), Some(&peers(1001)));
    }
}
