//! The load on an HTTP tracker: one thread, many connections, each with one request under way.

mod connection;
mod reply;

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use swarm::InfoHash;

use super::announce::announce;
use super::ask::{Ask, Feed, scraped};
use super::check::Checker;
use super::pace::{Pace, nanos};
use super::population::Population;
use super::source::sources;
use super::tally::{Phase, Summary, Tally};
use super::target::Target;
use super::{LoadError, Options, Progress, Stage};
use connection::{Connection, Heard, Pending};
use reply::{Verdict, judge};

/// Loopback addresses that connections are spread over: each has as many ports as a tracker could close in a minute.
const ADDRESSES: u16 = 16;
const EVENTS: usize = 1024;
/// How often time-outs, closed connections, silence and progress are looked after.
const SWEEP: Duration = Duration::from_millis(20);
/// A tracker that answers nothing for so many time-outs is given up.
const SILENCE_TIMEOUTS: u32 = 5;
/// How often a request of a fill is sent before it counts as lost for good.
const TRIES_MAX: u8 = 5;

/// Runs the whole load: fills, measures.
pub(super) fn run(
    options: &Options,
    target: &Target,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, LoadError> {
    let mut engine = Engine::new(options, target, progress)?;
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
    target: &'a Target,
    population: Population,
    checker: Option<Checker>,
    connections: Vec<Connection>,
    /// Places of connections without a request.
    idle: Vec<usize>,
    poll: Poll,
    began: Instant,
    progress: &'a mut dyn FnMut(Progress),
}

/// A phase under way. Times are nanoseconds since the engine began.
struct Run {
    stage: Stage,
    feed: Feed,
    pace: Pace,
    tally: Tally,
    /// Lost requests that must be asked again, with the class that asks them.
    again: Vec<(u32, Ask, u8)>,
    start: u64,
    /// When the last reply was read.
    heard_at: u64,
    /// When there last was a reply, or none to be waited for.
    active_at: u64,
}

impl<'a> Engine<'a> {
    fn new(
        options: &'a Options,
        target: &'a Target,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Result<Self, LoadError> {
        if options.mix.connect > 0.0 {
            return Err(LoadError::Options("a share of connects makes sense over UDP only".into()));
        }
        let sources = sources(options, target.address.ip(), options.connections.min(ADDRESSES));
        let distinct = u32::try_from(sources.len()).unwrap_or(u32::MAX);
        let population = Population::new(options, distinct)?;
        let count = sources.len().max(options.connections.into());
        let connections: Vec<_> = (0..population.classes())
            .cycle()
            .take(count)
            .map(|class| Connection::new(sources[class as usize], class))
            .collect();
        let addresses = addresses(&sources, population.classes(), target).map_err(|error| {
            LoadError::Socket(format!("cannot tell the address that {} sees: {error}", target.authority))
        })?;
        let checker = options.verify.then(|| Checker::new(population.clone(), addresses, options.want));
        let poll =
            Poll::new().map_err(|error| LoadError::Socket(format!("cannot wait for replies: {error}")))?;
        let idle = (0..connections.len()).collect();
        let began = Instant::now();
        Ok(Self { options, target, population, checker, connections, idle, poll, began, progress })
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

    /// Asks what the feed gives until it is empty or the time is up, and waits for what is under way.
    fn drive(
        &mut self,
        stage: Stage,
        feed: Feed,
        pace: Pace,
        time: Option<Duration>,
    ) -> Result<Phase, LoadError> {
        let start = self.now();
        let end = time.map_or(u64::MAX, |time| start.saturating_add(nanos(time)));
        let (tally, again) = (Tally::new(), Vec::new());
        let mut run = Run { stage, feed, pace, tally, again, start, heard_at: start, active_at: start };
        let mut events = Events::with_capacity(EVENTS);
        let mut swept_at = start;
        loop {
            let now = self.now();
            self.ask(&mut run, now);
            let wait = if self.options.busy { Duration::ZERO } else { run.pace.wait(now, SWEEP) };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(LoadError::Socket(format!("cannot wait for replies: {error}")));
                }
                _ => (),
            }
            for event in &events {
                self.hear(event.token().0, event.is_writable(), &mut run);
            }
            let now = self.now();
            if now >= end {
                run.feed.stop();
            }
            if now - swept_at >= nanos(SWEEP) {
                swept_at = now;
                self.sweep(&mut run, now)?;
            }
            if run.feed.is_done() && run.again.is_empty() && self.idle.len() == self.connections.len() {
                if run.tally.answered() == 0 && run.tally.requests > 0 {
                    return Err(self.silent(&run.tally));
                }
                return Ok(run.tally.finish(Duration::from_nanos(run.heard_at - start)));
            }
        }
    }

    /// Gives idle connections something to ask, as far as there is something and it is due.
    fn ask(&mut self, run: &mut Run, now: u64) {
        for turn in (0..self.idle.len()).rev() {
            let due = run.pace.due().unwrap_or(now);
            if due > now {
                return;
            }
            let place = self.idle[turn];
            let class = self.connections[place].class;
            let lost = run.again.iter().position(|(of, ..)| *of == class).map(|at| run.again.swap_remove(at));
            let (ask, tries) = match lost {
                Some((_, ask, tries)) => (ask, tries),
                None => match run.feed.next(&self.population, class) {
                    Some(ask) => (ask, 0),
                    None => continue,
                },
            };
            self.idle.swap_remove(turn);
            run.pace.step();
            self.begin(place, Pending { ask, tries, due, sent: now }, run);
        }
    }

    fn begin(&mut self, place: usize, pending: Pending, run: &mut Run) {
        let connection = &mut self.connections[place];
        run.tally.requests += 1;
        if !connection.is_open() {
            run.tally.connections += 1;
            if let Err(error) = connection.open(self.target.address, Token(place), self.poll.registry()) {
                connection.pending = Some(pending);
                self.fail(place, &error, run);
                return;
            }
        }
        let write = |out: &mut Vec<u8>| {
            encode(pending.ask, self.target, self.options, &self.population, out);
        };
        let asked = connection.ask(pending, write);
        run.tally.request_bytes += connection.request_bytes();
        if let Err(error) = asked {
            self.fail(place, &error, run);
        }
    }

    fn hear(&mut self, place: usize, writable: bool, run: &mut Run) {
        let Some(connection) = self.connections.get_mut(place) else { return };
        if writable && let Err(error) = connection.flush() {
            return self.fail(place, &error, run);
        }
        match connection.hear() {
            Heard::Nothing => (),
            Heard::Ended(error) => self.fail(place, &error, run),
            Heard::Wrong(fault) => {
                run.tally.fault(&fault);
                self.fail(place, &io::Error::other("what came could not be read"), run);
            }
            Heard::Reply { frame, bytes } => {
                let now = nanos(self.began.elapsed());
                if let Some(pending) = connection.pending.take() {
                    let body = connection.body(&frame, bytes);
                    match judge(pending.ask, frame.status, body, &self.population, self.checker.as_mut()) {
                        Verdict::Refused(text) => run.tally.error(&text),
                        verdict => {
                            run.tally.reply(bytes, now.saturating_sub(pending.due));
                            if let Verdict::Wrong(fault) = verdict {
                                run.tally.fault(&fault);
                            }
                        }
                    }
                    self.idle.push(place);
                } else {
                    run.tally.stray += 1;
                }
                connection.forget();
                if !frame.keep || self.options.close {
                    connection.close();
                }
                (run.heard_at, run.active_at) = (now, now);
            }
        }
    }

    /// Closes a connection that did not work out. What it was asked counts as lost, or is asked again.
    fn fail(&mut self, place: usize, error: &io::Error, run: &mut Run) {
        let connection = &mut self.connections[place];
        connection.close();
        let Some(Pending { ask, tries, .. }) = connection.pending.take() else { return };
        if connection.may_be_stale() {
            run.tally.requests -= 1;
            run.tally.request_bytes -= connection.request_bytes();
            run.again.push((connection.class, ask, tries));
            self.idle.push(place);
            return;
        }
        run.tally.failed(&error.to_string());
        self.give_back(place, ask, tries, run);
    }

    fn give_back(&mut self, place: usize, ask: Ask, tries: u8, run: &mut Run) {
        if run.stage == Stage::Fill && tries + 1 < TRIES_MAX {
            run.again.push((self.connections[place].class, ask, tries + 1));
        }
        self.idle.push(place);
    }

    /// Looks after time-outs, silence and progress.
    fn sweep(&mut self, run: &mut Run, now: u64) -> Result<(), LoadError> {
        let timeout = nanos(self.options.timeout);
        for place in 0..self.connections.len() {
            let connection = &mut self.connections[place];
            if let Some(Pending { ask, tries, sent, .. }) = connection.pending
                && now.saturating_sub(sent) > timeout
            {
                connection.pending = None;
                connection.close();
                run.tally.lost += 1;
                self.give_back(place, ask, tries, run);
            }
        }
        let total = if run.stage == Stage::Fill { Some(self.population.size()) } else { self.options.count };
        let elapsed = Duration::from_nanos(now - run.start);
        (self.progress)(Progress { stage: run.stage, done: run.tally.answered(), total, elapsed });
        if self.idle.len() == self.connections.len() && run.again.is_empty() {
            run.active_at = now;
        }
        let silence = timeout.saturating_mul(SILENCE_TIMEOUTS.into());
        if now.saturating_sub(run.active_at) > silence { Err(self.silent(&run.tally)) } else { Ok(()) }
    }

    fn silent(&self, tally: &Tally) -> LoadError {
        LoadError::silent(&self.options.target, tally)
    }

    fn now(&self) -> u64 {
        nanos(self.began.elapsed())
    }
}

