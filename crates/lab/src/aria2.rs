//! aria2, a process a torrent.

use std::path::Path;
use std::process::Command;

use crate::lan::Host;
use crate::program::Program;

/// The Debian package's program.
pub const PROGRAM: &str = "aria2c";

/// Shares what is in `folder` of a .torrent file; it is verified first.
#[must_use]
pub fn seed(host: &Host, torrent: &str, folder: &Path) -> Program {
    let mut command = command(host, torrent, folder);
    command.args(["--check-integrity=true", "--bt-hash-check-seed=true"]);
    Program::start("aria2c, seeding", command)
}

/// Fetches what a .torrent file or a magnet link names into `folder`, and goes on seeding.
#[must_use]
pub fn fetch(host: &Host, source: &str, folder: &Path) -> Program {
    Program::start("aria2c, fetching", command(host, source, folder))
}

/// aria2 for one torrent, hearing of peers from its tracker alone.
fn command(host: &Host, source: &str, folder: &Path) -> Command {
    let mut command = host.command(PROGRAM);
    command.arg("--no-conf").arg("--dir").arg(folder);
    // aria2 asks UDP trackers only while its DHT is on. Ours knows no node, and nobody answers it.
    command.arg("--enable-dht=true").arg("--dht-file-path").arg(folder.join("dht.dat"));
    command.args(["--enable-dht6=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false"]);
    command.args(["--listen-port=6881", "--dht-listen-port=6881"]);
    // A ratio of 0 is none: it seeds until it is killed.
    command.args(["--seed-ratio=0.0", "--file-allocation=none", "--follow-torrent=false"]);
    command.args([
        "--console-log-level=info",
        "--enable-color=false",
        "--summary-interval=0",
        "--show-console-readout=false",
    ]);
    if let Some(authority) = host.authority() {
        command.arg("--ca-certificate").arg(authority);
    }
    command.arg(source);
    command
}
