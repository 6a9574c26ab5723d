use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lab::hub::{ADMIN_TOKEN, Hub};
use lab::lan::Lan;
use lab::program::Program;
use lab::torrent::content;
use lab::wait;

use super::folder::Folder;
use super::peers::skep;
use super::site::{hub_url, start_hub};
use crate::bench::options::Options;
use crate::bench::process::{cpu_seconds, descriptors, peak_bytes, resident_bytes};
use crate::bench::tools::Tools;

pub(super) const NAME: &str = "idle";

const FILES: u64 = 1000;
const FILES_QUICK: u64 = 100;
const FILE_BYTES: usize = 64 << 10;
/// How long it may take until all is shared.
const SHARING_MAX: Duration = Duration::from_secs(120);
/// What is left to do after the last announce has this long.
const SETTLE: Duration = Duration::from_secs(5);
const WATCH: Duration = Duration::from_secs(60);
const WATCH_QUICK: Duration = Duration::from_secs(5);

/// What many torrents cost one Skep that shares them all while nobody wants them.
pub(super) fn run(options: &Options, tools: &Tools) -> Result<String, String> {
    let (files, watch) = if options.quick { (FILES_QUICK, WATCH_QUICK) } else { (FILES, WATCH) };
    eprintln!("{files} torrents, idle: Skep");
    let folder = Folder::with_room_for(files * FILE_BYTES as u64)?;
    let paths = write_files(folder.path(), files)?;
    let mut lan = Lan::new().ok_or("this benchmark needs hosts of their own")?;
    let (hub_host, host) = (lan.host("hub"), lan.host("seeder"));
    let hub = start_hub(&tools.skep, &hub_host, &folder.path().join("hub"));
    let mut command = skep(tools, &host, folder.path())?;
    command.arg("share").args(paths).args(["--tracker", &hub_url(&hub_host), "--admin-token", ADMIN_TOKEN]);
    let start = Instant::now();
    let mut program = Program::start("skep share", command);
    await_seeders(&hub, &mut program, files)?;
    let sharing = start.elapsed();
    thread::sleep(SETTLE);
    let id = program.id();
    let (cpu_before, start) = (cpu_seconds(id)?, Instant::now());
    thread::sleep(watch);
    let percent = 100.0 * (cpu_seconds(id)? - cpu_before) / start.elapsed().as_secs_f64();
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mut report = String::new();
    let _ = writeln!(
        report,
        "| {files} torrents of {} KiB, idle | resident MiB | peak MiB | % of a core | descriptors | s until all were announced |\n\
         |---|---|---|---|---|---|\n\
         | Skep | {:.1} | {:.1} | {percent:.2} | {} | {:.1} |\n",
        FILE_BYTES >> 10,
        mebibytes(resident_bytes(id)?),
        mebibytes(peak_bytes(id)?),
        descriptors(id)?,
        sharing.as_secs_f64(),
    );
    Ok(report)
}

fn write_files(folder: &Path, files: u64) -> Result<Vec<PathBuf>, String> {
    let write = |number: u64| {
        let path = folder.join(format!("file{number:04}"));
        fs::write(&path, content(number, FILE_BYTES)).map(|()| path)
    };
    (0..files).map(write).collect::<Result<_, _>>().map_err(|error| format!("cannot write files: {error}"))
}

/// Waits until the hub knows as many seeders.
fn await_seeders(hub: &Hub, program: &mut Program, wanted: u64) -> Result<(), String> {
    let mut seeders = 0;
    let ended = wait::within(SHARING_MAX, || {
        seeders = hub.get("/api/v1/stats").json()["seeders"].as_u64().unwrap_or(0);
        let ended = program.ended().map(|status| status.to_string());
        (seeders == wanted || ended.is_some()).then_some(ended)
    });
    match ended {
        Some(None) => Ok(()),
        _ => Err(format!("only {seeders} of {wanted} are shared: {}", program.output())),
    }
}
