//! libtorrent, by way of its Python module and a small script; a process a torrent.

use std::path::Path;

use crate::lan::Host;
use crate::program::Program;
use crate::{PYTHON, has_python_module, skip};

const SCRIPT: &str = include_str!("libtorrent.py");

/// Whether it is there; says so ([`skip`]) if not.
#[must_use]
pub fn is_there() -> bool {
    let there = has_python_module("libtorrent");
    if !there {
        skip(format_args!("no libtorrent for {PYTHON}; `cargo xtask setup` may install it"));
    }
    there
}

/// Verifies what is in `folder` of a torrent, which a .torrent file or a magnet link names, fetches the rest, and seeds.
#[must_use]
pub fn start(host: &Host, source: &str, folder: &Path) -> Program {
    let mut command = host.command(PYTHON);
    command.args(["-c", SCRIPT]).arg(folder).arg(source);
    Program::start("libtorrent", command)
}
