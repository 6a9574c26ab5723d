use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::testing::Dice;
use crate::{Families, PeerId, Port, Want};

const MINUTE: u32 = 60;

fn config() -> Config {
    Config { peer_ttl_secs: 65 * MINUTE, memory_bytes_max: usize::MAX, details_max: 0, secret: 7 }
}

fn peer(number: u32) -> Endpoint {
    Endpoint::V4(Ipv4Addr::from(0x0a00_0000 + number), Port::new(6881).unwrap())
}

fn hash(number: u32) -> InfoHash {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    InfoHash(bytes)
}

fn announce(hash: InfoHash, endpoint: Endpoint, left: u64) -> Announce {
    Announce {
        hash,
        endpoint,
        left: Some(left),
        event: Event::Update,
        want: Want { peers: 50, families: Families::Both, ids: false, seeders: false },
        detail: None,
    }
}

fn detail(number: u8) -> Detail {
    Detail { peer_id: PeerId([number; 20]), uploaded: 1, downloaded: 2, left: 3 }
}

/// A registry, its dice and its reply.
struct Desk {
    registry: Registry,
    dice: Dice,
    reply: Reply,
}

impl Desk {
    fn new(config: Config) -> Self {
        Self { registry: Registry::new(config), dice: Dice::new(1), reply: Reply::default() }
    }

    fn tell(&mut self, announce: &Announce, now: Seconds) -> Result<Outcome, Full> {
        self.registry.announce(announce, now, &mut self.dice, &mut self.reply)
    }

    fn counts(&self) -> (u32, u32) {
        (self.reply.counts.complete, self.reply.counts.incomplete)
    }
}

#[test]
fn two_peers_come_complete_and_leave() {
    let mut desk = Desk::new(config());
    let mut counts = Vec::new();
    for (number, left, event) in [
        (1, 5, Event::Started),
        (1, 0, Event::Completed),
        (2, 5, Event::Started),
        (3, 5, Event::Started),
        (2, 5, Event::Stopped),
        (3, 5, Event::Stopped),
    ] {
        desk.tell(&Announce { event, ..announce(hash(1), peer(number), left) }, 0).unwrap();
        counts.push(desk.counts());
    }
    assert_eq!(counts, [(0, 1), (1, 0), (1, 1), (1, 2), (1, 1), (1, 0)]);
}

#[test]
fn a_seeder_is_told_of_seeders_only_if_it_wants_them() {
    let mut desk = Desk::new(config());
    for (number, left) in [(1, 0), (2, 5)] {
        desk.tell(&announce(hash(1), peer(number), left), 0).unwrap();
    }
    for (seeders, told) in [(false, 1), (true, 2)] {
        let mut seeder = announce(hash(1), peer(3), 0);
        seeder.want.seeders = seeders;
        desk.tell(&seeder, 0).unwrap();
        assert_eq!(desk.reply.peers().count(), told);
    }
}

#[test]
fn a_download_is_counted_once() {
    let mut desk = Desk::new(config());
    let completed = Announce { event: Event::Completed, ..announce(hash(1), peer(1), 0) };
    assert!(desk.tell(&completed, 0).unwrap().completed);
    for now in [1, 2] {
        assert!(!desk.tell(&completed, now).unwrap().completed);
        assert_eq!(desk.reply.counts.completed, 1);
    }
}

#[test]
fn a_silent_peer_is_gone_after_its_time() {
    let mut desk = Desk::new(config());
    desk.tell(&announce(hash(1), peer(1), 5), 0).unwrap();
    desk.tell(&announce(hash(1), peer(2), 5), 34 * MINUTE).unwrap();
    desk.registry.expire(65 * MINUTE, 100);
    assert_eq!(desk.registry.scrape(&hash(1)).unwrap().incomplete, 2);
    desk.registry.expire(65 * MINUTE + 1, 100);
    assert_eq!(desk.registry.scrape(&hash(1)).unwrap().incomplete, 1);
    let swept = desk.registry.expire(200 * MINUTE, 100);
    assert_eq!(swept, Swept { peers: 1, swarms: 1, round_done: true });
    assert_eq!(desk.registry.scrape(&hash(1)), None);
}

