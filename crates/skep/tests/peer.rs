//! A long-running peer over a folder, as its users run it: beside a hub and other peers, all on loopback.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lab::http::{Request, Response};
use lab::hub::{Hub, Setup};
use lab::lan::Host;
use lab::program::{Program, Signal};
use lab::torrent::content;
use lab::wait;
use serde_json::{Value, json};
use tempfile::TempDir;

const SKEP: &str = env!("CARGO_BIN_EXE_skep");

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of a test's own, and a hub.
struct World {
    temp: TempDir,
    hub: Hub,
}

/// A running peer.
struct Peer {
    program: Program,
    api: SocketAddr,
    token: String,
    ready_file: PathBuf,
}

impl World {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let hub = Setup::new(SKEP).start(&temp.path().join("hub"));
        Self { temp, hub }
    }

    /// Where the peer called `name` has its shared folder.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.temp.path().join(name).join("shared");
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Starts a peer and waits until it is ready.
    fn start(&self, name: &str) -> Peer {
        let hub = self.hub.http().to_string();
        start(&self.temp.path().join(name), &hub).ready()
    }

    /// The catalogue's torrents of a name.
    fn named(&self, name: &str) -> Vec<Value> {
        let list = self.hub.get("/api/v1/torrents?limit=500").json();
        let torrents = list["torrents"].as_array().unwrap();
        torrents.iter().filter(|torrent| torrent["name"] == name).cloned().collect()
    }

    /// The hash of the only torrent of a name, as soon as it is in the catalogue.
    fn hash(&self, name: &str) -> String {
        wait::until(name, PATIENCE, || match &self.named(name)[..] {
            [] => None,
            [one] => Some(one["info_hash"].as_str().unwrap().to_owned()),
            more => panic!("{more:?}"),
        })
    }

    /// Waits until a torrent has so many seeders.
    fn await_seeders(&self, hash: &str, seeders: u64) {
        self.hub.await_swarm(hash, PATIENCE, |swarm| swarm.complete == seeders);
    }
}

/// A peer whose folders are in `home`, that may not be ready.
struct Starting {
    program: Program,
    home: PathBuf,
}

fn command(home: &Path, hub: &str) -> Command {
    let mut command = Command::new(SKEP);
    // The settings of whoever runs the tests are not the tests'.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SKEP_")) {
        command.env_remove(name);
    }
    command.current_dir(home).env("XDG_CONFIG_HOME", home).args(["peer", "--dir", "shared", "-t", hub]);
    command.args(["--state-dir", "state", "--peer-port", "0", "--ready-file", "ready.json"]);
    command
}

fn start(home: &Path, hub: &str) -> Starting {
    fs::create_dir_all(home).unwrap();
    Starting { program: Program::start("skep peer", command(home, hub)), home: home.to_owned() }
}

impl Starting {
    fn ready(mut self) -> Peer {
        let ready_file = self.home.join("ready.json");
        let ready = wait::until("the peer's ready file", PATIENCE, || {
            let ended = self.program.ended();
            assert!(ended.is_none(), "the peer ended before it was ready: {ended:?}");
            fs::read(&ready_file).ok()
        });
        let ready: Value = serde_json::from_slice(&ready).unwrap();
        assert_eq!(ready["pid"], self.program.id());
        let api = ready["api"].as_str().unwrap().parse().unwrap();
        let token = fs::read_to_string(self.home.join("state/peer-token")).unwrap().trim().to_owned();
        Peer { program: self.program, api, token, ready_file }
    }
}

