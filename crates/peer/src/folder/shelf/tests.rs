use proptest::prelude::*;

use super::*;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn stamp(version: u64) -> Stamp {
    let mut stamp = Stamp([0; 20]);
    stamp.0[..8].copy_from_slice(&version.to_be_bytes());
    stamp
}

/// The torrent that an entry makes as it is.
fn torrent(name: &str, stamp: Stamp) -> InfoHash {
    let mut hash = stamp.0;
    hash[19] = name.as_bytes()[0];
    InfoHash(hash)
}

/// The torrent that is fetched under a name.
fn foreign(name: &str) -> InfoHash {
    InfoHash([name.as_bytes()[0]; 20])
}

/// A folder, a node and whoever carries out orders, all of paper.
#[derive(Debug)]
struct World {
    shelf: Shelf,
    now: Duration,
    version: u64,
    disk: BTreeMap<&'static str, Stamp>,
    /// What is shared from the folder as it is.
    sources: BTreeSet<InfoHash>,
    downloads: BTreeMap<String, Download>,
    /// What is being hashed.
    working: Vec<Offer>,
    /// For each name, since when all looks have found it as the last did.
    steady: BTreeMap<String, (Duration, Stamp)>,
    /// The downloads of the last look.
    seen: BTreeSet<String>,
    /// What could not be shared, or somebody took down.
    blocked: BTreeSet<(String, Stamp)>,
}

#[derive(Debug, Clone)]
enum Op {
    Write(usize),
    Remove(usize),
    Wait(u64),
    LookAll,
    LookAt(usize),
    Withdraw,
    Begin,
    End(usize, bool),
    Fetch(usize),
    Arrive(usize),
    TakeDown(usize),
}

impl World {
    fn new(entries_max: usize) -> Self {
        Self {
            shelf: Shelf::new(entries_max),
            now: Duration::ZERO,
            version: 0,
            disk: BTreeMap::new(),
            sources: BTreeSet::new(),
            downloads: BTreeMap::new(),
            working: Vec::new(),
            steady: BTreeMap::new(),
            seen: BTreeSet::new(),
            blocked: BTreeSet::new(),
        }
    }

    fn write(&mut self, name: &'static str) {
        self.version += 1;
        self.disk.insert(name, stamp(self.version));
    }

    fn look(&mut self, scope: Scope) {
        let is_in = |name: &str| match &scope {
            Scope::All => true,
            Scope::Names(names) => names.contains(name),
        };
        let found: BTreeMap<String, Stamp> = self
            .disk
            .iter()
            .filter(|(name, _)| is_in(name))
            .map(|(name, stamp)| ((*name).to_owned(), *stamp))
            .collect();
        for name in NAMES.iter().filter(|name| is_in(name)) {
            match found.get(*name) {
                Some(stamp) if self.steady.get(*name).is_some_and(|(_, before)| before == stamp) => {}
                Some(stamp) => drop(self.steady.insert((*name).to_owned(), (self.now, *stamp))),
                None => drop(self.steady.remove(*name)),
            }
        }
        self.seen = self.downloads.keys().cloned().collect();
        self.shelf.see(&Look { began: self.now, ended: self.now, scope, found }, &self.downloads);
        assert!(self.shelf.entries.len() <= self.shelf.entries_max);
    }

    /// Takes back what shall be.
    fn withdraw(&mut self) {
        while let Some(Withdrawal { name, info_hash }) = self.shelf.next_withdrawal() {
            let shared = self.sources.remove(&info_hash);
            let fetched = self.downloads.get(&name).is_some_and(|it| it.info_hash == info_hash);
            assert!(shared || fetched, "{name} was there to be withdrawn");
            if fetched {
                self.downloads.remove(&name);
            }
            self.shelf.withdrawn(info_hash);
        }
    }

