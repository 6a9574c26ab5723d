//! How long announces wait while the hub does everything else that it does: on one core with the thread that answers.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::figures::Series;
use super::load::{Population, generate, number};
use super::options::Options;
use super::server::{Server, Sign, Transport, free_port};
use super::tools::Tools;
use super::{Stop, machine};

/// The rate at which latency is looked at, as a part of what the server can do.
const PART: f64 = 0.7;

/// Seconds after which a silent peer is forgotten: short enough for a crowd to be forgotten while it is looked on.
const TTL_SECS: u32 = 60;

/// Who announces all the time, and who announces once and is forgotten.
struct Crowds {
    steady: Population,
    passing: Population,
    /// Torrents of the access list that is read anew.
    listed: u32,
    capacity_count: u32,
    seconds: u32,
}

const FULL: Crowds = Crowds {
    steady: Population { torrents: 100_000, peers: 5 },
    passing: Population { torrents: 100_000, peers: 10 },
    listed: 1_000_000,
    capacity_count: 1_000_000,
    seconds: 100,
};

const QUICK: Crowds = Crowds {
    steady: Population { torrents: 1_000, peers: 5 },
    passing: Population { torrents: 1_000, peers: 10 },
    listed: 10_000,
    capacity_count: 50_000,
    seconds: 5,
};

/// What is done beside the announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// What a hub does anyway.
    Nothing,
    /// A crowd is forgotten, the swarms are saved every few seconds, a long access list is read anew as often, and every
    /// announce is a member's and becomes a row of the accounts.
    Everything,
}

impl Beside {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Everything => "expiry, snapshots, reloads, accounts",
        }
    }
}

/// Latencies in microseconds, of several rounds.
#[derive(Default)]
struct Row {
    rate: Series,
    p50: Series,
    p99: Series,
    p999: Series,
    longest: Series,
    failed: f64,
}

/// Latency of a hub at rest and of one that does everything else meanwhile.
pub(super) fn run(options: &Options) -> Result<String, Stop> {
    let tools = Tools::get(options, false, false)?;
    let crowds = if options.quick { &QUICK } else { &FULL };
    let mut rows = [Beside::Nothing, Beside::Everything].map(|beside| (beside, Row::default()));
    for round in 1..=options.rounds {
        for (beside, row) in &mut rows {
            eprintln!("round {round} of {}: beside {}", options.rounds, beside.name());
            once(&tools, crowds, *beside, row)?;
        }
    }
    let mut report = format!("{}\n", machine::describe(options, ""));
    let _ = writeln!(
        report,
        "| beside the announces | announces/s | p50 µs | p99 µs | p99.9 µs | longest ms | failed |\n|---|---|---|---|---|---|---|"
    );
    for (beside, row) in rows {
        let _ = writeln!(
            report,
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {} |",
            beside.name(),
            row.rate,
            row.p50,
            row.p99,
            row.p999,
            row.longest,
            row.failed
        );
    }
    let Crowds { steady, passing, listed, seconds, .. } = crowds;
    let _ = writeln!(
        report,
        "\nMedians of {} rounds (least–greatest). UDP announces of {} at {:.0} % of the rate that the hub answered just before, \
         for {seconds} s; latency from when a request was due. The hub has one core for all its threads, the generator the other. \
         Everything: {} have announced once and are forgotten after {TTL_SECS} s, the swarms are saved and an access list of \
         {listed} torrents is read anew every three seconds, and all announces are a member's with credit.",
        options.rounds,
        steady.name(),
        PART * 100.0,
        passing.name(),
    );
    Ok(report)
}

