//! How long announces wait while the hub does everything else that it does: on one core with the thread that answers.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::figures::Series;
use super::load::{Population, generate, number};
use super::options::Options;
use super::server::{Server, Sign, Transport, free_port};
use super::servers::{Kind, Purpose};
use super::tools::Tools;
use super::{Stop, machine};

/// The rate at which latency is looked at, as a part of what the server can do.
const PART: f64 = 0.7;

/// Seconds after which a silent peer is forgotten: short enough for a crowd to be forgotten while it is looked on.
const TTL_SECS: u32 = 30;

/// Seconds between two snapshots, and between two changes of the access list.
const EVERY_SECS: u64 = 3;

/// About as long as the hub's answers are here.
const ECHO_BYTES: usize = 44;

/// By what the generator knows other torrents.
const PASSING_SEED: &str = "7";
const OTHERS_SEED: &str = "8";

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
    seconds: 50,
};

const QUICK: Crowds = Crowds {
    steady: Population { torrents: 1_000, peers: 5 },
    passing: Population { torrents: 1_000, peers: 10 },
    listed: 10_000,
    capacity_count: 50_000,
    seconds: 5,
};

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    /// A hub that does nothing but what it does anyway.
    Calm,
    /// A bare echo of datagrams as long, at the same rate: what the machine and its other guests do to anybody.
    Echo,
    /// A crowd is forgotten, the swarms are saved every few seconds, a long access list is read anew as often, and every
    /// announce is a member's and becomes a row of the accounts.
    Busy,
}

