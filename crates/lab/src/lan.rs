//! Hosts of their own on one machine: network namespaces around a bridge.
//!
//! The bridge has a namespace too, so that nothing of a [`Lan`] is in the machine's own network but its names under
//! `/run/netns`. They carry the process's id; those of processes that died without cleaning up are swept.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{find, run, skip};

/// What all our namespaces' names start with.
const PREFIX: &str = "skep";

/// Bytes that a shaped link may send in one go.
const BURST_BYTES: u32 = 64 * 1024;

/// How long a connection attempt, a read or a write of a test's own socket may take.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(10);

/// A network of hosts that can reach each other and nothing else.
#[derive(Debug)]
pub struct Lan {
    bridge: Namespace,
    /// How many hosts there are; their addresses are numbered.
    hosts: u8,
}

/// A host: one of a [`Lan`], or this machine over loopback.
#[derive(Debug, Clone)]
pub struct Host {
    namespace: Option<Arc<Namespace>>,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
    /// The file of the authority that its programs trust.
    authority: Option<PathBuf>,
}

/// A named network namespace, deleted when dropped.
#[derive(Debug)]
struct Namespace(String);

impl Lan {
    /// An empty network, or `None`, after saying why ([`skip`]), where this process may not make one.
    ///
    /// # Panics
    /// If making one fails although it is allowed.
    #[must_use]
    pub fn new() -> Option<Self> {
        if !geteuid().is_root() {
            skip("only root may make network namespaces");
            return None;
        }
        if find("ip").is_none() {
            skip("`ip` is not installed; `cargo xtask setup` may install it");
            return None;
        }
        sweep(PREFIX);
        let bridge = match Namespace::new("bridge") {
            Ok(bridge) => bridge,
            Err(reason) => {
                skip(reason);
                return None;
            }
        };
        // Without multicast snooping, neighbor discovery works from the first packet.
        bridge.ip(&["link", "add", "bridge", "type", "bridge", "stp_state", "0", "mcast_snooping", "0"]);
        bridge.ip(&["link", "set", "bridge", "up"]);
        Some(Self { bridge, hosts: 0 })
    }

    /// Adds a host, with an IPv4 and an IPv6 address of its own.
    ///
    /// # Panics
    /// If the operating system refuses, or at the 254th host.
    #[must_use]
    pub fn host(&mut self, name: &str) -> Host {
        self.hosts += 1;
        let number = self.hosts;
        let v4 = Ipv4Addr::new(10, 73, 0, number);
        let v6 = Ipv6Addr::new(0xfd73, 0x6b65, 0x7000, 0, 0, 0, 0, number.into());
        let namespace = Namespace::new(name).unwrap_or_else(|reason| panic!("{reason}"));
        let port = format!("port{number}");
        self.bridge.ip(&[
            "link",
            "add",
            &port,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            &namespace.0,
        ]);
        self.bridge.ip(&["link", "set", &port, "master", "bridge", "up"]);
        namespace.ip(&["address", "add", &format!("{v4}/24"), "dev", "eth0"]);
        namespace.ip(&["address", "add", &format!("{v6}/64"), "dev", "eth0", "nodad"]);
        namespace.ip(&["link", "set", "lo", "up"]);
        namespace.ip(&["link", "set", "eth0", "up"]);
        Host { namespace: Some(Arc::new(namespace)), v4, v6, authority: None }
    }
}

impl Host {
    /// This machine, over loopback.
    #[must_use]
    pub fn loopback() -> Self {
        Self { namespace: None, v4: Ipv4Addr::LOCALHOST, v6: Ipv6Addr::LOCALHOST, authority: None }
    }

    /// The same host, where the clients that are not ours trust who is certified by the authority in a PEM file.
    #[must_use]
    pub fn trusting(mut self, authority: &Path) -> Self {
        self.authority = Some(authority.to_owned());
        self
    }

    /// The file of the authority that is trusted here.
    #[must_use]
    pub(crate) fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// Its IPv4 address.
    #[must_use]
    pub fn v4(&self) -> IpAddr {
        self.v4.into()
    }

