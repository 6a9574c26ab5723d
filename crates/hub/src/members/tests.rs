use tempfile::TempDir;

use super::*;
use crate::config::{MembersConfig, Mode};
use crate::tracker::Refusal;

const NOW: i64 = 1_800_000_000;

struct World {
    members: Members,
    policy: Arc<Policy>,
    dir: TempDir,
}

fn open(dir: &TempDir) -> (Members, Arc<Policy>) {
    let policy = Arc::new(Policy::new(Mode::Members, &MembersConfig::default(), 4_000));
    let (durable, checking) = Durable::open(dir.path(), 1 << 20).unwrap();
    checking.finish().unwrap();
    (Members::open(durable, policy.clone(), || NOW).unwrap(), policy)
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (members, policy) = open(&dir);
        Self { members, policy, dir }
    }

    fn admits(&self, passkey: &Secret) -> Result<Option<swarm::UserId>, Refusal> {
        let admitted = self.policy.admit(Some(passkey.tell().as_bytes()), [10, 0, 0, 1].into(), NOW);
        admitted.map(|member| member.map(|member| member.user))
    }

    async fn add(&self, name: &str) -> (Member, Secret) {
        self.members.add(name, Role::Member, None, None, &admin()).await.unwrap()
    }
}

fn admin() -> Actor {
    Actor { who: "admin-token".into(), address: [192, 0, 2, 1].into() }
}

fn patch(disabled: bool, until: Option<i64>) -> MemberPatch {
    MemberPatch { disabled: Some(disabled), until: Some(until), ..MemberPatch::default() }
}

#[tokio::test]
async fn a_member_announces_until_it_may_no_more() {
    let world = World::new();
    let (ann, passkey) = world.add("ann").await;
    assert_eq!(world.admits(&passkey), Ok(Some(ann.id)));
    let change = async |patch| world.members.change("ann", None, patch, &admin()).await.unwrap();
    change(patch(true, None)).await;
    assert_eq!(world.admits(&passkey), Err(Refusal::MemberDisabled));
    change(patch(false, Some(NOW))).await;
    assert_eq!(world.admits(&passkey), Err(Refusal::MemberOver));
    change(patch(false, Some(NOW + 1))).await;
    assert_eq!(world.admits(&passkey), Ok(Some(ann.id)));

    let (_, other) = world.members.rotate("ANN", None, &admin()).await.unwrap();
    assert_eq!(world.admits(&passkey), Err(Refusal::PasskeyUnknown));
    assert_eq!(world.admits(&other), Ok(Some(ann.id)));
    world.members.revoke("ann", None, &admin()).await.unwrap();
    assert_eq!(world.admits(&other), Err(Refusal::PasskeyUnknown));
    let (_, third) = world.members.rotate("ann", None, &admin()).await.unwrap();
    world.members.remove("ann", None, &admin()).await.unwrap();
    assert_eq!(world.admits(&third), Err(Refusal::PasskeyUnknown));
    assert!(world.policy.gate().is_empty());
    assert!(matches!(world.members.get("ann").await, Err(MemberError::Unknown(_))));
}

#[tokio::test]
async fn members_and_tokens_are_there_after_a_restart() {
    let world = World::new();
    let (ann, passkey) = world.add("ann").await;
    let (_, gone) = world.add("bob").await;
    world.members.remove("bob", None, &admin()).await.unwrap();
    let (_, token) = world.members.add_token("ci", Scope::Torrents, None, &admin()).await.unwrap();
    let (_, old) = world.members.add_token("old", Scope::Admin, Some(NOW), &admin()).await.unwrap();
    let World { members, dir, .. } = world;
    drop(members);
    let (members, policy) = open(&dir);
    let world = World { members, policy, dir };
    assert_eq!(world.admits(&passkey), Ok(Some(ann.id)));
    assert_eq!(world.admits(&gone), Err(Refusal::PasskeyUnknown));
    assert_eq!(world.members.token(token.tell().as_bytes()), Some(("ci".into(), Scope::Torrents)));
    assert_eq!(world.members.token(old.tell().as_bytes()), None, "it is over");
    assert_eq!(world.members.token(b"wrong"), None);
    world.members.remove_token("ci", &admin()).await.unwrap();
    assert_eq!(world.members.token(token.tell().as_bytes()), None);
}

