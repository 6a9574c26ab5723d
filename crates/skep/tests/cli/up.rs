use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;

use skep::exit::Exit;

use crate::support::World;

#[tokio::test]
async fn what_cannot_be_shared_is_told_before_anything_is_begun() {
    let world = World::new();
    world.write("good", "good");
    world.write("no bytes", "");
    world.write("nothing in it/empty", "");
    std::fs::create_dir(world.path("empty folder")).unwrap();
    let _socket = UnixListener::bind(world.path("socket")).unwrap();
    let long = "n".repeat(300);
    std::fs::create_dir(world.path("folder")).unwrap();
    std::fs::write(world.path("folder").join(OsStr::from_bytes(b"latin\xe9")), "x").unwrap();
    for (path, expected) in [
        ("missing", "there is no file or folder at `DIR/missing`"),
        ("empty folder", "the folder `DIR/empty folder` has no files in it"),
        ("no bytes", "`DIR/no bytes` is empty: one byte at least is expected"),
        ("nothing in it", "`DIR/nothing in it` is empty: one byte at least is expected"),
        ("socket", "`DIR/socket` is a socket, pipe or device: a file or folder is expected"),
        (&long, "cannot be read: File name too long"),
        ("folder", "is not UTF-8, as torrents want it: rename it"),
    ] {
        for command in ["up", "share"] {
            let ran = world.run(&[command, "good", path]).await.ended(Exit::Misuse);
            assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(expected), "{}", ran.stderr);
            assert_eq!((ran.stderr.lines().count(), &*ran.stdout), (1, ""), "{}", ran.stderr);
        }
    }
    assert!(!world.path("data").exists(), "no hub was started");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_says_what_is_in_its_way() {
    let world = World::new();
    world.write("a", "a");
    let first = world.start(&["up", "a", "--listen", "127.0.0.1:0", "--state-dir", "state"]);
    first.notes("sharing until Ctrl-C").await;
    let said = first.stdout.text();
    let hub = said.lines().find_map(|line| line.strip_prefix("page       http://")).unwrap();
    let hub = hub.trim_end_matches('/');
    let advice = "; `skep share` shares through a hub that runs already\n";

    let same_state = ["up", "a", "--listen", "127.0.0.1:0", "--state-dir", "state"];
    let ran = world.run(&same_state).await.ended(Exit::Misuse);
    let expected =
        "error: another hub uses the state directory DIR/state; stop it, or choose another with --state-dir";
    assert_eq!(ran.stderr, format!("{expected}{advice}"));

    let same_port = ["up", "a", "--listen", hub, "--state-dir", "other"];
    let ran = world.run(&same_port).await.ended(Exit::Misuse);
    let expected = "another program listens there: stop it, or choose another port with --listen";
    assert!(ran.stderr.starts_with(&format!("error: cannot listen on {hub} over TCP: ")), "{}", ran.stderr);
    assert!(ran.stderr.ends_with(&format!("{expected}{advice}")), "{}", ran.stderr);

    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let same_peer = ["up", "a", "--listen", "127.0.0.1:0", "--state-dir", "other", "--peer-port", &port];
    let ran = world.run(&same_peer).await.ended(Exit::Misuse);
    assert!(
        ran.stderr.starts_with(&format!("error: cannot listen for peers on port {port}: ")),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.ends_with("choose another with --peer-port\n"), "{}", ran.stderr);
    assert_eq!(first.stopped().await, Exit::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_up_is_told_so_that_others_can_use_it() {
    let world = World::new();
    world.write("da ta/a", "a");
    world.write("b.txt", "b");
    let up = world.start(&["up", "da ta", "b.txt", "--listen", "127.0.0.1:0", "--state-dir", "state"]);
    up.notes("sharing until Ctrl-C").await;
    let said = up.stdout.text();
    let hub = said.lines().find_map(|line| line.strip_prefix("page       ")).unwrap().trim_end_matches('/');
    let lines: Vec<&str> = said.lines().collect();
    let [sharing, hash, magnet, get, ..] = lines[..] else { panic!("{said}") };
    assert_eq!(sharing, "sharing    da ta, 1 B");
    let hash = hash.strip_prefix("info hash  ").unwrap();
    let tracker = format!("{}%2Fannounce", hub.replace(':', "%3A").replace('/', "%2F"));
    assert_eq!(magnet, format!("magnet     magnet:?xt=urn:btih:{hash}&dn=da%20ta&xl=1&tr={tracker}"));
    assert_eq!(get, format!("get it     skep get 'da ta' -t {hub}"));
    assert_eq!(lines[4], "sharing    b.txt, 1 B");
    assert_eq!(lines.len(), 9, "{said}");
    assert_eq!(up.stopped().await, Exit::Success);
}