impl Case {
    fn name(self) -> &'static str {
        match self {
            Self::Calm => "a hub",
            Self::Echo => "a bare echo",
            Self::Busy => "a hub with expiry, snapshots, reloads and accounts",
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
    let mut rows = [Case::Calm, Case::Echo, Case::Busy].map(|case| (case, Row::default()));
    for round in 1..=options.rounds {
        let mut rate = 0.0;
        for (case, row) in &mut rows {
            eprintln!("round {round} of {}: {}", options.rounds, case.name());
            match case {
                Case::Echo => echo(&tools, crowds, rate, row)?,
                Case::Calm | Case::Busy => rate = hub(&tools, crowds, *case == Case::Busy, row)?,
            }
        }
    }
    let mut report = format!("{}\n", machine::describe(options, "SQLite as bundled"));
    let _ = writeln!(
        report,
        "| | announces/s | p50 µs | p99 µs | p99.9 µs | longest ms | failed |\n|---|---|---|---|---|---|---|"
    );
    for (case, row) in rows {
        let _ = writeln!(
            report,
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {} |",
            case.name(),
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
         With everything: {} have announced once and are forgotten after {TTL_SECS} s, the swarms are saved and an access list of \
         {listed} torrents is read anew every three seconds, and all announces are a member's with credit. The echo \
         has the rate of the hub before it.",
        options.rounds,
        steady.name(),
        PART * 100.0,
        passing.name(),
    );
    Ok(report)
}

/// One round of a bare echo.
fn echo(tools: &Tools, crowds: &Crowds, rate: f64, row: &mut Row) -> Result<(), String> {
    let purpose = Purpose {
        transport: Transport::Udp,
        ipv6: false,
        population: crowds.steady,
        reply_bytes: ECHO_BYTES,
    };
    let running = Kind::Echo.start(tools, purpose)?;
    note(row, &at_rate(tools, crowds, &running.url, rate)?)
}

/// One round of a hub; the rate at which it was asked.
fn hub(tools: &Tools, crowds: &Crowds, is_busy: bool, row: &mut Row) -> Result<f64, String> {
    let files = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
    let folder = files.path().to_path_buf();
    let address = free_port([127, 0, 0, 1].into())?;
    let (config, list, catalogue) =
        (folder.join("skep.toml"), folder.join("allowed"), folder.join("catalogue"));
    let mut lines = format!(
        "udp.workers = 1\nlog.level = \"warn\"\ntracker.interval_secs = 10\ntracker.interval_min_secs = 5\n\
         tracker.peer_ttl_secs = {TTL_SECS}\n"
    );
    if is_busy {
        write_lists(tools, crowds, &list, &catalogue)?;
        let _ = writeln!(
            lines,
            "mode = \"members\"\nsnapshot.interval_secs = {EVERY_SECS}\naccess.torrents_allowed = \"{}\"",
            list.display()
        );
    }
    write(&config, &lines)?;
    let skep = |arguments: &[&str]| {
        let mut command = Command::new(&tools.skep);
        command.args(arguments).args(["--state-dir", "state", "--config"]).arg(&config).current_dir(&folder);
        command
    };
    let command = skep(&["serve", "--listen", &address.to_string()]);
    let _server = Server::start(command, files, Sign::Answer(address, Transport::Udp))?;
    let url = if is_busy {
        let tracker = format!("http://{address}");
        let catalogue = catalogue.to_string_lossy();
        json_of(skep(&["import", &catalogue, "--json", "--tracker", &tracker]))?;
        let member = json_of(skep(&["user", "add", "ann", "--json", "--tracker", &tracker]))?;
        let passkey = member["passkey"].as_str().ok_or("skep user add tells no passkey")?;
        format!("udp://{address}/{passkey}/announce")
    } else {
        format!("udp://{address}")
    };
    let count = crowds.capacity_count.to_string();
    let flags = ["--fill", "--count", &count, "--busy"];
    let rate = PART * number(&generate(&tools.skep, &url, crowds.steady, &flags)?, &["measured", "rate"])?;
    if is_busy {
        generate(&tools.skep, &url, crowds.passing, &["--fill", "--count", "0", "--seed", PASSING_SEED])?;
    }
    let over = AtomicBool::new(false);
    let summary = thread::scope(|scope| {
        if is_busy {
            scope.spawn(|| touch_until(&over, &list));
        }
        let summary = at_rate(tools, crowds, &url, rate);
        over.store(true, Ordering::Relaxed);
        summary
    })?;
    note(row, &summary)?;
    Ok(rate)
}

fn at_rate(tools: &Tools, crowds: &Crowds, url: &str, rate: f64) -> Result<Value, String> {
    let (rate, seconds) = (rate.round().to_string(), crowds.seconds.to_string());
    generate(&tools.skep, url, crowds.steady, &["--rate", &rate, "--for", &seconds, "--busy"])
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

/// Writes an access list of all torrents that are announced, and of others; and the first as those of an older tracker, for
/// the catalogue.
fn write_lists(tools: &Tools, crowds: &Crowds, list: &Path, catalogue: &Path) -> Result<(), String> {
    let others =
        Population { torrents: crowds.listed - crowds.steady.torrents - crowds.passing.torrents, peers: 1 };
    let mut listed =
        hashes(tools, crowds.steady, None)? + &hashes(tools, crowds.passing, Some(PASSING_SEED))?;
    let torrents: serde_json::Map<String, Value> = listed
        .lines()
        .map(|hash| (hash.to_owned(), json!({"info": {"info_hash": hash, "name": hash, "size": 1}})))
        .collect();
    write(catalogue, &json!({ "torrents": torrents }).to_string())?;
    listed += &hashes(tools, others, Some(OTHERS_SEED))?;
    write(list, &listed)
}

fn hashes(tools: &Tools, population: Population, seed: Option<&str>) -> Result<String, String> {
    let mut command = Command::new(&tools.skep);
    command.args(["load", "--print-hashes"]).args(population.flags());
    command.args(seed.map(|seed| ["--seed", seed]).into_iter().flatten());
    let output = command.output().map_err(|error| format!("cannot start skep load: {error}"))?;
    String::from_utf8(output.stdout).map_err(|error| format!("skep load --print-hashes: {error}"))
}

/// Has a file look as if it had changed, every few seconds.
fn touch_until(over: &AtomicBool, file: &Path) {
    let touch = || fs::File::options().append(true).open(file)?.set_modified(SystemTime::now());
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        if Instant::now() >= next {
            if let Err(error) = touch() {
                eprintln!("cannot touch {}: {error}; the list is not read anew", file.display());
            }
            next += Duration::from_secs(EVERY_SECS);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// What a command prints as JSON.
fn json_of(mut command: Command) -> Result<Value, String> {
    let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{command:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