#[tokio::test]
async fn people_join_by_invitation() {
    let world = World::new();
    let (invite, code) = world.members.invite("the lab", 1, None, &admin()).await.unwrap();
    let join = async |name: &str, code: &str| {
        world.members.add(name, Role::Member, None, Some(code), &admin()).await.map(|(member, _)| member)
    };
    assert!(matches!(join("ann", "made up").await, Err(MemberError::NotInvited)));
    assert_eq!(join("ann", code.tell()).await.unwrap().invited_by.as_deref(), Some("admin-token"));
    assert!(matches!(join("bob", code.tell()).await, Err(MemberError::NotInvited)));
    world.members.uninvite(invite.id, &admin()).await.unwrap();
    assert!(matches!(world.members.uninvite(invite.id, &admin()).await, Err(MemberError::Unknown(_))));
}

#[tokio::test]
async fn names_are_plain_and_one_person_s() {
    let world = World::new();
    for wrong in ["", "-a", ".a", "a b", "a/b", "é", &"a".repeat(33)] {
        let added = world.members.add(wrong, Role::Member, None, None, &admin()).await;
        assert!(matches!(added, Err(MemberError::Name)), "{wrong}");
    }
    world.add("Ann-1.x_y").await;
    let again = world.members.add("aNN-1.X_y", Role::Admin, None, None, &admin()).await;
    assert_eq!(again.unwrap_err().to_string(), "the name `aNN-1.X_y` is taken");
}

#[tokio::test]
async fn two_who_change_at_once_are_told() {
    let world = World::new();
    let (ann, _) = world.add("ann").await;
    world.members.change("ann", Some(ann.version), patch(true, None), &admin()).await.unwrap();
    let late = world.members.change("ann", Some(ann.version), patch(false, None), &admin()).await;
    assert!(matches!(late, Err(MemberError::Stale(2))));
    assert!(matches!(world.members.remove("ann", Some(1), &admin()).await, Err(MemberError::Stale(2))));
}

#[tokio::test]
async fn what_is_stored_holds_though_whoever_asked_for_it_hangs_up() {
    let world = World::new();
    let (ann, passkey) = world.add("ann").await;
    let mut polls = 0;
    // However often it was polled when it was dropped, the store and the policy say the same in the end.
    for polled in 0..6 {
        let wanted = polled % 2 == 0;
        let actor = admin();
        let mut change = Box::pin(world.members.change("ann", None, patch(wanted, None), &actor));
        for _ in 0..polled {
            let mut poll =
                std::future::poll_fn(|context| std::task::Poll::Ready(change.as_mut().poll(context)));
            if (&mut poll).await.is_ready() {
                break;
            }
            polls += 1;
            tokio::task::yield_now().await;
        }
        drop(change);
        // One after another: once this is done, so is what was dropped.
        world.members.revoke("nobody", None, &admin()).await.unwrap_err();
        let stored = world.members.get("ann").await.unwrap().disabled;
        let known = world.admits(&passkey) == Err(Refusal::MemberDisabled);
        assert_eq!(stored, known, "dropped after {polled}");
    }
    assert!(polls > 0 && ann.id.0 > 0);
}

#[tokio::test]
async fn every_act_is_recorded() {
    let world = World::new();
    world.add("ann").await;
    world.members.rotate("ann", None, &admin()).await.unwrap();
    world.members.record("save", "", &admin()).await.unwrap();
    let _ = world.members.rotate("nobody", None, &admin()).await;
    let acts = world.members.audit(Span { after: 0, limit: 10 }).await.unwrap();
    let acts: Vec<_> = acts.iter().map(|(_, entry)| (entry.act.as_str(), entry.object.as_str())).collect();
    assert_eq!(acts, [("save", ""), ("passkey.rotate", "ann"), ("user.add", "ann")]);
}

#[test]
fn wrong_passkeys_are_so_many_a_minute() {
    let config = MembersConfig { wrong_passkeys_per_minute: 2, ..MembersConfig::default() };
    let policy = Policy::new(Mode::Members, &config, 4_000);
    let wrong = |ip: u8| policy.admit(Some(b"wrong"), [10, 0, 0, ip].into(), NOW);
    assert_eq!((wrong(1), wrong(1)), (Err(Refusal::PasskeyUnknown), Err(Refusal::PasskeyUnknown)));
    assert_eq!(wrong(1), Err(Refusal::PasskeysTooMany));
    assert_eq!(wrong(2), Err(Refusal::PasskeyUnknown));
}
