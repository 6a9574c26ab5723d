use std::fmt::Write;

use super::figures::Series;
use super::load::{Population, fill};
use super::options::Options;
use super::server::Transport;
use super::servers::{Kind, Purpose};
use super::tools::Tools;
use super::{Stop, machine};

const KINDS: [Kind; 3] = [Kind::Skep, Kind::AquaticMio, Kind::Opentracker];

/// What a peer costs in memory: growth of the resident set through a fill.
pub(super) fn run(options: &Options) -> Result<String, Stop> {
    let tools = Tools::get(options, true, false)?;
    let mut report = format!("{}\n", machine::describe(options, &machine::trackers()));
    let populations = if options.quick {
        [Population { torrents: 20_000, peers: 2 }, Population { torrents: 200, peers: 100 }]
    } else {
        [Population { torrents: 1_000_000, peers: 2 }, Population { torrents: 10_000, peers: 100 }]
    };
    let loads: Vec<(Population, bool)> =
        populations.into_iter().flat_map(|population| [(population, false), (population, true)]).collect();
    let _ = write!(report, "| bytes a peer |");
    for (population, ipv6) in &loads {
        let _ = write!(report, " {}, {} |", population.name(), if *ipv6 { "IPv6" } else { "IPv4" });
    }
    let _ = writeln!(report, "\n|---|{}", "---|".repeat(loads.len()));
    for kind in KINDS.into_iter().filter(|kind| options.wants(kind.name())) {
        let _ = write!(report, "| {} |", kind.name());
        for (population, ipv6) in &loads {
            // Debian's opentracker is built for IPv4.
            if *ipv6 && kind == Kind::Opentracker {
                let _ = write!(report, " – |");
                continue;
            }
            eprintln!("{}, {}: {}", population.name(), if *ipv6 { "IPv6" } else { "IPv4" }, kind.name());
            let mut series = Series::default();
            let mut reason = None;
            for _ in 0..options.rounds {
                match once(kind, &tools, *population, *ipv6) {
                    Ok(bytes) => series.push(bytes),
                    Err(error) => {
                        eprintln!("{} is left out: {error}", kind.name());
                        reason = Some(error);
                        break;
                    }
                }
            }
            let _ = match reason {
                Some(reason) => write!(report, " left out: {reason} |"),
                None => write!(report, " {series:.1} |"),
            };
        }
        report.push('\n');
    }
    let _ = writeln!(
        report,
        "\nMedians of {} rounds (least–greatest), announced over UDP; torrents and all else that grew included.",
        options.rounds
    );
    Ok(report)
}

fn once(kind: Kind, tools: &Tools, population: Population, ipv6: bool) -> Result<f64, String> {
    let purpose = Purpose { transport: Transport::Udp, ipv6, population, reply_bytes: 0 };
    let running = kind.start(tools, purpose)?;
    fill(&tools.skep, &running.url, population, &running.server)
}