fn once(tools: &Tools, crowds: &Crowds, beside: Beside, row: &mut Row) -> Result<(), String> {
    let files = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
    let folder = files.path().to_path_buf();
    let address = free_port([127, 0, 0, 1].into())?;
    let list = folder.join("allowed");
    let mut config = format!(
        "udp.workers = 1\nlog.level = \"warn\"\ntracker.interval_secs = 20\ntracker.interval_min_secs = 10\n\
         tracker.peer_ttl_secs = {TTL_SECS}\n"
    );
    if beside == Beside::Everything {
        write_list(tools, crowds, &list)?;
        let _ = writeln!(
            config,
            "mode = \"members\"\nsnapshot.interval_secs = 3\naccess.torrents_allowed = \"{}\"",
            list.display()
        );
    }
    let file = folder.join("skep.toml");
    fs::write(&file, config).map_err(|error| format!("cannot write a configuration: {error}"))?;
    let skep = |arguments: &[&str]| {
        let mut command = Command::new(&tools.skep);
        command.args(arguments).args(["--state-dir", "state", "--config"]).arg(&file).current_dir(&folder);
        command
    };
    let command = skep(&["serve", "--listen", &address.to_string()]);
    let server = Server::start(command, files, Sign::Answer(address, Transport::Udp))?;
    let url = if beside == Beside::Everything {
        let hub = format!("http://{address}");
        let passkey = passkey(skep(&["user", "add", "ann", "--json", "--tracker", &hub]))?;
        format!("udp://{address}/{passkey}/announce")
    } else {
        format!("udp://{address}")
    };
    let load = |population: Population, flags: &[&str]| generate(&tools.skep, &url, population, flags);
    load(crowds.steady, &["--fill", "--count", &crowds.capacity_count.to_string(), "--busy"])
        .and_then(|summary| number(&summary, &["measured", "rate"]))
        .and_then(|capacity| {
            if beside == Beside::Everything {
                load(crowds.passing, &["--fill", "--count", "0", "--seed", "7"])?;
            }
            let over = AtomicBool::new(false);
            let rate = (capacity * PART).round().to_string();
            let seconds = crowds.seconds.to_string();
            let summary = thread::scope(|scope| {
                scope.spawn(|| touch_until(&over, &list));
                let summary = load(crowds.steady, &["--rate", &rate, "--for", &seconds, "--busy"]);
                over.store(true, Ordering::Relaxed);
                summary
            })?;
            note(row, &summary)
        })?;
    drop(server);
    Ok(())
}

fn note(row: &mut Row, summary: &Value) -> Result<(), String> {
    let read = |names: &[&str]| number(summary, &[&["measured"], names].concat());
    row.rate.push(read(&["rate"])?);
    row.p50.push(read(&["latency", "p50"])?);
    row.p99.push(read(&["latency", "p99"])?);
    row.p999.push(read(&["latency", "p999"])?);
    row.longest.push(read(&["latency", "max"])? / 1e3);
    row.failed += read(&["lost"])? + read(&["errors"])?;
    Ok(())
}

/// All torrents that are announced, and others.
fn write_list(tools: &Tools, crowds: &Crowds, list: &Path) -> Result<(), String> {
    let others =
        Population { torrents: crowds.listed - crowds.steady.torrents - crowds.passing.torrents, peers: 1 };
    let mut hashes = Vec::new();
    for (population, seed) in [(crowds.steady, None), (crowds.passing, Some("7")), (others, Some("8"))] {
        let mut command = Command::new(&tools.skep);
        command.args(["load", "--print-hashes"]).args(population.flags());
        command.args(seed.map(|seed| ["--seed", seed]).into_iter().flatten());
        let output = command.output().map_err(|error| format!("cannot start skep load: {error}"))?;
        hashes.extend_from_slice(&output.stdout);
    }
    fs::write(list, hashes).map_err(|error| format!("cannot write {}: {error}", list.display()))
}

/// Has a file look as if it had changed, every three seconds.
fn touch_until(over: &AtomicBool, file: &PathBuf) {
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        if Instant::now() >= next {
            // There may be none; then nothing is read anew.
            let _ = fs::File::options()
                .append(true)
                .open(file)
                .and_then(|file| file.set_modified(std::time::SystemTime::now()));
            next += Duration::from_secs(3);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Makes a member; the passkey.
fn passkey(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot start skep user add: {error}"))?;
    let said: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("skep user add: {error}: {}", String::from_utf8_lossy(&output.stderr)))?;
    let passkey = said.get("passkey").and_then(Value::as_str);
    passkey.map(str::to_owned).ok_or_else(|| format!("skep user add tells no passkey: {said}"))
}
