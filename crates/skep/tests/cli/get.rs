use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use skep::exit::Exit;

use crate::support::{Answer, Running, StubHub, World, nobody, torrent_of};

/// A torrent that nobody has.
const UNKNOWN: &str = "cb216c3bfa076a7396bfa7e54889d626c691fe2b";

/// A hub that shares `paths` of `world`, with more flags if need be, and its address.
async fn up(world: &World, paths: &[&str], flags: &[&str]) -> (Running, String) {
    let listen = ["--listen", "127.0.0.1:0", "--state-dir", "state"];
    let args: Vec<&str> = ["up"].iter().chain(paths).chain(&listen).chain(flags).copied().collect();
    let up = world.start(&args);
    up.notes("sharing until Ctrl-C").await;
    let said = up.stdout.text();
    let page = said.lines().find_map(|line| line.strip_prefix("page       ")).unwrap();
    let hub = page.trim_end_matches('/').to_owned();
    (up, hub)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_got_and_what_is_not_is_told() {
    let world = World::new();
    world.write("one/a", "one");
    world.write("two.txt", "two");
    let (up, hub) = up(&world, &["one", "two.txt"], &[]).await;
    let get = ["get", "one", "onne", "two.txt", "one", "-t", &hub, "-o", "there", "--no-seed", "--json"];
    let ran = world.run(&get).await.ended(Exit::Failed);
    let told = format!("error: no torrent is named \"onne\" at {hub}; did you mean \"one\"?\n");
    assert!(ran.stderr.contains(&told), "{}", ran.stderr);
    let mut got: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    got.sort_by_key(|got| got["name"].to_string());
    let hashes: Vec<Value> =
        got.iter_mut().map(|got| got.as_object_mut().unwrap().remove("info_hash").unwrap()).collect();
    assert!(hashes.iter().all(|hash| hash.as_str().unwrap().len() == 40), "{hashes:?}");
    assert_eq!(
        got,
        [
            json!({"what": "one", "name": "one", "size": 3, "path": "DIR/there/one"}),
            json!({"what": "two.txt", "name": "two.txt", "size": 3, "path": "DIR/there/two.txt"}),
        ]
    );
    assert_eq!(std::fs::read(world.path("there/one/a")).unwrap(), b"one");
    assert_eq!(up.stopped().await, Exit::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_an_address_and_a_magnet_link_are_got_through_any_tracker() {
    let world = World::new();
    world.write("data.bin", vec![7; 100_000]);
    let (_up, hub) = up(&world, &["data.bin"], &[]).await;
    let udp = hub.replace("http://", "udp://");
    let hash = world.run(&["find", "data", "--json", "-t", &hub]).await;
    let hash: Value = serde_json::from_str(&hash.stdout).unwrap();
    let hash = hash[0]["info_hash"].as_str().unwrap();
    let file = format!("{hub}/t/{hash}.torrent");
    let elsewhere = StubHub::start([Answer::json(302, "").header("location", &file)]).await;
    let redirected = format!("{}/data.torrent", elsewhere.url());
    world.run(&["make", "data.bin", "-o", "data.torrent"]).await.ended(Exit::Success);
    let magnet = format!("magnet:?xt=urn:btih:{hash}");
    for (at, what) in [&file, &redirected, "data.torrent", &magnet, hash].iter().enumerate() {
        let folder = format!("there{at}");
        let ran =
            world.run(&["get", what, "-t", &udp, "-o", &folder, "--no-seed"]).await.ended(Exit::Success);
        assert_eq!(ran.stdout, format!("DIR/{folder}/data.bin\n"), "{what}");
        assert_eq!(std::fs::read(world.path(&folder).join("data.bin")).unwrap(), [7; 100_000]);
    }
}

#[tokio::test]
async fn where_a_name_cannot_be_looked_up_it_is_said_what_was_tried_and_what_would_be_right() {
    let world = World::new();
    let nobody = nobody();
    let ran = world.run(&["get", "dataset", "-t", &nobody]).await.ended(Exit::Failed);
    assert_eq!(
        ran.stderr,
        format!(
            "error: no hub answers at {nobody} (Connection refused) to look up \"dataset\"; name the hub that lists it \
             with -t HOST:PORT, or give a magnet link or a .torrent file\n"
        )
    );
    let ran = world.run(&["get", "dataset", "-t", "udp://127.0.0.1:9"]).await.ended(Exit::Failed);
    assert_eq!(
        ran.stderr,
        "error: \"dataset\" cannot be looked up: a tracker over UDP has no catalogue; give the hub's http:// address \
         with -t, or an info hash, a magnet link or a .torrent file\n"
    );
    let other = StubHub::start([Answer::json(404, "<html>")]).await;
    let ran = world.run(&["get", "dataset", "-t", &other.url()]).await.ended(Exit::Failed);
    assert_eq!(
        ran.stderr,
        format!(
            "error: \"dataset\" cannot be looked up: what answers at {} is no Skep hub; name one with -t, or give an \
             info hash, a magnet link or a .torrent file\n",
            other.url()
        )
    );
    let ran = world.run(&["get", UNKNOWN, "-t", &nobody]).await.ended(Exit::Failed);
    assert!(ran.stderr.starts_with(&format!("error: no hub answers at {nobody} ")), "{}", ran.stderr);
}

#[tokio::test]
async fn a_what_that_is_nothing_is_one_line() {
    let world = World::new().var("SKEP_TRACKER", nobody());
    world.write("no.torrent", "hello");
    world.write("file", "");
    let no_torrent = StubHub::start([Answer::json(200, "<html>"), Answer::json(410, "")]).await;
    let page = no_torrent.url();
    let gone = nobody();
    for (args, exit, expected) in [
        (&["magnet:?xt=urn:btih:xyz"][..], Exit::Misuse, "40 hexadecimal or 32 base32 digits"),
        (&["ftp://host/x.torrent"], Exit::Misuse, "http:// or https:// is expected, not ftp://"),
        (&["no.torrent"], Exit::Failed, "`DIR/no.torrent` is not a torrent: "),
        (&["./gone.torrent"], Exit::Failed, "`DIR/./gone.torrent` cannot be read: No such file"),
        (&[&page], Exit::Failed, " is no torrent: "),
        (&[&page], Exit::Failed, ": it answered 410 Gone"),
        (&[&gone], Exit::Failed, ": Connection refused"),
        (&["dataset", "-t", "udp://host"], Exit::Misuse, "`udp://host` is not a tracker's address: "),
    ] {
        let args: Vec<&str> = ["get"].iter().chain(args).copied().collect();
        let ran = world.run(&args).await.ended(exit);
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(expected), "{}", ran.stderr);
        assert_eq!((ran.stderr.lines().count(), &*ran.stdout), (1, ""), "{}", ran.stderr);
    }
    world.write("good.torrent", torrent_of("f", b"x"));
    let ran = world.run(&["get", "good.torrent", "-o", "file"]).await.ended(Exit::Misuse);
    assert!(ran.stderr.starts_with("error: cannot make the folder DIR/file: "), "{}", ran.stderr);
}

#[tokio::test]
async fn of_torrents_of_one_name_the_one_that_somebody_has_is_meant() {
    let torrent =
        |hash: &str, seeders| json!({"info_hash": hash, "name": "n", "size": 5, "seeders": seeders});
    let (a, b) = ("a".repeat(40), "b".repeat(40));
    let both = json!({"torrents": [torrent(&a, 2), torrent(&b, 1)]});
    let hub = StubHub::start([Answer::json(200, both)]).await;
    let ran = hub.world().run(&["get", "n"]).await.ended(Exit::Failed);
    assert_eq!(
        ran.stderr,
        format!(
            "error: several torrents are named \"n\"; choose by info hash:\nerror: {a}  5 B, 2 seeders\n\
             error: {b}  5 B, 1 seeder\n"
        )
    );
    let one = json!({"torrents": [torrent(&a, 0), torrent(&b, 1)]});
    let hub = StubHub::start([Answer::json(200, one), Answer::problem(404, "no file")]).await;
    let world = hub.world();
    let get = world.start(&["get", "n"]);
    get.notes(&format!("2 torrents are named \"n\"; this is {b}, which somebody has")).await;
    assert_eq!(get.stopped().await, Exit::Failed);
    assert_eq!(hub.lines()[1], format!("GET /t/{b}.torrent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_trackers_say_is_shown() {
    let world = World::new();
    world.write("f.torrent", torrent_of("f", b"hello"));
    let refusing = "d14:failure reason20:unregistered torrente";
    let tracker = StubHub::start([Answer::json(200, refusing), Answer::json(200, refusing)]).await;
    let get = world.start(&["get", "f.torrent", "-t", &format!("{}/announce", tracker.url())]);
    get.notes(&format!("f: {}: tracker refused: unregistered torrent", tracker.url())).await;
    get.notes("f: waiting for peers; no tracker answers\n").await;
    assert_eq!(get.stopped().await, Exit::Failed);

    world.write("other", "other");
    let (_up, hub) = up(&world, &["other"], &[]).await;
    let get = world.start(&["get", "f.torrent", "-t", &hub]);
    get.notes(&format!("f: waiting for peers; {hub} knows 0 seeders\n")).await;
    get.interrupt();
    let said = get.stderr.clone();
    assert_eq!(get.ended().await, Exit::Failed);
    let said = said.text();
    let last = "error: interrupted; what was verified is kept, and the same command goes on from there\n";
    assert!(said.ends_with(last), "{said}");
    assert_eq!(said.matches("waiting for peers").count(), 1, "{said}");
}

#[tokio::test]
async fn a_request_to_stop_is_heard_while_something_is_looked_up() {
    let hub = StubHub::start([Answer::never()]).await;
    let world = hub.world();
    let get = world.start(&["get", "dataset"]);
    get.interrupt();
    let said = get.stderr.clone();
    assert_eq!(get.ended().await, Exit::Failed);
    assert_eq!(said.text(), "error: interrupted before anything was fetched\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn sharing_ends_when_it_was_enough() {
    let world = World::new();
    world.write("f", "hello");
    world.write("f.torrent", torrent_of("f", b"hello"));
    let tracker = format!("{}/announce", nobody());
    for (flags, told) in [
        (&["--seed-for", "0"][..], "sharing for 0 s, or until Ctrl-C\n"),
        (&["--seed-ratio", "0"], "sharing up to a ratio of 0, or until Ctrl-C\n"),
    ] {
        let args: Vec<&str> = ["get", "f.torrent", "-t", &tracker].iter().chain(flags).copied().collect();
        let ran = world.run(&args).await.ended(Exit::Success);
        assert_eq!(ran.stdout, "DIR/f\n");
        for line in ["f: all 5 B were there already\n", told] {
            assert!(ran.stderr.contains(line), "{line}: {}", ran.stderr);
        }
    }
    let get = world.start(&["get", "f.torrent", "-t", &tracker]);
    get.notes("sharing until Ctrl-C\n").await;
    assert_eq!(get.stopped().await, Exit::Success, "everything was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_in_the_folder_is_told_and_the_rest_goes_on() {
    let world = World::new();
    let tracker = format!("{}/announce", nobody());
    world.write("out/same", "first");
    world.write("first.torrent", torrent_of("same", b"first"));
    world.write("second.torrent", torrent_of("same", b"other"));
    world.write("outside", "outside");
    symlink(world.path("outside"), world.path("out/link")).unwrap();
    world.write("link.torrent", torrent_of("link", b"inside!"));
    let get =
        ["get", "first.torrent", "second.torrent", "link.torrent", "-o", "out", "-t", &tracker, "--no-seed"];
    let ran = world.run(&get).await.ended(Exit::Failed);
    assert_eq!(ran.stdout, "DIR/out/same\n");
    for line in [
        "error: same: cannot write `DIR/out/same`: the torrent ",
        " is written there already; choose another folder\n",
        "error: link: cannot open `DIR/out/link`: it is a symbolic link, which is not followed\n",
    ] {
        assert!(ran.stderr.contains(line), "{line}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read(world.path("out/same")).unwrap(), b"first");
    assert_eq!(std::fs::read(world.path("outside")).unwrap(), b"outside");
    let folder: Vec<_> = std::fs::read_dir(world.path("out")).unwrap().collect();
    assert_eq!(folder.len(), 2, "nothing is left over: {folder:?}");
}
