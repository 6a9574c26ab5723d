//! The thread that settles reports, and the bounded queue before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use swarm::InfoHash;
use swarm::accounts::{Factors, Rules};
use tokio::sync::{oneshot, watch};

use crate::background;
use crate::store::Fault;
use crate::store::ledger::{FactorRule, Ledger, Outcome, Report};

/// How long reports are gathered, unless somebody waits for them or there are many.
const GATHER: Duration = Duration::from_millis(500);

/// Reports that are not gathered any longer.
const BATCH_REPORTS: usize = 65_536;

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a rule of credit comes to for a torrent at a moment.
pub(super) type InForce = Box<dyn Fn(&InfoHash, i64) -> Factors + Send>;

/// What somebody waits for.
pub(super) enum Job {
    /// A rule is added; its number.
    Add(FactorRule, oneshot::Sender<Result<i64, Fault>>),
    /// A rule is removed; whether it was there.
    Remove(i64, oneshot::Sender<Result<bool, Fault>>),
}

/// How accounting stands.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Reports that wait to be written.
    pub queued: usize,
    /// Reports that were written.
    pub settled: u64,
    /// Reports that there was no room for: their clients' next ones have what was in them.
    pub turned_away: u64,
    /// What was credited since the start, before factors, and what was flagged.
    pub outcome: Outcome,
    /// Why nothing can be written, if it cannot.
    pub failing: Option<String>,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    wakes: Condvar,
    queue_max: usize,
    turned_away: AtomicU64,
    /// How many reports are settled, of all that came, and why the last try failed.
    settled: watch::Sender<(u64, Option<String>)>,
    outcome: Mutex<Outcome>,
}

#[derive(Default)]
struct Queue {
    reports: Vec<Report>,
    /// Reports that are being written.
    in_hand: usize,
    /// Reports that ever came.
    came: u64,
    jobs: Vec<Job>,
    /// Somebody waits for what is there.
    is_urgent: bool,
    is_over: bool,
}

