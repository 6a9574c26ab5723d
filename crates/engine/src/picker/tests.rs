use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const PIECES: u32 = 200;
const BLOCKS: u32 = 4;

fn layout() -> Layout {
    Layout::new(u64::from(PIECES * BLOCKS) * 16_384 - 5_000, BLOCKS * 16_384).unwrap()
}

fn key(slot: u32) -> PeerKey {
    PeerKey { slot, generation: slot }
}

fn ip(slot: u32) -> IpAddr {
    IpAddr::from(slot.to_be_bytes())
}

/// What a peer is to the picker, and what it was asked for.
#[derive(Debug, Default)]
struct Other {
    has: Bits,
    current: Option<u32>,
    asked: Vec<(u32, u32)>,
    on_parole: bool,
}

#[derive(Debug, Clone)]
enum Op {
    Come(Vec<u32>, bool),
    Go(usize),
    Have(usize, u32),
    Ask(usize, usize),
    Receive(usize),
    Release(usize),
    Hash(bool),
    Prioritize(u32, Priority),
    Parole(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let priority =
        prop::sample::select(vec![Priority::Skip, Priority::Low, Priority::Normal, Priority::High]);
    prop_oneof![
        2 => (prop::collection::vec(0..PIECES, 0..80), prop::bool::weighted(0.2)).prop_map(|(a, b)| Op::Come(a, b)),
        1 => (0..9_usize).prop_map(Op::Go),
        4 => (0..9_usize, 0..PIECES).prop_map(|(a, b)| Op::Have(a, b)),
        8 => (0..9_usize, 1..40_usize).prop_map(|(a, b)| Op::Ask(a, b)),
        20 => (0..9_usize).prop_map(Op::Receive),
        2 => (0..9_usize).prop_map(Op::Release),
        6 => prop::bool::weighted(0.8).prop_map(Op::Hash),
        2 => (0..PIECES, priority).prop_map(|(a, b)| Op::Prioritize(a, b)),
        1 => (0..9_usize).prop_map(Op::Parole),
    ]
}

/// The picker beside a model that counts everything anew each time.
struct Both {
    picker: Picker,
    dice: Dice,
    others: BTreeMap<u32, Other>,
    next: u32,
    have: Bits,
    priorities: Vec<Priority>,
    complete: Vec<u32>,
}

impl Both {
    fn nth(&self, n: usize) -> Option<u32> {
        self.others.keys().nth(n % self.others.len().max(1)).copied()
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Come(pieces, everything) => {
                let mut has = if everything { Bits::all(PIECES) } else { Bits::none(PIECES) };
                pieces.into_iter().for_each(|piece| _ = has.insert(piece));
                self.picker.peer_came(&has);
                self.next += 1;
                self.others.insert(self.next, Other { has, ..Other::default() });
            }
            Op::Go(n) => {
                let Some(slot) = self.nth(n) else { return };
                let other = self.others.remove(&slot).unwrap();
                other.asked.iter().for_each(|(piece, index)| self.picker.release(*piece, *index));
                self.picker.disown(key(slot));
                self.picker.peer_went(&other.has);
            }
            Op::Have(n, piece) => {
                let Some(slot) = self.nth(n) else { return };
                let other = self.others.get_mut(&slot).unwrap();
                if other.has.insert(piece) {
                    self.picker.peer_got(piece, &other.has);
                }
            }
            Op::Ask(n, times) => {
                let Some(slot) = self.nth(n) else { return };
                (0..times).for_each(|_| self.ask(slot));
            }
            Op::Receive(n) => {
                let Some(slot) = self.nth(n) else { return };
                let other = self.others.get_mut(&slot).unwrap();
                if other.asked.is_empty() {
                    return;
                }
                let (piece, index) = other.asked.remove(0);
                match self.picker.receive(piece, index, ip(slot), true) {
                    Receipt::Wanted { complete: true, .. } => self.complete.push(piece),
                    Receipt::Wanted { others, .. } => {
                        let also = self.others.values().filter(|one| one.asked.contains(&(piece, index)));
                        assert_eq!(also.count(), usize::from(others));
                    }
                    Receipt::Unwanted => {}
                }
            }
            Op::Release(n) => {
                let Some(slot) = self.nth(n) else { return };
                let other = self.others.get_mut(&slot).unwrap();
                other.current = None;
                for (piece, index) in std::mem::take(&mut other.asked) {
                    self.picker.release(piece, index);
                }
                self.picker.disown(key(slot));
            }
            Op::Hash(good) => {
                let Some(piece) = self.complete.pop() else { return };
                let senders = self.picker.hashed(piece, good);
                let was_skipped = self.priorities[piece as usize] == Priority::Skip;
                assert!(!senders.is_empty() || was_skipped);
                if good && !senders.is_empty() {
                    self.have.insert(piece);
                }
            }
            Op::Prioritize(piece, priority) => {
                self.picker.prioritize(piece, priority, self.have.has(piece));
                self.priorities[piece as usize] = priority;
                if priority == Priority::Skip && !self.have.has(piece) {
                    self.complete.retain(|one| *one != piece);
                    for other in self.others.values_mut() {
                        other.asked.retain(|(of, _)| *of != piece);
                    }
                }
            }
            Op::Parole(n) => {
                let Some(slot) = self.nth(n) else { return };
                self.others.get_mut(&slot).unwrap().on_parole = true;
            }
        }
    }

