//! What a question of the classic dialects costs its client: Skep, and a straightforward tracker of each dialect in
//! Python.

mod client;

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;

use client::{Client, Question};

use super::figures::Series;
use super::options::Options;
use super::process::resident_bytes;
use super::server::{LOAD_CPU, Server, Sign, Transport, free_port, run_on};
use super::tools::Tools;
use super::{Stop, machine};

/// What is measured in each dialect.
const DIALECTS: [Dialect; 4] = [Dialect::Token, Dialect::Index, Dialect::Chunklist, Dialect::Beacon];

const PYTHON: &str = "/usr/bin/python3";

/// Longer than any round takes: nobody is to go while others are measured.
const SILENT_MAX_SECS: u32 = 3_600;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Token,
    Index,
    Chunklist,
    Beacon,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Skep,
    Python,
}

/// How much there is, and how much is asked.
#[derive(Debug, Clone, Copy)]
struct Load {
    peers: u32,
    /// Names that each peer offers alone; one more is offered by all.
    own_names: u32,
    questions: usize,
}

impl Dialect {
    const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Index => "index",
            Self::Chunklist => "chunklist",
            Self::Beacon => "beacon",
        }
    }
}

impl Kind {
    const ALL: [Self; 2] = [Self::Skep, Self::Python];

    const fn name(self) -> &'static str {
        match self {
            Self::Skep => "Skep",
            Self::Python => "Python",
        }
    }

    fn start(
        self,
        dialect: Dialect,
        tools: &Tools,
        root: &Path,
    ) -> Result<(Server, std::net::SocketAddr), String> {
        let address = free_port(Ipv4Addr::LOCALHOST.into())?;
        let files = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
        let (command, sign) = match self {
            Self::Skep => {
                let http = free_port(Ipv4Addr::LOCALHOST.into())?;
                let config = files.path().join("skep.toml");
                let name = dialect.name();
                let ttl = if dialect == Dialect::Token { "lifetime_secs" } else { "ttl_secs" };
                let text = format!(
                    "log.level = \"warn\"\n[classic]\nmemory_max = \"256 MiB\"\nanswers_per_minute_max = \"4095 MiB\"\n\
                     idle_secs = {SILENT_MAX_SECS}\n[classic.{name}]\nlisten = [\"{address}\"]\n{ttl} = {SILENT_MAX_SECS}\n"
                );
                std::fs::write(&config, text)
                    .map_err(|error| format!("cannot write a configuration: {error}"))?;
                let mut command = Command::new(&tools.skep);
                command.args(["serve", "--state-dir", "state", "--listen", &http.to_string(), "--config"]);
                command.arg(config);
                // What this machine configures for a hub of its own must not count.
                for (name, _) in
                    std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SKEP_"))
                {
                    command.env_remove(name);
                }
                (command, Sign::Answer(http, Transport::Http))
            }
            Self::Python => {
                let script = root.join(format!("xtask/src/bench/classic/{}_tracker.py", dialect.name()));
                let mut command = Command::new(PYTHON);
                command.arg(script).arg(address.ip().to_string()).arg(address.port().to_string());
                command.arg(SILENT_MAX_SECS.to_string());
                (command, Sign::Word)
            }
        };
        let server = Server::start(command, files, sign)?;
        Ok((server, address))
    }
}

/// The middle question of a round, and the one that ninety-nine in a hundred are quicker than, in microseconds.
#[derive(Debug, Clone, Default)]
struct Cell {
    median: Series,
    p99: Series,
}

