//! The load on an HTTP tracker: one thread, many connections, each with one request under way.

mod connection;
mod reply;

use std::io;
use std::net::IpAddr;

use mio::{Events, Poll, Token};
use swarm::InfoHash;

use super::announce::announce;
use super::ask::{Ask, scraped};
use super::drive::{Load, Run, Transport};
use super::population::Population;
use super::source::sources;
use super::tally::Summary;
use super::target::Target;
use super::{LoadError, Options, Progress, Stage};
use connection::{Connection, Heard, Pending};
use reply::{Verdict, judge};

/// Loopback addresses that connections are spread over: each has as many ports as a tracker could close in a minute.
const ADDRESSES: u16 = 16;
const EVENTS: usize = 1024;
/// How often a request of a fill is sent before it counts as lost for good.
const TRIES_MAX: u8 = 5;

/// Runs the whole load: fills, measures.
pub(super) fn run(
    options: &Options,
    target: &Target,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, LoadError> {
    if options.mix.connect > 0.0 {
        return Err(LoadError::Options("a share of connects makes sense over UDP only".into()));
    }
    let sources = sources(options, target.address.ip(), options.connections.min(ADDRESSES));
    let distinct = u32::try_from(sources.len()).unwrap_or(u32::MAX);
    let population = Population::new(options, distinct)?;
    let addresses = addresses(&sources, population.classes(), target).map_err(|error| {
        LoadError::Socket(format!("cannot tell the address that {} sees: {error}", target.authority))
    })?;
    let mut clients = Clients::new(options, target, &sources, &population)?;
    Load::new(options, population, addresses).run(&mut clients, progress)
}

/// All connections to the tracker.
struct Clients<'a> {
    target: &'a Target,
    connections: Vec<Connection>,
    /// Places of connections without a request.
    idle: Vec<usize>,
    /// Lost requests that must be asked again, with the class that asks them.
    again: Vec<(u32, Ask, u8)>,
    poll: Poll,
    events: Events,
}

impl Transport for Clients<'_> {
    fn turn(&mut self, run: &mut Run<'_>) -> Result<(), LoadError> {
        let now = run.now();
        self.ask(run, now);
        match self.poll.poll(&mut self.events, Some(run.wait(now))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(LoadError::Socket(format!("cannot wait for replies: {error}")));
            }
            _ => (),
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.hear(event.token().0, event.is_writable(), run);
        }
        self.events = events;
        Ok(())
    }

    fn give_up(&mut self, deadline: u64, run: &mut Run<'_>) {
        for place in 0..self.connections.len() {
            let connection = &mut self.connections[place];
            if let Some(Pending { ask, tries, sent, .. }) = connection.pending
                && sent < deadline
            {
                connection.pending = None;
                connection.close();
                run.tally.lost += 1;
                self.give_back(place, ask, tries, run);
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.again.is_empty() && self.idle.len() == self.connections.len()
    }
}

impl<'a> Clients<'a> {
    fn new(
        options: &Options,
        target: &'a Target,
        sources: &[IpAddr],
        population: &Population,
    ) -> Result<Self, LoadError> {
        let count = sources.len().max(options.connections.into());
        let connections: Vec<_> = (0..population.classes())
            .cycle()
            .take(count)
            .map(|class| Connection::new(sources[class as usize], class))
            .collect();
        let poll =
            Poll::new().map_err(|error| LoadError::Socket(format!("cannot wait for replies: {error}")))?;
        let idle = (0..connections.len()).collect();
        let events = Events::with_capacity(EVENTS);
        Ok(Self { target, connections, idle, again: Vec::new(), poll, events })
    }

    /// Gives idle connections something to ask, as far as there is something and it is due.
    fn ask(&mut self, run: &mut Run<'_>, now: u64) {
        for turn in (0..self.idle.len()).rev() {
            let due = run.pace.due().unwrap_or(now);
            if due > now {
                return;
            }
            let place = self.idle[turn];
            let class = self.connections[place].class;
            let lost =
                self.again.iter().position(|(of, ..)| *of == class).map(|at| self.again.swap_remove(at));
            let (ask, tries) = match lost {
                Some((_, ask, tries)) => (ask, tries),
                None => match run.feed.next(run.population, class) {
                    Some(ask) => (ask, 0),
                    None => continue,
                },
            };
            self.idle.swap_remove(turn);
            run.pace.step();
            self.begin(place, Pending { ask, tries, due, sent: now }, run);
        }
    }

    fn begin(&mut self, place: usize, pending: Pending, run: &mut Run<'_>) {
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
            encode(pending.ask, self.target, run.options, run.population, out);
        };
        let asked = connection.ask(pending, write);
        run.tally.request_bytes += connection.request_bytes();
        if let Err(error) = asked {
            self.fail(place, &error, run);
        }
    }

    fn hear(&mut self, place: usize, writable: bool, run: &mut Run<'_>) {
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
                let now = run.now();
                if let Some(pending) = connection.pending.take() {
                    let body = connection.body(&frame, bytes);
                    match judge(pending.ask, frame.status, body, run.population, run.checker.as_deref_mut()) {
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
                if !frame.keep || run.options.close {
                    connection.close();
                }
                run.heard(now);
            }
        }
    }

    /// Closes a connection that did not work out. What it was asked counts as lost, or is asked again.
    fn fail(&mut self, place: usize, error: &io::Error, run: &mut Run<'_>) {
        let connection = &mut self.connections[place];
        connection.close();
        let Some(Pending { ask, tries, .. }) = connection.pending.take() else { return };
        if connection.may_be_stale() {
            run.tally.requests -= 1;
            run.tally.request_bytes -= connection.request_bytes();
            self.again.push((connection.class, ask, tries));
            self.idle.push(place);
            return;
        }
        run.tally.failed(&error.to_string());
        self.give_back(place, ask, tries, run);
    }

    fn give_back(&mut self, place: usize, ask: Ask, tries: u8, run: &mut Run<'_>) {
        if run.stage == Stage::Fill && tries + 1 < TRIES_MAX {
            self.again.push((self.connections[place].class, ask, tries + 1));
        }
        self.idle.push(place);
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