    /// Its IPv6 address.
    #[must_use]
    pub fn v6(&self) -> IpAddr {
        self.v6.into()
    }

    /// A command that will run on this host.
    #[must_use]
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        let Some(namespace) = &self.namespace else { return Command::new(program) };
        // `ip` becomes the program, so that the process's id is the program's.
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &namespace.0]).arg(program);
        command
    }

    /// Limits what this host sends to `bits_per_second`.
    ///
    /// # Panics
    /// On loopback, or if the operating system refuses.
    pub fn limit_uplink(&self, bits_per_second: u64) {
        let namespace = self.namespace.as_ref().expect("a host of a Lan; loopback has no uplink");
        let (rate, burst) = (format!("{bits_per_second}bit"), BURST_BYTES.to_string());
        let shape =
            ["qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", &rate, "burst", &burst, "latency"];
        run(Command::new("tc").args(["-n", &namespace.0]).args(shape).arg("100ms"))
            .unwrap_or_else(|reason| panic!("{reason}"));
    }

    /// Bytes that this host has sent so far, headers included.
    ///
    /// # Panics
    /// On loopback, which sends nothing to others.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        assert!(self.namespace.is_some(), "a host of a Lan; loopback has no uplink");
        let table = self.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev"));
        let table = table.expect("a table of network devices");
        let line = table.lines().find_map(|line| line.trim_start().strip_prefix("eth0:"));
        // Eight columns of what it received come first.
        let sent = line.and_then(|line| line.split_ascii_whitespace().nth(8)?.parse().ok());
        sent.unwrap_or_else(|| panic!("no eth0 in {table}"))
    }

    /// Runs `work` in a thread on this host: sockets that it opens are this host's, and stay so.
    ///
    /// # Panics
    /// If `work` does, or if the thread may not enter.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let Some(namespace) = &self.namespace else { return work() };
        let path = Path::new("/run/netns").join(&namespace.0);
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let namespace = File::open(&path).expect("a namespace to open");
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("a namespace to enter");
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A TCP connection from this host.
    ///
    /// # Errors
    /// As `connect` gives them.
    pub fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = self.enter(|| TcpStream::connect_timeout(&to, SOCKET_TIMEOUT))?;
        stream.set_read_timeout(Some(SOCKET_TIMEOUT))?;
        stream.set_write_timeout(Some(SOCKET_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A UDP socket of this host, connected.
    ///
    /// # Errors
    /// As `bind` and `connect` give them.
    pub fn udp(&self, to: SocketAddr) -> io::Result<UdpSocket> {
        let from = if to.is_ipv4() { self.v4() } else { self.v6() };
        let socket = self.enter(|| UdpSocket::bind((from, 0)))?;
        socket.set_read_timeout(Some(SOCKET_TIMEOUT))?;
        socket.connect(to)?;
        Ok(socket)
    }
}

impl Namespace {
    fn new(name: &str) -> Result<Self, String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}-{}-{number}-{name}", process::id());
        run(Command::new("ip").args(["netns", "add", &name]))?;
        Ok(Self(name))
    }

    /// Runs `ip` inside.
    fn ip(&self, arguments: &[&str]) {
        run(Command::new("ip").args(["-n", &self.0]).args(arguments))
            .unwrap_or_else(|reason| panic!("{reason}"));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What cannot be deleted now is swept by a later run.
        let _ = run(Command::new("ip").args(["netns", "delete", &self.0]));
    }
}