impl Peer {
    fn send(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        let request = Request::new(method, &format!("/api/v1/{path}")).bearer(&self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send(&Host::loopback(), self.api).unwrap()
    }

    fn fetch(&self, what: &str) -> Response {
        self.send("POST", "torrents", Some(json!({ "what": what })))
    }

    /// Waits until a torrent is in a phase.
    fn await_phase(&self, hash: &str, phase: &str) -> Value {
        let mut last = Value::Null;
        let reached = wait::within(PATIENCE, || {
            last = self.send("GET", &format!("torrents/{hash}"), None).json();
            (last["phase"] == phase).then_some(())
        });
        assert!(reached.is_some(), "after {PATIENCE:?} it is {last}");
        last
    }

    /// Has it stop, and sees that it does without an error.
    fn stop(mut self, how: impl FnOnce(&Self)) -> String {
        how(&self);
        let status = self.program.wait(PATIENCE);
        assert_eq!(status.code(), Some(0), "a peer that is told to stop exits with 0");
        assert!(!self.ready_file.exists(), "it is not ready any more");
        self.program.output()
    }

    fn shut_down(self) -> String {
        self.stop(|peer| assert_eq!(peer.send("POST", "shutdown", None).status, 202))
    }
}

#[test]
fn a_folder_is_shared_as_it_changes() {
    let world = World::new();
    let folder = world.folder("ann");
    fs::write(folder.join("file"), content(1, 100_000)).unwrap();
    fs::create_dir_all(folder.join("set/deep")).unwrap();
    fs::write(folder.join("set/deep/größe"), content(2, 50_000)).unwrap();
    fs::write(folder.join("set/.hidden"), "secret").unwrap();
    fs::write(folder.join(".hidden"), "secret").unwrap();
    fs::write(folder.join("half.part"), "half").unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    fs::write(world.temp.path().join("outside"), "secret").unwrap();
    std::os::unix::fs::symlink("../../outside", folder.join("link")).unwrap();

    // When it is ready, everything is in the catalogue and announced.
    let peer = world.start("ann");
    let all = world.hub.get("/api/v1/torrents").json();
    assert_eq!(all["torrents"].as_array().unwrap().len(), 2, "{all}");
    let (file, set) = (world.hash("file"), world.hash("set"));
    for hash in [&file, &set] {
        assert_eq!(world.hub.swarm(hash).unwrap().complete, 1);
    }
    let listed = world.hub.get(&format!("/api/v1/torrents/{set}")).json();
    assert_eq!(listed["files"], json!([{ "path": "deep/größe", "length": 50_000 }]));

    fs::write(folder.join("late"), content(3, 10_000)).unwrap();
    world.await_seeders(&world.hash("late"), 1);

    fs::write(folder.join("file"), content(4, 100_001)).unwrap();
    world.await_seeders(&file, 0);
    let new = wait::until("the changed file", PATIENCE, || {
        world.named("file").into_iter().find(|torrent| torrent["size"] == 100_001)
    });
    world.await_seeders(new["info_hash"].as_str().unwrap(), 1);

    fs::remove_dir_all(folder.join("set")).unwrap();
    world.await_seeders(&set, 0);

    let said = peer.stop(|peer| peer.program.signal(Signal::INT));
    world.await_seeders(new["info_hash"].as_str().unwrap(), 0);
    for words in ["`empty` is not shared", "\"link\" is a symbolic link", "no longer shared: `set`"] {
        assert!(said.contains(words), "`{words}` in\n{said}");
    }
}

#[test]
fn what_is_fetched_lies_in_the_folder_and_is_shared_now_and_later() {
    let world = World::new();
    let (ann, bob) = (world.folder("ann"), world.folder("bob"));
    fs::create_dir(ann.join("data set")).unwrap();
    for (name, seed) in [("first", 1), ("second", 2)] {
        fs::write(ann.join("data set").join(name), content(seed, 700_000)).unwrap();
    }
    let _ann = world.start("ann");
    let peer = world.start("bob");
    let hash = world.hash("data set");

    let refused = peer.fetch("data sett");
    assert_eq!(refused.status, 404);
    assert!(refused.text().contains("did you mean"), "{}", refused.text());
    let begun = peer.fetch("data set");
    assert_eq!((begun.status, &begun.json()["info_hash"]), (201, &json!(hash)), "{}", begun.text());
    let whole = peer.await_phase(&hash, "whole");
    assert_eq!(whole["path"], bob.join("data set").to_str().unwrap());
    assert!(fs::read(bob.join("data set/second")).unwrap() == content(2, 700_000));
    world.await_seeders(&hash, 2);
    assert_eq!(peer.fetch(&hash).status, 200, "it is here already");

    // A stranger without the token gets nowhere.
    let stranger = Request::new("POST", "/api/v1/shutdown").send(&Host::loopback(), peer.api).unwrap();
    assert_eq!(stranger.status, 401);

    peer.shut_down();
    world.await_seeders(&hash, 1);
    let peer = world.start("bob");
    world.await_seeders(&hash, 2);
    assert_eq!(world.named("data set").len(), 1, "it is still the torrent that it was");
    let listed = peer.send("GET", &format!("torrents/{hash}"), None).json();
    assert_eq!(listed["check"]["total"], 0, "nothing was hashed again: {listed}");

    // What a person removes is gone, and is not fetched again.
    peer.shut_down();
    fs::remove_dir_all(bob.join("data set")).unwrap();
    let peer = world.start("bob");
    assert_eq!(peer.send("GET", "torrents", None).json(), json!({ "torrents": [] }));
    assert_eq!(fs::read_dir(&bob).unwrap().count(), 0);
}

#[test]
fn what_was_begun_is_fetched_on_at_the_next_start() {
    let world = World::new();
    let ann = world.folder("ann");
    fs::write(ann.join("film"), content(1, 300_000)).unwrap();
    let seeder = world.start("ann");
    let hash = world.hash("film");
    seeder.shut_down();
    world.await_seeders(&hash, 0);

    // By its hash alone, so that its description has to come from somebody who is not there.
    let tracker = format!("http%3A%2F%2F{}%2Fannounce", world.hub.http());
    let magnet = format!("magnet:?xt=urn:btih:{hash}&tr={tracker}");
    let peer = world.start("bob");
    assert_eq!(peer.fetch(&magnet).status, 201);
    peer.await_phase(&hash, "describing");
    peer.shut_down();
    let peer = world.start("bob");
    peer.await_phase(&hash, "describing");
    let _seeder = world.start("ann");
    peer.await_phase(&hash, "whole");
    assert!(fs::read(world.folder("bob").join("film")).unwrap() == content(1, 300_000));
}

#[test]
fn what_is_taken_down_is_offered_again_when_it_changes() {
    let world = World::new();
    let folder = world.folder("ann");
    fs::write(folder.join("file"), "content").unwrap();
    let peer = world.start("ann");
    let hash = world.hash("file");
    assert_eq!(peer.send("DELETE", &format!("torrents/{hash}"), None).status, 204);
    world.await_seeders(&hash, 0);
    // What comes later is offered, so the other has been looked at.
    fs::write(folder.join("other"), "other").unwrap();
    world.await_seeders(&world.hash("other"), 1);
    assert_eq!(world.hub.swarm(&hash).unwrap().complete, 0);
    assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "content");
    fs::write(folder.join("file"), "content").unwrap();
    world.await_seeders(&hash, 1);
}

