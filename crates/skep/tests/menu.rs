//! `skep peer` at a terminal: a person goes through the whole menu.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use lab::classic::beacon_peer;
use lab::hub::{Hub, Setup};
use lab::lan::Host;
use lab::machine::Machine;
use lab::program::Signal;
use lab::terminal::Terminal;
use lab::torrent::Torrent;
use lab::wait::{self, SOON};
use tempfile::TempDir;

const SKEP: &str = env!("CARGO_BIN_EXE_skep");

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const CTRL_C: &str = "\x03";

/// A hub that serves `beacon`, and a person's machine.
struct World {
    hub: Hub,
    machine: Machine,
    _state: TempDir,
}

impl World {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let hub =
            Setup::new(SKEP).config("[classic.beacon]\nlisten = [\"127.0.0.1:0\"]\n").start(state.path());
        Self { hub, machine: Machine::new(SKEP, &Host::loopback()), _state: state }
    }

    fn sit_down(&self) -> Terminal {
        let hub = self.hub.http().to_string();
        let terminal =
            self.machine.at_terminal(&["peer", "--user", "ann", "--peer-port", "0", "--tracker", &hub]);
        terminal.until("What now?", PATIENCE);
        terminal
    }

    /// Whom the tracker of `beacon` names for a file.
    fn holders(&self, name: &str) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(r#"{{"action":"REQUEST","filename":"{name}"}}"#);
        socket.send_to(request.as_bytes(), self.hub.classic("beacon")).unwrap();
        let mut answer = [0; 1024];
        let len = socket.recv(&mut answer).unwrap();
        String::from_utf8(answer[..len].to_vec()).unwrap()
    }
}

#[test]
fn a_person_goes_through_the_whole_menu() {
    let world = World::new();
    let content = lab::torrent::content(7, 300_000);
    let holder = beacon_peer(world.hub.classic("beacon"), "video.mp4", content.clone());
    let mut terminal = world.sit_down();
    let shared = world.machine.home().join("shared_files/ann");
    assert!(shared.is_dir(), "the folder is made");
    // Letters choose among the rows; so does the arrow.
    let choose = |terminal: &mut Terminal, letters: &str, next: &str| {
        terminal.type_text(letters);
        terminal.type_text(ENTER);
        terminal.until(next, PATIENCE);
    };

    // Once something of its own is offered, it knows where the hub serves the dialect.
    fs::write(shared.join("a.txt"), "a").unwrap();
    wait::until("the file to be offered", PATIENCE, || (world.holders("a.txt") != "[]").then_some(()));
    choose(&mut terminal, "search", "Search for:");
    choose(&mut terminal, "VIDEO", "video.mp4  (1 peer of beacon, not verified)");
    terminal.type_text(ENTER);
    terminal.until("video.mp4 is here", PATIENCE);
    terminal.until("not verified", PATIENCE);
    assert!(fs::read(shared.join("video.mp4")).unwrap() == content);

    // It is offered at once, under the name that people of beacon expect.
    wait::until("the download to be offered", PATIENCE, || {
        (world.holders("[download]video.mp4") != "[]").then_some(())
    });
    // And it is in the catalogue, so that from now on it is verified.
    wait::until("the download to be in the catalogue", PATIENCE, || {
        let listed = world.hub.get("/api/v1/torrents").json();
        (listed["torrents"][0]["name"] == "video.mp4").then_some(())
    });
    choose(&mut terminal, "what i", "[download]video.mp4 in beacon");

    choose(&mut terminal, "who", "Who has:");
    choose(&mut terminal, "video.mp4", &format!("{holder} in beacon"));
    terminal.until("1 seeder", PATIENCE);
    choose(&mut terminal, "active", "nothing is being downloaded");

    // Another file.
    fs::write(world.machine.home().join("notes.txt"), "notes").unwrap();
    choose(&mut terminal, "seed", "Seed:");
    choose(&mut terminal, "notes.txt", "notes.txt is shared in a moment");
    wait::until("the other file to be offered", PATIENCE, || {
        (world.holders("notes.txt") != "[]").then_some(())
    });
    choose(&mut terminal, "seed", "Seed:");
    choose(&mut terminal, "none.txt", "cannot read");

    // Back, and out.
    choose(&mut terminal, "seed", "Seed:");
    terminal.type_text(ESC);
    terminal.until("<canceled>", PATIENCE);
    terminal.type_text("exit");
    terminal.type_text(ENTER);
    assert_eq!(terminal.wait(PATIENCE).code(), Some(0));
    for name in ["[download]video.mp4", "notes.txt"] {
        assert_eq!(world.holders(name), "[]", "the hub forgets the peer at once");
    }
    assert_ne!(world.holders("video.mp4"), "[]", "and nobody else");
}

#[test]
fn ctrl_c_leaves_and_so_does_a_signal() {
    let world = World::new();
    for way in [CTRL_C, ""] {
        let mut terminal = world.sit_down();
        fs::write(world.machine.home().join("shared_files/ann/a.txt"), "a").unwrap();
        wait::until("the file to be offered", PATIENCE, || (world.holders("a.txt") != "[]").then_some(()));
        if way.is_empty() {
            terminal.signal(Signal::TERM);
        } else {
            terminal.type_text(way);
        }
        assert_eq!(terminal.wait(PATIENCE).code(), Some(0));
        assert_eq!(world.holders("a.txt"), "[]");
        wait::until("the terminal as it was", SOON, || terminal.is_as_it_was().then_some(()));
    }
}

#[test]
fn ctrl_c_leaves_while_something_comes_and_no_prompt_comes_back() {
    let world = World::new();
    let content = lab::torrent::content(7, 300_000);
    let nobody_has_it = Torrent::new("video.mp4", &content, 1 << 16, "http://127.0.0.1:9/announce", false);
    assert_eq!(world.hub.add(&nobody_has_it.bytes).status, 201);
    let mut terminal = world.sit_down();
    for (typed, next) in [("search", "Search for:"), ("video", "0 seeders, verified"), ("", "(Enter: menu)")]
    {
        terminal.type_text(typed);
        terminal.type_text(ENTER);
        terminal.until(next, PATIENCE);
    }
    world.hub.await_swarm(&nobody_has_it.info_hash, PATIENCE, |swarm| swarm.incomplete == 1);
    // A hub that does not hear the goodbye gives a prompt the time to come back.
    world.hub.program().signal(Signal::STOP);
    terminal.type_text(CTRL_C);
    terminal.until("telling the trackers", PATIENCE);
    assert_eq!(terminal.wait(PATIENCE).code(), Some(0));
    wait::until("the terminal as it was", SOON, || terminal.is_as_it_was().then_some(()));
    assert!(!terminal.screen().contains("> Search and download"), "{}", terminal.screen());
}
