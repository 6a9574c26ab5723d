//! Administrative acts: who does something to the roll, and that it is recorded with what it did.

use std::net::IpAddr;

use crate::durable::Durable;
use crate::store::roll::{Act, AuditEntry, Deed, Done};
use crate::store::{Change, Effect, Fault};

/// Who does something, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Whose token or certificate was shown, or whose passkey.
    pub who: String,
    /// Where the request came from.
    pub address: IpAddr,
}

/// What is done, in a word, and on what.
pub(crate) struct What<'a> {
    pub(crate) act: &'static str,
    pub(crate) object: &'a str,
}

/// Does something to the roll, and records it; `at` in Unix seconds. It is on disk when this returns.
pub(crate) async fn act(
    durable: &Durable,
    deed: Deed,
    what: What<'_>,
    actor: &Actor,
    at: i64,
) -> Result<Done, Fault> {
    let What { act, object } = what;
    let record = AuditEntry {
        at,
        who: actor.who.clone(),
        address: actor.address.to_canonical().to_string(),
        act: act.to_owned(),
        object: object.to_owned(),
    };
    let room = durable.room(0).await?;
    match durable.change(Change::Act(Box::new(Act { deed, record })), room).await? {
        Effect::Acted(done) => {
            if done.is_effect() {
                tracing::info!(who = actor.who, address = %actor.address, object, "{act}");
            }
            Ok(done)
        }
        // Of each change comes an effect of its own kind.
        _ => Ok(Done::Yes),
    }
}

/// Does something to its end, though whoever asked for it goes away: what is in the store is to hold.
pub(crate) async fn to_its_end<T: Send + 'static, E: From<Fault> + Send + 'static>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(panic) => Err(Fault::new("come to the end of it", panic.to_string()).into()),
    }
}
