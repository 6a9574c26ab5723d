use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;

use super::*;
use crate::config::{MembersConfig, Mode};
use crate::store::roll::Span;

const NOW: i64 = 1_800_000_000;

struct World {
    rules: Rules,
    policy: Arc<Policy>,
    dir: TempDir,
}

thread_local! {
    static CLOCK: AtomicI64 = const { AtomicI64::new(NOW) };
}

/// Each test has a thread of its own, and a clock.
fn clock() -> i64 {
    CLOCK.with(|clock| clock.load(Ordering::Relaxed))
}

fn open(dir: &TempDir) -> (Rules, Arc<Policy>) {
    let policy = Arc::new(Policy::new(Mode::Open, &MembersConfig::default(), 4_000));
    let (durable, checking) = Durable::open(dir.path(), 1 << 20).unwrap();
    checking.finish().unwrap();
    (Rules::open(durable, policy.clone(), clock).unwrap(), policy)
}

fn admin() -> Actor {
    Actor { who: "admin-token".into(), address: [192, 0, 2, 1].into() }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (rules, policy) = open(&dir);
        Self { rules, policy, dir }
    }

    async fn add(&self, list: List, entry: &str, until: Option<i64>) -> Result<(Rule, bool), RuleError> {
        self.rules.add(list, entry, until, "why", &admin()).await
    }

    fn admits_peer(&self, address: &str) -> bool {
        self.policy.current().lists().admit_peer(ip(address))
    }

    /// After housekeeping at a time.
    fn at(&self, now: i64) {
        CLOCK.with(|clock| clock.store(now, Ordering::Relaxed));
        self.rules.expire();
    }
}

#[tokio::test]
async fn a_ban_holds_at_once_and_until_its_end() {
    let world = World::new();
    let (rule, is_new) = world.add(List::Banned, "203.0.113.9/24", Some(NOW + 60)).await.unwrap();
    assert_eq!((rule.entry.as_str(), is_new), ("203.0.113.0/24", true));
    assert!(!world.admits_peer("203.0.113.1") && world.admits_peer("203.0.114.1"));
    world.at(NOW + 59);
    assert!(!world.admits_peer("203.0.113.1"));
    assert_eq!(world.rules.list(), [rule]);
    world.at(NOW + 60);
    assert!(world.admits_peer("203.0.113.1"));
    assert_eq!(world.rules.list(), []);
}

#[tokio::test]
async fn a_rule_is_there_after_a_restart_and_gone_when_taken_back() {
    let World { rules, policy, dir } = World::new();
    let (rule, _) = rules.add(List::PeersDenied, "2001:db8::/32", None, "", &admin()).await.unwrap();
    drop((rules, policy));
    let (rules, policy) = open(&dir);
    assert!(!policy.current().lists().admit_peer(ip("2001:db8::1")));
    rules.remove(rule.id, &admin()).await.unwrap();
    assert!(policy.current().lists().admit_peer(ip("2001:db8::1")));
    assert!(matches!(rules.remove(rule.id, &admin()).await, Err(RuleError::Unknown(_))));
}

