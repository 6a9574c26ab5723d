use std::net::SocketAddr;

use peer::classic::{Error, beacon, chunklist, index, token};
use serde::Serialize;
use swarm::Port;

use super::no_words;
use crate::cli::{ClassicTracker, DialectArg};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::plain;

/// Stated where a port must be, and it does not matter which.
const SOME_PORT: Port = Port::new(1).expect("not 0");

/// A client of a tracker, whatever its dialect.
pub(super) enum Client {
    Token(token::Client),
    Index(index::Client),
    Chunklist {
        client: chunklist::Client,
        /// What the person calls the seeder, if anything.
        name: Option<String>,
    },
    Beacon(beacon::Client),
}

/// As what it speaks with the tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// One that offers files.
    Holder,
    /// One that asks who does.
    Asker,
}

/// Who offers a file, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Holder {
    /// What it calls itself, where it does.
    pub(super) name: Option<String>,
    pub(super) address: SocketAddr,
    /// The file's size, where it is told. In `chunklist` nobody tells it.
    pub(super) bytes: Option<u64>,
    /// The file's parts, where they are told.
    pub(super) parts: Option<u32>,
}

impl From<&chunklist::Seeder> for Holder {
    fn from(seeder: &chunklist::Seeder) -> Self {
        Self {
            name: Some(seeder.name.clone()),
            address: SocketAddr::new(seeder.ip, seeder.port.get()),
            bytes: None,
            parts: None,
        }
    }
}

impl Client {
    pub(super) async fn new(
        dialect: DialectArg,
        role: Role,
        args: &ClassicTracker,
        env: &Env,
    ) -> Result<Self, Failure> {
        let tracker = address(dialect, args).await?;
        let own_name = || args.name.clone().unwrap_or_else(|| name_of(role, env));
        Ok(match dialect {
            DialectArg::Token => Self::Token(token::Client::new(tracker, own_name())),
            DialectArg::Index => Self::Index(index::Client::new(tracker, own_name())),
            DialectArg::Chunklist => {
                Self::Chunklist { client: chunklist::Client::new(tracker), name: args.name.clone() }
            }
            DialectArg::Beacon => Self::Beacon(beacon::Client::new(tracker)),
        })
    }

    /// Who offers `file`.
    pub(super) async fn look_up(&mut self, file: &str) -> Result<Vec<Holder>, Failure> {
        Ok(match self {
            Self::Token(client) => {
                let found = failing(client.look_up(file).await)?;
                let parts = Some(found.total_parts).filter(|parts| *parts > 0);
                let holder = |row: token::Row| Holder {
                    name: Some(row.peer_id),
                    address: SocketAddr::new(row.ip, row.port.get()),
                    bytes: None,
                    parts,
                };
                found.rows.into_iter().map(holder).collect()
            }
            Self::Index(client) => {
                let holder = |row: index::Row| Holder {
                    name: Some(row.username),
                    address: SocketAddr::new(row.ip, row.port.get()),
                    // Who does not know it says 0.
                    bytes: Some(row.size).filter(|bytes| *bytes > 0),
                    parts: None,
                };
                failing(client.search(file).await)?.into_iter().map(holder).collect()
            }
            Self::Chunklist { client, .. } => {
                let seeders = failing(client.list().await)?;
                seeders.iter().filter(|seeder| seeder.name == file).map(Holder::from).collect()
            }
            Self::Beacon(client) => {
                let holder = |endpoint: swarm::Endpoint| Holder {
                    name: None,
                    address: endpoint.into(),
                    bytes: None,
                    parts: None,
                };
                failing(client.request(file).await)?.into_iter().map(holder).collect()
            }
        })
    }

    /// Says that it is still there.
    pub(super) async fn beat(&mut self, port: Option<Port>) -> Outcome {
        match self {
            Self::Token(_) => Err(no_words(
                DialectArg::Token,
                "is a heartbeat; its trackers look for themselves whether a peer is there",
            )),
            Self::Index(client) => failing(client.keep_alive().await),
            Self::Chunklist { client, name: Some(name) } => failing(client.heartbeat(name).await),
            Self::Chunklist { name: None, .. } => Err(nameless()),
            Self::Beacon(client) => failing(client.heartbeat(known(port)?).await),
        }
    }

    /// Takes back all that is offered.
    pub(super) async fn exit(&mut self, port: Option<Port>) -> Outcome {
        match self {
            Self::Token(client) => failing(client.exit(port.unwrap_or(SOME_PORT)).await),
            Self::Chunklist { client, name: Some(name) } => failing(client.exit(name).await),
            Self::Chunklist { name: None, .. } => Err(nameless()),
            Self::Index(client) => failing(client.exit().await),
            Self::Beacon(client) => failing(client.exit(known(port)?).await),
        }
    }
}

/// What a tracker or a peer did wrong, as a failure of the command; its words are made safe for a terminal.
pub(super) fn failing<T>(done: Result<T, Error>) -> Result<T, Failure> {
    done.map_err(|error| Failure::Failed(plain(&error.to_string()).into_owned()))
}

fn nameless() -> Failure {
    Failure::Misuse("which seeder? --name NAME says it".to_owned())
}

fn known(port: Option<Port>) -> Result<Port, Failure> {
    port.ok_or_else(|| {
        Failure::Misuse("which peer of this machine? --peer-port PORT says where it serves".to_owned())
    })
}

/// What a program calls itself when nothing else is said: the same each time, and another one on another machine, since
/// some trackers know a peer by its name alone. Who asks is somebody else: nobody is told of himself.
fn name_of(role: Role, env: &Env) -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| env.var(name)?.to_str()).unwrap_or("skep");
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    match role {
        Role::Holder => format!("{user}@{machine}"),
        Role::Asker => format!("{user}@{machine} asks"),
    }
}

/// Where the tracker is. Of several addresses an IPv4 one comes first: the dialects come from before the others.
pub(super) async fn address(dialect: DialectArg, args: &ClassicTracker) -> Result<SocketAddr, Failure> {
    let usual_port = match dialect {
        DialectArg::Token => token::PORT,
        DialectArg::Index => index::PORT,
        DialectArg::Chunklist => chunklist::PORT,
        DialectArg::Beacon => beacon::PORT,
    };
    let given = args.tracker.as_deref().unwrap_or("localhost");
    let wrong = |why: String| {
        Failure::Misuse(format!("--tracker `{}`: {why}; HOST or HOST:PORT is expected", plain(given)))
    };
    let bare = given.strip_prefix('[').and_then(|given| given.strip_suffix(']')).unwrap_or(given);
    let (host, port) = match given.rsplit_once(':') {
        _ if bare.parse::<std::net::IpAddr>().is_ok() => (bare, usual_port),
        Some((host, port)) => {
            let port = port.parse().ok().filter(|port| *port > 0);
            let port = port.ok_or_else(|| wrong("the port is not a number from 1 to 65535".to_owned()))?;
            (host.trim_start_matches('[').trim_end_matches(']'), port)
        }
        None => (given, usual_port),
    };
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| wrong(error.to_string()))?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| wrong("it has no address".to_owned()))
}
