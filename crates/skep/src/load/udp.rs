//! The load on a UDP tracker (BEP 15): one thread, several sockets, each with a window of requests in flight.

mod batch;
mod lane;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ask::Feed;
use super::check::Checker;
use super::pace::{Pace, nanos};
use super::population::Population;
use super::source::sources;
use super::tally::{Phase, Summary, Tally};
use super::target::Target;
use super::{LoadError, Options, Progress, Stage};
use batch::Inbox;
use lane::{Lane, Shared};

/// Requests in flight on one socket when they are sent at a given rate, answered or not.
const RATE_WINDOW: u16 = 16_384;
/// How often time-outs, silence and progress are looked after.
const SWEEP: Duration = Duration::from_millis(20);
/// A tracker that answers nothing for so many time-outs is given up.
const SILENCE_TIMEOUTS: u32 = 5;
/// Room asked of the kernel for replies that wait to be read; it may grant less.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// Runs the whole load: connects, fills, measures.
pub(super) fn run(
    options: &Options,
    target: &Target,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, LoadError> {
    let mut engine = Engine::open(options, target, progress)?;
    engine.connect()?;
    let fill = if options.fill { Some(engine.fill()?) } else { None };
    let measured = if options.count == Some(0) { None } else { Some(engine.measure()?) };
    Ok(Summary {
        target: options.target.clone(),
        torrents: options.torrents,
        peers: options.peers,
        fill,
        measured,
        verified: options.verify,
    })
}

struct Engine<'a> {
    options: &'a Options,
    population: Population,
    /// What goes with each announce as its URL data.
    path: String,
    lanes: Vec<Lane>,
    inbox: Inbox,
    checker: Option<Checker>,
    began: Instant,
    progress: &'a mut dyn FnMut(Progress),
}

/// A phase under way. Times are nanoseconds since the engine began.
struct Run {
    stage: Stage,
    feed: Feed,
    pace: Pace,
    tally: Tally,
    start: u64,
    /// When the last reply was read.
    heard_at: u64,
    /// When there last was a reply, or none to be waited for.
    active_at: u64,
}

