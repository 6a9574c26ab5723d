//! Who takes part, who may do what, and who did: members, invitations, tokens, access rules, and the record of
//! administrative acts.

use swarm::UserId;

use crate::policy::lists::List;

/// Bytes of a member's name.
pub const NAME_BYTES_MAX: usize = 32;

/// A secret as it is kept: its BLAKE3 hash. Secrets are random and long, so that a hash tells nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

/// Somebody who may take part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The number that it has for good.
    pub id: UserId,
    /// Its name, unique but for letter case.
    pub name: String,
    /// What it may do beside announcing.
    pub role: Role,
    /// Whether it may announce for the time being.
    pub disabled: bool,
    /// When its membership ends, in Unix seconds.
    pub until: Option<i64>,
    /// Its passkey; `None` while it has none.
    pub passkey: Option<SecretHash>,
    /// How much it may take part in at a time.
    pub limits: Limits,
    /// Whose invitation it came by.
    pub invited_by: Option<String>,
    /// When it was made, in Unix seconds.
    pub created_at: i64,
    /// One more with each change.
    pub version: u64,
}

/// How much of each a member may have at a time; `None` for what else holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Torrents.
    pub torrents: Option<u32>,
    /// Clients in one torrent.
    pub clients_per_torrent: Option<u32>,
    /// Addresses; an IPv6 network of /64 counts as one.
    pub addresses: Option<u32>,
}

/// What a member may do beside announcing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Nothing.
    #[default]
    Member,
    /// Add torrents.
    Uploader,
    /// The same; that it administers is told to people. What the API lets it do is its tokens' matter.
    Admin,
}

/// A member to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMember {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// When its membership ends, in Unix seconds.
    pub until: Option<i64>,
    /// Its passkey.
    pub passkey: SecretHash,
}

/// What of a member is to be changed; `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemberPatch {
    /// Its role.
    pub role: Option<Role>,
    /// Whether it may announce.
    pub disabled: Option<bool>,
    /// When its membership ends; `Some(None)` for never.
    pub until: Option<Option<i64>>,
    /// Its passkey; `Some(None)` to have none.
    pub passkey: Option<Option<SecretHash>>,
    /// Torrents at a time; `Some(None)` for as many as all may.
    pub torrents_max: Option<Option<u32>>,
    /// Clients in one torrent.
    pub clients_per_torrent_max: Option<Option<u32>>,
    /// Addresses at a time.
    pub addresses_max: Option<Option<u32>>,
}

/// A code with which people make themselves members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Its number.
    pub id: i64,
    /// For whom it is, in whatever words.
    pub note: String,
    /// How many may still come by it.
    pub uses_left: u32,
    /// When it ends, in Unix seconds.
    pub until: Option<i64>,
    /// Who made it.
    pub created_by: String,
    /// When, in Unix seconds.
    pub created_at: i64,
}

/// A secret that programs show to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is called, unique.
    pub name: String,
    /// Its hash.
    pub secret: SecretHash,
    /// What who shows it may do.
    pub scope: Scope,
    /// When it ends, in Unix seconds.
    pub until: Option<i64>,
    /// When it was made, in Unix seconds.
    pub created_at: i64,
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// To see everything.
    Read,
    /// That, and to add and remove torrents.
    Torrents,
    /// To see everything, and to administer members and invitations.
    Users,
    /// Everything.
    Admin,
}

/// An entry of an access list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its number.
    pub id: i64,
    /// The list.
    pub list: List,
    /// The entry, as it is written.
    pub entry: String,
    /// When it ends, in Unix seconds.
    pub until: Option<i64>,
    /// Why it is there, in whatever words.
    pub note: String,
    /// Who said so last.
    pub created_by: String,
    /// When, in Unix seconds.
    pub created_at: i64,
}

/// An administrative act, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When, in Unix seconds.
    pub at: i64,
    /// Whose token or certificate was shown.
    pub who: String,
    /// Where from.
    pub address: String,
    /// What was done.
    pub act: String,
    /// On what.
    pub object: String,
}

/// Something to be done, and the record of it. What has no effect is not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// What is to be done.
    pub deed: Deed,
    /// The record.
    pub record: AuditEntry,
}

