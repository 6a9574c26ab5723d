use std::net::SocketAddr;

use serde_json::Value;
use skep::env::Requests;
use skep::exit::Exit;
use tokio::sync::mpsc;

use crate::support::{World, torrent};

const SERVE: [&str; 8] =
    ["skep", "serve", "--listen", "127.0.0.1:0", "--state-dir", "state", "--ready-file", "ready.json"];

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_is_ready_serves_and_stops() {
    let world = World::new();
    let (mut env, stdout, _) = world.env();
    let (stop, stops) = mpsc::unbounded_channel();
    env.stop = Requests::Channel(stops);
    let hub = tokio::spawn(async move { skep::run(SERVE, &mut env).await });
    stdout.contains("announce  udp://127.0.0.1:").await;

    let ready: Value = serde_json::from_slice(&std::fs::read(world.path("ready.json")).unwrap()).unwrap();
    assert_eq!(ready["pid"], std::process::id());
    let http: SocketAddr = ready["http"][0].as_str().unwrap().parse().unwrap();
    assert_ne!(http.port(), 0);
    assert!(stdout.text().contains(&format!("page      http://{http}/\n")), "{}", stdout.text());

    let url = http.to_string();
    world.write("one.torrent", torrent("one"));
    world.run(&["add", "-t", &url, "one.torrent"]).await.ended(Exit::Success);
    let listed = world.run(&["ls", "-t", &url]).await.ended(Exit::Success).stdout;
    assert!(listed.ends_with("  one\n"), "{listed}");
    world.write("old.json", r#"{"torrents":{}}"#);
    let import = ["import", "-t", &url, "--state-dir", "state", "old.json"];
    let imported = world.run(&import).await.ended(Exit::Success).stdout;
    assert_eq!(imported, "brought in 0 torrents and 0 peers\n");

    stop.send(()).unwrap();
    assert_eq!(hub.await.unwrap(), Exit::Success);
    assert!(!world.path("ready.json").exists());
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_start_is_one_line() {
    let world = World::new();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    world.write("file", "not a directory");
    for (args, expected) in [
        (&["--listen", &taken, "--state-dir", "state"][..], taken.as_str()),
        (&["--listen", "127.0.0.1:0", "--state-dir", "file"], "DIR/file"),
        (
            &["--listen", "127.0.0.1:0", "--ready-file", "no/ready.json"],
            "cannot write the ready file DIR/no/ready.json: ",
        ),
    ] {
        let args: Vec<&str> = ["serve"].iter().chain(args).copied().collect();
        let ran = world.run(&args).await.ended(Exit::Misuse);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_told_before_anything_is_bound() {
    let world = World::new().var("SKEP_TRACKER__INTERVAL_SECS", "0");
    let ran = world.run(&["serve"]).await.ended(Exit::Misuse);
    let expected = "error: SKEP_TRACKER__INTERVAL_SECS: `tracker.interval_secs` is 0: a number from 1 to 86400 is expected\n";
    assert_eq!(ran.stderr, expected);
    let ran = World::new().run(&["serve", "--listen", "6969"]).await.ended(Exit::Misuse);
    assert!(ran.stderr.contains("invalid value '6969' for '--listen"), "{}", ran.stderr);
}
