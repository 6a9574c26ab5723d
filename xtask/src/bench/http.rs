use std::fmt::Write;

use super::figures::Series;
use super::load::{Population, fill, measure};
use super::options::Options;
use super::server::Transport;
use super::servers::{Kind, Purpose};
use super::tools::Tools;
use super::tracker::Row;
use super::{Stop, machine};

const KINDS: [Kind; 4] = [Kind::Skep, Kind::Opentracker, Kind::AquaticHttp, Kind::Echo];
const CONNECTIONS: &str = "64";
const REPLY_BYTES_GUESS: f64 = 300.0;

/// What an HTTP announce costs, on kept connections and on one each.
pub(super) fn run(options: &Options) -> Result<String, Stop> {
    let tools = Tools::get(options, false, true)?;
    let mut report = format!("{}\n", machine::describe(options, &machine::trackers()));
    let (population, count) = if options.quick {
        (Population { torrents: 200, peers: 10 }, 10_000)
    } else {
        (Population { torrents: 10_000, peers: 10 }, 150_000)
    };
    let rows = || KINDS.into_iter().filter(|kind| options.wants(kind.name())).map(Row::new).collect();
    let (mut kept, mut closed): (Vec<Row>, Vec<Row>) = (rows(), rows());
    for round in 1..=options.rounds {
        let mut reply_bytes = Series::default();
        for (kept, closed) in kept.iter_mut().zip(&mut closed) {
            if kept.absent.is_some() {
                continue;
            }
            let name = kept.kind.name();
            eprintln!("HTTP, round {round} of {}: {name}", options.rounds);
            let bytes = reply_bytes.median().unwrap_or(REPLY_BYTES_GUESS);
            match once(kept, closed, &tools, population, count, bytes) {
                Ok(()) => kept.reply_bytes.median().into_iter().for_each(|bytes| reply_bytes.push(bytes)),
                Err(reason) => {
                    eprintln!("{name} is left out: {reason}");
                    (kept.absent, closed.absent) = (Some(reason.clone()), Some(reason));
                }
            }
        }
    }
    for (manner, rows) in [("kept connections", &kept), ("a connection each", &closed)] {
        write_table(&mut report, manner, rows);
    }
    let _ = writeln!(
        report,
        "Medians of {} alternating rounds (least–greatest). One server thread on one core, the generator on another; \
         {CONNECTIONS} connections, {}, {count} announces a round after everybody was announced once. Cost: the server's \
         processor seconds, user and kernel, for a million replies.",
        options.rounds,
        population.name()
    );
    Ok(report)
}

fn once(
    kept: &mut Row,
    closed: &mut Row,
    tools: &Tools,
    population: Population,
    count: u64,
    bytes: f64,
) -> Result<(), String> {
    #[expect(clippy::cast_possible_truncation, reason = "a reply's length")]
    let reply_bytes = bytes.round() as usize;
    let purpose = Purpose { transport: Transport::Http, ipv6: false, population, reply_bytes };
    let running = kept.kind.start(tools, purpose)?;
    if kept.kind != Kind::Echo {
        fill(&tools.skep, &running.url, population, &running.server)?;
    }
    for (row, flags) in
        [(kept, &["--connections", CONNECTIONS][..]), (closed, &["--connections", CONNECTIONS, "--close"])]
    {
        row.add(measure(&tools.skep, &running.url, population, count, flags, &running.server)?);
    }
    Ok(())
}

fn write_table(report: &mut String, manner: &str, rows: &[Row]) {
    let echo = rows.iter().find(|row| row.kind == Kind::Echo).map(|row| &row.cost);
    let best = rows
        .iter()
        .filter(|row| !matches!(row.kind, Kind::Skep | Kind::Echo))
        .min_by(|a, b| a.cost.median().unwrap_or(f64::MAX).total_cmp(&b.cost.median().unwrap_or(f64::MAX)))
        .map(|row| &row.cost);
    let _ = writeln!(
        report,
        "| HTTP, {manner} | cost, s a million | ÷ echo | ÷ best other | announces/s | p50 µs | p99 µs | bytes a reply | failed |\n\
         |---|---|---|---|---|---|---|---|---|"
    );
    for row in rows {
        let name = row.kind.name();
        if let Some(reason) = &row.absent {
            let _ = writeln!(report, "| {name} | left out: {reason} | | | | | | | |");
            continue;
        }
        let _ = writeln!(
            report,
            "| {name} | {:.1} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {} |",
            row.cost,
            row.cost.over(echo),
            row.cost.over(best),
            row.rate,
            row.p50,
            row.p99,
            row.reply_bytes,
            row.failed,
        );
    }
    report.push('\n');
}
