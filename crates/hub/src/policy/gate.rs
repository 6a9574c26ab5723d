//! The members by their passkeys, as small as can be: at most seventy bytes a member.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use parking_lot::RwLock;
use swarm::UserId;

use crate::store::roll::{Limits, Pass, Role, SecretHash};

/// Parts of the table, so that announces on several cores do not meet at one lock.
const SHARDS: usize = 64;

/// Bytes of a passkey's hash that it is known by. Nobody finds two passkeys that are alike in as many.
const KEY_BYTES: usize = 16;

type Key = [u8; KEY_BYTES];
type Table = HashMap<Key, Entry, BuildHasherDefault<First>>;

/// Who may announce.
#[derive(Debug)]
pub struct Gate(Box<[RwLock<Table>]>);

/// What is known of the member of a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Who it is.
    pub user: UserId,
    /// What it may do beside announcing.
    pub role: Role,
    /// Whether it may announce for the time being.
    pub disabled: bool,
    /// How much it may take part in at a time, where that is of its own.
    pub limits: Limits,
    /// When its membership ends, in Unix seconds.
    until: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    user: UserId,
    /// 0 for never.
    until: u32,
    role: Role,
    disabled: bool,
    /// Torrents, clients in one, addresses; 0 for what holds for all.
    limits: [u16; 3],
}

/// A hash is its own: of the first bytes of a key, which are as good as random, and nobody's choice.
#[derive(Debug, Default)]
pub(super) struct First(u64);

impl Hasher for First {
    fn write(&mut self, bytes: &[u8]) {
        let mut first = [0; 8];
        let len = bytes.len().min(first.len());
        first[..len].copy_from_slice(&bytes[..len]);
        self.0 ^= u64::from_le_bytes(first);
    }

    /// An array's length, which is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| RwLock::default()).collect())
    }
}

impl Gate {
    /// Whose passkey has that hash.
    #[must_use]
    pub fn find(&self, passkey: &SecretHash) -> Option<Known> {
        let (key, shard) = self.place(passkey);
        let Entry { user, until, role, disabled, limits } = *shard.read().get(&key)?;
        let [torrents, clients_per_torrent, addresses] =
            limits.map(|max| (max != 0).then_some(u32::from(max)));
        let limits = Limits { torrents, clients_per_torrent, addresses };
        Some(Known { user, role, disabled, limits, until: (until != 0).then_some(until) })
    }

    /// Takes note of a member.
    pub fn put(&self, pass: &Pass) {
        let (key, shard) = self.place(&pass.passkey);
        let Limits { torrents, clients_per_torrent, addresses } = pass.limits;
        let entry = Entry {
            user: pass.user,
            // What ends before 1970 is over as well at its first second.
            until: pass.until.map_or(0, |until| u32::try_from(until.max(1)).unwrap_or(u32::MAX)),
            role: pass.role,
            disabled: pass.disabled,
            limits: [torrents, clients_per_torrent, addresses]
                .map(|max| max.map_or(0, |max| u16::try_from(max.max(1)).unwrap_or(u16::MAX))),
        };
        shard.write().insert(key, entry);
    }

    /// Forgets a passkey.
    pub fn remove(&self, passkey: &SecretHash) {
        let (key, shard) = self.place(passkey);
        shard.write().remove(&key);
    }

    /// How many members have a passkey.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.read().len()).sum()
    }

    /// Whether nobody has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn place(&self, SecretHash(hash): &SecretHash) -> (Key, &RwLock<Table>) {
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(&hash[..KEY_BYTES]);
        // Of bytes that are not part of the key, so that each table still has all of its hash.
        (key, &self.0[usize::from(hash[KEY_BYTES]) % SHARDS])
    }
}

impl Known {
    /// A member of that number, and with those limits.
    #[cfg(test)]
    pub(super) fn new(user: UserId, limits: Limits) -> Self {
        Self { user, role: Role::Member, disabled: false, limits, until: None }
    }

    /// Whether its membership has ended at `now`, in Unix seconds.
    #[must_use]
    pub fn is_over(&self, now: i64) -> bool {
        self.until.is_some_and(|until| i64::from(until) <= now)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn pass(user: u32, secret: u16, until: Option<i64>, disabled: bool) -> Pass {
        let passkey = SecretHash::of(&secret.to_le_bytes());
        Pass { user: UserId(user), passkey, role: Role::Member, disabled, until, limits: Limits::default() }
    }

    #[test]
    fn a_membership_ends_at_its_second() {
        let gate = Gate::default();
        let over = |until, now| {
            let pass = pass(1, 1, until, false);
            gate.put(&pass);
            gate.find(&pass.passkey).unwrap().is_over(now)
        };
        assert!(!over(None, i64::MAX));
        assert!(!over(Some(100), 99) && over(Some(100), 100));
        assert!(over(Some(-5), 1_800_000_000) && over(Some(0), 1_800_000_000));
        assert!(!over(Some(i64::MAX), 1_800_000_000));
    }

    #[test]
    fn a_member_is_small() {
        assert!(size_of::<(Key, Entry)>() <= 32);
    }

    proptest! {
        #[test]
        fn it_knows_whom_a_map_knows(
            steps in prop::collection::vec((0_u16..30, prop::option::of((1_u32..9, any::<bool>()))), 0..200)
        ) {
            let (gate, mut map) = (Gate::default(), BTreeMap::new());
            for (secret, member) in steps {
                match member {
                    Some((user, disabled)) => {
                        let pass = pass(user, secret, None, disabled);
                        gate.put(&pass);
                        map.insert(secret, pass);
                    }
                    None => {
                        gate.remove(&SecretHash::of(&secret.to_le_bytes()));
                        map.remove(&secret);
                    }
                }
            }
            prop_assert_eq!(gate.len(), map.len());
            for secret in 0..30_u16 {
                let known = gate.find(&SecretHash::of(&secret.to_le_bytes()));
                let expected = map.get(&secret).map(|pass| (pass.user, pass.disabled));
                prop_assert_eq!(known.map(|known| (known.user, known.disabled)), expected);
            }
        }
    }
}
