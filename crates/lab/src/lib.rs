//! Test support: a small network on one machine, and programs on its hosts, ours and other people's.
//!
//! This crate knows none of our crates. It meets `skep` as a user does: a program, its files, its sockets. What it
//! cannot do where it runs it says ([`skip`]); what goes wrong otherwise is a panic, since its callers are tests.

pub mod aria2;
pub mod classic;
pub mod folder;
pub mod http;
pub mod hub;
pub mod lan;
pub mod libtorrent;
pub mod machine;
pub mod port;
pub mod program;
pub mod small_disk;
pub mod stranger;
pub mod terminal;
pub mod torrent;
pub mod tracker;
pub mod transmission;
pub mod wait;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// Says why the calling test runs nothing, in a line that the test runner does not swallow.
///
/// `cargo xtask test` counts these lines.
pub fn skip(reason: impl Display) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("test");
    let line = format!("skipped: {test}: {reason}\n");
    // Not `eprintln!`, which the test runner keeps to itself while a test passes; and in one write, so that the lines
    // of two tests do not mix.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Where `program` is, looked for in `PATH` and in the folders that Debian keeps from ordinary users' `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The Python that Debian's modules are for, whatever other one `PATH` has first.
pub const PYTHON: &str = "/usr/bin/python3";

/// Whether [`PYTHON`] is there and can load this module: only loading shows that the libraries below it are there too.
pub fn has_python_module(name: &str) -> bool {
    let mut command = Command::new(PYTHON);
    command.args(["-c", &format!("import {name}")]).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Where Schemathesis is, which tries an API by its description, once `cargo xtask setup` has brought it.
pub fn schemathesis() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    target.join("tools/schemathesis/bin/schemathesis")
}

/// Whether all `programs` are there; says so ([`skip`]) if one is not.
pub fn have(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| find(program).is_none());
    if let Some(program) = missing {
        skip(format_args!("`{program}` is not installed; `cargo xtask setup` may install it"));
    }
    missing.is_none()
}

/// Runs `command` to its end: its output, or why there is none.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}
