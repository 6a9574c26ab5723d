use serde_json::json;
use skep::exit::Exit;

use crate::support::{Answer, StubHub, World, nobody};

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_is_no_hub_does_as_well() {
    let answer = "d8:intervali1800e8:completei1e5:peers0:e";
    let no_api = Answer::json(404, "<html>not here</html>");
    let tracker = StubHub::start([no_api.clone(), no_api, Answer::json(200, answer)]).await;
    let announce = format!("{}/tracker.php/announce?key=s", tracker.url());
    let world = World::new();
    world.write("da ta/a", "a");
    let share = world.start(&["share", "da ta", "-t", &announce, "--ready-file", "ready.json"]);
    share.notes("sharing until Ctrl-C\n").await;
    assert!(world.path("ready.json").exists());
    let hub = format!("{}/tracker.php", tracker.url());
    let note = format!("{hub} is no Skep hub and has no catalogue: others need the magnet link\n");
    assert!(share.stderr.text().contains(&note), "{}", share.stderr.text());
    let said = share.stdout.text();
    let magnet = said.lines().find_map(|line| line.strip_prefix("magnet     ")).unwrap();
    let escaped = announce.replace(':', "%3A").replace('/', "%2F").replace('?', "%3F").replace('=', "%3D");
    assert!(magnet.ends_with(&format!("&tr={escaped}")), "{magnet}");
    assert!(said.contains(&format!("get it     skep get '{magnet}'\n")), "{said}");
    assert_eq!(share.stopped().await, Exit::Success);
    assert!(!world.path("ready.json").exists());
    let announced = tracker.lines();
    assert!(announced[2].starts_with("GET /tracker.php/announce?key=s&info_hash="), "{announced:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trackers_refusal_is_told_and_nothing_is_shared() {
    let refusing = Answer::json(200, "d14:failure reason14:not on my liste");
    let no_api = Answer::json(404, "");
    let tracker = StubHub::start([no_api.clone(), no_api, refusing.clone(), refusing]).await;
    let world = World::new();
    world.write("a", "a");
    let ran =
        world.run(&["share", "a", "-t", &tracker.url(), "--ready-file", "ready"]).await.ended(Exit::Failed);
    let refusal = format!("error: {}: tracker refused: not on my list\n", tracker.url());
    assert!(ran.stderr.ends_with(&refusal), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    assert!(!world.path("ready").exists());
}

#[tokio::test]
async fn a_hubs_refusal_is_not_taken_for_another_trackers_silence() {
    let hub = StubHub::start([Answer::problem(413, "the torrent is too large")]).await;
    let world = hub.world();
    world.write("a", "a");
    let ran = world.run(&["share", "a"]).await.ended(Exit::Failed);
    assert_eq!((&*ran.stderr, &*ran.stdout), ("error: the torrent is too large\n", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_udp_there_is_no_catalogue_and_the_magnet_link_is_enough() {
    let world = World::new();
    world.write("first", "first");
    world.write("second", "second");
    let up = world.start(&["up", "first", "--listen", "127.0.0.1:0", "--state-dir", "state"]);
    up.notes("sharing until Ctrl-C").await;
    let said = up.stdout.text();
    let hub = said.lines().find_map(|line| line.strip_prefix("page       http://")).unwrap();
    let hub = hub.trim_end_matches('/');
    let share = world.start(&["share", "second", "-t", &format!("udp://{hub}")]);
    share.notes("sharing until Ctrl-C").await;
    let note = format!("udp://{hub} has no catalogue: others need the magnet link\n");
    assert!(share.stderr.text().contains(&note), "{}", share.stderr.text());
    let said = share.stdout.text();
    let magnet = said.lines().find_map(|line| line.strip_prefix("magnet     ")).unwrap();
    world.run(&["get", magnet, "-o", "there", "--no-seed"]).await.ended(Exit::Success);
    assert_eq!(std::fs::read(world.path("there/second")).unwrap(), b"second");
    let listed = world.run(&["ls", "-t", hub]).await.stdout;
    assert!(!listed.contains("second"), "{listed}");
}

/// How to get what `share` shares, as it says itself.
fn way_to_get(said: &str) -> &str {
    said.lines().find_map(|line| line.strip_prefix("get it     skep get ")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_to_type_elsewhere_names_what_is_shared_and_nothing_else() {
    let world = World::new();
    world.write("hub", "hub");
    let up = world.start(&["up", "hub", "--listen", "127.0.0.1:0", "--state-dir", "state"]);
    up.notes("sharing until Ctrl-C").await;
    let said = up.stdout.text();
    let hub = said.lines().find_map(|line| line.strip_prefix("page       ")).unwrap().trim_end_matches('/');
    let share = async |paths: &[&str]| {
        let args: Vec<&str> = ["share"].iter().chain(paths).chain(&["-t", hub]).copied().collect();
        let share = world.start(&args);
        share.notes("sharing until Ctrl-C").await;
        share
    };
    world.write("da ta", "as it was");
    let before = share(&["da ta"]).await;
    assert_eq!(way_to_get(&before.stdout.text()), format!("'da ta' -t {hub}"));
    assert_eq!(before.stopped().await, Exit::Success);

    world.write("da ta", "as it is now");
    let now = share(&["da ta"]).await;
    assert_eq!(way_to_get(&now.stdout.text()), format!("'da ta' -t {hub}"), "nobody has what was");
    world.write("elsewhere/da ta", "something else");
    let other = share(&["elsewhere/da ta"]).await;
    let said = other.stdout.text();
    let hash = said.lines().find_map(|line| line.strip_prefix("info hash  ")).unwrap();
    assert_eq!(way_to_get(&said), format!("{hash} -t {hub}"), "both are named so");

    world.write("x.torrent", "a name that `get` takes for a file's");
    let file = share(&["x.torrent"]).await;
    let said = file.stdout.text();
    let hash = said.lines().find_map(|line| line.strip_prefix("info hash  ")).unwrap();
    assert_eq!(way_to_get(&said), format!("{hash} -t {hub}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_told_while_it_is_shared() {
    let world = World::new();
    let path = world.write("data", vec![1; 1 << 20]);
    let up = world.start(&["up", "data", "--listen", "127.0.0.1:0", "--state-dir", "state"]);
    up.notes("sharing until Ctrl-C").await;
    let said = up.stdout.text();
    let hub = said.lines().find_map(|line| line.strip_prefix("page       ")).unwrap().trim_end_matches('/');
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(10).unwrap();
    let get = world.start(&["get", "data", "-t", hub, "-o", "there"]);
    up.notes("error: data: cannot read `").await;
    assert_eq!(get.stopped().await, Exit::Failed);
    assert_eq!(up.stopped().await, Exit::Failed, "not all was shared to the end");
}

#[tokio::test]
async fn without_a_hub_nothing_is_shared() {
    let world = World::new().var("SKEP_TRACKER", nobody());
    world.write("a", "a");
    let share = world.start(&["share", "a"]);
    let said = share.stderr.clone();
    assert_eq!(share.ended().await, Exit::Failed);
    assert!(said.text().starts_with("error: no hub answers at http://127.0.0.1:"), "{}", said.text());
    let hub = StubHub::start([Answer::json(200, json!({}))]).await;
    let ran = hub.world().run(&["share", "gone"]).await.ended(Exit::Misuse);
    assert!(ran.stderr.starts_with("error: there is no file or folder at `"), "{}", ran.stderr);
    assert_eq!(hub.lines().len(), 0, "nobody was told");
}
