//! What a load goes through, whatever the transport: it fills, then measures. Either asks until nothing is left to ask, gives
//! up what is not answered, and tells how far it is.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::ask::Feed;
use super::check::Checker;
use super::pace::{Pace, nanos};
use super::population::Population;
use super::tally::{Phase, Summary, Tally};
use super::{LoadError, Options, Progress, Stage};

/// How often time-outs, silence and progress are looked after.
pub(super) const SWEEP: Duration = Duration::from_millis(20);
/// A tracker that answers nothing for so many time-outs is given up.
const SILENCE_TIMEOUTS: u32 = 5;

/// A way to the tracker, and what is under way on it. Times are nanoseconds since the load began.
pub(super) trait Transport {
    /// Asks what is due, and hears what has come; where there is nothing to do, waits no longer than [`Run::wait`] says.
    fn turn(&mut self, run: &mut Run<'_>) -> Result<(), LoadError>;

    /// Takes what was sent before `deadline` for lost. In a fill it is asked again.
    fn give_up(&mut self, deadline: u64, run: &mut Run<'_>);

    /// Whether nothing is under way, nor to be asked again.
    fn is_idle(&self) -> bool;
}

/// Who asks for what, and how the answers are judged.
pub(super) struct Load<'a> {
    pub(super) options: &'a Options,
    pub(super) population: Population,
    checker: Option<Checker>,
    began: Instant,
}

/// A phase under way.
pub(super) struct Run<'a> {
    pub(super) options: &'a Options,
    pub(super) population: &'a Population,
    pub(super) checker: Option<&'a mut Checker>,
    pub(super) stage: Stage,
    pub(super) feed: Feed,
    pub(super) pace: Pace,
    pub(super) tally: Tally,
    began: Instant,
    start: u64,
    /// When the last reply was read.
    heard_at: u64,
    /// When there last was a reply, or none to be waited for.
    active_at: u64,
}

impl<'a> Load<'a> {
    /// Of peers whose classes the tracker sees at `addresses`.
    pub(super) fn new(options: &'a Options, population: Population, addresses: Vec<IpAddr>) -> Self {
        let checker = options.verify.then(|| Checker::new(population.clone(), addresses, options.want));
        Self { options, population, checker, began: Instant::now() }
    }

    /// Goes through all of it.
    pub(super) fn run(
        mut self,
        transport: &mut impl Transport,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Summary, LoadError> {
        let options = self.options;
        let fill = if options.fill { Some(self.fill(transport, progress)?) } else { None };
        let measured = if options.count == Some(0) { None } else { Some(self.measure(transport, progress)?) };
        Ok(Summary {
            target: options.target.clone(),
            torrents: options.torrents,
            peers: options.peers,
            fill,
            measured,
            verified: options.verify,
        })
    }

    /// Nanoseconds since it began.
    pub(super) fn now(&self) -> u64 {
        nanos(self.began.elapsed())
    }

    /// Nanoseconds without any answer after which the tracker is given up.
    pub(super) fn silence(&self) -> u64 {
        silence(self.options)
    }

    /// That it was, with what was said of refusals.
    pub(super) fn silent(&self, tally: &Tally) -> LoadError {
        LoadError::silent(&self.options.target, tally)
    }

    fn fill(
        &mut self,
        transport: &mut impl Transport,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Phase, LoadError> {
        let feed = Feed::fill(&self.population);
        let phase = self.phase(Stage::Fill, feed, Pace::Window).drive(transport, None, progress)?;
        if phase.lost == 0
            && phase.errors == 0
            && self.options.mix.stop == 0.0
            && let Some(checker) = &mut self.checker
        {
            checker.expect_everybody();
        }
        Ok(phase)
    }

    fn measure(
        &mut self,
        transport: &mut impl Transport,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Phase, LoadError> {
        let time = self.options.time;
        let feed = Feed::draw(self.options, &self.population);
        let pace = Pace::new(self.options, self.now());
        self.phase(Stage::Measure, feed, pace).drive(transport, Some(time), progress)
    }

    fn phase(&mut self, stage: Stage, feed: Feed, pace: Pace) -> Run<'_> {
        let start = self.now();
        Run {
            options: self.options,
            population: &self.population,
            checker: self.checker.as_mut(),
            stage,
            feed,
            pace,
            tally: Tally::new(),
            began: self.began,
            start,
            heard_at: start,
            active_at: start,
        }
    }
}

impl Run<'_> {
    /// Nanoseconds since the load began.
    pub(super) fn now(&self) -> u64 {
        self.clock()()
    }

    /// Tells the same, apart from the phase.
    pub(super) fn clock(&self) -> impl Fn() -> u64 + use<> {
        let began = self.began;
        move || nanos(began.elapsed())
    }

    /// How long there is nothing to ask or to look after.
    pub(super) fn wait(&self, now: u64) -> Duration {
        if self.options.busy { Duration::ZERO } else { self.pace.wait(now, SWEEP) }
    }

    /// A reply was read.
    pub(super) fn heard(&mut self, now: u64) {
        (self.heard_at, self.active_at) = (now, now);
    }

    /// Asks what the feed gives until it is empty or the time is up, and waits for what is under way.
    fn drive(
        mut self,
        transport: &mut impl Transport,
        time: Option<Duration>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Phase, LoadError> {
        let end = time.map_or(u64::MAX, |time| self.start.saturating_add(nanos(time)));
        let mut swept_at = self.start;
        loop {
            transport.turn(&mut self)?;
            let now = self.now();
            if now >= end {
                self.feed.stop();
            }
            if now - swept_at >= nanos(SWEEP) {
                swept_at = now;
                self.sweep(transport, now, progress)?;
            }
            if self.feed.is_done() && transport.is_idle() {
                if self.tally.answered() == 0 && self.tally.requests > 0 {
                    return Err(LoadError::silent(&self.options.target, &self.tally));
                }
                return Ok(self.tally.finish(Duration::from_nanos(self.heard_at - self.start)));
            }
        }
    }

    /// Looks after time-outs, silence and progress.
    fn sweep(
        &mut self,
        transport: &mut impl Transport,
        now: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), LoadError> {
        transport.give_up(now.saturating_sub(nanos(self.options.timeout)), self);
        let total = match self.stage {
            Stage::Fill => Some(self.population.size()),
            Stage::Measure => self.options.count,
        };
        let elapsed = Duration::from_nanos(now - self.start);
        progress(Progress { stage: self.stage, done: self.tally.answered(), total, elapsed });
        if transport.is_idle() {
            self.active_at = now;
        }
        if now.saturating_sub(self.active_at) > silence(self.options) {
            return Err(LoadError::silent(&self.options.target, &self.tally));
        }
        Ok(())
    }
}

fn silence(options: &Options) -> u64 {
    nanos(options.timeout).saturating_mul(SILENCE_TIMEOUTS.into())
}