/// What can be done to the roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Nothing of the roll: something else was done, and is to be recorded.
    Record,
    /// A member is made; by an invitation, if its code is given.
    AddMember(NewMember, Option<SecretHash>),
    /// A member is changed, if its version is the given one.
    ChangeMember {
        /// Its name, in any letter case.
        name: String,
        /// The version that whoever changes it has seen.
        version: Option<u64>,
        /// What changes.
        patch: MemberPatch,
    },
    /// A member is removed, if its version is the given one.
    RemoveMember {
        /// Its name, in any letter case.
        name: String,
        /// The version that whoever removes it has seen.
        version: Option<u64>,
    },
    /// An invitation is made. Its number does not matter.
    AddInvite(Invite, SecretHash),
    /// An invitation is taken back.
    RemoveInvite(i64),
    /// A token is made.
    AddToken(Token),
    /// The token of that name is taken back.
    RemoveToken(String),
    /// An access rule is made, or takes the place of one for the same entry, whose number it keeps; its own does not
    /// matter. Before that the rules of these numbers go.
    AddRule(Rule, Vec<i64>),
    /// An access rule is taken back.
    RemoveRule(i64),
}

/// What came of a [`Deed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is done.
    Yes,
    /// The member as it is now, or was before it was removed.
    Member(Box<Member>),
    /// The invitation as it is now.
    Invite(Box<Invite>),
    /// The access rule as it is now.
    Rule(Box<Rule>),
    /// The name is another's.
    Taken,
    /// There is no such member, invitation, token or access rule.
    Unknown,
    /// The version is not the given one; this is.
    Stale(u64),
    /// The code is none, or is used up or over.
    NotInvited,
}

/// A part of a list in the order in which rows came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The number behind which it begins; 0 for the first.
    pub after: i64,
    /// How many rows at most.
    pub limit: usize,
}

/// What a tracker needs to know of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Who it is.
    pub user: UserId,
    /// Its passkey.
    pub passkey: SecretHash,
    /// What it may do beside announcing.
    pub role: Role,
    /// Whether it may announce.
    pub disabled: bool,
    /// When its membership ends, in Unix seconds.
    pub until: Option<i64>,
    /// How much it may take part in at a time.
    pub limits: Limits,
}

impl SecretHash {
    /// Of a secret.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(*blake3::hash(secret).as_bytes())
    }
}

impl Member {
    /// What a tracker needs to know of it; `None` while it has no passkey.
    #[must_use]
    pub fn pass(&self) -> Option<Pass> {
        let Self { id, passkey, role, disabled, until, limits, .. } = *self;
        passkey.map(|passkey| Pass { user: id, passkey, role, disabled, until, limits })
    }

    /// The same with a change made, if it is one.
    pub(super) fn patched(&self, patch: &MemberPatch) -> Self {
        let mut member = Self {
            role: patch.role.unwrap_or(self.role),
            disabled: patch.disabled.unwrap_or(self.disabled),
            until: patch.until.unwrap_or(self.until),
            passkey: patch.passkey.unwrap_or(self.passkey),
            limits: Limits {
                torrents: patch.torrents_max.unwrap_or(self.limits.torrents),
                clients_per_torrent: patch.clients_per_torrent_max.unwrap_or(self.limits.clients_per_torrent),
                addresses: patch.addresses_max.unwrap_or(self.limits.addresses),
            },
            ..self.clone()
        };
        member.version += u64::from(member != *self);
        member
    }
}

impl Done {
    /// Whether there was an effect.
    pub(crate) const fn is_effect(&self) -> bool {
        matches!(self, Self::Yes | Self::Member(_) | Self::Invite(_) | Self::Rule(_))
    }
}

impl Limits {
    /// These, and where they say nothing, `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            torrents: self.torrents.or(others.torrents),
            clients_per_torrent: self.clients_per_torrent.or(others.clients_per_torrent),
            addresses: self.addresses.or(others.addresses),
        }
    }
}

impl Rule {
    /// Whether it holds no longer.
    #[must_use]
    pub fn is_over(&self, now: i64) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Role {
    /// All, by their numbers.
    pub const ALL: [Self; 3] = [Self::Member, Self::Uploader, Self::Admin];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Uploader => "uploader",
            Self::Admin => "admin",
        }
    }
}

impl Scope {
    /// All, by their numbers.
    pub const ALL: [Self; 4] = [Self::Read, Self::Torrents, Self::Users, Self::Admin];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Torrents => "torrents",
            Self::Users => "users",
            Self::Admin => "admin",
        }
    }
}