/// Deletes the namespaces, named with `prefix`, of processes that are gone, and kills what still runs in them.
fn sweep(prefix: &str) {
    let Ok(list) = run(Command::new("ip").args(["netns", "list"])) else { return };
    for name in list.lines().filter_map(|line| line.split_whitespace().next()) {
        let mut parts = name.split('-');
        let ours = parts.next() == Some(prefix);
        let owner = parts.next().and_then(|id| id.parse::<u32>().ok());
        if !ours || owner.is_none_or(|id| Path::new("/proc").join(id.to_string()).exists()) {
            continue;
        }
        let inside = run(Command::new("ip").args(["netns", "pids", name])).unwrap_or_default();
        for id in inside.lines().filter_map(|line| line.trim().parse().ok()).filter_map(Pid::from_raw) {
            let _ = kill_process(id, Signal::KILL);
        }
        let _ = run(Command::new("ip").args(["netns", "delete", name]));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    fn names() -> String {
        run(Command::new("ip").args(["netns", "list"])).unwrap()
    }

    #[test]
    fn hosts_reach_each_other_over_both_families() {
        let Some(mut lan) = Lan::new() else { return };
        let (a, b) = (lan.host("a"), lan.host("b"));
        for (from, to) in [(a.v4(), b.v4()), (a.v6(), b.v6())] {
            let listener = b.enter(|| TcpListener::bind((to, 0))).unwrap();
            let stream = a.connect(listener.local_addr().unwrap()).unwrap();
            assert_eq!(listener.accept().unwrap().1, stream.local_addr().unwrap());
            assert_eq!(stream.local_addr().unwrap().ip(), from);
            let receiver = b.enter(|| UdpSocket::bind((to, 0))).unwrap();
            let sender = a.udp(receiver.local_addr().unwrap()).unwrap();
            sender.send(b"hello").unwrap();
            let mut buffer = [0; 16];
            assert_eq!(receiver.recv_from(&mut buffer).unwrap(), (5, sender.local_addr().unwrap()));
        }
    }

    #[test]
    fn a_program_runs_on_its_host_and_its_uplink_can_be_limited() {
        let Some(mut lan) = Lan::new() else { return };
        let host = lan.host("limited");
        host.limit_uplink(8_000_000);
        let addresses = run(host.command("ip").args(["-brief", "address"])).unwrap();
        assert!(addresses.contains(&format!("{}/24", host.v4())), "{addresses}");
        let shape = run(host.command("tc").args(["qdisc", "show", "dev", "eth0"])).unwrap();
        assert!(shape.contains("tbf") && shape.contains("rate 8Mbit"), "{shape}");
    }

    #[test]
    fn what_a_host_sends_is_counted() {
        let Some(mut lan) = Lan::new() else { return };
        let (a, b) = (lan.host("a"), lan.host("b"));
        let receiver = b.enter(|| UdpSocket::bind((b.v4(), 0))).unwrap();
        let sender = a.udp(receiver.local_addr().unwrap()).unwrap();
        let before = a.sent_bytes();
        for _ in 0..20 {
            sender.send(&[0; 1000]).unwrap();
        }
        // Ethernet, IPv4 and UDP take 42 bytes of a datagram; neighbor discovery and the like come on top.
        let sent = a.sent_bytes() - before;
        assert!((20_840..26_000).contains(&sent), "{sent}");
    }

    #[test]
    fn nothing_is_left_behind() {
        let Some(mut lan) = Lan::new() else { return };
        let host = lan.host("left");
        let name = host.namespace.as_ref().unwrap().0.clone();
        assert!(names().contains(&name));
        drop((host, lan));
        assert!(!names().contains(&name));
    }

    #[test]
    fn what_a_dead_process_left_is_swept() {
        // A prefix of its own, lest the sweeps of tests that run beside this one come first.
        const PREFIX: &str = "swept";
        let Some(_lan) = Lan::new() else { return };
        let mut dead = Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        let name = format!("{PREFIX}-{}-0-stale", dead.id());
        run(Command::new("ip").args(["netns", "add", &name])).unwrap();
        let mut inside = Command::new("ip").args(["netns", "exec", &name, "sleep", "600"]).spawn().unwrap();
        crate::wait::until("a program inside", crate::wait::SOON, || {
            run(Command::new("ip").args(["netns", "pids", &name]))
                .unwrap()
                .contains(&inside.id().to_string())
                .then_some(())
        });
        sweep(PREFIX);
        assert!(!names().contains(&name));
        assert!(!inside.wait().unwrap().success());
    }
}
