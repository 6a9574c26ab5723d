use std::fmt::Write;

use super::figures::Series;
use super::load::{Figures, Population, fill, measure};
use super::options::Options;
use super::server::Transport;
use super::servers::{Kind, Purpose};
use super::tools::Tools;
use super::{Stop, machine};

/// The floor comes last: its replies are as long as those of the others were.
const KINDS: [Kind; 6] =
    [Kind::Skep, Kind::AquaticUring, Kind::AquaticMio, Kind::Opentracker, Kind::Echo, Kind::EchoUring];
const REPLY_BYTES_GUESS: f64 = 100.0;

/// One server's figures over all rounds of one load.
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) cost: Series,
    pub(super) rate: Series,
    pub(super) p50: Series,
    pub(super) p99: Series,
    pub(super) peer_bytes: Series,
    pub(super) reply_bytes: Series,
    pub(super) failed: f64,
    /// Why it was left out, if it was.
    pub(super) absent: Option<String>,
}

impl Row {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            cost: Series::default(),
            rate: Series::default(),
            p50: Series::default(),
            p99: Series::default(),
            peer_bytes: Series::default(),
            reply_bytes: Series::default(),
            failed: 0.0,
            absent: None,
        }
    }

    pub(super) fn add(&mut self, figures: Figures) {
        self.cost.push(figures.cost);
        self.rate.push(figures.rate);
        self.p50.push(figures.p50);
        self.p99.push(figures.p99);
        self.reply_bytes.push(figures.reply_bytes);
        self.failed += figures.failed;
    }
}

/// Who announces: many small swarms, fewer large ones, and one that all are in.
const POPULATIONS: [(&str, Population); 3] = [
    ("spread", Population { torrents: 1_000_000, peers: 2 }),
    ("dense", Population { torrents: 10_000, peers: 100 }),
    ("hot", Population { torrents: 1, peers: 1_000_000 }),
];

/// What they are called.
pub(super) fn names() -> [&'static str; 3] {
    POPULATIONS.map(|(name, _)| name)
}

/// What a UDP announce costs, over populations of different shapes.
pub(super) fn run(options: &Options) -> Result<String, Stop> {
    let tools = Tools::get(options, true, false)?;
    let mut report = format!("{}\n", machine::describe(options, &machine::trackers()));
    let count = if options.quick { 200_000 } else { 1_500_000 };
    let scale = if options.quick { 50 } else { 1 };
    for (_, population) in POPULATIONS.into_iter().filter(|(name, _)| options.wants_scenario(name)) {
        let Population { torrents, peers } = population;
        let population = match torrents {
            1 => Population { torrents, peers: peers / scale },
            _ => Population { torrents: torrents / scale, peers },
        };
        let rows = rounds(options, &tools, population, count)?;
        write_table(&mut report, population, &rows);
    }
    let _ = writeln!(
        report,
        "Medians of {} alternating rounds (least–greatest). One server thread on one core, the generator on another; \
         {count} announces a round after everybody was announced once. Cost: the server's processor seconds, user and \
         kernel, for a million replies. Bytes a peer: growth of resident memory through the fill.",
        options.rounds
    );
    Ok(report)
}

fn rounds(options: &Options, tools: &Tools, population: Population, count: u64) -> Result<Vec<Row>, Stop> {
    let mut rows: Vec<Row> =
        KINDS.into_iter().filter(|kind| options.wants(kind.name())).map(Row::new).collect();
    for round in 1..=options.rounds {
        let mut reply_bytes = Series::default();
        for row in &mut rows {
            if row.absent.is_some() {
                continue;
            }
            let name = row.kind.name();
            eprintln!("{}, round {round} of {}: {name}", population.name(), options.rounds);
            let bytes = reply_bytes.median().unwrap_or(REPLY_BYTES_GUESS);
            match once(row, tools, population, count, bytes) {
                Ok(()) => {
                    if let Some(bytes) = row.reply_bytes.median() {
                        reply_bytes.push(bytes);
                    }
                }
                Err(reason) => {
                    eprintln!("{name} is left out: {reason}");
                    row.absent = Some(reason);
                }
            }
        }
    }
    Ok(rows)
}

fn once(row: &mut Row, tools: &Tools, population: Population, count: u64, bytes: f64) -> Result<(), String> {
    #[expect(clippy::cast_possible_truncation, reason = "a datagram's length")]
    let reply_bytes = bytes.round() as usize;
    let purpose = Purpose { transport: Transport::Udp, ipv6: false, population, reply_bytes };
    let running = row.kind.start(tools, purpose)?;
    if !matches!(row.kind, Kind::Echo | Kind::EchoUring) {
        row.peer_bytes.push(fill(&tools.skep, &running.url, population, &running.server)?);
    }
    row.add(measure(&tools.skep, &running.url, population, count, &[], &running.server)?);
    Ok(())
}

fn write_table(report: &mut String, population: Population, rows: &[Row]) {
    let cost_of = |kind: Kind| rows.iter().find(|row| row.kind == kind).map(|row| &row.cost);
    let (echo, aquatic) = (cost_of(Kind::Echo), cost_of(Kind::AquaticUring));
    let _ = writeln!(
        report,
        "| UDP, {} | cost, s a million | ÷ echo | ÷ aquatic io_uring | announces/s | p50 µs | p99 µs | bytes a peer | bytes a reply | failed |\n\
         |---|---|---|---|---|---|---|---|---|---|",
        population.name()
    );
    for row in rows {
        let name = row.kind.name();
        if let Some(reason) = &row.absent {
            let _ = writeln!(report, "| {name} | left out: {reason} | | | | | | | | |");
            continue;
        }
        let _ = writeln!(
            report,
            "| {name} | {:.2} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {} |",
            row.cost,
            row.cost.over(echo),
            row.cost.over(aquatic),
            row.rate,
            row.p50,
            row.p99,
            row.peer_bytes,
            row.reply_bytes,
            row.failed,
        );
    }
    report.push('\n');
}