    /// Takes on what shall be offered.
    fn begin(&mut self) {
        let Some(offer) = self.shelf.next_offer() else { return };
        let Offer { name, stamp } = &offer;
        let (since, found) = self.steady[name];
        assert_eq!(found, *stamp, "{name} is offered as it was found last");
        assert!(self.now >= since + QUIET, "{name} was quiet");
        let download = self.seen.contains(name) && self.downloads.contains_key(name);
        assert!(!download, "{name} is a download's");
        assert!(self.working.iter().all(|other| other.name != *name), "{name} is being hashed");
        assert!(!self.blocked.contains(&(name.clone(), *stamp)), "{name} was refused as it is");
        assert!(!self.sources.contains(&torrent(name, *stamp)), "{name} is shared already");
        self.working.push(offer);
    }

    /// Ends one of what was begun.
    fn end(&mut self, at: usize, well: bool) {
        if self.working.is_empty() {
            return;
        }
        let offer = self.working.remove(at % self.working.len());
        let hash = torrent(&offer.name, offer.stamp);
        if well {
            self.sources.insert(hash);
        } else if self.shelf.is_wanted(&offer) {
            self.blocked.insert((offer.name.clone(), offer.stamp));
        }
        self.shelf.offered(&offer, well.then_some(hash));
    }

    fn take_down(&mut self, name: &'static str) {
        let Some(hash) = self.shelf.state(name).and_then(State::torrent) else { return };
        self.shelf.dismiss(hash);
        self.look(Scope::All);
        self.sources.remove(&hash);
        self.downloads.retain(|_, download| download.info_hash != hash);
        self.shelf.withdrawn(hash);
        self.look(Scope::All);
        if let Some(stamp) = self.disk.get(name) {
            self.blocked.insert((name.to_owned(), *stamp));
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Write(at) => self.write(NAMES[at]),
            Op::Remove(at) => drop(self.disk.remove(NAMES[at])),
            Op::Wait(ms) => self.now += millis(ms),
            Op::LookAll => self.look(Scope::All),
            Op::LookAt(at) => self.look(Scope::Names(BTreeSet::from([NAMES[at].to_owned()]))),
            Op::Withdraw => self.withdraw(),
            Op::Begin => self.begin(),
            Op::End(at, well) => self.end(at, well),
            // A name that is taken is refused by the disk.
            Op::Fetch(at) if !self.disk.contains_key(NAMES[at]) => {
                let download = Download { info_hash: foreign(NAMES[at]), whole: false };
                self.downloads.entry(NAMES[at].to_owned()).or_insert(download);
            }
            Op::Fetch(_) => {}
            Op::Arrive(at) => {
                if self.downloads.get(NAMES[at]).is_some_and(|download| !download.whole) {
                    self.write(NAMES[at]);
                    self.downloads.get_mut(NAMES[at]).unwrap().whole = true;
                }
            }
            Op::TakeDown(at) => self.take_down(NAMES[at]),
        }
    }

    /// Lets things come to rest: nobody touches the folder any more, and all orders are carried out.
    fn rest(&mut self) {
        for _ in 0..4 {
            self.look(Scope::All);
            self.now += QUIET;
            self.look(Scope::All);
            for _ in 0..2 * NAMES.len() {
                self.begin();
                self.end(0, true);
                self.withdraw();
            }
        }
    }

    /// The torrents that the shelf takes for shared.
    fn known(&self) -> BTreeSet<InfoHash> {
        self.shelf.entries.values().filter_map(|entry| entry.state.torrent()).collect()
    }

    /// What should be shared of the folder as it is.
    fn expected(&self) -> BTreeSet<InfoHash> {
        let offered = self.disk.iter().filter(|(name, stamp)| {
            !self.downloads.contains_key(**name) && !self.blocked.contains(&((**name).to_owned(), **stamp))
        });
        offered.map(|(name, stamp)| torrent(name, *stamp)).collect()
    }
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..NAMES.len();
    prop_oneof![
        4 => name.clone().prop_map(Op::Write),
        2 => name.clone().prop_map(Op::Remove),
        6 => (0..1500_u64).prop_map(Op::Wait),
        6 => Just(Op::LookAll),
        3 => name.clone().prop_map(Op::LookAt),
        4 => Just(Op::Withdraw),
        6 => Just(Op::Begin),
        4 => (0..NAMES.len(), any::<bool>()).prop_map(|(at, well)| Op::End(at, well)),
        2 => name.clone().prop_map(Op::Fetch),
        2 => name.clone().prop_map(Op::Arrive),
        1 => name.prop_map(Op::TakeDown),
    ]
}

