//! Access rules: entries of access lists that are made and taken back while the hub runs, and may have an end. Bans are
//! such.
//!
//! They are in the store before they hold, and hold beside what [files](crate::access) say. A rule that is over denies
//! nothing and is forgotten in time; one that allowed stays, and allows nothing: with its end nobody is to be let in
//! who was not before.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::RwLock;

use crate::acts::{self, Actor, What, to_its_end};
use crate::catalogue::Clock;
use crate::durable::Durable;
use crate::members::NOTE_BYTES_MAX;
use crate::policy::Policy;
use crate::policy::lists::{Builder, Entry, EntryError, Layer, List, Place};
use crate::store::Fault;
use crate::store::roll::{Deed, Done, Rule};

/// Rules that there may be: all are gone through when one is made. Longer lists are for files.
pub const RULES_MAX: usize = 10_000;

/// A time when all that ends has ended.
const END_OF_TIME: i64 = i64::MAX;

/// The rules. Clones share them.
#[derive(Clone)]
pub struct Rules(Arc<Inner>);

struct Inner {
    durable: Durable,
    policy: Arc<Policy>,
    held: RwLock<Held>,
    /// One after another from the store to the policy, so that the last to be stored is the last to be known.
    turn: tokio::sync::Mutex<()>,
    clock: Clock,
}

/// Rules, each with what it says.
#[derive(Debug, Clone, Default)]
struct Held {
    rules: Vec<(Rule, Entry)>,
    /// When the policy is to be told of the next end.
    next_end: Option<i64>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The list has no such entries.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The note is too long.
    #[error("a note has at most {NOTE_BYTES_MAX} bytes")]
    Note,
    /// It would end before it begins.
    #[error("`until` is over")]
    Over,
    /// Who asks would not be let in any more, now or when a rule ends.
    #[error("{0} would be shut out of the API: allow your own network first, or except it")]
    ShutsOut(std::net::IpAddr),
    /// There are as many rules as there may be.
    #[error("there are {RULES_MAX} access rules; take some back, or put them into a file of `[access]`")]
    TooMany,
    /// There is no such rule.
    #[error("there is no access rule {0}")]
    Unknown(i64),
    /// The store failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Rules {
    /// Those in the store, and tells `policy` of them. Blocking.
    ///
    /// # Errors
    ///
    /// The store cannot be read: a hub without its rules would let in whom it should not.
    pub fn open(durable: Durable, policy: Arc<Policy>, clock: Clock) -> Result<Self, Fault> {
        let stored = durable.read_here(|store| store.rules())?;
        let read = |rule: Rule| {
            let entry = rule.list.read(&rule.entry);
            entry.map(|entry| (rule, entry)).map_err(|error| Fault::new("read an access rule", error))
        };
        let rules = stored.into_iter().map(read).collect::<Result<_, _>>()?;
        let held = RwLock::new(Held { rules, next_end: None });
        let opened =
            Self(Arc::new(Inner { durable, policy, held, turn: tokio::sync::Mutex::default(), clock }));
        opened.change(|_| {});
        Ok(opened)
    }

    /// The rules in the order in which they were made, without those that are over and said who may not.
    #[must_use]
    pub fn list(&self) -> Vec<Rule> {
        let now = (self.0.clock)();
        let held = self.0.held.read();
        held.rules.iter().map(|(rule, _)| rule).filter(|rule| !is_past(rule, now)).cloned().collect()
    }

    /// Makes a rule, or another of what there was for the same entry. Whether there was none, too.
    ///
    /// # Errors
    ///
    /// [`RuleError`]
    pub async fn add(
        &self,
        list: List,
        entry: &str,
        until: Option<i64>,
        note: &str,
        actor: &Actor,
    ) -> Result<(Rule, bool), RuleError> {
        let now = (self.0.clock)();
        let says = list.read(entry)?;
        if note.len() > NOTE_BYTES_MAX {
            return Err(RuleError::Note);
        }
        if until.is_some_and(|until| until <= now) {
            return Err(RuleError::Over);
        }
        let rule = Rule {
            id: 0,
            list,
            entry: says.to_string(),
            until,
            note: note.to_owned(),
            created_by: actor.who.clone(),
            created_at: now,
        };
        let (rules, actor) = (self.clone(), actor.clone());
        to_its_end(async move {
            let _turn = rules.0.turn.lock().await;
            let before = rules.0.held.read().clone();
            let over = before.past(now);
            let mut after = before.clone();
            after.forget(&over);
            let is_new = after.put(rule.clone(), says.clone());
            if after.rules.len() > RULES_MAX {
                return Err(RuleError::TooMany);
            }
            rules.leaves_in(&before, &after, &actor)?;
            let object = format!("{} {}", list.name(), rule.entry);
            match rules.write(Deed::AddRule(rule, over.clone()), "access.add", &object, &actor).await? {
                Done::Rule(rule) => {
                    rules.change(|held| {
                        held.forget(&over);
                        held.put((*rule).clone(), says);
                    });
                    Ok((*rule, is_new))
                }
                other => Err(unexpected(&other)),
            }
        })
        .await
    }