impl<'a> Engine<'a> {
    fn open(
        options: &'a Options,
        target: &Target,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Result<Self, LoadError> {
        let sources = sources(options, target.address.ip(), options.sockets);
        let count = sources.len().max(options.sockets.into());
        let distinct = u32::try_from(sources.len()).unwrap_or(u32::MAX);
        let population = Population::new(options, distinct)?;
        let mut addresses = Vec::new();
        let mut lanes = Vec::new();
        for class in (0..population.classes()).cycle().take(count) {
            let source = sources[class as usize];
            let socket = open_socket(source, target.address).map_err(|error| {
                LoadError::Socket(format!("cannot send from {source} to {}: {error}", target.address))
            })?;
            let ip = socket.local_addr().map_err(|error| LoadError::Socket(error.to_string()))?.ip();
            let slots = if options.rate.is_some() { RATE_WINDOW } else { 0 };
            if addresses.len() < population.classes() as usize {
                addresses.push(ip.to_canonical());
            }
            lanes.push(Lane::new(socket, class, ip, options.window, slots));
        }
        let checker = options.verify.then(|| Checker::new(population.clone(), addresses, options.want));
        let path = target.path.clone();
        Ok(Self {
            options,
            path,
            population,
            lanes,
            inbox: Inbox::new(),
            checker,
            began: Instant::now(),
            progress,
        })
    }

    /// Gets every lane its connection id.
    fn connect(&mut self) -> Result<(), LoadError> {
        let mut tally = Tally::new();
        let deadline = self.now() + self.silence_nanos();
        while !self.lanes.iter().all(Lane::is_connected) {
            let now = self.now();
            if now > deadline {
                return Err(self.silent(&tally));
            }
            let mut moved = false;
            let mut shared = Shared {
                population: &self.population,
                checker: None,
                tally: &mut tally,
                want: self.options.want,
                path: self.path.as_bytes(),
            };
            for lane in &mut self.lanes {
                lane.connect(now, &mut shared);
                // A port that is closed now may be open at the next try.
                moved |= lane.send().unwrap_or(false);
                moved |= lane.hear(&mut self.inbox, || now, &mut shared).unwrap_or(false);
                lane.give_up(now.saturating_sub(nanos(self.options.timeout)), false, shared.tally);
            }
            if !moved {
                self.wait(SWEEP)?;
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<Phase, LoadError> {
        let feed = Feed::fill(&self.population);
        let phase = self.drive(Stage::Fill, feed, Pace::Window, None)?;
        if phase.lost == 0
            && phase.errors == 0
            && self.options.mix.stop == 0.0
            && let Some(checker) = &mut self.checker
        {
            checker.expect_everybody();
        }
        Ok(phase)
    }

    fn measure(&mut self) -> Result<Phase, LoadError> {
        let feed = Feed::draw(self.options, &self.population);
        let pace = Pace::new(self.options, self.now());
        self.drive(Stage::Measure, feed, pace, Some(self.options.time))
    }

    /// Asks what the feed gives until it is empty or the time is up, and waits for what is in flight.
    fn drive(
        &mut self,
        stage: Stage,
        feed: Feed,
        pace: Pace,
        time: Option<Duration>,
    ) -> Result<Phase, LoadError> {
        let start = self.now();
        let end = time.map_or(u64::MAX, |time| start.saturating_add(nanos(time)));
        let mut run =
            Run { stage, feed, pace, tally: Tally::new(), start, heard_at: start, active_at: start };
        let mut swept_at = start;
        loop {
            let mut moved = self.hear(&mut run);
            let now = self.now();
            match run.pace {
                Pace::Window => self.ask_by_window(&mut run, now),
                Pace::Rate { .. } => self.ask_by_rate(&mut run, now),
            }
            for lane in &mut self.lanes {
                // An ICMP error of an earlier datagram; what it means shows in the replies that are missing.
                moved |= lane.send().unwrap_or(false);
            }
            if now >= end {
                run.feed.stop();
            }
            if now - swept_at >= nanos(SWEEP) {
                swept_at = now;
                self.sweep(&mut run, now)?;
            }
            if run.feed.is_done() && self.lanes.iter().all(Lane::is_idle) {
                if run.tally.answered() == 0 && run.tally.requests > 0 {
                    return Err(self.silent(&run.tally));
                }
                return Ok(run.tally.finish(Duration::from_nanos(run.heard_at - start)));
            }
            if !moved && !self.options.busy {
                self.wait(run.pace.wait(now, SWEEP))?;
            }
        }
    }

    /// Reads all replies that are there. Returns whether there were any.
    fn hear(&mut self, run: &mut Run) -> bool {
        let began = self.began;
        let now = || nanos(began.elapsed());
        let mut shared = Shared {
            population: &self.population,
            checker: self.checker.as_mut(),
            tally: &mut run.tally,
            want: self.options.want,
            path: self.path.as_bytes(),
        };
        let mut heard = false;
        for lane in &mut self.lanes {
            heard |= lane.hear(&mut self.inbox, now, &mut shared).unwrap_or(false);
        }
        if heard {
            run.heard_at = now();
            run.active_at = run.heard_at;
        }
        heard
    }

    fn ask_by_window(&mut self, run: &mut Run, now: u64) {
        let mut shared = Shared {
            population: &self.population,
            checker: None,
            tally: &mut run.tally,
            want: self.options.want,
            path: self.path.as_bytes(),
        };
        for lane in &mut self.lanes {
            lane.ask_all(&mut run.feed, now, &mut shared);
        }
    }

    /// Asks everything that is due. What finds no room stays due, and its latency counts from then.
    fn ask_by_rate(&mut self, run: &mut Run, now: u64) {
        let mut shared = Shared {
            population: &self.population,
            checker: None,
            tally: &mut run.tally,
            want: self.options.want,
            path: self.path.as_bytes(),
        };
        let lanes = self.lanes.len();
        while let Some(due) = run.pace.due().filter(|due| *due <= now && !run.feed.is_done()) {
            let first = usize::try_from(run.pace.issued()).unwrap_or(0);
            let mut ask_at = |step: usize| {
                self.lanes[(first + step) % lanes].ask_one(&mut run.feed, due, now, &mut shared)
            };
            if !(0..lanes).any(&mut ask_at) {
                return;
            }
            run.pace.step();
        }
    }

    /// Looks after time-outs, silence and progress.
    fn sweep(&mut self, run: &mut Run, now: u64) -> Result<(), LoadError> {
        let must = run.stage == Stage::Fill;
        let deadline = now.saturating_sub(nanos(self.options.timeout));
        for lane in &mut self.lanes {
            lane.give_up(deadline, must, &mut run.tally);
        }
        let total = if must { Some(self.population.size()) } else { self.options.count };
        let elapsed = Duration::from_nanos(now - run.start);
        (self.progress)(Progress { stage: run.stage, done: run.tally.answered(), total, elapsed });
        if self.lanes.iter().all(Lane::is_idle) {
            run.active_at = now;
        }
        let silence = now.saturating_sub(run.active_at);
        if silence > self.silence_nanos() { Err(self.silent(&run.tally)) } else { Ok(()) }
    }

    fn now(&self) -> u64 {
        nanos(self.began.elapsed())
    }

    fn silence_nanos(&self) -> u64 {
        nanos(self.options.timeout).saturating_mul(SILENCE_TIMEOUTS.into())
    }

    fn silent(&self, tally: &Tally) -> LoadError {
        LoadError::silent(&self.options.target, tally)
    }

    /// Sleeps until a reply is there, or a full socket takes more, or the time has passed.
    fn wait(&self, most: Duration) -> Result<(), LoadError> {
        let watch = |lane: &'_ Lane| {
            if lane.has_unsent() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN }
        };
        let mut fds: Vec<_> = self.lanes.iter().map(|lane| PollFd::new(lane.socket(), watch(lane))).collect();
        let most = Timespec::try_from(most).map_err(|error| LoadError::Socket(error.to_string()))?;
        match poll(&mut fds, Some(&most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(LoadError::Socket(format!("cannot wait for replies: {error}"))),
        }
    }
}

fn open_socket(source: IpAddr, target: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(source, 0))?;
    socket.connect(target)?;
    socket.set_nonblocking(true)?;
    // As much as the system grants: a small buffer shows as lost replies, not as an error.
    let _granted = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    Ok(socket)
}
