//! Members, invitations, tokens and the audit log, for those who administer them.
//!
//! What is changed is in the store before it is known to the [`Policy`], and before whoever changed it is answered.

mod secret;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::RwLock;
use swarm::UserId;

pub use self::secret::Secret;
use crate::acts::{self, Actor, What, to_its_end};
use crate::catalogue::Clock;
use crate::durable::Durable;
use crate::policy::Policy;
use crate::store::Fault;
use crate::store::roll::{
    AuditEntry, Deed, Done, Invite, Member, MemberPatch, NAME_BYTES_MAX, NewMember, Role, Scope, SecretHash,
    Span, Token,
};

/// Bytes of an invitation's note.
pub const NOTE_BYTES_MAX: usize = 200;

/// Tokens that there may be: each is looked at when one is shown.
pub const TOKENS_MAX: usize = 1_000;

/// Those who take part. Clones share it.
#[derive(Clone)]
pub struct Members(Arc<Inner>);

struct Inner {
    durable: Durable,
    policy: Arc<Policy>,
    tokens: RwLock<Vec<Token>>,
    /// One after another from the store to the policy, so that the last to be stored is the last to be known.
    turn: tokio::sync::Mutex<()>,
    clock: Clock,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The name can be nobody's.
    #[error(
        "a name has 1 to {NAME_BYTES_MAX} letters, digits, `.`, `-` or `_`, and begins with a letter or digit"
    )]
    Name,
    /// The note is too long.
    #[error("a note has at most {NOTE_BYTES_MAX} bytes")]
    Note,
    /// The name is another's.
    #[error("the name `{0}` is taken")]
    Taken(String),
    /// There is no such member, invitation or token.
    #[error("there is no {0}")]
    Unknown(String),
    /// It was changed by somebody else meanwhile.
    #[error("it was changed meanwhile, and is of version {0} now: look at it again")]
    Stale(u64),
    /// The code of an invitation is none.
    #[error("this invitation is not known, used up or over")]
    NotInvited,
    /// There are as many tokens as there may be.
    #[error("there are {TOKENS_MAX} tokens; revoke one before another is made")]
    TooManyTokens,
    /// The store failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Members {
    /// Those in the store, and tells `policy` of them. Blocking.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn open(durable: Durable, policy: Arc<Policy>, clock: Clock) -> Result<Self, Fault> {
        let (passes, tokens) = durable.read_here(|store| Ok((store.passes()?, store.tokens()?)))?;
        for pass in &passes {
            policy.gate().put(pass);
        }
        let (tokens, turn) = (RwLock::new(tokens), tokio::sync::Mutex::default());
        Ok(Self(Arc::new(Inner { durable, policy, tokens, turn, clock })))
    }

    /// What holds for announces.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The present, in Unix seconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.0.clock)()
    }

    /// What a token is called and good for.
    #[must_use]
    pub fn token(&self, shown: &[u8]) -> Option<(String, Scope)> {
        let (secret, now) = (SecretHash::of(shown), self.now());
        let tokens = self.0.tokens.read();
        let token = tokens.iter().find(|token| token.secret == secret)?;
        token.until.is_none_or(|until| until > now).then(|| (token.name.clone(), token.scope))
    }

    /// Makes a member, with a passkey that is told this once. With the code of an invitation it is used.
    ///
    /// # Errors
    ///
    /// [`MemberError`]
    pub async fn add(
        &self,
        name: &str,
        role: Role,
        until: Option<i64>,
        code: Option<&str>,
        actor: &Actor,
    ) -> Result<(Member, Secret), MemberError> {
        if !is_name(name) {
            return Err(MemberError::Name);
        }
        let passkey = Secret::random();
        let new = NewMember { name: name.to_owned(), role, until, passkey: passkey.hash() };
        let act = if code.is_some() { "user.join" } else { "user.add" };
        let deed = Deed::AddMember(new, code.map(|code| SecretHash::of(code.trim().as_bytes())));
        Ok((self.of_member(deed, name, act, actor).await?, passkey))
    }

    /// Changes a member, if its version is `version` where that is given.
    ///
    /// # Errors
    ///
    /// [`MemberError`]
    pub async fn change(
        &self,
        name: &str,
        version: Option<u64>,
        patch: MemberPatch,
        actor: &Actor,
    ) -> Result<Member, MemberError> {
        self.of_member(
            Deed::ChangeMember { name: name.to_owned(), version, patch },
            name,
            "user.change",
            actor,
        )
        .await
    }

    /// Gives a member another passkey, which is told this once, if its version is `version` where that is
    /// given. The one before is worth nothing any more.
    ///
    /// # Errors
    ///
    /// [`MemberError`]
    pub async fn rotate(
        &self,
        name: &str,
        version: Option<u64>,
        actor: &Actor,
    ) -> Result<(Member, Secret), MemberError> {
        let passkey = Secret::random();
        let patch = MemberPatch { passkey: Some(Some(passkey.hash())), ..MemberPatch::default() };
        let deed = Deed::ChangeMember { name: name.to_owned(), version, patch };
        Ok((self.of_member(deed, name, "passkey.rotate", actor).await?, passkey))
    }

    /// Takes a member's passkey away, if its version is `version` where that is given.
    ///
    /// # Errors
    ///
    /// [`MemberError`]
    pub async fn revoke(
        &self,
        name: &str,
        version: Option<u64>,
        actor: &Actor,
    ) -> Result<Member, MemberError> {
        let patch = MemberPatch { passkey: Some(None), ..MemberPatch::default() };
        let deed = Deed::ChangeMember { name: name.to_owned(), version, patch };
        self.of_member(deed, name, "passkey.revoke", actor).await
    }

    /// Removes a member, if its version is `version` where that is given.
    ///
    /// # Errors
    ///
    /// [`MemberError`]
    pub async fn remove(&self, name: &str, version: Option<u64>, actor: &Actor) -> Result<(), MemberError> {
        let deed = Deed::RemoveMember { name: name.to_owned(), version };
        self.of_member(deed, name, "user.remove", actor).await.map(drop)
    }

    /// The member of a name, in any letter case.
    ///
    /// # Errors
    ///
    /// [`MemberError`]
    pub async fn get(&self, name: &str) -> Result<Member, MemberError> {
        let wanted = name.to_owned();
        let found = self.0.durable.read(move |store| store.member(&wanted)).await?;
        found.ok_or_else(|| MemberError::Unknown(format!("user `{name}`")))
    }

    /// What a member is called, if it is there.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn name(&self, user: UserId) -> Result<Option<String>, Fault> {
        let before = i64::from(user.0) - 1;
        let found = self.0.durable.read(move |store| store.members(Span { after: before, limit: 1 })).await?;
        Ok(found.into_iter().find(|member| member.id == user).map(|member| member.name))
    }

    /// Members in the order in which they came.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn list(&self, span: Span) -> Result<Vec<Member>, Fault> {
        self.0.durable.read(move |store| store.members(span)).await
    }

    /// Makes an invitation for so many, with a code that is told this once.
    ///
    /// # Errors
    ///
    /// [`MemberError`]
    pub async fn invite(
        &self,
        note: &str,
        uses: u32,
        until: Option<i64>,
        actor: &Actor,
    ) -> Result<(Invite, Secret), MemberError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(MemberError::Note);
        }
        let code = Secret::random();
        let invite = Invite {
            id: 0,
            note: note.to_owned(),
            uses_left: uses,
            until,
            created_by: actor.who.clone(),
            created_at: self.now(),
        };
        match self.act(Deed::AddInvite(invite, code.hash()), note, "invite.add", actor).await? {
            Done::Invite(invite) => Ok((*invite, code)),
            other => Err(undone(other, || "invitation".to_owned())),
        }
    }

    /// Invitations in the order in which they were made.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn invites(&self, span: Span) -> Result<Vec<Invite>, Fault> {
        self.0.durable.read(move |store| store.invites(span)).await
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    ///
    /// [`MemberError`]
    pub async fn uninvite(&self, id: i64, actor: &Actor) -> Result<(), MemberError> {
        match self.act(Deed::RemoveInvite(id), &id.to_string(), "invite.remove", actor).await? {
            Done::Yes => Ok(()),
            other => Err(undone(other, || format!("invitation {id}"))),
        }
    }

    /// Makes a token, which is told this once.
    ///
    /// # Errors
    ///
    /// [`MemberError`]
    pub async fn add_token(
        &self,
        name: &str,
        scope: Scope,
        until: Option<i64>,
        actor: &Actor,
    ) -> Result<(Token, Secret), MemberError> {
        if !is_name(name) {
            return Err(MemberError::Name);
        }
        let (members, name, actor) = (self.clone(), name.to_owned(), actor.clone());
        to_its_end(async move {
            let _turn = members.0.turn.lock().await;
            if members.0.tokens.read().len() >= TOKENS_MAX {
                return Err(MemberError::TooManyTokens);
            }
            let secret = Secret::random();
            let created_at = members.now();
            let token = Token { name: name.clone(), secret: secret.hash(), scope, until, created_at };
            match members.write(Deed::AddToken(token.clone()), &name, "token.add", &actor).await? {
                Done::Yes => {
                    members.0.tokens.write().push(token.clone());
                    Ok((token, secret))
                }
                Done::Taken => Err(MemberError::Taken(name)),
                other => Err(undone(other, || format!("token `{name}`"))),
            }
        })
        .await
    }

    /// Every token.
    #[must_use]
    pub fn tokens(&self) -> Vec<Token> {
        self.0.tokens.read().clone()
    }

    /// Takes a token back.
    ///
    /// # Errors
    ///
    /// [`MemberError`]
    pub async fn remove_token(&self, name: &str, actor: &Actor) -> Result<(), MemberError> {
        let (members, name, actor) = (self.clone(), name.to_owned(), actor.clone());
        to_its_end(async move {
            let _turn = members.0.turn.lock().await;
            match members.write(Deed::RemoveToken(name.clone()), &name, "token.remove", &actor).await? {
                Done::Yes => {
                    members.0.tokens.write().retain(|token| token.name != name);
                    Ok(())
                }
                other => Err(undone(other, || format!("token `{name}`"))),
            }
        })
        .await
    }

    /// Acts and their numbers, the newest first.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn audit(&self, span: Span) -> Result<Vec<(i64, AuditEntry)>, Fault> {
        self.0.durable.read(move |store| store.audit(span)).await
    }

    /// Records what was done elsewhere.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn record(&self, act: &'static str, object: &str, actor: &Actor) -> Result<(), Fault> {
        self.write(Deed::Record, object, act, actor).await.map(drop)
    }

    /// Does something to a member, and tells the policy what it is to know now.
    async fn of_member(
        &self,
        deed: Deed,
        name: &str,
        act: &'static str,
        actor: &Actor,
    ) -> Result<Member, MemberError> {
        let (members, name, actor) = (self.clone(), name.to_owned(), actor.clone());
        to_its_end(async move {
            let _turn = members.0.turn.lock().await;
            let before = match members.get(&name).await {
                Ok(member) => Some(member),
                Err(MemberError::Unknown(_)) => None,
                // Without it, a passkey that is to be worth nothing would go on to open.
                Err(error) => return Err(error),
            };
            let is_removal = matches!(deed, Deed::RemoveMember { .. });
            match members.write(deed, &name, act, &actor).await? {
                Done::Member(member) => {
                    let gate = members.0.policy.gate();
                    let after = member.pass().filter(|_| !is_removal);
                    let stale = before.and_then(|before| before.passkey);
                    if let Some(stale) =
                        stale.filter(|stale| after.is_none_or(|after| after.passkey != *stale))
                    {
                        gate.remove(&stale);
                    }
                    if let Some(after) = &after {
                        gate.put(after);
                    }
                    Ok(*member)
                }
                Done::Taken => Err(MemberError::Taken(name)),
                other => Err(undone(other, || format!("user `{name}`"))),
            }
        })
        .await
    }

    async fn act(&self, deed: Deed, object: &str, act: &'static str, actor: &Actor) -> Result<Done, Fault> {
        let _turn = self.0.turn.lock().await;
        self.write(deed, object, act, actor).await
    }

    async fn write(&self, deed: Deed, object: &str, act: &'static str, actor: &Actor) -> Result<Done, Fault> {
        acts::act(&self.0.durable, deed, What { act, object }, actor, self.now()).await
    }
}

/// Why it was not done; `what` it was about.
fn undone(done: Done, what: impl FnOnce() -> String) -> MemberError {
    match done {
        Done::Stale(version) => MemberError::Stale(version),
        Done::NotInvited => MemberError::NotInvited,
        _ => MemberError::Unknown(what()),
    }
}

/// Whether somebody can be called so.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}