impl Writer {
    pub(super) fn start(ledger: Box<dyn Ledger>, rules: Rules, factors: InForce, queue_max: usize) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wakes: Condvar::new(),
            queue_max,
            turned_away: AtomicU64::new(0),
            settled: watch::Sender::new((0, None)),
            outcome: Mutex::default(),
        });
        let thread = {
            let shared = shared.clone();
            let work = Loop { ledger, rules, factors, shared };
            let run = move || {
                // Credit can be late, and answers cannot.
                background::give_way();
                work.run();
            };
            std::thread::Builder::new().name("accounting".into()).spawn(run)
        };
        // Without a thread the queue fills, and that is said.
        let thread = thread.map_err(|error| tracing::error!(%error, "cannot start accounting")).ok();
        Self { shared, thread }
    }

    pub(super) fn report(&self, report: Report) -> bool {
        let mut queue = self.shared.queue.lock();
        if queue.reports.len() + queue.in_hand >= self.shared.queue_max {
            drop(queue);
            self.shared.turned_away.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        queue.reports.push(report);
        queue.came += 1;
        let wakes = queue.reports.len() == 1 || queue.reports.len() == BATCH_REPORTS;
        drop(queue);
        if wakes {
            self.shared.wakes.notify_one();
        }
        true
    }

    pub(super) async fn flush(&self, patience: Duration) -> Result<(), Fault> {
        let came = {
            let mut queue = self.shared.queue.lock();
            queue.is_urgent = true;
            queue.came
        };
        self.shared.wakes.notify_one();
        let mut settled = self.shared.settled.subscribe();
        let done = settled.wait_for(|(count, failing)| *count >= came || failing.is_some());
        let late = || Fault::new("write what members are credited", "it takes too long");
        let done = tokio::time::timeout(patience, done).await.map_err(|_| late())?.map_err(|_| late())?;
        match &*done {
            (count, _) if *count >= came => Ok(()),
            (_, failing) => {
                Err(Fault::new("write what members are credited", failing.clone().unwrap_or_default()))
            }
        }
    }

    /// Has something done by the thread, and waits for what came of it.
    pub(super) async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Job,
    ) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        self.shared.queue.lock().jobs.push(job(answer));
        self.shared.wakes.notify_one();
        answered.await.map_err(|_| Fault::new("write the factors of credit", "accounting has stopped"))?
    }

    pub(super) fn status(&self) -> Status {
        let (settled, failing) = self.shared.settled.borrow().clone();
        let queue = self.shared.queue.lock();
        Status {
            queued: queue.reports.len() + queue.in_hand,
            settled,
            turned_away: self.shared.turned_away.load(Ordering::Relaxed),
            outcome: *self.shared.outcome.lock(),
            failing,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue.lock().is_over = true;
        self.shared.wakes.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Loop {
    ledger: Box<dyn Ledger>,
    rules: Rules,
    factors: InForce,
    shared: Arc<Shared>,
}

impl Loop {
    fn run(mut self) {
        // What could not be written is tried again before what came after it.
        let mut pending: Vec<Report> = Vec::new();
        loop {
            let is_over = self.gather(&mut pending);
            let failed = !pending.is_empty() && !self.settle(&mut pending);
            if is_over {
                return;
            }
            if failed {
                let mut queue = self.shared.queue.lock();
                if !queue.is_over {
                    self.shared.wakes.wait_for(&mut queue, AGAIN);
                }
            }
        }
    }

    /// Waits until there is something to be done, does what is asked, and adds the reports to `pending`. Whether it is over.
    fn gather(&mut self, pending: &mut Vec<Report>) -> bool {
        let shared = self.shared.clone();
        let mut queue = shared.queue.lock();
        let mut until: Option<Instant> = None;
        loop {
            let jobs = std::mem::take(&mut queue.jobs);
            if !jobs.is_empty() {
                parking_lot::MutexGuard::unlocked(&mut queue, || {
                    jobs.into_iter().for_each(|job| self.work(job));
                });
                continue;
            }
            let len = queue.reports.len() + pending.len();
            let is_due = until.is_some_and(|until| Instant::now() >= until);
            if queue.is_over || (queue.is_urgent && len > 0) || len >= BATCH_REPORTS || (len > 0 && is_due) {
                break;
            }
            queue.is_urgent = false;
            if len == 0 {
                shared.wakes.wait(&mut queue);
            } else {
                let until = *until.get_or_insert_with(|| Instant::now() + GATHER);
                shared.wakes.wait_until(&mut queue, until);
            }
        }
        queue.is_urgent = false;
        if pending.is_empty() {
            // Both keep their room: who reports neither waits for a copy nor makes a larger place.
            std::mem::swap(pending, &mut queue.reports);
        } else {
            pending.append(&mut queue.reports);
        }
        queue.in_hand = pending.len();
        queue.is_over
    }

    /// Whether `pending` could be written, and is empty.
    fn settle(&mut self, pending: &mut Vec<Report>) -> bool {
        match self.ledger.settle(pending, &self.rules, &*self.factors) {
            Ok(outcome) => {
                let mut sum = self.shared.outcome.lock();
                sum.uploaded = sum.uploaded.saturating_add(outcome.uploaded);
                sum.downloaded = sum.downloaded.saturating_add(outcome.downloaded);
                sum.backwards += outcome.backwards;
                sum.too_fast += outcome.too_fast;
                drop(sum);
                self.shared.queue.lock().in_hand = 0;
                let count = pending.len() as u64;
                pending.clear();
                pending.shrink_to(BATCH_REPORTS);
                self.shared.settled.send_modify(|(settled, failing)| {
                    if failing.take().is_some() {
                        tracing::info!(reports = count, "members are credited again");
                    }
                    *settled += count;
                });
                true
            }
            Err(fault) => {
                self.shared.settled.send_modify(|(_, failing)| {
                    if failing.is_none() {
                        tracing::error!(%fault, reports = pending.len(), "members are not credited; it is tried again");
                    }
                    *failing = Some(fault.to_string());
                });
                false
            }
        }
    }

    fn work(&mut self, job: Job) {
        // Whoever has gone away does not need to know.
        match job {
            Job::Add(rule, answer) => drop(answer.send(self.ledger.add_factors(&rule))),
            Job::Remove(id, answer) => drop(answer.send(self.ledger.remove_factors(id))),
        }
    }
}
