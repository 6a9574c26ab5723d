use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::store::{Fault, OpenError, Store};

/// How many reads run at once; others wait for their turn.
const READERS_MAX: usize = 4;

/// Opens the store once more.
pub(crate) type Opener = Box<dyn Fn() -> Result<Box<dyn Store>, OpenError> + Send + Sync>;

/// A few connections for reading, each used by one read at a time, in a thread that may block.
pub(super) struct Readers {
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Box<dyn Store>>>>,
    opener: Arc<Opener>,
}

impl Readers {
    /// Opens the first connection; the others are opened when they are needed.
    pub(super) fn new(opener: Opener) -> Result<Self, OpenError> {
        let first = opener()?;
        let turns = Arc::new(Semaphore::new(READERS_MAX));
        Ok(Self { turns, idle: Arc::new(Mutex::new(vec![first])), opener: Arc::new(opener) })
    }

    /// Runs `work` on a connection. If the caller goes away the work is done all the same, and nobody hears of it.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let stopped = |cause: &str| Fault::new("read the store", cause.to_owned());
        let turn =
            Arc::clone(&self.turns).acquire_owned().await.map_err(|error| stopped(&error.to_string()))?;
        let (idle, opener) = (Arc::clone(&self.idle), Arc::clone(&self.opener));
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            with_one(&idle, &opener, work)
        });
        task.await.map_err(|error| stopped(&error.to_string()))?
    }

    /// The same on the caller's own thread, whoever else reads.
    pub(super) fn read_here<T>(&self, work: impl FnOnce(&dyn Store) -> Result<T, Fault>) -> Result<T, Fault> {
        with_one(&self.idle, &self.opener, work)
    }
}

fn with_one<T>(
    idle: &Mutex<Vec<Box<dyn Store>>>,
    opener: &Opener,
    work: impl FnOnce(&dyn Store) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let waiting = idle.lock().pop();
    let store = match waiting {
        Some(store) => store,
        None => opener().map_err(|error| Fault::new("open the store to read", error))?,
    };
    let result = work(store.as_ref());
    idle.lock().push(store);
    result
}