    fn ask(&mut self, slot: u32) {
        let rarest = self.rarest(slot);
        let startable = self.picker.rarity.startable().clone();
        let asked_by_all: Vec<_> = self.others.values().flat_map(|one| one.asked.clone()).collect();
        let other = self.others.get_mut(&slot).unwrap();
        let before = other.current;
        let mut asker = Asker {
            peer: key(slot),
            has: &other.has,
            on_parole: other.on_parole,
            only: None,
            suggested: &mut Vec::new(),
            current: &mut other.current,
            any: false,
        };
        let found = self.picker.pick(&mut asker, &mut self.dice);
        let again = found.is_none().then(|| {
            let asked = &other.asked;
            let is_asked = |piece, index| asked.contains(&(piece, index));
            self.picker.pick_again(&asker, is_asked, &mut self.dice)
        });
        if let Some((piece, index)) = found {
            assert!(other.has.has(piece) && !self.have.has(piece));
            assert_ne!(self.priorities[piece as usize], Priority::Skip);
            assert!(!asked_by_all.contains(&(piece, index)), "nothing is asked twice before the end game");
            if startable.has(piece) && before != Some(piece) {
                assert_eq!(Some(self.rank(piece)), rarest, "the rarest of the most wanted is started");
            }
            self.others.get_mut(&slot).unwrap().asked.push((piece, index));
        } else if let Some(Some((piece, index))) = again {
            assert!(self.picker.is_end_game() && other.has.has(piece));
            assert!(!other.asked.contains(&(piece, index)));
            other.asked.push((piece, index));
        }
    }

    fn rank(&self, piece: u32) -> (usize, usize) {
        let counted = self.others.values().filter(|one| !one.has.is_full() && one.has.has(piece));
        (self.priorities[piece as usize].class().unwrap(), counted.count())
    }

    fn rarest(&self, slot: u32) -> Option<(usize, usize)> {
        let startable = self.picker.rarity.startable();
        let pieces = self.others[&slot].has.iter().filter(|&piece| startable.has(piece));
        pieces.map(|piece| self.rank(piece)).min()
    }

    fn check(&self) {
        for piece in 0..PIECES {
            let wanted = self.priorities[piece as usize] != Priority::Skip;
            assert_eq!(self.picker.lacking.has(piece), wanted && !self.have.has(piece), "piece {piece}");
            let counted = self.others.values().filter(|one| !one.has.is_full() && one.has.has(piece)).count();
            assert_eq!(usize::from(self.picker.rarity.count(piece)), counted);
        }
        let free: u32 = self.picker.opens.iter().map(Open::free).sum();
        assert_eq!(self.picker.free, free);
        assert!(self.picker.opens.len() <= self.picker.open_max);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn it_agrees_with_counting_everything(ops in prop::collection::vec(op(), 1..300), seed in any::<u64>()) {
        let have = Bits::none(PIECES);
        let mut both = Both {
            picker: Picker::new(layout(), &have, 1 << 20),
            dice: Dice::new(seed),
            others: BTreeMap::new(),
            next: 0,
            have,
            priorities: vec![Priority::Normal; PIECES as usize],
            complete: Vec::new(),
        };
        for op in ops {
            both.apply(op);
            both.check();
        }
    }
}

#[test]
fn ties_are_thrown_for() {
    let mut picker = Picker::new(layout(), &Bits::none(PIECES), 1 << 30);
    let all = Bits::all(PIECES);
    picker.peer_came(&all);
    let mut dice = Dice::new(1);
    let mut started: Vec<u32> = (0..PIECES)
        .map(|slot| {
            let mut current = None;
            let mut asker = Asker {
                peer: key(slot),
                has: &all,
                on_parole: false,
                only: None,
                suggested: &mut Vec::new(),
                current: &mut current,
                any: false,
            };
            picker.pick(&mut asker, &mut dice).unwrap().0
        })
        .collect();
    let in_order = started.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count();
    assert!(in_order < 10, "{started:?}");
    started.sort_unstable();
    assert_eq!(started, (0..PIECES).collect::<Vec<_>>());
}

#[test]
fn a_piece_is_wanted_as_its_most_wanted_file() {
    let layout = Layout::new(100, 10).unwrap();
    let files = [(15, Priority::Skip), (0, Priority::High), (10, Priority::High), (75, Priority::Low)];
    let priorities = piece_priorities(&layout, files);
    assert_eq!(priorities[..4], [Priority::Skip, Priority::High, Priority::High, Priority::Low]);
    assert_eq!(priorities.len(), 10);
}
