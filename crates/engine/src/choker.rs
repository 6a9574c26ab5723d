use crate::dice::Dice;
use crate::peer::PeerKey;
use crate::time::{Micros, SECOND};

/// How often it is decided who is unchoked.
pub(crate) const ROUND: Micros = SECOND;

/// The fewest upload slots: with fewer, one slow taker idles the link.
const SLOTS_MIN: usize = 4;

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
