//! The load on a UDP tracker (BEP 15): one thread, several sockets, each with a window of requests in flight.

mod batch;
mod lane;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ask::Feed;
use super::drive::{Load, Run, SWEEP, Transport};
use super::pace::{Pace, nanos};
use super::population::Population;
use super::source::sources;
use super::tally::{Summary, Tally};
use super::target::Target;
use super::{LoadError, Options, Progress, Stage};
use batch::Inbox;
use lane::{Lane, Shared};

/// Requests in flight on one socket when they are sent at a given rate, answered or not.
const RATE_WINDOW: u16 = 16_384;
/// Room asked of the kernel for replies that wait to be read; it may grant less.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// Runs the whole load: connects, fills, measures.
pub(super) fn run(
    options: &Options,
    target: &Target,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, LoadError> {
    let sources = sources(options, target.address.ip(), options.sockets);
    let distinct = u32::try_from(sources.len()).unwrap_or(u32::MAX);
    let population = Population::new(options, distinct)?;
    let (mut sockets, addresses) = Sockets::open(options, target, &sources, &population)?;
    let load = Load::new(options, population, addresses);
    sockets.connect(&load)?;
    load.run(&mut sockets, progress)
}

/// All sockets, and what is in flight on them.
struct Sockets {
    /// What goes with each announce as its URL data.
    path: String,
    lanes: Vec<Lane>,
    inbox: Inbox,
}

impl Transport for Sockets {
    fn turn(&mut self, run: &mut Run<'_>) -> Result<(), LoadError> {
        let mut moved = self.hear(run);
        let now = run.now();
        match run.pace {
            Pace::Window => self.ask_by_window(run, now),
            Pace::Rate { .. } => self.ask_by_rate(run, now),
        }
        for lane in &mut self.lanes {
            // An ICMP error of an earlier datagram; what it means shows in the replies that are missing.
            moved |= lane.send().unwrap_or(false);
        }
        if !moved && !run.options.busy {
            self.wait(run.wait(now))?;
        }
        Ok(())
    }

    fn give_up(&mut self, deadline: u64, run: &mut Run<'_>) {
        for lane in &mut self.lanes {
            lane.give_up(deadline, run.stage == Stage::Fill, &mut run.tally);
        }
    }

    fn is_idle(&self) -> bool {
        self.lanes.iter().all(Lane::is_idle)
    }
}

impl Sockets {
    /// Opens them, and tells at which address the tracker sees each class.
    fn open(
        options: &Options,
        target: &Target,
        sources: &[IpAddr],
        population: &Population,
    ) -> Result<(Self, Vec<IpAddr>), LoadError> {
        let count = sources.len().max(options.sockets.into());
        let (mut addresses, mut lanes) = (Vec::new(), Vec::new());
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
        Ok((Self { path: target.path.clone(), lanes, inbox: Inbox::new() }, addresses))
    }

    /// Gets every lane its connection id.
    fn connect(&mut self, load: &Load<'_>) -> Result<(), LoadError> {
        let mut tally = Tally::new();
        let deadline = load.now() + load.silence();
        while !self.lanes.iter().all(Lane::is_connected) {
            let now = load.now();
            if now > deadline {
                return Err(load.silent(&tally));
            }
            let mut moved = false;
            let mut shared = Shared {
                population: &load.population,
                checker: None,
                tally: &mut tally,
                want: load.options.want,
                path: self.path.as_bytes(),
            };
            for lane in &mut self.lanes {
                lane.connect(now, &mut shared);
                // A port that is closed now may be open at the next try.
                moved |= lane.send().unwrap_or(false);
                moved |= lane.hear(&mut self.inbox, || now, &mut shared).unwrap_or(false);
                lane.give_up(now.saturating_sub(nanos(load.options.timeout)), false, shared.tally);
            }
            if !moved {
                self.wait(SWEEP)?;
            }
        }
        Ok(())
    }

    /// Reads all replies that are there. Returns whether there were any.
    fn hear(&mut self, run: &mut Run<'_>) -> bool {
        let clock = run.clock();
        let mut heard = false;
        let (mut shared, ..) = share(&self.path, run);
        for lane in &mut self.lanes {
            heard |= lane.hear(&mut self.inbox, &clock, &mut shared).unwrap_or(false);
        }
        if heard {
            run.heard(clock());
        }
        heard
    }

    fn ask_by_window(&mut self, run: &mut Run<'_>, now: u64) {
        let (mut shared, feed, _) = share(&self.path, run);
        for lane in &mut self.lanes {
            lane.ask_all(feed, now, &mut shared);
        }
    }

    /// Asks everything that is due. What finds no room stays due, and its latency counts from then.
    fn ask_by_rate(&mut self, run: &mut Run<'_>, now: u64) {
        let (mut shared, feed, pace) = share(&self.path, run);
        let lanes = self.lanes.len();
        while let Some(due) = pace.due().filter(|due| *due <= now && !feed.is_done()) {
            let first = usize::try_from(pace.issued()).unwrap_or(0);
            let mut ask_at =
                |step: usize| self.lanes[(first + step) % lanes].ask_one(feed, due, now, &mut shared);
            if !(0..lanes).any(&mut ask_at) {
                return;
            }
            pace.step();
        }
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

/// What lanes need of a phase, and beside it what they ask and when.
fn share<'a>(path: &'a str, run: &'a mut Run<'_>) -> (Shared<'a>, &'a mut Feed, &'a mut Pace) {
    let shared = Shared {
        population: run.population,
        checker: run.checker.as_deref_mut(),
        tally: &mut run.tally,
        want: run.options.want,
        path: path.as_bytes(),
    };
    (shared, &mut run.feed, &mut run.pace)
}

fn open_socket(source: IpAddr, target: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(source, 0))?;
    socket.connect(target)?;
    socket.set_nonblocking(true)?;
    // As much as the system grants: a small buffer shows as lost replies, not as an error.
    let _granted = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    Ok(socket)
}