proptest! {
    #[test]
    fn what_is_quiet_is_shared_and_nothing_else(ops in prop::collection::vec(op(), 0..120)) {
        let mut world = World::new(NAMES.len());
        for op in &ops {
            world.apply(op);
        }
        world.rest();
        prop_assert_eq!(&world.sources, &world.expected());
        for (name, download) in &world.downloads {
            let on_disk = world.disk.contains_key(name.as_str());
            prop_assert!(!download.whole || on_disk, "{name} is gone and still shared");
        }
        prop_assert!(world.shelf.is_settled());
        prop_assert_eq!(world.shelf.next_look(), None);
        prop_assert_eq!(world.shelf.next_offer(), None);
        let shared = world.sources.iter().copied().chain(world.downloads.values().map(|it| it.info_hash));
        prop_assert_eq!(world.known(), shared.collect::<BTreeSet<_>>());
    }

    #[test]
    fn the_bound_holds_and_all_places_are_used(ops in prop::collection::vec(op(), 0..120)) {
        let mut world = World::new(3);
        for op in &ops {
            world.apply(op);
        }
        world.rest();
        prop_assert!(world.sources.is_subset(&world.expected()));
        prop_assert!(world.shelf.room() == 0 || world.sources == world.expected());
    }
}

/// A world in which `a` is on the disk, was found, and has been quiet for long enough.
fn quiet() -> World {
    let mut world = World::new(NAMES.len());
    world.write("a");
    world.look(Scope::All);
    world.now += QUIET;
    world.look(Scope::All);
    world
}

#[test]
fn an_entry_is_offered_once_it_was_quiet_and_is_shared_then() {
    let mut world = World::new(NAMES.len());
    world.write("a");
    world.look(Scope::All);
    assert!(!world.shelf.is_settled());
    assert_eq!(world.shelf.next_look(), Some(QUIET));
    world.now += QUIET - millis(1);
    world.look(Scope::All);
    assert_eq!(world.shelf.next_offer(), None);
    world.now += millis(1);
    assert_eq!(world.shelf.ripe(world.now), BTreeSet::from(["a".to_owned()]));
    world.look(Scope::Names(world.shelf.ripe(world.now)));
    world.begin();
    assert!(!world.working.is_empty() && !world.shelf.is_settled());
    world.end(0, true);
    assert!(world.shelf.is_settled());
    assert_eq!(world.known(), world.sources);
}

#[test]
fn what_is_being_written_is_waited_for() {
    let mut world = World::new(NAMES.len());
    for _ in 0..20 {
        world.write("a");
        world.look(Scope::All);
        world.now += QUIET - millis(1);
        assert_eq!(world.shelf.next_offer(), None);
    }
    world.look(Scope::All);
    world.now += QUIET;
    world.look(Scope::All);
    assert!(world.shelf.next_offer().is_some());
}

#[test]
fn a_look_that_takes_long_is_no_proof_of_quiet() {
    let mut world = World::new(NAMES.len());
    world.write("a");
    world.look(Scope::All);
    let found = BTreeMap::from([("a".to_owned(), stamp(1))]);
    let slow = Look { began: millis(100), ended: QUIET * 3, scope: Scope::All, found };
    world.shelf.see(&slow, &world.downloads);
    assert_eq!(world.shelf.next_offer(), None, "it may have been seen when the look began");
    let later = Look { began: QUIET * 3, ended: QUIET * 4, ..slow };
    world.shelf.see(&later, &world.downloads);
    assert!(world.shelf.next_offer().is_some());
}

#[test]
fn what_never_rests_keeps_nobody_from_being_ready() {
    let mut world = quiet();
    world.write("a");
    world.look(Scope::All);
    assert!(world.shelf.is_settled(), "it is not what the first look found");
}