#[tokio::test]
async fn the_same_entry_again_is_another_end() {
    let world = World::new();
    let (first, _) = world.add(List::Banned, "203.0.113.9", Some(NOW + 60)).await.unwrap();
    let (second, is_new) = world.add(List::Banned, "::ffff:203.0.113.9", Some(NOW + 90)).await.unwrap();
    assert_eq!((second.id, second.until, is_new), (first.id, Some(NOW + 90), false));
    world.at(NOW + 60);
    assert!(!world.admits_peer("203.0.113.9"));
    world.at(NOW + 90);
    assert!(world.admits_peer("203.0.113.9"));
    // It is forgotten with the next.
    world.add(List::Banned, "203.0.113.10", None).await.unwrap();
    let stored = world.rules.0.durable.read(|store| store.rules()).await.unwrap();
    assert_eq!(stored.iter().map(|rule| rule.id).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn the_end_of_what_is_allowed_lets_nobody_in() {
    let world = World::new();
    world.add(List::PeersAllowed, "10.0.0.0/8", Some(NOW + 60)).await.unwrap();
    assert!(world.admits_peer("10.0.0.1") && !world.admits_peer("11.0.0.1"));
    world.at(NOW + 60);
    assert!(!world.admits_peer("10.0.0.1") && !world.admits_peer("11.0.0.1"));
    world.add(List::Banned, "203.0.113.10", None).await.unwrap();
    assert!(!world.admits_peer("11.0.0.1"));
    let rule = world.rules.list().remove(0);
    world.rules.remove(rule.id, &admin()).await.unwrap();
    assert!(world.admits_peer("11.0.0.1"));
}

#[tokio::test]
async fn nobody_shuts_the_door_on_himself() {
    let world = World::new();
    let shut_out = async |list, entry, until| {
        let told = world.add(list, entry, until).await;
        matches!(told, Err(RuleError::ShutsOut(address)) if address == ip("192.0.2.1"))
    };
    assert!(shut_out(List::Banned, "192.0.2.0/24", None).await);
    assert!(shut_out(List::ApiDenied, "0.0.0.0/0", Some(NOW + 60)).await);
    assert!(shut_out(List::ApiAllowed, "10.0.0.0/8", None).await);
    // He is let in now, and nobody will be then.
    assert!(shut_out(List::ApiAllowed, "192.0.2.0/24", Some(NOW + 60)).await);
    assert_eq!(world.rules.list(), []);
    let (own, _) = world.add(List::ApiAllowed, "192.0.2.0/24", None).await.unwrap();
    world.add(List::ApiAllowed, "10.0.0.0/8", Some(NOW + 60)).await.unwrap();
    assert!(matches!(world.rules.remove(own.id, &admin()).await, Err(RuleError::ShutsOut(_))));
    // Peers are another matter.
    world.add(List::PeersDenied, "192.0.2.0/24", None).await.unwrap();
}

#[tokio::test]
async fn what_makes_no_sense_is_no_rule() {
    let world = World::new();
    let told = async |list, entry, until| world.add(list, entry, until).await.unwrap_err().to_string();
    assert!(told(List::Banned, "nobody", None).await.starts_with("`nobody` is not an address or a network"));
    assert_eq!(told(List::Banned, "::1", Some(NOW)).await, "`until` is over");
    let note = "x".repeat(NOTE_BYTES_MAX + 1);
    let long = world.rules.add(List::Banned, "::1", None, &note, &admin()).await;
    assert!(matches!(long, Err(RuleError::Note)));
    let recorded =
        world.rules.0.durable.read(|store| store.audit(Span { after: 0, limit: 9 })).await.unwrap();
    assert_eq!(recorded, []);
    world.add(List::Banned, "::1", None).await.unwrap();
    let recorded =
        world.rules.0.durable.read(|store| store.audit(Span { after: 0, limit: 9 })).await.unwrap();
    assert_eq!((recorded[0].1.act.as_str(), recorded[0].1.object.as_str()), ("access.add", "banned ::1"));
}

#[tokio::test]
async fn there_are_so_many_at_most() {
    let world = World::new();
    let many = (0_u32..).take(RULES_MAX).map(|n| {
        let entry = Entry::Network(IpAddr::V4(n.into()).into());
        let rule = Rule {
            id: i64::from(n) + 10,
            list: List::PeersDenied,
            entry: entry.to_string(),
            until: None,
            note: String::new(),
            created_by: String::new(),
            created_at: NOW,
        };
        (rule, entry)
    });
    world.rules.0.held.write().rules = many.collect();
    assert!(matches!(world.add(List::Banned, "::1", None).await, Err(RuleError::TooMany)));
    // One that is there may change.
    assert!(world.add(List::PeersDenied, "0.0.0.5", Some(NOW + 5)).await.is_ok());
}
