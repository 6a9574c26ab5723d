use std::thread;
use std::time::{Duration, Instant};

use lab::wait;

use super::peers::{Kind, Peer, Prepared};
use super::site::{Run, Site};
use crate::bench::process::peak_bytes;
use crate::bench::tools::Tools;

/// How long a seeder may hash until it shares.
const SEEDING_MAX: Duration = Duration::from_secs(60);
/// How long a transfer may take: several times what the slowest took.
const TRANSFER_MAX: Duration = Duration::from_secs(240);
/// Between two looks whether all have finished: far less than a transfer takes.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What one transfer showed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// From the leechers' start until the last had everything.
    pub(super) seconds: f64,
    /// Processor seconds of seeder and leechers together in that time.
    pub(super) cpu_seconds: f64,
    /// Resident memory at most, of the seeder.
    pub(super) seeder_bytes: u64,
    /// Likewise, of the leecher that had most.
    pub(super) leecher_bytes: u64,
    /// Bytes that left the seeder's host, by the file's size.
    pub(super) copies: f64,
}

/// Lets the site's leechers get its file once, all starting together.
pub(super) fn transfer(kind: Kind, tools: &Tools, site: &Site) -> Result<Figures, String> {
    let run = site.clear_run()?;
    let (figures, served) = match kind {
        Kind::Pipe => (bare(tools, site, &run)?, 1),
        _ => (swarm(kind, tools, site, &run)?, run.leechers.len()),
    };
    run.leechers[..served].iter().try_for_each(|leecher| site.verify(&leecher.files))?;
    Ok(figures)
}

fn swarm(kind: Kind, tools: &Tools, site: &Site, run: &Run) -> Result<Figures, String> {
    let hub = site.start_hub(&run.hub);
    let mut seeder = kind.seeder(tools, site, &run.seeder)?.start()?;
    wait::within(SEEDING_MAX, || match seeder.runs() {
        Ok(()) => hub.swarm(&site.info_hash).is_some_and(|swarm| swarm.complete == 1).then_some(Ok(())),
        Err(ended) => Some(Err(ended)),
    })
    .unwrap_or_else(|| Err(format!("{} announced no seeder: {}", kind.name(), seeder.last_lines())))?;
    let prepared: Vec<Prepared> = site
        .leechers
        .iter()
        .zip(&run.leechers)
        .map(|(host, place)| kind.leecher(tools, site, host, place))
        .collect::<Result<_, _>>()?;
    let (sent_before, cpu_before) = (site.seeder.sent_bytes(), seeder.cpu_seconds()?);
    let start = Instant::now();
    let mut leechers: Vec<Peer> = prepared.into_iter().map(Prepared::start).collect::<Result<_, _>>()?;
    let seconds = await_finish(start, &mut seeder, &mut leechers)?;
    figures(site, seconds, (&seeder, cpu_before), &leechers, sent_before)
}

/// Over a TCP connection, to the first leecher.
fn bare(tools: &Tools, site: &Site, run: &Run) -> Result<Figures, String> {
    let receiver = Kind::Pipe.leecher(tools, site, &site.leechers[0], &run.leechers[0])?.start()?;
    wait::within(SEEDING_MAX, || receiver.has_said("ready").then_some(()))
        .ok_or_else(|| format!("the receiver did not start: {}", receiver.last_lines()))?;
    let sender = Kind::Pipe.seeder(tools, site, &run.seeder)?;
    let (sent_before, start) = (site.seeder.sent_bytes(), Instant::now());
    let mut sender = sender.start()?;
    let mut receivers = [receiver];
    let seconds = await_finish(start, &mut sender, &mut receivers)?;
    figures(site, seconds, (&sender, 0.0), &receivers, sent_before)
}

/// Waits until all `leechers` have finished: the seconds since `start`.
fn await_finish(start: Instant, seeder: &mut Peer, leechers: &mut [Peer]) -> Result<f64, String> {
    loop {
        if leechers.iter().all(Peer::has_finished) {
            return Ok(start.elapsed().as_secs_f64());
        }
        seeder.runs()?;
        leechers.iter_mut().try_for_each(Peer::runs)?;
        if start.elapsed() > TRANSFER_MAX {
            let said: Vec<String> = leechers.iter().map(Peer::last_lines).collect();
            return Err(format!("not all had everything after {TRANSFER_MAX:?}: {}", said.join("; ")));
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn figures(
    site: &Site,
    seconds: f64,
    (seeder, seeder_cpu_before): (&Peer, f64),
    leechers: &[Peer],
    sent_before: u64,
) -> Result<Figures, String> {
    let mut cpu_seconds = seeder.cpu_seconds()? - seeder_cpu_before;
    let mut leecher_bytes = 0;
    for leecher in leechers {
        cpu_seconds += leecher.cpu_seconds()?;
        leecher_bytes = leecher_bytes.max(peak_bytes(leecher.id())?);
    }
    Ok(Figures {
        seconds,
        cpu_seconds,
        seeder_bytes: peak_bytes(seeder.id())?,
        leecher_bytes,
        copies: (site.seeder.sent_bytes() - sent_before) as f64 / site.size as f64,
    })
}
