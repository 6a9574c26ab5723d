//! An announce without sockets: time and instructions, over populations of every size.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::figures::Series;
use super::options::Options;
use super::{Stop, machine};

/// What runs the recorded datagrams.
const EXAMPLE: &str = "announces";

/// The function of it that is measured, as Valgrind knows it.
const MEASURED: &str = "*measured_announces*";

/// Announces that are timed, and whose instructions are counted.
const TIMED: u32 = 2_000_000;
const COUNTED: u32 = 100_000;

/// Peers there may be where instructions are counted: that is slow, and caches do not matter to it.
const COUNTED_PEERS_MAX: u32 = 200_000;

/// A population, and over which family it announces.
#[derive(Debug, Clone, Copy)]
struct Load {
    torrents: u32,
    peers: u32,
    family: &'static str,
}

const fn load(torrents: u32, peers: u32, family: &'static str) -> Load {
    Load { torrents, peers, family }
}

/// From a thousand peers to twenty million, and from one torrent to two million.
const LOADS: [Load; 12] = [
    load(500, 2, "ipv4"),
    load(5_000, 2, "ipv4"),
    load(50_000, 2, "ipv4"),
    load(1_000_000, 2, "ipv4"),
    load(1_000_000, 2, "ipv6"),
    load(2_000_000, 10, "ipv4"),
    load(10_000, 100, "ipv4"),
    load(10_000, 100, "ipv6"),
    load(1_000, 1_000, "ipv4"),
    load(10, 100_000, "ipv4"),
    load(1, 1_000, "ipv4"),
    load(1, 1_000_000, "ipv4"),
];

const QUICK: [Load; 2] = [load(500, 2, "ipv4"), load(10, 100, "ipv6")];

/// Runs all of them.
pub(super) fn run(options: &Options) -> Result<String, Stop> {
    let program = build(&options.root)?;
    let mut report = format!("{}\n", machine::describe(options, &valgrind()));
    let _ = writeln!(
        report,
        "| torrents × peers | family | ns an announce | instructions an announce | bytes a peer | bytes a reply |\n\
         |---|---|---|---|---|---|"
    );
    let loads = if options.quick { &QUICK[..] } else { &LOADS };
    for load in loads {
        let (mut nanos, mut peer_bytes, mut reply_bytes) =
            (Series::default(), Series::default(), Series::default());
        for round in 1..=options.rounds {
            eprintln!(
                "{} × {}, {}, round {round} of {}",
                load.torrents, load.peers, load.family, options.rounds
            );
            let figures = once(Command::new(&program).args(load.arguments(TIMED)))?;
            let of = |key: &str| figures[key].as_f64().unwrap_or(0.0);
            nanos.push(of("nanos") / f64::from(TIMED));
            peer_bytes.push(of("memory_bytes") / (f64::from(load.torrents) * f64::from(load.peers)));
            reply_bytes.push(of("reply_bytes") / f64::from(TIMED));
        }
        let instructions =
            instructions(&program, *load).map_or_else(|| "–".to_owned(), |n| format!("{n:.0}"));
        let _ = writeln!(
            report,
            "| {} × {} | {} | {nanos:.0} | {instructions} | {peer_bytes:.1} | {reply_bytes:.0} |",
            load.torrents, load.peers, load.family
        );
    }
    let _ = writeln!(
        report,
        "\nMedians of {} rounds (least–greatest) of {TIMED} announces in an order in which none is near the one before, after \
         everybody was announced once. Instructions by Callgrind, of {COUNTED} announces, in populations of the same shape \
         and at most {COUNTED_PEERS_MAX} peers. Bytes as the registry counts them.",
        options.rounds
    );
    Ok(report)
}

fn build(root: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--quiet", "--package", "hub", "--example", EXAMPLE]);
    match command.current_dir(root).status() {
        Ok(status) if status.success() => Ok(root.join("target/release/examples").join(EXAMPLE)),
        Ok(status) => Err(format!("the example cannot be built: {status}")),
        Err(error) => Err(format!("cannot start cargo: {error}")),
    }
}

fn once(command: &mut Command) -> Result<Value, String> {
    let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{command:?} prints no figures: {error}"))
}

/// Instructions an announce; none where Valgrind is not installed.
fn instructions(program: &Path, load: Load) -> Option<f64> {
    lab::find("valgrind")?;
    let torrents = load.torrents.min((COUNTED_PEERS_MAX / load.peers).max(1));
    let shape = Load { torrents, peers: load.peers.min(COUNTED_PEERS_MAX), ..load };
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(format!("--toggle-collect={MEASURED}"));
    command.arg(program).args(shape.arguments(COUNTED));
    let told = command.output().ok()?.stderr;
    let told = String::from_utf8_lossy(&told).into_owned();
    let (_, collected) = told.split_once("Collected :")?;
    let count: f64 = collected.split_whitespace().next()?.parse().ok()?;
    Some(count / f64::from(COUNTED))
}

/// Its version, if it is installed.
fn valgrind() -> String {
    let said = Command::new("valgrind").arg("--version").output().map(|output| output.stdout);
    said.map_or_else(|_| "no Valgrind".to_owned(), |said| String::from_utf8_lossy(&said).trim().to_owned())
}

impl Load {
    fn arguments(self, announces: u32) -> [String; 5] {
        [
            "replay".to_owned(),
            self.torrents.to_string(),
            self.peers.to_string(),
            announces.to_string(),
            self.family.to_owned(),
        ]
    }
}
