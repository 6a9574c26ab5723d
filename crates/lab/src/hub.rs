//! `skep serve`, as its users run it.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Request, Response};
use crate::lan::Host;
use crate::machine;
use crate::program::{Program, Signal};
use crate::wait::{self, SOON};

/// The admin token of every hub here.
pub const ADMIN_TOKEN: &str = "lab-admin-token";

/// How long a hub may take to stop once told to.
pub const STOP_MAX: Duration = Duration::from_secs(5);

/// How a hub is to be started.
#[derive(Debug, Clone)]
pub struct Setup {
    skep: PathBuf,
    host: Host,
    listen: Vec<String>,
    config: String,
}

/// A running hub, all of whose sockets are bound.
#[derive(Debug)]
pub struct Hub {
    program: Program,
    host: Host,
    ready: Value,
    /// Holds the ready file and the configuration.
    _folder: TempDir,
}

/// How many peers of a swarm a hub knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swarm {
    /// Peers that have everything.
    pub complete: u64,
    /// Peers that do not.
    pub incomplete: u64,
    /// Downloads ever completed.
    pub downloaded: u64,
}

impl Setup {
    /// A hub run by the program `skep` on free ports of loopback, IPv4 and IPv6.
    #[must_use]
    pub fn new(skep: impl AsRef<Path>) -> Self {
        Self {
            skep: skep.as_ref().to_path_buf(),
            host: Host::loopback(),
            listen: vec!["127.0.0.1:0".to_owned(), "[::1]:0".to_owned()],
            config: String::new(),
        }
    }

    /// On `host`, where it listens as it does when not told: on its own port of all addresses.
    #[must_use]
    pub fn on(mut self, host: &Host) -> Self {
        self.host = host.clone();
        self.listen.clear();
        self
    }

    /// Listening there and nowhere else.
    #[must_use]
    pub fn listen(mut self, address: impl ToString) -> Self {
        self.listen = vec![address.to_string()];
        self
    }

    /// With this `skep.toml`.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.config);
        self
    }

    /// Starts it over the state in `state` and waits until it is ready.
    ///
    /// # Panics
    /// If it ends, or does not get ready.
    #[must_use]
    pub fn start(&self, state: &Path) -> Hub {
        let folder = tempfile::tempdir().expect("a folder for the ready file");
        let ready_file = folder.path().join("ready.json");
        let mut command = self.command(state, folder.path());
        command.arg("--ready-file").arg(&ready_file);
        let mut program = Program::start("skep serve", command);
        let ready = wait::until("the hub's ready file", SOON, || {
            if let Some(status) = program.ended() {
                panic!("the hub ended ({status}) before it was ready");
            }
            // It appears atomically, so what can be read is whole.
            fs::read(&ready_file).ok()
        });
        let ready: Value = serde_json::from_slice(&ready).expect("JSON in the ready file");
        assert_eq!(ready["pid"], program.id(), "the ready file names the process");
        Hub { program, host: self.host.clone(), ready, _folder: folder }
    }

    /// Starts a hub that is to refuse: its exit code and what it wrote.
    ///
    /// # Panics
    /// If it does not end.
    #[must_use]
    pub fn refused(&self, state: &Path) -> (Option<i32>, String) {
        let folder = tempfile::tempdir().expect("a folder for the configuration");
        let mut program = Program::start("skep serve", self.command(state, folder.path()));
        let status = program.wait(SOON);
        (status.code(), program.output())
    }

    fn command(&self, state: &Path, folder: &Path) -> Command {
        let mut command = machine::command(&self.host, &self.skep);
        let config = folder.join("skep.toml");
        fs::write(&config, &self.config).expect("a configuration file");
        command.arg("serve").arg("--config").arg(config).arg("--state-dir").arg(state);
        command.args(["--admin-token", ADMIN_TOKEN]);
        for address in &self.listen {
            command.args(["--listen", address]);
        }
        command
    }
}

