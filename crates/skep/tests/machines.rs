//! `up` on machines with networks and users of their own.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::lan::{Host, Lan};
use lab::machine::Machine;
use lab::program::{Program, Signal};

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lines of `said` that begin with `label`, without it.
fn told<'a>(said: &'a str, label: &str) -> Vec<&'a str> {
    said.lines().filter_map(|line| Some(line.strip_prefix(label)?.trim_start())).collect()
}

/// Gives a host another network, on an interface called `name`.
fn join(host: &Host, name: &str, address: &str) {
    for args in [
        &["link", "add", name, "type", "bridge"][..],
        &["address", "add", address, "dev", name],
        &["link", "set", name, "up"],
    ] {
        assert!(host.command("ip").args(args).status().unwrap().success(), "{args:?}");
    }
}

#[test]
fn the_printed_lines_work_on_another_machine() {
    let Some(mut lan) = Lan::new() else { return };
    let (here, there) = (lan.host("here"), lan.host("there"));
    join(&here, "second", "10.74.0.1/24");
    // What is there for containers of this machine only.
    join(&here, "docker0", "172.17.0.1/16");
    let sharer = Machine::new(env!("CARGO_BIN_EXE_skep"), &here);
    fs::create_dir(sharer.home().join("data set")).unwrap();
    fs::write(sharer.home().join("data set").join("a"), vec![7; 300_000]).unwrap();
    let up = sharer.share(&["up", "data set"]);

    let said = up.program.stdout();
    let first = format!("http://{}:6969", here.v4());
    assert_eq!(told(&said, "page "), [format!("{first}/")], "{said}");
    let v6 = format!("http://[{}]:6969/", here.v6());
    assert_eq!(told(&said, "also at "), ["http://10.74.0.1:6969/", &v6], "{said}");
    let line = format!("skep get 'data set' -t {first}");
    assert_eq!(told(&said, "get it "), [&line], "{said}");
    let magnet = told(&said, "magnet ")[0];
    let trackers: Vec<&str> = magnet.split("&tr=").skip(1).collect();
    let tracker = |ip: &str| format!("http%3A%2F%2F{ip}%3A6969%2Fannounce");
    assert_eq!(trackers, [tracker(&here.v4().to_string()), tracker("10.74.0.1")], "{said}");

    let folder = Path::new(env!("CARGO_BIN_EXE_skep")).parent().unwrap().display();
    for line in [line, format!("skep get '{magnet}'")] {
        let home = tempfile::tempdir().unwrap();
        let mut shell = there.command("sh");
        shell.args(["-c", &format!("PATH={folder}:$PATH; {line} --no-seed")]).current_dir(home.path());
        let mut get = Program::start(&line, shell);
        assert!(get.wait(PATIENCE).success(), "{}", get.output());
        let data = fs::read(home.path().join("data set").join("a")).unwrap();
        assert_eq!(data, vec![7; 300_000], "{line}");
    }
    up.program.signal(Signal::INT);
    let mut program = up.program;
    assert!(program.wait(PATIENCE).success(), "{}", program.output());
}

#[test]
fn a_file_that_may_not_be_read_is_told_before_anything_is_begun() {
    if !lab::have(&["setpriv"]) {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    // The program's own folder may be closed to others.
    let program = folder.join("skep");
    fs::copy(env!("CARGO_BIN_EXE_skep"), &program).unwrap();
    fs::create_dir(folder.join("set")).unwrap();
    fs::write(folder.join("set").join("open"), "open").unwrap();
    let secret = folder.join("set").join("secret");
    fs::write(&secret, "secret").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read anything, and anybody else is somebody else already.
    let mut command = Command::new("setpriv");
    if fs::read(&secret).is_ok() {
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    }
    command.arg(&program).args(["up", "set", "--state-dir", "state"]).current_dir(folder);
    let mut up = Program::start("skep up", command);
    let code = up.wait(PATIENCE).code();
    let said = up.stderr();
    let cannot = format!("error: `{}` cannot be read: Permission denied", secret.display());
    assert!(code == Some(2) && said.starts_with(&cannot), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