/// The addresses by which the tracker sees the classes.
fn addresses(sources: &[IpAddr], classes: u32, target: &Target) -> io::Result<Vec<IpAddr>> {
    let seen = |source: &IpAddr| {
        if !source.is_unspecified() {
            return Ok(source.to_canonical());
        }
        // Nothing is sent: a UDP socket only learns its own address by this.
        let socket = std::net::UdpSocket::bind((*source, 0))?;
        socket.connect(target.address)?;
        Ok(socket.local_addr()?.ip().to_canonical())
    };
    sources.iter().take(classes as usize).map(seen).collect()
}

fn encode(ask: Ask, target: &Target, options: &Options, population: &Population, out: &mut Vec<u8>) {
    let mut query = String::with_capacity(QUERY_BYTES);
    let path = match ask {
        Ask::Announce(peer, event) => {
            let announce = announce(peer, event, options.want, population);
            wire::http::encode_announce_query(&announce, &mut query);
            target.path.clone()
        }
        Ask::Scrape(first) => {
            let hashes = scraped(first, population).map(|torrent| -> InfoHash { population.hash(torrent) });
            wire::http::encode_scrape_query(hashes, &mut query);
            // BEP 48: a scrape goes where an announce goes, but for the last word.
            target.path.replace("announce", "scrape")
        }
        Ask::Connect => target.path.clone(),
    };
    let connection = if options.close { "Connection: close\r\n" } else { "" };
    let host = &target.authority;
    out.extend_from_slice(
        format!("GET {path}?{query} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: skep\r\n{connection}\r\n")
            .as_bytes(),
    );
}

/// Room for most queries.
const QUERY_BYTES: usize = 512;