/// Times each question of each dialect, in alternating rounds, and counts what connected clients cost.
pub(super) fn run(options: &Options) -> Result<String, Stop> {
    let tools = Tools::get(options, false, false)?;
    let load = if options.quick {
        Load { peers: 200, own_names: 9, questions: 100 }
    } else {
        Load { peers: 10_000, own_names: 9, questions: 2_000 }
    };
    let python = Command::new(PYTHON).arg("--version").output();
    let python = python.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let python = python.map_err(|error| format!("cannot start {PYTHON}: {error}"))?;
    let mut report = format!("{}\n", machine::describe(options, &python));
    run_on(LOAD_CPU)?;
    let mut rows: Vec<(Dialect, Question, [Cell; 2])> = DIALECTS
        .into_iter()
        .flat_map(|dialect| {
            Question::of(dialect).iter().map(move |question| (dialect, *question, Default::default()))
        })
        .collect();
    for round in 1..=options.rounds {
        for dialect in DIALECTS {
            for (at, kind) in Kind::ALL.into_iter().enumerate().filter(|(_, kind)| options.wants(kind.name()))
            {
                eprintln!("{}, round {round} of {}: {}", dialect.name(), options.rounds, kind.name());
                let (_server, address) = kind.start(dialect, &tools, &options.root)?;
                let mut client = Client::new(dialect, address, load)?;
                client.fill(kind == Kind::Skep)?;
                for (_, question, cells) in rows.iter_mut().filter(|row| row.0 == dialect) {
                    let mut micros = Vec::with_capacity(load.questions);
                    for nth in 0..load.questions {
                        micros.push(client.time(*question, nth)?.as_secs_f64() * 1e6);
                    }
                    micros.sort_by(f64::total_cmp);
                    cells[at].median.push(micros[micros.len() / 2]);
                    cells[at].p99.push(micros[micros.len() * 99 / 100]);
                }
            }
        }
    }
    write_table(&mut report, &rows);
    let _ = writeln!(
        report,
        "\nMicroseconds from a client's question to its answer, one client, one question at a time: medians of {} \
         alternating rounds (least–greatest) of the median and of the 99th percentile of {} questions. {} peers, each \
         with {} names of its own and one that all have; in `chunklist` a peer has one name, and is a seeder. A question \
         of `token` is a connection. Heartbeats over UDP have no answer: they are timed together with a question for a \
         name that nobody has, or the list. The server on one core, the client on the other.\n",
        options.rounds, load.questions, load.peers, load.own_names
    );
    if options.wants(Kind::Skep.name()) {
        connected(options, &tools, load, &mut report)?;
    }
    Ok(report)
}

fn write_table(report: &mut String, rows: &[(Dialect, Question, [Cell; 2])]) {
    report.push_str(
        "| dialect | question | Skep | p99 | Python | p99 | Python ÷ Skep |\n|---|---|---|---|---|---|---|\n",
    );
    for (dialect, question, [skep, python]) in rows {
        let _ = writeln!(
            report,
            "| `{}` | {} | {:.0} | {:.0} | {:.0} | {:.0} | {} |",
            dialect.name(),
            question.name(),
            skep.median,
            skep.p99,
            python.median,
            python.p99,
            python.median.over(Some(&skep.median)),
        );
    }
}

/// What clients of `index` cost that stay connected.
fn connected(options: &Options, tools: &Tools, load: Load, report: &mut String) -> Result<(), Stop> {
    let (mut resident, mut each) = (Series::default(), Series::default());
    for round in 1..=options.rounds {
        eprintln!("connected clients of index, round {round} of {}", options.rounds);
        let (server, address) = Kind::Skep.start(Dialect::Index, tools, &options.root)?;
        let before = resident_bytes(server.id())?;
        let mut held = client::connected(address, load)?;
        // All of them are served.
        for stream in &mut held {
            stream.keep_alive()?;
        }
        let after = resident_bytes(server.id())?;
        resident.push(after as f64 / f64::from(1 << 20));
        each.push(after.saturating_sub(before) as f64 / f64::from(load.peers));
    }
    let _ = writeln!(
        report,
        "{} connected clients of `index`, registered with {} names each, heartbeats answered: Skep has {resident:.1} MiB \
         resident in all, {each:.0} bytes of growth a client.",
        load.peers,
        load.own_names + 1
    );
    Ok(())
}

/// Where peers are: two hundred and fifty at an address of loopback at most.
fn source(peer: u32) -> IpAddr {
    let [.., third, fourth] = peer.to_be_bytes();
    Ipv4Addr::new(127, 77, third, fourth.max(1)).into()
}