    /// Takes a rule back.
    ///
    /// # Errors
    ///
    /// [`RuleError`]
    pub async fn remove(&self, id: i64, actor: &Actor) -> Result<(), RuleError> {
        let (rules, actor) = (self.clone(), actor.clone());
        to_its_end(async move {
            let _turn = rules.0.turn.lock().await;
            let before = rules.0.held.read().clone();
            let found = before.rules.iter().find(|(rule, _)| rule.id == id);
            let (rule, _) = found.ok_or(RuleError::Unknown(id))?;
            let mut after = before.clone();
            after.forget(&[id]);
            rules.leaves_in(&before, &after, &actor)?;
            let object = format!("{} {}", rule.list.name(), rule.entry);
            match rules.write(Deed::RemoveRule(id), "access.remove", &object, &actor).await? {
                Done::Yes => {
                    rules.change(|held| held.forget(&[id]));
                    Ok(())
                }
                Done::Unknown => Err(RuleError::Unknown(id)),
                other => Err(unexpected(&other)),
            }
        })
        .await
    }

    /// Lets what has come to its end hold no longer. To be called every second or so.
    pub fn expire(&self) {
        let now = (self.0.clock)();
        if self.0.held.read().next_end.is_some_and(|end| end <= now) {
            self.change(|_| {});
        }
    }

    /// Changes what is held, and tells the policy.
    fn change(&self, change: impl FnOnce(&mut Held)) {
        let now = (self.0.clock)();
        let mut held = self.0.held.write();
        change(&mut held);
        held.next_end = held.rules.iter().filter_map(|(rule, _)| rule.until).filter(|end| *end > now).min();
        // Under the lock: what is told last is what is held.
        self.0.policy.publish(Place::Rules, held.layer(now));
    }

    /// Whether whoever asks is let in after a change as before, now and when all that ends has ended.
    fn leaves_in(&self, before: &Held, after: &Held, actor: &Actor) -> Result<(), RuleError> {
        let now = (self.0.clock)();
        let current = self.0.policy.current();
        let admits = |held: &Held, at| {
            current.lists().with(Place::Rules, Arc::new(held.layer(at))).admit_api(actor.address)
        };
        let is_in = [now, END_OF_TIME].into_iter().all(|at| admits(after, at) || !admits(before, at));
        if is_in { Ok(()) } else { Err(RuleError::ShutsOut(actor.address.to_canonical())) }
    }

    async fn write(&self, deed: Deed, act: &'static str, object: &str, actor: &Actor) -> Result<Done, Fault> {
        acts::act(&self.0.durable, deed, What { act, object }, actor, (self.0.clock)()).await
    }
}

impl Held {
    /// What they say at a time.
    fn layer(&self, at: i64) -> Layer {
        let mut builder = Builder::default();
        for (rule, entry) in &self.rules {
            if !is_past(rule, at) {
                builder.begin(rule.list, 0);
            }
            if !rule.is_over(at) {
                builder.add(rule.list, entry.clone());
            }
        }
        builder.build()
    }

    /// Puts a rule in the place of one for the same entry, or adds it. Whether there was none.
    fn put(&mut self, rule: Rule, entry: Entry) -> bool {
        let same =
            self.rules.iter_mut().find(|(other, _)| other.list == rule.list && other.entry == rule.entry);
        match same {
            Some(same) => {
                *same = (rule, entry);
                false
            }
            None => {
                self.rules.push((rule, entry));
                true
            }
        }
    }

    fn forget(&mut self, ids: &[i64]) {
        self.rules.retain(|(rule, _)| !ids.contains(&rule.id));
    }

    /// The numbers of those that mean nothing any more.
    fn past(&self, now: i64) -> Vec<i64> {
        self.rules.iter().filter(|(rule, _)| is_past(rule, now)).map(|(rule, _)| rule.id).collect()
    }
}

/// Whether a rule means nothing any more.
fn is_past(rule: &Rule, now: i64) -> bool {
    rule.is_over(now) && !rule.list.allows()
}

/// What the store answers to a deed is of its kind.
fn unexpected(done: &Done) -> RuleError {
    Fault::new("change the access rules", format!("the store answered {done:?}")).into()
}
