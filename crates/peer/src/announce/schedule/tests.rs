//! Whole lives of a torrent's announcing in virtual time.

mod promises;
mod stories;

use std::collections::BTreeMap;

use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use super::*;

/// What became of an announce, and after which time.
#[derive(Debug, Clone)]
struct Fate {
    after: Duration,
    outcome: Result<Answer, Miss>,
}

/// An announce that was made.
#[derive(Debug, Clone)]
struct Told {
    at: Duration,
    done_at: Duration,
    id: LineId,
    url: String,
    event: Event,
    want: u32,
    left: Option<u64>,
    outcome: Result<Answer, Miss>,
    dropped_peers: bool,
}

/// A schedule, a clock, and the announces under way.
struct World {
    schedule: Schedule,
    dice: SmallRng,
    now: Duration,
    flying: BTreeMap<(Duration, LineId), (Ask, Duration, Fate)>,
    told: Vec<Told>,
}

impl World {
    fn new(tiers: &[&[&str]], private: bool, left: Option<u64>, seed: u64) -> Self {
        let tiers: Vec<Vec<String>> =
            tiers.iter().map(|tier| tier.iter().map(|&url| url.to_owned()).collect()).collect();
        let mut dice = SmallRng::seed_from_u64(seed);
        let progress = Progress { left, ..Progress::default() };
        let schedule = Schedule::new(&tiers, private, progress, &mut dice);
        Self { schedule, dice, now: Duration::ZERO, flying: BTreeMap::new(), told: Vec::new() }
    }

    /// Lets time pass until `until`; `fate` decides what becomes of each announce.
    fn run(&mut self, until: Duration, mut fate: impl FnMut(&Ask, Duration) -> Fate) {
        loop {
            let mut polls = 0;
            while let Some(ask) = self.schedule.poll(self.now) {
                polls += 1;
                assert!(polls <= 1_000, "it asks for ever");
                let fate = fate(&ask, self.now);
                self.flying.insert((self.now + fate.after, ask.id), (ask, self.now, fate));
            }
            let done = self.flying.keys().next().map(|(at, _)| *at);
            let Some(next) = done.into_iter().chain(self.schedule.wake_at()).min().filter(|at| *at <= until)
            else {
                break;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (ask, at, fate) = entry.remove();
                self.deliver(ask, at, fate.outcome);
            }
        }
        self.now = until;
    }

    fn deliver(&mut self, ask: Ask, at: Duration, outcome: Result<Answer, Miss>) {
        let dropped_peers = match outcome.clone() {
            Ok(answer) => self.schedule.answered(ask.id, answer, self.now, &mut self.dice),
            Err(miss) => {
                self.schedule.missed(ask.id, miss, self.now, &mut self.dice);
                false
            }
        };
        self.told.push(Told {
            at,
            done_at: self.now,
            id: ask.id,
            url: ask.target.url.to_string(),
            event: ask.event,
            want: ask.want,
            left: ask.progress.left,
            outcome,
            dropped_peers,
        });
    }

    fn report(&mut self, downloaded: u64, left: Option<u64>) {
        self.schedule.report(Progress { downloaded, left, ..Progress::default() });
    }

    fn events(&self) -> Vec<Event> {
        self.told.iter().map(|told| told.event).collect()
    }

    /// The seconds at which `url`'s announces were made.
    fn secs(&self) -> Vec<u64> {
        self.told.iter().map(|told| told.at.as_secs()).collect()
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn answer(interval: u32, min_interval: Option<u32>) -> Answer {
    Answer { interval: Some(interval), min_interval, ..Answer::default() }
}

/// Every announce is answered at once: interval 1,800 s, min interval 60 s.
fn yes(_: &Ask, _: Duration) -> Fate {
    Fate { after: Duration::ZERO, outcome: Ok(answer(1800, Some(60))) }
}

fn no(_: &Ask, _: Duration) -> Fate {
    Fate { after: secs(1), outcome: Err(Miss::Failed("silent".into())) }
}

fn refused(retry_in: Option<RetryIn>) -> Fate {
    let reason = "not here".to_owned();
    Fate { after: Duration::ZERO, outcome: Err(Miss::Refused { reason, retry_in }) }
}
