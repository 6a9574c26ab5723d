//! The roll, in every store alike.

use proptest::prelude::*;
use swarm::UserId;

use crate::policy::lists::List;
use crate::store::model::Model;
use crate::store::roll::{
    Act, AuditEntry, Deed, Done, Invite, Limits, Member, MemberPatch, NewMember, Role, Rule, Scope,
    SecretHash, Span, Token,
};
use crate::store::sqlite::Sqlite;
use crate::store::{Change, Effect, Store};

pub(super) fn run<S: Store>(new: &impl Fn() -> S) {
    names_are_one_person_s(&mut new());
    a_change_is_of_what_was_seen(&mut new());
    passkeys_come_and_go(&mut new());
    invitations_are_used_up(&mut new());
    tokens_have_names(&mut new());
    a_rule_is_of_its_entry(&mut new());
    what_was_done_is_recorded_and_nothing_else(&mut new());
}

const ALL: Span = Span { after: 0, limit: 1_000 };

fn secret(n: u8) -> SecretHash {
    SecretHash::of(&[n])
}

fn act(store: &mut impl Store, deed: Deed) -> Done {
    act_at(store, deed, 1_000)
}

fn act_at(store: &mut impl Store, deed: Deed, at: i64) -> Done {
    let record = AuditEntry {
        at,
        who: "admin".into(),
        address: "192.0.2.1".into(),
        act: "test".into(),
        object: format!("{deed:?}").chars().take(20).collect(),
    };
    match store.apply(&[Change::Act(Box::new(Act { deed, record }))]).unwrap().remove(0) {
        Effect::Acted(done) => done,
        other => panic!("{other:?}"),
    }
}

fn new(name: &str, passkey: u8) -> NewMember {
    NewMember { name: name.into(), role: Role::Member, until: None, passkey: secret(passkey) }
}

fn add(store: &mut impl Store, name: &str, passkey: u8) -> Member {
    match act(store, Deed::AddMember(new(name, passkey), None)) {
        Done::Member(member) => *member,
        other => panic!("{other:?}"),
    }
}

fn names_are_one_person_s(store: &mut impl Store) {
    let ann = add(store, "Ann", 1);
    assert_eq!((ann.id, ann.name.as_str(), ann.version, ann.created_at), (UserId(1), "Ann", 1, 1_000));
    assert_eq!(act(store, Deed::AddMember(new("aNN", 2), None)), Done::Taken);
    assert_eq!(store.member("ANN").unwrap(), Some(ann.clone()));
    assert_eq!(store.member("bob").unwrap(), None);
    let bob = add(store, "bob", 2);
    assert_eq!(store.members(ALL).unwrap(), [ann.clone(), bob.clone()]);
    assert_eq!(store.members(Span { after: 1, limit: 5 }).unwrap(), [bob]);
    let remove = |name: &str| Deed::RemoveMember { name: name.into(), version: None };
    assert_eq!(act(store, remove("ann")), Done::Member(Box::new(ann)));
    assert_eq!(act(store, remove("ann")), Done::Unknown);
    // A number is never used twice.
    assert_eq!(add(store, "Ann", 3).id, UserId(3));
}

fn a_change_is_of_what_was_seen(store: &mut impl Store) {
    let ann = add(store, "ann", 1);
    let change = |version, patch| Deed::ChangeMember { name: "Ann".into(), version, patch };
    let disable = MemberPatch { disabled: Some(true), until: Some(Some(5)), ..MemberPatch::default() };
    let changed = Member { disabled: true, until: Some(5), version: 2, ..ann };
    assert_eq!(act(store, change(Some(1), disable)), Done::Member(Box::new(changed.clone())));
    assert_eq!(act(store, change(Some(1), disable)), Done::Stale(2));
    let limit =
        MemberPatch { torrents_max: Some(Some(5)), addresses_max: Some(None), ..MemberPatch::default() };
    let limits = Limits { torrents: Some(5), ..Limits::default() };
    let limited = Member { limits, version: 3, ..changed.clone() };
    assert_eq!(act(store, change(Some(2), limit)), Done::Member(Box::new(limited.clone())));
    assert_eq!(store.member("ann").unwrap(), Some(limited.clone()));
    assert_eq!(store.passes().unwrap()[0].limits, limits);
    let changed = limited;
    // What is so already is no change.
    assert_eq!(act(store, change(None, disable)), Done::Member(Box::new(changed.clone())));
    let remove = |version| Deed::RemoveMember { name: "ann".into(), version };
    assert_eq!(act(store, remove(Some(1))), Done::Stale(3));
    assert_eq!(act(store, remove(Some(3))), Done::Member(Box::new(changed)));
    assert_eq!(act(store, change(None, disable)), Done::Unknown);
}

