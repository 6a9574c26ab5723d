use std::collections::BTreeSet;
use std::net::IpAddr;

use swarm::{Counts, Event, Families, InfoHash, PeerId};
use tempfile::TempDir;

use super::*;
use crate::config::TrackerConfig;
use crate::tracker::{Asker, Events};

struct Nobody;

impl Events for Nobody {
    fn completed(&self, _: InfoHash, _: u32) {}
}

fn tracker() -> Tracker {
    Tracker::new(&TrackerConfig::default(), Box::new(Nobody))
}

/// A tracker in which peer p of swarm s has announced, for `swarms` swarms of 1 to 3 peers.
fn peopled(swarms: u16) -> Tracker {
    let tracker = tracker();
    let mut worker = tracker.worker();
    for swarm in 0..swarms {
        for peer in 0..=swarm % 3 {
            let ip: IpAddr = match peer {
                1 => "2001:db8::5".parse().unwrap(),
                _ => "192.0.2.9".parse().unwrap(),
            };
            let asker = Asker { ip, families: Families::Both, ids: false, user_agent: None };
            let announce = wire::Announce {
                info_hash: hash(swarm),
                peer_id: PeerId([b'x'; 20]),
                port: 1_000 + peer,
                stated_ip: None,
                uploaded: 0,
                downloaded: 0,
                left: Some(u64::from(peer)),
                event: if peer == 0 { Event::Completed } else { Event::Started },
                want: None,
                key: None,
                passkey: None,
            };
            tracker.announce(&asker, &announce, &mut worker).unwrap();
        }
    }
    tracker
}

fn hash(swarm: u16) -> InfoHash {
    let mut bytes = [0; 20];
    bytes[..2].copy_from_slice(&swarm.to_be_bytes());
    InfoHash(bytes)
}

fn endpoints(tracker: &Tracker, swarm: u16) -> BTreeSet<String> {
    tracker.peers(&hash(swarm), 10).iter().map(|peer| peer.endpoint.to_string()).collect()
}

/// A snapshot of `swarms` swarms, and the tracker it is of.
fn saved(swarms: u16) -> (TempDir, Tracker) {
    let dir = tempfile::tempdir().unwrap();
    let tracker = peopled(swarms);
    let contents = save(dir.path(), &tracker, 1_000_000).unwrap();
    assert_eq!(contents.swarms, u64::from(swarms));
    (dir, tracker)
}

#[test]
fn a_restarted_tracker_knows_what_the_old_one_knew() {
    let (dir, old) = saved(300);
    let new = tracker();
    let Loaded::Whole(contents) = load(dir.path(), &new, 1_000_060).unwrap() else { panic!("damaged") };
    assert_eq!(contents, Contents { swarms: 300, peers: 600 });
    for swarm in 0..300 {
        let peers = u32::from(swarm % 3);
        let counts = Counts { complete: 1, incomplete: peers, downloaders: peers, completed: 1 };
        assert_eq!(new.scrape(&hash(swarm)), Some(counts));
        assert_eq!(endpoints(&new, swarm), endpoints(&old, swarm));
    }
    let idle: BTreeSet<u32> = new.peers(&hash(2), 10).iter().map(|peer| peer.idle_secs).collect();
    assert!(idle.iter().all(|secs| (60..65).contains(secs)), "{idle:?}");
}

#[test]
fn who_has_been_silent_for_too_long_is_left_out() {
    let (dir, _) = saved(3);
    let new = tracker();
    load(dir.path(), &new, 1_000_000 + i64::from(TrackerConfig::default().peer_ttl_secs()) + 5).unwrap();
    assert_eq!(new.stats().population.peers(), 0);
    // Completed downloads are remembered all the same.
    assert_eq!(new.scrape(&hash(0)).unwrap().completed, 1);
}

#[test]
fn none_is_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(load(dir.path(), &tracker(), 0).unwrap(), Loaded::Nothing));
}

#[test]
fn a_snapshot_takes_the_place_of_the_one_before() {
    let (dir, _) = saved(3);
    save(dir.path(), &peopled(5), 1_000_000).unwrap();
    let Loaded::Whole(contents) = load(dir.path(), &tracker(), 1_000_000).unwrap() else { panic!("damaged") };
    assert_eq!(contents.swarms, 5);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Wherever it is cut or changed, it is noticed, set aside, and nothing worse happens.
#[test]
fn damage_anywhere_is_noticed() {
    let (dir, _) = saved(4);
    let path = dir.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    // The time it was written (8 to 16) is not covered: a wrong one is a wrong age.
    let changes = (0..whole.len()).filter(|at| !(8..16).contains(at)).map(|at| {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        changed
    });
    let cuts = (0..whole.len()).map(|length| whole[..length].to_vec());
    for bytes in changes.chain(cuts) {
        fs::write(&path, &bytes).unwrap();
        let new = tracker();
        let Loaded::Damaged { set_aside, .. } = load(dir.path(), &new, 1_000_000).unwrap() else {
            panic!("damage passed")
        };
        assert_eq!(fs::read(set_aside).unwrap(), bytes);
        assert!(!path.exists());
    }
}

#[test]
fn a_damaged_block_costs_only_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let tracker_of_many = peopled(40_000);
    save(dir.path(), &tracker_of_many, 1_000_000).unwrap();
    let path = dir.path().join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 2 << 20, "three blocks at least are needed, in {} bytes", bytes.len());
    bytes[1_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let new = tracker();
    let Loaded::Damaged { contents, why, .. } = load(dir.path(), &new, 1_000_000).unwrap() else {
        panic!("damage passed")
    };
    assert_eq!(why, "1 of its blocks are damaged");
    assert!((10_000..40_000).contains(&contents.swarms), "{contents:?}");
    assert_eq!(new.stats().swarms as u64, contents.swarms);
}
