use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::options::Options;

/// The programs that a benchmark runs; of those that are not ours, why they are missing if they are.
pub(super) struct Tools {
    pub(super) skep: PathBuf,
    pub(super) xtask: PathBuf,
    pub(super) aquatic_udp: Result<PathBuf, String>,
    pub(super) aquatic_http: Result<PathBuf, String>,
    pub(super) opentracker: Result<PathBuf, String>,
}

/// Others' programs are built once, here, from crates.io.
const FOLDER: &str = "target/bench-tools";
pub(super) const AQUATIC_VERSION: &str = "0.9.0";

impl Tools {
    /// Builds or finds everything. `udp` and `http` say which of aquatic's trackers are wanted.
    pub(super) fn get(options: &Options, udp: bool, http: bool) -> Result<Self, String> {
        let root = options.root.as_path();
        let mut build = vec!["build", "--release", "--quiet", "--package", "xtask"];
        if options.skep.is_none() {
            build.extend(["--package", "skep"]);
        }
        eprintln!("building Skep and the floor");
        cargo(root, &build)?;
        // Without their metrics, which the newest compiler does not take, and which would only slow them down.
        let without = |wanted: bool, name: &str, features: &str| {
            if wanted { install(root, name, features) } else { Err("not wanted".to_owned()) }
        };
        let release = root.join("target/release");
        Ok(Self {
            skep: options.skep.clone().unwrap_or_else(|| release.join("skep")),
            xtask: release.join("xtask"),
            aquatic_udp: without(udp, "aquatic_udp", "io-uring,mimalloc"),
            aquatic_http: without(http, "aquatic_http", ""),
            opentracker: find("opentracker"),
        })
    }
}

fn install(root: &Path, name: &str, features: &str) -> Result<PathBuf, String> {
    let program = root.join(FOLDER).join("bin").join(name);
    if !program.exists() {
        eprintln!("building {name} {AQUATIC_VERSION}, once");
        let package = format!("{name}@{AQUATIC_VERSION}");
        let build = format!("{FOLDER}/build");
        let flags =
            ["--locked", "--quiet", "--root", FOLDER, "--target-dir", &build, "--no-default-features"];
        cargo(root, &[&["install", &package, "--features", features], &flags[..]].concat())?;
    }
    Ok(program)
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root).stdin(Stdio::null()).stdout(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo {} failed: {status}", arguments.join(" "))),
        Err(error) => Err(format!("cannot start cargo: {error}")),
    }
}

fn find(program: &str) -> Result<PathBuf, String> {
    lab::find(program).ok_or_else(|| format!("{program} is not installed; on Debian: apt install {program}"))
}
