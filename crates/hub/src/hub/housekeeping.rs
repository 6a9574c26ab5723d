//! What is done now and then: letting go of silent peers and of rules that are over, saving the swarms, and looking whether files have changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::sources::Sources;
use crate::background;
use crate::catalogue::now_unix;
use crate::config::Config;
use crate::rules::Rules;
use crate::store::snapshot;
use crate::tracker::Tracker;

/// What came of what was asked for, in words if it failed.
type Outcome = Result<(), String>;

/// Asks for something, and is told when it is done.
pub(super) type Asked = oneshot::Sender<Outcome>;

/// Requests of a kind that may wait at a time.
const REQUESTS_MAX: usize = 8;

/// The task that keeps house.
pub(super) struct Housekeeping {
    task: JoinHandle<()>,
    stop: oneshot::Sender<Asked>,
}

impl Housekeeping {
    /// Starts it. Who sends to the first sender has the swarms saved, and to the second the files read anew.
    pub(super) fn start(
        config: &Config,
        tracker: Arc<Tracker>,
        sources: Sources,
        rules: Rules,
    ) -> (Self, mpsc::Sender<Asked>, mpsc::Sender<Asked>) {
        let (save, saves) = mpsc::channel(REQUESTS_MAX);
        let (reload, reloads) = mpsc::channel(REQUESTS_MAX);
        let (stop, stopped) = oneshot::channel();
        let house = House {
            tracker,
            sources: Arc::new(sources),
            rules,
            state_dir: config.state_dir.clone(),
            between_saves: Duration::from_secs(config.snapshot.interval_secs.into()),
        };
        let task = tokio::spawn(house.keep(saves, reloads, stopped));
        (Self { task, stop }, save, reload)
    }

    /// Saves the swarms a last time, and ends.
    pub(super) async fn stop(self) -> Outcome {
        let (done, saved) = oneshot::channel();
        let gone = || "the housekeeping has ended before its time".to_owned();
        self.stop.send(done).map_err(|_| gone())?;
        let saved = saved.await.map_err(|_| gone())?;
        self.task.await.map_err(|panic| panic.to_string())?;
        saved
    }
}

struct House {
    tracker: Arc<Tracker>,
    sources: Arc<Sources>,
    rules: Rules,
    state_dir: PathBuf,
    between_saves: Duration,
}

impl House {
    async fn keep(
        self,
        mut saves: mpsc::Receiver<Asked>,
        mut reloads: mpsc::Receiver<Asked>,
        mut stopped: oneshot::Receiver<Asked>,
    ) {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_save = Instant::now() + self.between_saves;
        loop {
            tokio::select! {
                last = &mut stopped => {
                    if let Ok(last) = last {
                        let _ = last.send(self.save().await);
                    }
                    return;
                }
                _ = second.tick() => {
                    let (tracker, sources, rules) =
                        (self.tracker.clone(), self.sources.clone(), self.rules.clone());
                    let sweep = move || {
                        tracker.housekeep();
                        rules.expire();
                        sources.look();
                    };
                    if let Err(error) = background::run("sweep", sweep).await {
                        tracing::error!(%error, "the sweep ended badly");
                    }
                }
                Some(request) = reloads.recv() => {
                    let _ = request.send(self.reload().await);
                }
                Some(request) = saves.recv() => {
                    // Who asked may have left since.
                    let _ = request.send(self.save().await);
                    next_save = Instant::now() + self.between_saves;
                }
                () = sleep_until(next_save) => {
                    let _ = self.save().await;
                    next_save = Instant::now() + self.between_saves;
                }
            }
        }
    }

    async fn reload(&self) -> Outcome {
        let sources = self.sources.clone();
        background::run("reload", move || sources.reload()).await.flatten()
    }

    async fn save(&self) -> Outcome {
        let (tracker, state_dir) = (self.tracker.clone(), self.state_dir.clone());
        let save =
            move || snapshot::save(&state_dir, &tracker, now_unix()).map_err(|error| error.to_string());
        match background::run("snapshot", save).await.flatten() {
            Ok(contents) => {
                tracing::debug!(swarms = contents.swarms, peers = contents.peers, "the swarms are saved");
                Ok(())
            }
            Err(error) => {
                let dir = self.state_dir.display();
                tracing::error!("the swarms cannot be saved to {dir}: {error}");
                Err(format!("the swarms cannot be saved: {error}"))
            }
        }
    }
}