fn passkeys_come_and_go(store: &mut impl Store) {
    add(store, "ann", 1);
    add(store, "bob", 2);
    let change = |passkey| Deed::ChangeMember {
        name: "ann".into(),
        version: None,
        patch: MemberPatch { passkey: Some(passkey), ..MemberPatch::default() },
    };
    let passkeys = |store: &dyn Store| {
        let mut all: Vec<_> = store.passes().unwrap().iter().map(|pass| (pass.user, pass.passkey)).collect();
        all.sort_by_key(|(user, _)| *user);
        all
    };
    assert_eq!(passkeys(store), [(UserId(1), secret(1)), (UserId(2), secret(2))]);
    act(store, change(Some(secret(3))));
    assert_eq!(passkeys(store), [(UserId(1), secret(3)), (UserId(2), secret(2))]);
    act(store, change(None));
    assert_eq!(passkeys(store), [(UserId(2), secret(2))]);
    assert_eq!(store.member("ann").unwrap().unwrap().version, 3);
}

fn invitations_are_used_up(store: &mut impl Store) {
    let invite = Invite {
        id: 0,
        note: "the lab".into(),
        uses_left: 1,
        until: Some(2_000),
        created_by: "admin".into(),
        created_at: 1_000,
    };
    let made = act(store, Deed::AddInvite(invite.clone(), secret(9)));
    assert_eq!(made, Done::Invite(Box::new(Invite { id: 1, ..invite.clone() })));
    let join = |name: &str, n, code| Deed::AddMember(new(name, n), Some(secret(code)));
    assert_eq!(act(store, join("ann", 1, 8)), Done::NotInvited);
    assert_eq!(act_at(store, join("ann", 1, 9), 2_000), Done::NotInvited);
    let Done::Member(ann) = act_at(store, join("ann", 1, 9), 1_999) else { panic!("she was invited") };
    assert_eq!(ann.invited_by.as_deref(), Some("admin"));
    assert_eq!(act(store, join("bob", 2, 9)), Done::NotInvited);
    assert_eq!(store.invites(ALL).unwrap(), [Invite { id: 1, uses_left: 0, ..invite.clone() }]);
    // Who cannot join for another reason uses nothing up.
    act(store, Deed::AddInvite(invite.clone(), secret(10)));
    assert_eq!(act(store, join("ANN", 3, 10)), Done::Taken);
    assert_eq!(store.invites(Span { after: 1, limit: 9 }).unwrap()[0].uses_left, 1);
    assert_eq!(act(store, Deed::RemoveInvite(2)), Done::Yes);
    assert_eq!(act(store, Deed::RemoveInvite(2)), Done::Unknown);
    assert_eq!(act(store, join("bob", 2, 10)), Done::NotInvited);
}

fn tokens_have_names(store: &mut impl Store) {
    let token =
        |n, scope| Token { name: "ci".into(), secret: secret(n), scope, until: Some(7), created_at: 1_000 };
    assert_eq!(act(store, Deed::AddToken(token(1, Scope::Torrents))), Done::Yes);
    assert_eq!(act(store, Deed::AddToken(token(2, Scope::Admin))), Done::Taken);
    assert_eq!(store.tokens().unwrap(), [token(1, Scope::Torrents)]);
    assert_eq!(act(store, Deed::RemoveToken("ci".into())), Done::Yes);
    assert_eq!(act(store, Deed::RemoveToken("ci".into())), Done::Unknown);
    assert_eq!(store.tokens().unwrap(), []);
}

fn rule(entry: &str, until: Option<i64>) -> Rule {
    Rule {
        id: 0,
        list: List::Banned,
        entry: entry.into(),
        until,
        note: "why".into(),
        created_by: "admin".into(),
        created_at: 1_000,
    }
}

fn a_rule_is_of_its_entry(store: &mut impl Store) {
    let (a, b) = (rule("192.0.2.1", Some(2_000)), rule("192.0.2.2", None));
    assert_eq!(
        act(store, Deed::AddRule(a.clone(), vec![])),
        Done::Rule(Box::new(Rule { id: 1, ..a.clone() }))
    );
    assert_eq!(
        act(store, Deed::AddRule(b.clone(), vec![])),
        Done::Rule(Box::new(Rule { id: 2, ..b.clone() }))
    );
    let longer = Rule { until: Some(3_000), note: "again".into(), created_at: 1_001, ..a.clone() };
    assert_eq!(
        act(store, Deed::AddRule(longer.clone(), vec![])),
        Done::Rule(Box::new(Rule { id: 1, ..longer.clone() }))
    );
    let elsewhere = Rule { list: List::PeersDenied, ..a.clone() };
    act(store, Deed::AddRule(elsewhere.clone(), vec![]));
    let stored = [Rule { id: 1, ..longer }, Rule { id: 2, ..b.clone() }, Rule { id: 3, ..elsewhere }];
    assert_eq!(store.rules().unwrap(), stored);
    act(store, Deed::AddRule(b.clone(), vec![1, 3, 9]));
    assert_eq!(store.rules().unwrap(), [Rule { id: 2, ..b }]);
    assert_eq!(act(store, Deed::RemoveRule(2)), Done::Yes);
    assert_eq!(act(store, Deed::RemoveRule(2)), Done::Unknown);
    // A number is never used twice.
    assert_eq!(act(store, Deed::AddRule(a.clone(), vec![])), Done::Rule(Box::new(Rule { id: 4, ..a })));
}

