//! A hub, and machines around it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::hub::{Hub, Setup};
use lab::lan::Host;
use lab::machine::{Machine, Sharing};
use lab::program::Program;
use lab::wait;
use serde_json::Value;
use tempfile::TempDir;

/// How long a transfer may take, on a machine that is busy with other tests.
pub(crate) const FETCH_MAX: Duration = Duration::from_secs(90);

/// What is fetched in most stories: 16 MiB.
pub(crate) const FILE_BYTES: usize = 16 << 20;

/// A hub on loopback.
pub(crate) struct Scene {
    pub(crate) hub: Hub,
    /// Where it is, as people type it.
    pub(crate) url: String,
    _state: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let hub = Setup::new(skep()).listen("127.0.0.1:0").start(state.path());
        let url = format!("http://{}", hub.http());
        Self { hub, url, _state: state }
    }

    /// A machine on loopback.
    pub(crate) fn machine(&self) -> Machine {
        Machine::new(skep(), &Host::loopback())
    }

    /// Shares `bytes` under `name`, with more arguments.
    pub(crate) fn share(&self, machine: &Machine, name: &str, bytes: &[u8], more: &[&str]) -> Sharing {
        fs::write(machine.home().join(name), bytes).unwrap();
        machine.share(&[&["share", name, "-t", &self.url], more].concat())
    }

    /// Starts to get what is called `name`, with more arguments.
    pub(crate) fn get(&self, machine: &Machine, name: &str, more: &[&str]) -> Program {
        machine.start(&[&["get", name, "-t", &self.url], more].concat())
    }

    /// Bytes in a piece of a torrent.
    pub(crate) fn piece_length(&self, info_hash: &str) -> usize {
        let torrent = self.hub.get(&format!("/api/v1/torrents/{info_hash}")).json();
        torrent["piece_length"].as_u64().and_then(|bytes| bytes.try_into().ok()).unwrap()
    }

    /// Waits until there are `seeders`, and says how much the only one that has fetched anything has fetched.
    pub(crate) fn fetched_when(&self, info_hash: &str, seeders: u64) -> u64 {
        self.hub.await_swarm(info_hash, FETCH_MAX, |swarm| swarm.complete == seeders);
        let peers = self.hub.peers(info_hash);
        let fetched = |peer: &Value| peer["downloaded"].as_u64().filter(|bytes| *bytes > 0);
        let all: Vec<u64> =
            peers.iter().filter(|peer| peer["role"] == "seeder").filter_map(fetched).collect();
        let [one] = all[..] else { panic!("one that fetched is expected in {peers:?}") };
        one
    }
}

/// The program.
pub(crate) fn skep() -> &'static str {
    env!("CARGO_BIN_EXE_skep")
}

/// Where a download keeps the only file of a torrent until that is whole.
pub(crate) fn part(folder: &Path, info_hash: &str) -> PathBuf {
    folder.join(format!(".skep-{info_hash}")).join("0")
}

/// Which pieces of `payload` are in the file at `path`.
pub(crate) fn good_pieces(path: &Path, payload: &[u8], piece_length: usize) -> Vec<usize> {
    let found = fs::read(path).unwrap_or_default();
    let pieces = payload.chunks(piece_length).zip(found.chunks(piece_length));
    pieces.enumerate().filter(|(_, (a, b))| a == b).map(|(at, _)| at).collect()
}

/// Waits until a download has about `bytes` of its only file.
pub(crate) fn await_part(folder: &Path, info_hash: &str, payload: &[u8], piece_length: usize, bytes: usize) {
    let path = part(folder, info_hash);
    wait::until("half a download", FETCH_MAX, || {
        let good = good_pieces(&path, payload, piece_length);
        (good.len() * piece_length >= bytes).then_some(())
    });
}

/// Turns over one bit of a file. The time of its last change is set back, so that it tells nothing.
pub(crate) fn spoil(path: &Path, at: u64) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
    file.set_modified(modified).unwrap();
}

/// Waits until a `get` has printed where what it fetched is.
pub(crate) fn await_path(get: &mut Program) -> PathBuf {
    wait::until("the finished path", FETCH_MAX, || {
        let said = get.stdout();
        if let Some(line) = said.lines().next().filter(|_| said.ends_with('\n')) {
            return Some(PathBuf::from(line));
        }
        assert!(get.ended().is_none(), "it ended without a path: {}", get.stderr());
        None
    })
}
