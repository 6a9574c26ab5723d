//! What moving a file costs: Skep, libtorrent and aria2 in turn, on hosts of their own, in memory.

mod folder;
mod idle;
mod measure;
mod peers;
pub(super) mod pipe;
mod simulation;
mod site;
mod table;

use std::fmt::Write;

use self::measure::transfer;
use self::peers::Kind;
use self::site::Site;
use self::table::Row;
use super::options::Options;
use super::tools::Tools;
use super::{Stop, machine};

const MIB: u64 = 1 << 20;

/// One file, one seeder, some leechers that start together.
#[derive(Debug, Clone, Copy)]
struct Scenario {
    name: &'static str,
    title: &'static str,
    size: u64,
    quick_size: u64,
    leechers: usize,
    /// Bytes a second that the seeder's link takes, if it is held.
    uplink: Option<u64>,
}

const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "one-to-one",
        title: "one to one",
        size: 2048 * MIB,
        quick_size: 128 * MIB,
        leechers: 1,
        uplink: None,
    },
    Scenario {
        name: "one-to-three",
        title: "one to three",
        size: 2048 * MIB,
        quick_size: 128 * MIB,
        leechers: 3,
        uplink: None,
    },
    Scenario {
        name: "capped",
        title: "one at 20 MB/s to three",
        size: 256 * MIB,
        quick_size: 32 * MIB,
        leechers: 3,
        uplink: Some(20_000_000),
    },
];

/// The names of all scenarios, in the order in which they run.
pub(super) fn names() -> Vec<&'static str> {
    SCENARIOS.iter().map(|scenario| scenario.name).chain([idle::NAME, simulation::NAME]).collect()
}

/// Runs the scenarios that are wanted.
pub(super) fn run(options: &Options) -> Result<String, Stop> {
    let tools = Tools::get(options, false, false)?;
    let mut report = format!("{}\n", machine::describe(options, &machine::peers()));
    for scenario in SCENARIOS.iter().filter(|scenario| options.wants_scenario(scenario.name)) {
        let rows = scenario.rounds(options, &tools)?;
        table::write(&mut report, &scenario.heading(options), &rows, scenario.ideal_seconds(options));
    }
    if options.wants_scenario(idle::NAME) && options.wants(Kind::Skep.name()) {
        report.push_str(&idle::run(options, &tools)?);
    }
    if options.wants_scenario(simulation::NAME) && options.wants(Kind::Skep.name()) {
        report.push_str(&simulation::run(options)?);
    }
    let _ = writeln!(
        report,
        "Medians of {} alternating rounds (least–greatest); idle and simulated ones once. Time: from the leechers' start, \
         their programs' own included, until the last has everything, the seeder having announced itself before. Processor: \
         user and kernel, seeder and leechers together, in that time. Peak: the most that was resident of a process, pages \
         of files that it maps included. Sent: all that left the seeder's host, headers included. Ideal: the file once over \
         the seeder's link, headers left out. MB are 10^6 bytes.",
        options.rounds
    );
    Ok(report)
}

impl Scenario {
    fn size(&self, options: &Options) -> u64 {
        if options.quick { self.quick_size } else { self.size }
    }

    fn heading(&self, options: &Options) -> String {
        format!("{} MiB, {}", self.size(options) / MIB, self.title)
    }

    /// The least that it can take: the seeder sends everything once.
    fn ideal_seconds(&self, options: &Options) -> Option<f64> {
        self.uplink.map(|uplink| self.size(options) as f64 / uplink as f64)
    }

    fn rounds(&self, options: &Options, tools: &Tools) -> Result<Vec<Row>, String> {
        let site = Site::new(&tools.skep, self.size(options), self.leechers, self.uplink)?;
        // A connection has one other end. Where the seeder's link is the limit, that is no matter.
        let limit = (self.leechers == 1 || self.uplink.is_some()).then_some(Kind::Pipe);
        let mut rows: Vec<Row> = Kind::SWARM
            .into_iter()
            .chain(limit)
            .filter(|kind| options.wants(kind.name()))
            .map(|kind| Row::new(kind, kind.missing()))
            .collect();
        for round in 1..=options.rounds {
            for row in rows.iter_mut().filter(|row| row.absent.is_none()) {
                let name = row.kind.name();
                eprintln!("{}, round {round} of {}: {name}", self.heading(options), options.rounds);
                match transfer(row.kind, tools, &site) {
                    Ok(figures) => row.add(site.size, figures),
                    Err(reason) => {
                        eprintln!("{name} is left out: {reason}");
                        row.absent = Some(reason);
                    }
                }
            }
        }
        Ok(rows)
    }
}
