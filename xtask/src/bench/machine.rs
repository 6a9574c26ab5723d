use std::fs;
use std::process::Command;

use super::options::Options;
use super::tools::AQUATIC_VERSION;

/// The other trackers' versions.
pub(super) fn trackers() -> String {
    format!("aquatic {AQUATIC_VERSION}, opentracker {}", package_version("opentracker"))
}

/// The other peers' versions.
pub(super) fn peers() -> String {
    format!("libtorrent {}, aria2 {}", package_version("python3-libtorrent"), package_version("aria2"))
}

/// The machine, the versions, those of `others` among them, and the command, as lines of Markdown.
pub(super) fn describe(options: &Options, others: &str) -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes =
        memory.split_ascii_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let commit =
        said(Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(&options.root));
    let rustc = said(Command::new("rustc").arg("--version"));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_ascii_whitespace().next().unwrap_or_default().to_owned();
    format!(
        "- Machine: {model}, {cores} cores, {} GiB, Linux {}; load average before: {load}\n\
         - Versions: Skep {} ({commit}), {others}, {rustc}\n\
         - Command: `{}`\n",
        kibibytes.div_ceil(1 << 20),
        kernel.trim(),
        env!("CARGO_PKG_VERSION"),
        options.command,
    )
}

/// The version of an installed Debian package; nothing if it is not.
fn package_version(package: &str) -> String {
    said(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]))
}

/// What a program prints; nothing if it cannot be run.
fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
