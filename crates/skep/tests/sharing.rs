//! A hub and peers, each a process, that give each other what they have.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use lab::folder::Folder;
use lab::lan::Host;
use lab::machine::{Machine, Ran, Sharing};
use lab::program::Signal;
use lab::torrent::content;
use serde_json::Value;

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

fn machine() -> Machine {
    Machine::new(env!("CARGO_BIN_EXE_skep"), &Host::loopback())
}

/// A hub and what it shares: its address too, from the line that it gives to be typed elsewhere.
fn up(machine: &Machine, name: &str) -> (Sharing, String) {
    let up = machine.share(&["up", name, "--listen", "127.0.0.1:0", "--state-dir", "state"]);
    let said = up.program.stdout();
    let hub = said.split_once(" -t ").and_then(|(_, rest)| rest.split_whitespace().next());
    let hub = hub.unwrap_or_else(|| panic!("no hub in {said}")).to_owned();
    (up, hub)
}

fn stop(sharing: Sharing) {
    sharing.program.signal(Signal::INT);
    Ran::of(sharing.program, PATIENCE).went_well();
    assert!(!sharing.ready_file.exists());
}

fn found(machine: &Machine, name: &str, hub: &str) -> Value {
    let found = machine.run(&["find", "--json", name, "-t", hub], PATIENCE);
    serde_json::from_str::<Value>(&found.stdout).unwrap()[0].take()
}

#[test]
fn a_folder_is_put_up_here_and_got_there() {
    let (here, there) = (machine(), machine());
    let files = vec![
        (vec!["größe", "a b.bin"], content(1, 3_000_000)),
        (vec!["pieces"], content(2, 1 << 20)),
        (vec!["empty"], Vec::new()),
    ];
    let set = Folder { name: "data set", files };
    set.write(here.home());
    let (up, hub) = up(&here, "data set");

    there.run(&["get", "data sett", "-t", &hub], PATIENCE).failed_with(&["did you mean \"data set\"?"]);

    let got = there.run(&["get", "data set", "-t", &hub, "-o", "there", "--no-seed"], PATIENCE);
    got.went_well();
    let path = Path::new(got.stdout.trim_end());
    assert!(path.ends_with("there/data set"), "{}", path.display());
    assert_eq!(set.difference(path), None);

    let listed = found(&there, "data set", &hub);
    assert_eq!((&listed["seeders"], &listed["leechers"]), (&1.into(), &0.into()), "{listed}");
    assert_eq!(listed["completed"], 1, "{listed}");
    stop(up);
}

#[test]
fn what_is_shared_through_a_hub_is_got_by_its_hash() {
    let (here, there) = (machine(), machine());
    fs::write(here.home().join("first.txt"), "first").unwrap();
    fs::write(here.home().join("solo.bin"), vec![7; 100_000]).unwrap();
    let (_up, hub) = up(&here, "first.txt");
    let share = here.share(&["share", "solo.bin", "-t", &hub, "--state-dir", "state"]);
    let hash = found(&there, "solo", &hub)["info_hash"].as_str().unwrap().to_owned();
    assert_eq!(hash, share.info_hash());
    there.run(&["get", &hash, "-t", &hub, "-o", "there", "--no-seed"], PATIENCE).went_well();
    assert_eq!(fs::read(there.home().join("there").join("solo.bin")).unwrap(), vec![7; 100_000]);

    stop(share);
    let listed = found(&there, "solo", &hub);
    assert_eq!(listed["seeders"], 0, "it said goodbye: {listed}");
}

#[test]
fn what_has_not_changed_is_hashed_once() {
    let machine = machine();
    let solo = machine.home().join("solo.bin");
    fs::write(&solo, vec![7; 3_000_000]).unwrap();
    let unchanged = "unchanged since it was hashed";
    let (first, _) = up(&machine, "solo.bin");
    assert!(!first.program.stderr().contains(unchanged));
    stop(first);
    let (second, hub) = up(&machine, "solo.bin");
    assert!(second.program.stderr().contains(unchanged), "{}", second.program.stderr());
    let get = ["get", "solo.bin", "-t", &hub, "-o", "there", "--no-seed", "--state-dir", "state"];
    machine.run(&get, PATIENCE).went_well();
    stop(second);
    let end = |name: &str| name.rsplit('.').next().unwrap().to_owned();
    let names = fs::read_dir(machine.home().join("state/peer")).unwrap();
    let mut kept: Vec<_> = names.map(|entry| end(entry.unwrap().file_name().to_str().unwrap())).collect();
    kept.sort();
    assert_eq!(kept, ["made", "resume", "resume"], "one torrent in two places, and nothing unfinished");

    fs::write(&solo, vec![8; 3_000_000]).unwrap();
    let (third, _) = up(&machine, "solo.bin");
    assert!(!third.program.stderr().contains(unchanged));
}
