//! A hub and peers, each a process, that give each other what they have.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

fn skep(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
    command.args(args).current_dir(folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command
}

/// A process that is stopped as by Ctrl-C.
struct Running {
    child: Child,
    /// What it writes to stderr goes here.
    log: PathBuf,
}

impl Running {
    /// Starts `args`, and waits for its ready file.
    fn start(folder: &Path, args: &[&str], ready: &str) -> Self {
        let log = folder.join(ready).with_extension("log");
        let mut child = skep(folder, args)
            .args(["--ready-file", ready])
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let path = folder.join(ready);
        lab::wait::until("the ready file", PATIENCE, || {
            assert!(child.try_wait().unwrap().is_none(), "it ended: {}", fs::read_to_string(&log).unwrap());
            path.exists().then_some(())
        });
        Self { child, log }
    }

    /// What it has written to stderr.
    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn stop(mut self) -> bool {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or shall.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hub_of(folder: &Path) -> String {
    let ready: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("up.json")).unwrap()).unwrap();
    format!("http://{}", ready["http"][0].as_str().unwrap())
}

fn text(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_folder_is_put_up_here_and_got_there() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let set = folder.join("data set");
    fs::create_dir_all(set.join("größe")).unwrap();
    let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(set.join("größe").join("a b.bin"), &data).unwrap();
    fs::write(set.join("empty"), "").unwrap();

    let up = ["up", "data set", "--listen", "127.0.0.1:0", "--state-dir", "state"];
    let up = Running::start(folder, &up, "up.json");
    let hub = hub_of(folder);

    let wrong = skep(folder, &["get", "data sett", "-t", &hub]).output().unwrap();
    let (_, said) = text(&wrong);
    assert!(wrong.status.code() == Some(1) && said.contains("did you mean \"data set\"?"), "{said}");

    let got = skep(folder, &["get", "data set", "-t", &hub, "-o", "there", "--no-seed"]).output().unwrap();
    let (path, said) = text(&got);
    assert!(got.status.success(), "{said}");
    let path = Path::new(path.trim_end());
    assert!(path.ends_with("there/data set"), "{}", path.display());
    assert!(fs::read(path.join("größe").join("a b.bin")).unwrap() == data);
    assert_eq!(fs::read(path.join("empty")).unwrap(), b"");

    let listed = skep(folder, &["ls", "--json", "-t", &hub]).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&listed[0]["seeders"], &listed[0]["leechers"]), (&1.into(), &0.into()), "{listed}");
    assert_eq!(listed[0]["completed"], 1, "{listed}");
    assert!(up.stop());
    assert!(!folder.join("up.json").exists());
}

#[test]
fn what_is_shared_through_a_hub_is_got_by_its_hash() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    fs::write(folder.join("first.txt"), "first").unwrap();
    fs::write(folder.join("solo.bin"), vec![7; 100_000]).unwrap();
    let up = ["up", "first.txt", "--listen", "127.0.0.1:0", "--state-dir", "state"];
    let _up = Running::start(folder, &up, "up.json");
    let hub = hub_of(folder);
    let share = ["share", "solo.bin", "-t", &hub, "--state-dir", "state"];
    let share = Running::start(folder, &share, "share.json");
    let listed = skep(folder, &["find", "--json", "solo", "-t", &hub]).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let hash = listed[0]["info_hash"].as_str().unwrap();
    let got = skep(folder, &["get", hash, "-t", &hub, "-o", "there", "--no-seed"]).output().unwrap();
    assert!(got.status.success(), "{}", text(&got).1);
    assert_eq!(fs::read(folder.join("there").join("solo.bin")).unwrap(), vec![7; 100_000]);

    assert!(share.stop());
    let listed = skep(folder, &["find", "--json", "solo", "-t", &hub]).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed[0]["seeders"], 0, "it said goodbye: {listed}");
}

#[test]
fn what_has_not_changed_is_hashed_once() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    fs::write(folder.join("solo.bin"), vec![7; 3_000_000]).unwrap();
    let up = ["up", "solo.bin", "--listen", "127.0.0.1:0", "--state-dir", "state"];
    let unchanged = "unchanged since it was hashed";
    let first = Running::start(folder, &up, "up.json");
    assert!(!first.said().contains(unchanged));
    assert!(first.stop());
    let second = Running::start(folder, &up, "up.json");
    assert!(second.said().contains(unchanged), "{}", second.said());
    let hub = hub_of(folder);
    let get = ["get", "solo.bin", "-t", &hub, "-o", "there", "--no-seed", "--state-dir", "state"];
    assert!(skep(folder, &get).status().unwrap().success());
    assert!(second.stop());
    let end = |name: &str| name.rsplit('.').next().unwrap().to_owned();
    let names = fs::read_dir(folder.join("state/peer")).unwrap();
    let mut kept: Vec<_> = names.map(|entry| end(entry.unwrap().file_name().to_str().unwrap())).collect();
    kept.sort();
    assert_eq!(kept, ["made", "resume", "resume"], "one torrent in two places, and nothing unfinished");

    fs::write(folder.join("solo.bin"), vec![8; 3_000_000]).unwrap();
    let third = Running::start(folder, &up, "up.json");
    assert!(!third.said().contains(unchanged));
}
