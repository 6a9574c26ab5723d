//! Whose turn it is to use a connection.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::announce::target::Target;

/// Announces under way at once, over all torrents: each needs a descriptor.
const AT_ONCE_MAX: usize = 64;

/// Of them, those to one host: one that is silent must not hold up the others.
const AT_ONCE_TO_HOST_MAX: usize = 16;

/// Hosts that are remembered beyond those that are being talked to.
const HOSTS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Turns {
    all: Semaphore,
    hosts: Mutex<Hosts>,
}

/// The turns of each host with its port.
type Hosts = HashMap<(Arc<str>, u16), Arc<Semaphore>>;

/// A turn, which lasts until this is dropped.
pub(super) struct Turn<'a> {
    _host: Option<OwnedSemaphorePermit>,
    _all: Option<SemaphorePermit<'a>>,
}

impl Turns {
    /// Waits for a turn to talk to `target`; who came first goes first.
    pub(super) async fn take(&self, target: &Target) -> Turn<'_> {
        let host = self.host(target);
        // The semaphores are never closed, so there is always a permit.
        Turn { _host: host.acquire_owned().await.ok(), _all: self.all.acquire().await.ok() }
    }

    fn host(&self, target: &Target) -> Arc<Semaphore> {
        let key = (target.host.clone(), target.port);
        let mut hosts = self.hosts.lock();
        if hosts.len() >= HOSTS_MAX && !hosts.contains_key(&key) {
            hosts.retain(|_, host| Arc::strong_count(host) > 1);
        }
        hosts.entry(key).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_TO_HOST_MAX))).clone()
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self { all: Semaphore::new(AT_ONCE_MAX), hosts: Mutex::default() }
    }
}
