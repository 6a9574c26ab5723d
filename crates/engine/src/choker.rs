use crate::dice::Dice;
use crate::peer::PeerKey;
use crate::time::{Micros, SECOND};

/// How often it is decided who is unchoked.
pub(crate) const ROUND: Micros = SECOND / 2;

/// The fewest upload slots: with fewer, a slow taker or two idle the link.
const SLOTS_MIN: usize = 8;

/// The most upload slots.
const SLOTS_MAX: usize = 40;

/// How long an optimistic unchoke has to show what it is worth.
const OPTIMISTIC_TURN: Micros = 10 * SECOND;

/// How long a seeder serves a peer while others wait.
const SEED_TURN: Micros = 10 * SECOND;

/// Decides who may download from us.
///
/// A leecher serves those that gave it most of late, and one other to find better ones. A seeder serves each in turn.
/// There are as many slots as it takes to keep the link busy: few fast uploads complete pieces sooner than many slow
/// ones, so a slot is added only when those there are leave most takers with nothing queued.
#[derive(Debug)]
pub(crate) struct Choker {
    slots: usize,
    optimistic: Option<(PeerKey, Micros)>,
}

/// A peer that wants to download.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) key: PeerKey,
    pub(crate) unchoked: bool,
    /// When it was last choked or unchoked.
    pub(crate) since: Micros,
    /// Bytes it gave us of late.
    pub(crate) given: u64,
    /// It was unchoked and has nothing queued.
    pub(crate) idle: bool,
    /// It has our requests and does not answer.
    pub(crate) snubs: bool,
}

impl Choker {
    pub(crate) const fn new() -> Self {
        Self { slots: SLOTS_MIN, optimistic: None }
    }

    pub(crate) const fn slots(&self) -> usize {
        self.slots
    }

    /// Orders `candidates` so that those to be unchoked come first, and says how many they are.
    pub(crate) fn decide(
        &mut self,
        candidates: &mut [Candidate],
        seeding: bool,
        now: Micros,
        dice: &mut Dice,
    ) -> usize {
        self.adapt(candidates);
        // What the sort leaves equal is in random order.
        dice.shuffle(candidates);
        if seeding {
            candidates.sort_by_key(|one| seed_rank(one, now));
            return self.slots.min(candidates.len());
        }
        candidates.sort_by_key(|one| (one.snubs, std::cmp::Reverse(one.given), !one.unchoked));
        let regular = (self.slots - 1).min(candidates.len());
        if regular == candidates.len() {
            return regular;
        }
        let rest = &mut candidates[regular..];
        let running = self.optimistic.filter(|(_, until)| now < *until);
        let kept = running.and_then(|(key, _)| rest.iter().position(|one| one.key == key));
        let chosen = kept.unwrap_or_else(|| {
            // The one that has waited longest among a random order of equals.
            let longest = (0..rest.len()).min_by_key(|&at| (rest[at].unchoked, rest[at].since)).unwrap_or(0);
            self.optimistic = Some((rest[longest].key, now + OPTIMISTIC_TURN));
            longest
        });
        rest.swap(0, chosen);
        regular + 1
    }

    fn adapt(&mut self, candidates: &[Candidate]) {
        let unchoked = candidates.iter().filter(|one| one.unchoked);
        let (busy, idle) = unchoked.fold(
            (0, 0),
            |(busy, idle), one| {
                if one.idle { (busy, idle + 1) } else { (busy + 1, idle) }
            },
        );
        if busy + idle >= self.slots && idle > busy {
            self.slots = (self.slots + 1 + self.slots / 4).min(SLOTS_MAX);
        } else if idle == 0 && self.slots > SLOTS_MIN {
            self.slots -= 1;
        }
    }
}

/// Those whose turn is running, then those that waited longest.
fn seed_rank(one: &Candidate, now: Micros) -> (u8, Micros) {
    match (one.unchoked, now.saturating_sub(one.since) < SEED_TURN) {
        (true, true) => (0, one.since),
        (false, _) => (1, one.since),
        (true, false) => (2, one.since),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate() -> impl Strategy<Value = Candidate> {
        (any::<bool>(), 0..100_u64, 0..5_u64, any::<bool>(), prop::bool::weighted(0.1)).prop_map(
            |(unchoked, since, given, idle, snubs)| Candidate {
                key: PeerKey { slot: 0, generation: 0 },
                unchoked,
                since: since * SECOND,
                given: given * 1_000,
                idle,
                snubs,
            },
        )
    }

    fn numbered(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        for (slot, one) in (0..).zip(&mut candidates) {
            one.key.slot = slot;
        }
        candidates
    }

    proptest! {
        #[test]
        fn a_leecher_serves_its_best_givers_and_one_more(
            candidates in prop::collection::vec(candidate(), 0..60),
            seed in any::<u64>(),
        ) {
            let before = numbered(candidates);
            let (mut after, mut choker) = (before.clone(), Choker::new());
            let unchoked = choker.decide(&mut after, false, 100 * SECOND, &mut Dice::new(seed));
            prop_assert_eq!(unchoked, choker.slots().min(before.len()));
            prop_assert!((SLOTS_MIN..=SLOTS_MAX).contains(&choker.slots()));
            let mut keys: Vec<_> = after.iter().map(|one| one.key).collect();
            keys.sort_unstable();
            keys.dedup();
            prop_assert_eq!(keys.len(), before.len(), "nobody is lost or doubled");
            // All but the optimistic one gave no less than anybody who is choked.
            let rank = |one: &Candidate| (one.snubs, std::cmp::Reverse(one.given));
            if unchoked < after.len() {
                let worst = after[..unchoked - 1].iter().map(rank).max();
                let best = after[unchoked..].iter().map(rank).min();
                prop_assert!(worst <= best);
            }
        }

        #[test]
        fn a_seeder_serves_everybody_in_turn(peers in 1..40_u32, seed in any::<u64>()) {
            let one = |slot| Candidate {
                key: PeerKey { slot, generation: 0 },
                unchoked: false,
                since: 0,
                given: 0,
                idle: false,
                snubs: false,
            };
            let mut candidates: Vec<_> = (0..peers).map(one).collect();
            let (mut choker, mut dice) = (Choker::new(), Dice::new(seed));
            let mut served = std::collections::BTreeSet::new();
            for round in 1..=u64::from(peers) {
                let now = round * SEED_TURN;
                let unchoked = choker.decide(&mut candidates, true, now, &mut dice);
                for (at, one) in candidates.iter_mut().enumerate() {
                    if one.unchoked != (at < unchoked) {
                        one.unchoked = at < unchoked;
                        one.since = now;
                    }
                    if one.unchoked {
                        served.insert(one.key);
                    }
                }
            }
            prop_assert_eq!(served.len(), peers as usize);
        }
    }

    #[test]
    fn slots_follow_what_keeps_the_link_busy() {
        let mut choker = Choker::new();
        let taker = |idle| Candidate {
            key: PeerKey { slot: 0, generation: 0 },
            unchoked: true,
            since: 0,
            given: 0,
            idle,
            snubs: false,
        };
        let mut idle = vec![taker(true); 100];
        (0..20).for_each(|_| _ = choker.decide(&mut idle, true, 0, &mut Dice::new(1)));
        assert_eq!(choker.slots(), SLOTS_MAX);
        let mut busy = vec![taker(false); 100];
        (0..50).for_each(|_| _ = choker.decide(&mut busy, true, 0, &mut Dice::new(1)));
        assert_eq!(choker.slots(), SLOTS_MIN);
    }
}