impl Hub {
    /// Where it answers HTTP over IPv4.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.address("http", SocketAddr::is_ipv4)
    }

    /// Where it answers HTTPS over IPv4.
    #[must_use]
    pub fn https(&self) -> SocketAddr {
        self.address("https", SocketAddr::is_ipv4)
    }

    /// Where it answers HTTP over IPv6.
    #[must_use]
    pub fn http6(&self) -> SocketAddr {
        self.address("http", SocketAddr::is_ipv6)
    }

    /// Where it answers UDP over IPv4.
    #[must_use]
    pub fn udp(&self) -> SocketAddr {
        self.address("udp", SocketAddr::is_ipv4)
    }

    /// Where it answers UDP over IPv6.
    #[must_use]
    pub fn udp6(&self) -> SocketAddr {
        self.address("udp", SocketAddr::is_ipv6)
    }

    /// Where it serves a classic dialect.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn classic(&self, dialect: &str) -> SocketAddr {
        let address = self.ready["classic"][dialect][0].as_str();
        let address = address.unwrap_or_else(|| panic!("`{dialect}` is not served: {}", self.ready));
        address.parse().expect("an address in the ready file")
    }

    /// The host it runs on.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Sends a request from the hub's own host.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn send(&self, request: &Request) -> Response {
        request.send(&self.host, self.http()).unwrap_or_else(|error| panic!("{request:?}: {error}"))
    }

    /// Asks for `target`, as anyone.
    #[must_use]
    pub fn get(&self, target: &str) -> Response {
        self.send(&Request::new("GET", target))
    }

    /// Adds a .torrent file to the catalogue, as its keeper.
    #[must_use]
    pub fn add(&self, torrent: &[u8]) -> Response {
        let request = Request::new("POST", "/api/v1/torrents").bearer(ADMIN_TOKEN);
        self.send(&request.body("application/x-bittorrent", torrent))
    }

    /// What a scrape says of a swarm; `None` if it is unknown.
    #[must_use]
    pub fn swarm(&self, info_hash: &str) -> Option<Swarm> {
        let answer = self.get(&format!("/scrape?info_hash={info_hash}&format=json")).json();
        let swarm = answer["files"].get(info_hash)?;
        let number = |name: &str| swarm[name].as_u64().unwrap_or_else(|| panic!("no {name} in {answer}"));
        Some(Swarm {
            complete: number("complete"),
            incomplete: number("incomplete"),
            downloaded: number("downloaded"),
        })
    }

    /// What a swarm's peers last said of themselves, in the API's words; none if it is not in the catalogue.
    #[must_use]
    pub fn peers(&self, info_hash: &str) -> Vec<Value> {
        let target = format!("/api/v1/torrents/{info_hash}");
        let mut answer = self.send(&Request::new("GET", &target).bearer(ADMIN_TOKEN)).json();
        answer["peers"].as_array_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Waits until a swarm is as `wanted`.
    ///
    /// # Panics
    /// If it does not become so within `patience`.
    pub fn await_swarm(&self, info_hash: &str, patience: Duration, wanted: impl Fn(Swarm) -> bool) -> Swarm {
        let mut last = None;
        let reached = wait::within(patience, || {
            last = self.swarm(info_hash);
            last.filter(|swarm| wanted(*swarm))
        });
        reached.unwrap_or_else(|| panic!("after {patience:?} the swarm is {last:?}"))
    }

    /// The process.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Tells it to stop and sees that it does, in time and without an error.
    ///
    /// # Panics
    /// If it does not.
    pub fn stop(mut self) {
        self.program.signal(Signal::TERM);
        let status = self.program.wait(STOP_MAX);
        assert_eq!(status.code(), Some(0), "a hub that is told to stop exits with 0");
    }

    /// Waits for its end after a test's own doing: the exit code, `None` after a signal.
    ///
    /// # Panics
    /// If it does not end.
    #[must_use]
    pub fn ended(mut self) -> Option<i32> {
        self.program.wait(STOP_MAX).code()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(self) {
        self.program.kill();
    }

    fn address(&self, protocol: &str, family: fn(&SocketAddr) -> bool) -> SocketAddr {
        let addresses = self.ready[protocol].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut addresses =
            addresses.map(|text| text.parse::<SocketAddr>().expect("an address in the ready file"));
        let address =
            addresses.find(family).unwrap_or_else(|| panic!("no such {protocol} in {}", self.ready));
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => self.host.v4(),
            IpAddr::V6(ip) if ip.is_unspecified() => self.host.v6(),
            ip => ip,
        };
        SocketAddr::new(ip, address.port())
    }
}