fn what_was_done_is_recorded_and_nothing_else(store: &mut impl Store) {
    act_at(store, Deed::Record, 1);
    act_at(store, Deed::RemoveToken("none".into()), 2);
    act_at(store, Deed::AddMember(new("ann", 1), None), 3);
    act_at(store, Deed::AddMember(new("ann", 1), None), 4);
    let times = |store: &dyn Store, span| {
        store.audit(span).unwrap().into_iter().map(|(id, entry)| (id, entry.at)).collect::<Vec<_>>()
    };
    assert_eq!(times(store, ALL), [(2, 3), (1, 1)]);
    assert_eq!(times(store, Span { after: 0, limit: 1 }), [(2, 3)]);
    assert_eq!(times(store, Span { after: 2, limit: 5 }), [(1, 1)]);
    let (_, entry) = store.audit(ALL).unwrap().remove(1);
    assert_eq!(
        (entry.who.as_str(), entry.address.as_str(), entry.act.as_str()),
        ("admin", "192.0.2.1", "test")
    );
}

fn deeds() -> impl Strategy<Value = Deed> {
    let name = prop::sample::select(vec!["ann", "Ann", "bob", "cat"]).prop_map(str::to_owned);
    let version = prop::option::of(1_u64..4);
    let passkey = prop::option::of(prop::option::of(0_u8..250).prop_map(|n| n.map(secret)));
    let patch = (prop::option::of(any::<bool>()), passkey).prop_map(|(disabled, passkey)| MemberPatch {
        disabled,
        passkey,
        ..MemberPatch::default()
    });
    let invite = |uses_left| Invite {
        id: 0,
        note: String::new(),
        uses_left,
        until: None,
        created_by: "admin".into(),
        created_at: 1,
    };
    prop_oneof![
        (name.clone(), prop::option::of(0_u8..3))
            .prop_map(|(name, nth)| Deed::AddMember(new(&name, 0), nth.map(|nth| SecretHash([nth; 32])))),
        (name.clone(), version.clone(), patch).prop_map(|(name, version, patch)| Deed::ChangeMember {
            name,
            version,
            patch
        }),
        (name, version).prop_map(|(name, version)| Deed::RemoveMember { name, version }),
        (0_u32..3).prop_map(move |uses| Deed::AddInvite(invite(uses), secret(0))),
        (1_i64..4).prop_map(Deed::RemoveInvite),
        (prop::sample::select(vec!["::1", "::2"]), prop::collection::vec(1_i64..4, 0..2))
            .prop_map(|(entry, over)| Deed::AddRule(rule(entry, Some(5)), over)),
        (1_i64..4).prop_map(Deed::RemoveRule),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sqlite_does_what_the_model_does(deeds in prop::collection::vec(deeds(), 1..30)) {
        let dir = tempfile::tempdir().unwrap();
        let (mut real, mut model) = (Sqlite::open(dir.path()).unwrap(), Model::default());
        // Secrets are random: no two members or invitations have the same. A code is that of the nth invitation, or none.
        let mut codes = Vec::new();
        for (n, mut deed) in (100_u64..).zip(deeds) {
            let fresh = SecretHash::of(&n.to_be_bytes());
            match &mut deed {
                Deed::AddMember(new, code) => {
                    new.passkey = fresh;
                    *code = code.map(|SecretHash(code)| {
                        let nth = usize::from(code[0]);
                        codes.get(nth).copied().unwrap_or(fresh)
                    });
                }
                Deed::ChangeMember { patch: MemberPatch { passkey: Some(Some(passkey)), .. }, .. } => *passkey = fresh,
                Deed::AddInvite(_, code) => {
                    *code = fresh;
                    codes.push(fresh);
                }
                _ => {}
            }
            prop_assert_eq!(act(&mut real, deed.clone()), act(&mut model, deed));
        }
        prop_assert_eq!(real.members(ALL).unwrap(), model.members(ALL).unwrap());
        prop_assert_eq!(real.invites(ALL).unwrap(), model.invites(ALL).unwrap());
        prop_assert_eq!(real.rules().unwrap(), model.rules().unwrap());
        prop_assert_eq!(real.audit(ALL).unwrap(), model.audit(ALL).unwrap());
        let sorted = |store: &dyn Store| {
            let mut passes = store.passes().unwrap();
            passes.sort_by_key(|pass| pass.user);
            passes
        };
        prop_assert_eq!(sorted(&real), sorted(&model));
    }
}
