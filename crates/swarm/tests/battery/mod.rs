//! What must hold of every dialect, whatever way its tracker is reached.
//!
//! A [`World`] is a tracker and the peers that speak with it. `dialects.rs` has one that calls the directory. A test on
//! sockets takes this file in as a module (`#[path = "../../swarm/tests/battery/mod.rs"]`), implements [`World`] by
//! what goes over the wire, and runs the same [`CASES`]; those that say `by_the_clock` want seconds that pass when they
//! are told to, and are for worlds that have such.

use std::collections::BTreeSet;

use swarm::directory::Dialect;

/// A peer: what it is called, and at which of a few addresses it is. Its port is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Peer {
    pub(crate) label: u8,
    pub(crate) address: u8,
}

/// A tracker of one dialect, and peers.
pub(crate) trait World {
    fn dialect(&self) -> Dialect;

    /// The peer registers these names: in one request where the dialect allows it, else in one for each. Its listening
    /// port answers from now on. In `chunklist` each name is a seeder's own, and the same chunk list goes by it
    /// whoever offers it.
    fn register(&mut self, peer: Peer, names: &[&str]);

    /// Whom the peer is told of when it looks a name up. In `chunklist`: whoever is listed under it.
    fn look_up(&mut self, asker: Peer, name: &str) -> BTreeSet<Peer>;

    /// Whoever offers something, and what.
    fn list(&mut self) -> BTreeSet<(Peer, String)>;

    /// The peer's heartbeat. False where the dialect has none.
    fn beat(&mut self, peer: Peer) -> bool;

    /// The peer says goodbye. False where the dialect has no word for it.
    fn leave(&mut self, peer: Peer) -> bool;

    /// The peer's listening port answers no more.
    fn fall_deaf(&mut self, peer: Peer);

    /// So many seconds go by, each with whatever the tracker does in a second.
    fn pass(&mut self, secs: u32);
}

/// A case, to be run in a new world.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// It lets seconds go by.
    pub(crate) by_the_clock: bool,
    pub(crate) run: fn(&mut dyn World),
}

/// All cases.
pub(crate) const CASES: &[Case] = &[
    case("an unknown name has no holders", an_unknown_name_has_no_holders),
    case("who registers is found", who_registers_is_found),
    case("registering again replaces, or adds", registering_again_replaces_or_adds),
    case("everything offered is listed", everything_offered_is_listed),
    case("who leaves is gone at once", who_leaves_is_gone_at_once),
    case("nobody touches what is another's", nobody_touches_what_is_anothers),
    case("who is not known can beat and leave", who_is_not_known_can_beat_and_leave),
    by_the_clock("the silent are gone after their time", the_silent_are_gone_after_their_time),
    by_the_clock("who beats stays", who_beats_stays),
    by_the_clock("the deaf are gone after three probes", the_deaf_are_gone_after_three_probes),
    by_the_clock("who answers stays", who_answers_stays),
];

const fn case(name: &'static str, run: fn(&mut dyn World)) -> Case {
    Case { name, by_the_clock: false, run }
}

const fn by_the_clock(name: &'static str, run: fn(&mut dyn World)) -> Case {
    Case { name, by_the_clock: true, run }
}

const A: Peer = Peer { label: 0, address: 0 };
const B: Peer = Peer { label: 1, address: 1 };
/// Called as [`A`] is, elsewhere.
const A_ELSEWHERE: Peer = Peer { label: 0, address: 2 };
const C: Peer = Peer { label: 2, address: 2 };

/// Seconds of silence that a dialect allows; `None` where nobody need beat.
fn ttl_secs(dialect: Dialect) -> Option<u32> {
    match dialect {
        Dialect::Index => Some(15),
        Dialect::Beacon => Some(30),
        Dialect::Token | Dialect::Chunklist => None,
    }
}

fn set<T: Ord + Clone>(all: &[T]) -> BTreeSet<T> {
    all.iter().cloned().collect()
}

fn an_unknown_name_has_no_holders(world: &mut dyn World) {
    assert_eq!(world.look_up(A, "video.mp4"), set(&[]));
    assert_eq!(world.list(), set(&[]));
    world.register(A, &["document.pdf"]);
    assert_eq!(world.look_up(B, "video.mp4"), set(&[]));
}