#[test]
fn a_sweep_keeps_to_its_budget() {
    let mut desk = Desk::new(config());
    for number in 0..1_000 {
        desk.tell(&announce(hash(number % 3), peer(number), 5), 0).unwrap();
    }
    let mut calls = 0;
    while !desk.registry.expire(100 * MINUTE, 10).round_done {
        calls += 1;
    }
    assert!((100..=110).contains(&calls), "{calls}");
    assert_eq!(desk.registry.stats().population.peers(), 0);
    assert_eq!(desk.registry.stats().swarms, 0);
}

#[test]
fn ids_are_told_where_they_are_known() {
    let mut desk = Desk::new(Config { details_max: 2, ..config() });
    for number in 1..=3_u8 {
        let known = Announce { detail: Some(detail(number)), ..announce(hash(1), peer(number.into()), 5) };
        desk.tell(&known, 0).unwrap();
    }
    let mut asks = announce(hash(1), peer(9), 5);
    asks.want.ids = true;
    desk.tell(&asks, 0).unwrap();
    let mut told: Vec<_> = desk.reply.peers().zip(desk.reply.ids.iter().copied()).collect();
    told.sort_unstable();
    let id = |number| Some(PeerId([number; 20]));
    assert_eq!(told, [(peer(1), id(1)), (peer(2), id(2)), (peer(3), None)]);

    desk.tell(&Announce { event: Event::Stopped, ..announce(hash(1), peer(1), 5) }, 0).unwrap();
    assert_eq!(desk.registry.detail(&hash(1), peer(1)), None);
    assert_eq!(desk.registry.detail(&hash(1), peer(2)), Some(&detail(2)));
}

/// A large swarm is shown in parts, and whoever stays is in one of them, whoever leaves meanwhile.
#[test]
fn whoever_stays_is_shown() {
    let mut desk = Desk::new(config());
    for number in 0..1_000 {
        desk.tell(&announce(hash(1), peer(number), u64::from(number % 3)), 0).unwrap();
    }
    let (mut cursor, mut seen, mut parts) = (ExportCursor::default(), std::collections::BTreeSet::new(), 0);
    while desk.registry.export(&mut cursor, 10, |part| {
        assert_eq!(part.is_continued(), parts > 0);
        assert!(part.peers(0).len() <= 10);
        seen.extend(part.peers(0).map(|peer| peer.endpoint));
    }) {
        let leaves = Announce { event: Event::Stopped, ..announce(hash(1), peer(parts * 7 % 1_000), 5) };
        desk.tell(&leaves, 0).unwrap();
        parts += 1;
    }
    assert!(parts >= 80, "{parts}");
    let stayed = desk.registry.swarm(&hash(1)).unwrap().peers(0).map(|peer| peer.endpoint).collect();
    assert!(seen.is_superset(&stayed));
}

#[test]
fn memory_is_given_up_in_the_stated_order() {
    let budget = 64 * 1024;
    let mut desk = Desk::new(Config { memory_bytes_max: budget, details_max: 1_000_000, ..config() });
    let mut number = 0;
    // Details first.
    while desk.registry.stats().shed.details == 0 {
        number += 1;
        let told = Announce { detail: Some(detail(1)), ..announce(hash(1), peer(number), 5) };
        desk.tell(&told, 0).expect("details are given up before anybody is refused");
    }
    let kept = desk.registry.stats();
    assert_eq!(kept.population.peers(), number as usize);
    assert_eq!(kept.shed.peers + kept.shed.refused, 0);
    // Then the idlest of a swarm that cannot grow, for the sake of the newest.
    while desk.registry.stats().shed.peers == 0 {
        number += 1;
        let told = announce(hash(1), peer(number), 5);
        desk.tell(&told, 0).expect("a swarm that cannot grow changes its peers");
    }
    assert_eq!(desk.registry.stats().shed.refused, 0);
    // Then the idle peers of large swarms, at half their time, until that has helped.
    desk.registry.expire(40 * MINUTE, usize::MAX);
    assert_eq!(desk.registry.stats().population.peers(), 0);
    desk.tell(&announce(hash(1), peer(1), 5), 40 * MINUTE).unwrap();
    desk.registry.expire(80 * MINUTE, usize::MAX);
    assert_eq!(desk.registry.stats().population.peers(), 1);
    // Then new swarms.
    let mut refused = None;
    for swarm in 2..100_000 {
        if desk.tell(&announce(hash(swarm), peer(1), 5), 40 * MINUTE) == Err(Full) {
            refused = Some(swarm);
            break;
        }
    }
    let refused = refused.expect("a full registry refuses new swarms");
    assert_eq!(desk.registry.scrape(&hash(refused)), None);
    assert_eq!(desk.registry.stats().shed.refused, 1);
    assert!(desk.registry.memory_bytes() <= budget);
}