#[test]
fn a_folder_is_one_peers() {
    let world = World::new();
    let _peer = world.start("ann");
    let mut second = start(&world.temp.path().join("ann"), &world.hub.http().to_string());
    assert_eq!(second.program.wait(PATIENCE).code(), Some(2));
    let said = second.program.output();
    assert!(said.contains("shared is shared by another peer; stop that one"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_hub_that_is_not_there_is_waited_for() {
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("hub");
    let setup = Setup::new(SKEP);
    let hub = setup.clone().listen("127.0.0.1:0").start(&state);
    let address = hub.http();
    hub.stop();
    let home = temp.path().join("ann");
    fs::create_dir_all(home.join("shared")).unwrap();
    fs::write(home.join("shared/file"), "content").unwrap();
    let mut starting = start(&home, &address.to_string());
    wait::until("what it says", PATIENCE, || {
        assert!(starting.program.ended().is_none(), "it goes on");
        starting.program.output().contains("no hub answers at").then_some(())
    });
    assert!(starting.program.output().contains("sharing `file`"), "it shares meanwhile");
    assert!(!home.join("ready.json").exists());
    let hub = setup.listen(address).start(&state);
    let peer = starting.ready();
    let list = hub.get("/api/v1/torrents").json();
    let hash = list["torrents"][0]["info_hash"].as_str().unwrap();
    assert_eq!(hub.swarm(hash).unwrap().complete, 1);
    let said = peer.shut_down();
    assert!(said.contains("the hub answers"), "{said}");
}