#[test]
fn what_changes_while_it_is_hashed_is_taken_back_at_once() {
    let mut world = quiet();
    world.begin();
    world.write("a");
    world.look(Scope::All);
    world.end(0, true);
    let withdrawal = Withdrawal { name: "a".to_owned(), info_hash: torrent("a", stamp(1)) };
    assert_eq!(world.shelf.next_withdrawal(), Some(withdrawal));
}

#[test]
fn what_was_made_of_an_entry_before_is_gone_when_it_is_offered_again() {
    let mut world = quiet();
    world.begin();
    // As when it was only touched: the torrent is the same.
    world.write("a");
    world.look(Scope::All);
    world.now += QUIET;
    world.look(Scope::All);
    assert_eq!(world.shelf.next_offer(), None, "it is still being hashed as it was");
    let old = world.working.remove(0);
    world.shelf.offered(&old, Some(foreign("a")));
    assert_eq!(world.shelf.next_offer(), None, "what it was is still shared");
    let withdrawal = world.shelf.next_withdrawal().unwrap();
    assert_eq!(world.shelf.next_offer(), None, "and still being withdrawn");
    world.shelf.withdrawn(withdrawal.info_hash);
    let new = world.shelf.next_offer().unwrap();
    world.shelf.offered(&new, Some(foreign("a")));
    assert_eq!(world.shelf.next_withdrawal(), None);
}

#[test]
fn what_has_been_quiet_for_longest_is_offered_first() {
    let mut world = quiet();
    for name in ["e", "d", "c"] {
        world.write(name);
        world.look(Scope::All);
        world.now += millis(10);
    }
    world.now += QUIET;
    world.look(Scope::All);
    let mut order = Vec::new();
    while let Some(Offer { name, .. }) = world.shelf.next_offer() {
        order.push(name);
    }
    assert_eq!(order, ["a", "e", "d", "c"]);
}

#[test]
fn what_has_arrived_is_shared_as_the_next_look_finds_it() {
    let mut world = World::new(NAMES.len());
    world.apply(&Op::Fetch(0));
    world.look(Scope::All);
    world.write("a");
    world.look(Scope::All);
    assert_eq!(world.shelf.next_look(), None, "an unfinished download is left alone");
    // The look found it before its last file came, and the node said that it is whole after.
    world.apply(&Op::Arrive(0));
    world.write("a");
    let found = BTreeMap::from([("a".to_owned(), stamp(1))]);
    let look = Look { began: world.now, ended: world.now, scope: Scope::All, found };
    world.shelf.see(&look, &world.downloads);
    assert_eq!(world.shelf.next_look(), Some(Duration::ZERO), "it is looked at again at once");
    world.look(Scope::All);
    world.now += QUIET;
    world.look(Scope::All);
    assert_eq!(world.shelf.next_offer(), None);
    assert_eq!(world.known(), BTreeSet::from([foreign("a")]));

    world.write("a");
    world.look(Scope::All);
    world.look(Scope::All);
    let gone = Withdrawal { name: "a".to_owned(), info_hash: foreign("a") };
    assert_eq!(world.shelf.next_withdrawal(), Some(gone), "changed, it is no longer what was fetched");
    assert_eq!(world.shelf.next_withdrawal(), None);
}

#[test]
fn what_was_taken_down_is_offered_when_it_changes() {
    let mut world = quiet();
    world.begin();
    world.end(0, true);
    world.take_down("a");
    world.rest();
    assert!(world.sources.is_empty());
    world.write("a");
    world.rest();
    assert_eq!(world.sources, BTreeSet::from([torrent("a", stamp(2))]));
}

#[test]
fn a_full_folder_has_room_again_when_something_goes() {
    let mut world = World::new(1);
    world.write("b");
    world.rest();
    world.write("a");
    world.rest();
    assert_eq!(world.sources, BTreeSet::from([torrent("b", stamp(1))]), "what was there first stays");
    world.disk.remove("b");
    world.rest();
    assert_eq!(world.sources, BTreeSet::from([torrent("a", stamp(2))]));
}