#[test]
fn peers_are_cheap() {
    for (swarms, peers, bytes_max) in [(100_000, 2, 48), (1_000, 100, 14)] {
        let mut desk = Desk::new(config());
        for number in 0..swarms * peers {
            desk.tell(&announce(hash(number % swarms), peer(number), 5), 0).unwrap();
        }
        let bytes = desk.registry.memory_bytes() / (swarms * peers) as usize;
        assert!(bytes <= bytes_max, "{swarms} swarms of {peers}: {bytes} bytes a peer");
    }
    let mut desk = Desk::new(config());
    for number in 0..100_000 {
        desk.tell(&announce(hash(1), peer(number), 5), 0).unwrap();
    }
    let bytes = desk.registry.memory_bytes() / 100_000;
    assert!(bytes <= 24, "one large swarm: {bytes} bytes a peer");
}

#[test]
fn memory_is_given_back() {
    let mut desk = Desk::new(config());
    for number in 0..50_000 {
        desk.tell(&announce(hash(number % 500), peer(number), 5), 0).unwrap();
        desk.tell(&announce(hash(1_000), peer(number), 5), 0).unwrap();
    }
    while !desk.registry.expire(100 * MINUTE, 1_000).round_done {}
    assert!(desk.registry.memory_bytes() < 20_000, "{} bytes for nobody", desk.registry.memory_bytes());
}

#[test]
fn what_is_counted_is_what_there_is() {
    let mut desk = Desk::new(config());
    let is_right = |desk: &Desk| {
        let heap_bytes: usize = desk.registry.swarms.iter().map(Swarm::heap_bytes).sum();
        assert_eq!(desk.registry.heap_bytes, heap_bytes);
    };
    // A swarm with many tables, which shrink as its peers leave; and others change what they are meanwhile.
    for number in 0..40_000 {
        desk.tell(&announce(hash(1), peer(number), 5), 0).unwrap();
    }
    is_right(&desk);
    for number in 0..40_000 {
        let leaves = Announce { event: Event::Stopped, ..announce(hash(1), peer(number), 5) };
        desk.tell(&leaves, 0).unwrap();
        let changes = announce(hash(1), peer(39_999 - number / 2), u64::from(number % 3));
        desk.tell(&changes, 0).unwrap();
        if number % 100 == 0 {
            is_right(&desk);
        }
    }
    is_right(&desk);
}

proptest! {
    /// Whatever is announced, the budget holds.
    #[test]
    fn the_budget_holds(
        budget in 1_000usize..60_000,
        announces in proptest::collection::vec((0u32..300, 0u32..200, any::<bool>(), any::<bool>()), 1..2_000),
    ) {
        let mut desk = Desk::new(Config { memory_bytes_max: budget, details_max: 50, ..config() });
        for (now, (swarm, number, v6, stops)) in (0..).zip(announces) {
            let mut endpoint = peer(number);
            if v6 {
                let Endpoint::V4(ip, port) = endpoint else { unreachable!() };
                endpoint = Endpoint::V6(std::net::Ipv6Addr::from_bits(0xfd00 << 112 | u128::from(ip.to_bits())), port);
            }
            // Many in the first swarm, some in the others.
            let swarm = if swarm < 150 { 0 } else { swarm };
            let told = Announce {
                detail: Some(detail(1)),
                event: if stops { Event::Stopped } else { Event::Update },
                ..announce(hash(swarm), endpoint, 5)
            };
            let _ = desk.tell(&told, now);
            prop_assert!(desk.registry.memory_bytes() <= budget);
            let heap_bytes: usize = desk.registry.swarms.iter().map(Swarm::heap_bytes).sum();
            prop_assert_eq!(desk.registry.heap_bytes, heap_bytes);
        }
    }
}
