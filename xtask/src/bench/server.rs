use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The core that servers run on, and the one that the generator runs on.
pub(super) const SERVER_CPU: usize = 0;
pub(super) const LOAD_CPU: usize = 1;

/// How long a server may take until it answers: one reads a list of a million hashes first.
const START_MAX: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How long a server may take to end itself before it is ended.
const STOP_MAX: Duration = Duration::from_secs(5);

/// A server under measurement; ended, by its own process id, when dropped.
pub(super) struct Server {
    child: Child,
    /// Kept as long as the server runs.
    _files: tempfile::TempDir,
}

/// By what a server is seen to be ready.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sign {
    /// It answers.
    Answer(SocketAddr, Transport),
    /// It writes that it is `ready`.
    Word,
}

/// How a server can be seen to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Http,
}

impl Server {
    /// Starts `command` on the servers' core, and waits for the sign that it is ready.
    pub(super) fn start(mut command: Command, files: tempfile::TempDir, sign: Sign) -> Result<Self, String> {
        let log = files.path().join("log");
        let out =
            fs::File::create(&log).map_err(|error| format!("cannot make {}: {error}", log.display()))?;
        let err = out.try_clone().map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(out).stderr(err).current_dir(files.path());
        let child = spawn_on(SERVER_CPU, &mut command)?;
        let mut server = Self { child, _files: files };
        let until = Instant::now() + START_MAX;
        while !is_ready(sign, &log) {
            let ended = server.child.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || Instant::now() > until {
                let said = fs::read_to_string(&log).unwrap_or_default();
                let last = said.lines().rev().take(3).collect::<Vec<_>>().join(" | ");
                return Err(format!("{:?} does not answer; it said: {last}", command.get_program()));
            }
        }
        Ok(server)
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already cannot be ended; nothing is to be done about either.
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let until = Instant::now() + STOP_MAX;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(ASK_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has the calling thread run on one core only.
pub(super) fn run_on(cpu: usize) -> Result<(), String> {
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only)
        .map_err(|error| format!("cannot run on core {cpu}: {error}; two cores are needed"))
}

/// Starts a program that runs on one core only, with all its threads.
pub(super) fn spawn_on(cpu: usize, command: &mut Command) -> Result<Child, String> {
    // A child inherits what its parent's thread may run on.
    let before =
        sched_getaffinity(None).map_err(|error| format!("cannot read the allowed cores: {error}"))?;
    run_on(cpu)?;
    let child = command.spawn().map_err(|error| format!("cannot start {:?}: {error}", command.get_program()));
    sched_setaffinity(None, &before).map_err(|error| format!("cannot restore the allowed cores: {error}"))?;
    child
}

/// A port of this address that is free for UDP and TCP.
pub(super) fn free_port(ip: IpAddr) -> Result<SocketAddr, String> {
    let found = || -> io::Result<SocketAddr> {
        let address = TcpListener::bind((ip, 0))?.local_addr()?;
        UdpSocket::bind(address)?;
        Ok(address)
    };
    found().map_err(|error| format!("no free port at {ip}: {error}"))
}

/// Looks for the sign, for a moment.
fn is_ready(sign: Sign, log: &Path) -> bool {
    let is_ready = match sign {
        // It waits for its answer.
        Sign::Answer(address, Transport::Udp) => return answers_udp(address).unwrap_or(false),
        Sign::Answer(address, Transport::Http) => TcpStream::connect_timeout(&address, ASK_EVERY).is_ok(),
        Sign::Word => fs::read_to_string(log).is_ok_and(|said| said.contains("ready")),
    };
    if !is_ready {
        std::thread::sleep(ASK_EVERY);
    }
    is_ready
}

fn answers_udp(address: SocketAddr) -> io::Result<bool> {
    // A connect request (BEP 15).
    const REQUEST: [u8; 16] = [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, b's', b'k', b'e', b'p'];
    let any: IpAddr = if address.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(ASK_EVERY))?;
    socket.send(&REQUEST)?;
    let mut reply = [0; 16];
    match socket.recv(&mut reply) {
        Ok(length) => Ok(length == reply.len() && reply[4..8] == REQUEST[12..]),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::thread::sleep(ASK_EVERY);
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
