//! The examples of the API's description give what it says they give.

#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::fs;
use std::path::Path;
use std::process::Command;

use lab::hub::{ADMIN_TOKEN, Hub, Setup};

/// The torrent that the examples are about: a folder of this name, with these files.
const FOLDER: &str = "dataset";
const FILES: [(&str, &str); 2] = [("a.txt", "1234"), ("b.txt", "5678")];
const HASH: &str = "cb216c3bfa076a7396bfa7e54889d626c691fe2b";

/// What stands for anything in an example's answer.
const ANYTHING: char = '…';

/// Fewer examples than this have not been found as they are written.
const EXAMPLES_MIN: usize = 15;

#[test]
fn every_example_gives_what_it_says() {
    if !lab::have(&["curl", "bash"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    make_torrent(folder.path());
    let state = tempfile::tempdir().unwrap();
    let config = "[classic.index]\nlisten = [\"127.0.0.1:0\"]\nttl_secs = 3600\n";
    let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).config(config).start(state.path());
    offer(&hub, folder.path());
    let port = hub.http().port();
    let document =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md")).unwrap();
    // The examples call the hub by its usual name and port.
    let document = document.replace(":6969", &format!(":{port}")).replace("%3A6969", &format!("%3A{port}"));
    let examples = examples(&document);
    assert!(examples.len() >= EXAMPLES_MIN, "{examples:?}");
    for (command, expected) in examples {
        let answer = Command::new("bash")
            .args(["-c", command])
            .current_dir(folder.path())
            .env("HUB", format!("http://localhost:{port}"))
            .env("TOKEN", ADMIN_TOKEN)
            .env("HASH", HASH)
            .output()
            .unwrap();
        let answer = String::from_utf8(answer.stdout).unwrap();
        let answer = answer.trim_end();
        assert!(fits(answer, &expected), "$ {command}\ngives\n{answer}\nand not\n{expected}");
    }
    // The last one stops it.
    assert_eq!(hub.ended(), Some(0));
}

#[test]
fn an_answer_fits_as_far_as_it_is_told() {
    for (answer, expected, yes) in [
        ("abc", "abc", true),
        ("abc", "a…", true),
        ("abc", "…c", true),
        ("a-b-c", "a…b…c", true),
        ("abc", "ab", false),
        ("abc", "…b", false),
        ("aXc", "a…b…c", false),
        ("ab", "ab…b", false),
    ] {
        assert_eq!(fits(answer, expected), yes, "{answer} and {expected}");
    }
}

fn make_torrent(folder: &Path) {
    let data = folder.join(FOLDER);
    fs::create_dir(&data).unwrap();
    for (name, text) in FILES {
        fs::write(data.join(name), text).unwrap();
    }
    let torrent = folder.join(FOLDER).with_extension("torrent");
    let made =
        Command::new(env!("CARGO_BIN_EXE_skep")).arg("make").arg(&data).arg("-o").arg(torrent).output();
    let made = made.unwrap();
    assert!(made.status.success(), "{made:?}");
    assert!(String::from_utf8_lossy(&made.stdout).contains(HASH), "{made:?}");
}

/// Offers two files in `index`, as somebody else's peer would.
fn offer(hub: &Hub, folder: &Path) {
    for name in ["video.mp4", "notes.txt"] {
        fs::write(folder.join(name), "1234").unwrap();
    }
    let tracker = hub.classic("index").to_string();
    let registered = Command::new(env!("CARGO_BIN_EXE_skep"))
        .args(["classic", "index", "register", "video.mp4", "notes.txt", "--once", "--peer-port", "6001"])
        .args(["--name", "ann", "--tracker", &tracker])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(registered.status.success(), "{registered:?}");
}

/// The commands in fenced blocks that ask the hub, with the lines that should come back.
fn examples(document: &str) -> Vec<(&str, String)> {
    let mut examples: Vec<(&str, String)> = Vec::new();
    for block in document.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        for line in block.lines() {
            match (line.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) if command.starts_with("curl ") => examples.push((command, String::new())),
                (None, Some((_, expected))) => {
                    if !expected.is_empty() {
                        expected.push('\n');
                    }
                    expected.push_str(line);
                }
                _ => {}
            }
        }
    }
    examples
}

/// Whether `answer` is `expected`, in which [`ANYTHING`] stands for anything.
fn fits(answer: &str, expected: &str) -> bool {
    let mut parts = expected.split(ANYTHING);
    let Some(mut rest) = parts.next().and_then(|first| answer.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