fn who_registers_is_found(world: &mut dyn World) {
    world.register(A, &["video.mp4"]);
    world.register(B, &["video.mp4"]);
    assert_eq!(world.look_up(C, "video.mp4"), set(&[A, B]));
    // Where a request says who it is from, nobody is told of itself.
    let told_of_itself = matches!(world.dialect(), Dialect::Beacon | Dialect::Chunklist);
    assert_eq!(world.look_up(A, "video.mp4"), if told_of_itself { set(&[A, B]) } else { set(&[B]) });
}

fn registering_again_replaces_or_adds(world: &mut dyn World) {
    let replaces = matches!(world.dialect(), Dialect::Token | Dialect::Index);
    world.register(A, &["one", "two"]);
    world.register(A, &["two", "three"]);
    assert_eq!(world.look_up(B, "one"), if replaces { set(&[]) } else { set(&[A]) });
    assert_eq!(world.look_up(B, "two"), set(&[A]));
    assert_eq!(world.look_up(B, "three"), set(&[A]));
}

fn everything_offered_is_listed(world: &mut dyn World) {
    world.register(A, &["one", "[download]two"]);
    world.register(B, &["one"]);
    let listed = [(A, "one"), (A, "[download]two"), (B, "one")];
    assert_eq!(world.list(), set(&listed.map(|(peer, name)| (peer, name.to_owned()))));
}

fn who_leaves_is_gone_at_once(world: &mut dyn World) {
    world.register(A, &["one", "two"]);
    world.register(B, &["two"]);
    if world.leave(A) {
        assert_eq!(world.look_up(C, "one"), set(&[]));
        assert_eq!(world.look_up(C, "two"), set(&[B]));
    }
}

fn nobody_touches_what_is_anothers(world: &mut dyn World) {
    world.register(A, &["one"]);
    world.register(A_ELSEWHERE, &["two"]);
    assert_eq!((world.look_up(B, "one"), world.look_up(B, "two")), (set(&[A]), set(&[A_ELSEWHERE])));
    world.beat(A_ELSEWHERE);
    if world.leave(A_ELSEWHERE) {
        assert_eq!((world.look_up(B, "one"), world.look_up(B, "two")), (set(&[A]), set(&[])));
    }
}

fn who_is_not_known_can_beat_and_leave(world: &mut dyn World) {
    world.register(A, &["one"]);
    world.beat(B);
    world.leave(A_ELSEWHERE);
    assert_eq!(world.look_up(C, "one"), set(&[A]));
    assert_eq!(world.list().len(), 1);
}

fn the_silent_are_gone_after_their_time(world: &mut dyn World) {
    let Some(ttl_secs) = ttl_secs(world.dialect()) else { return };
    world.register(A, &["one"]);
    world.pass(5);
    world.register(B, &["one"]);
    world.pass(ttl_secs - 5);
    assert_eq!(world.look_up(C, "one"), set(&[A, B]));
    world.pass(2);
    assert_eq!(world.look_up(C, "one"), set(&[B]));
    world.pass(ttl_secs);
    assert_eq!(world.list(), set(&[]));
}

fn who_beats_stays(world: &mut dyn World) {
    world.register(A, &["one"]);
    world.register(B, &["one"]);
    if !world.beat(A) {
        return;
    }
    // What answers its beats need not answer probes.
    world.fall_deaf(A);
    for _ in 0..60 {
        world.pass(10);
        assert!(world.beat(A));
    }
    let beats_or_is_gone = world.dialect() != Dialect::Chunklist;
    assert_eq!(world.look_up(C, "one"), if beats_or_is_gone { set(&[A]) } else { set(&[A, B]) });
    world.pass(32);
    assert!(!world.look_up(C, "one").contains(&A), "it beats no more");
}

fn the_deaf_are_gone_after_three_probes(world: &mut dyn World) {
    if ttl_secs(world.dialect()).is_some() {
        return;
    }
    world.register(A, &["one"]);
    world.register(B, &["one"]);
    world.fall_deaf(A);
    // Probed after 61 seconds, and after 61 more.
    world.pass(150);
    assert_eq!(world.look_up(C, "one"), set(&[A, B]));
    world.pass(60);
    assert_eq!(world.look_up(C, "one"), set(&[B]));
}

fn who_answers_stays(world: &mut dyn World) {
    if ttl_secs(world.dialect()).is_some() {
        return;
    }
    world.register(A, &["one"]);
    for _ in 0..4 {
        // Two failures, and then it answers again.
        world.fall_deaf(A);
        world.pass(130);
        assert_eq!(world.look_up(C, "one"), set(&[A]));
        world.register(A, &["one"]);
        world.pass(65);
    }
}
