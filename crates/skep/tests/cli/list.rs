use serde_json::{Value, json};
use skep::exit::Exit;

use crate::support::{Answer, StubHub, World, nobody};

fn torrent(n: u64) -> Value {
    json!({
        "info_hash": format!("{n:040x}"),
        "name": format!("dataset-{n}"),
        "size": n * 1_500_000,
        "seeders": n,
        "leechers": 2 * n,
        "completed": 100 * n,
        "magnet": format!("magnet:?xt=urn:btih:{n:040x}"),
        "torrent_url": format!("http://hub/t/{n:040x}.torrent"),
        "private": false,
    })
}

fn page(torrents: impl IntoIterator<Item = u64>, next: Option<&str>) -> Answer {
    let torrents: Vec<Value> = torrents.into_iter().map(torrent).collect();
    Answer::json(200, json!({"torrents": torrents, "next": next}))
}

#[tokio::test]
async fn ls_follows_the_pages_to_the_end() {
    let hub = StubHub::start([page([1, 2], Some("a b")), page([3], None)]).await;
    let ran = hub.world().run(&["ls"]).await.ended(Exit::Success);
    insta::assert_snapshot!("ls", ran.stdout);
    assert_eq!(hub.lines(), ["GET /api/v1/torrents?limit=100", "GET /api/v1/torrents?limit=100&cursor=a+b"]);
    assert_eq!(ran.stderr, "");
}

#[tokio::test]
async fn ls_long_shows_hashes() {
    let hub = StubHub::start([page([1, 2], None)]).await;
    insta::assert_snapshot!("ls-long", hub.world().run(&["ls", "--long"]).await.ended(Exit::Success).stdout);
}

#[tokio::test]
async fn find_asks_for_the_words_and_prints_the_promised_object() {
    let hub = StubHub::start([page([7], None)]).await;
    let ran = hub.world().run(&["find", "--json", "climate", "2024 & more"]).await.ended(Exit::Success);
    assert_eq!(hub.lines(), ["GET /api/v1/torrents?limit=100&query=climate+2024+%26+more"]);
    let mut expected = torrent(7);
    expected.as_object_mut().unwrap().remove("private");
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), json!([expected]));
}

#[tokio::test]
async fn a_limit_holds_whatever_the_hub_sends() {
    let hub = StubHub::start([page([1, 2, 3], Some("more"))]).await;
    let ran = hub.world().run(&["ls", "--limit", "2", "--json"]).await.ended(Exit::Success);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&ran.stdout).unwrap().len(), 2);
    assert_eq!(hub.lines(), ["GET /api/v1/torrents?limit=2"]);
    assert_eq!(ran.stderr, "there are more; a larger --limit shows them\n");
}

#[tokio::test]
async fn nothing_is_said_to_be_nothing() {
    let hub = StubHub::start([page([], None), page([], None), page([], None)]).await;
    let world = hub.world();
    let ran = world.run(&["ls"]).await.ended(Exit::Success);
    assert_eq!((ran.stdout.as_str(), ran.stderr.contains("the catalogue is empty")), ("", true));
    let ran = world.run(&["find", "x"]).await.ended(Exit::Success);
    assert_eq!(ran.stderr, "nothing in the catalogue matches \"x\"\n");
    let ran = world.run(&["ls", "--json"]).await.ended(Exit::Success);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("[]\n", ""));
}

#[tokio::test]
async fn a_hub_that_knows_little_is_listed_all_the_same() {
    let answer = Answer::json(200, r#"{"torrents":[{"info_hash":"ab","size":null}]}"#);
    let hub = StubHub::start([answer.clone(), answer]).await;
    let world = hub.world();
    let ran = world.run(&["ls"]).await.ended(Exit::Success);
    assert!(ran.stdout.contains("        ?        0         0          0  \n"), "{}", ran.stdout);
    let ran = world.run(&["ls", "--json"]).await.ended(Exit::Success);
    assert!(ran.stdout.contains(r#""size":null"#), "{}", ran.stdout);
}

#[tokio::test]
async fn a_name_cannot_steer_the_terminal() {
    let answer = Answer::json(200, r#"{"torrents":[{"info_hash":"ab","name":"a\u001b[2J\nb"}]}"#);
    let hub = StubHub::start([answer]).await;
    let ran = hub.world().run(&["ls"]).await.ended(Exit::Success);
    assert!(ran.stdout.ends_with("a\\u{1b}[2J\\u{a}b\n"), "{}", ran.stdout);
}

#[tokio::test]
async fn a_catalogue_without_an_end_is_left() {
    for answers in [[page([1], Some("x")), page([2], Some("x"))], [page([1], Some("x")), page([], Some("y"))]]
    {
        let hub = StubHub::start(answers).await;
        let ran = hub.world().run(&["ls"]).await.ended(Exit::Failed);
        assert!(
            ran.stderr.ends_with("does not seem to be a Skep hub: its catalogue has no end\n"),
            "{}",
            ran.stderr
        );
    }
}

#[tokio::test]
async fn without_a_hub_the_error_names_it_and_says_how_to_start_one() {
    let url = nobody();
    let ran = World::new().run(&["ls", "-t", &url]).await.ended(Exit::Failed);
    assert_eq!(
        ran.stderr,
        format!(
            "error: no hub answers at {url} (Connection refused); start one with `skep serve`, \
             or name another with --tracker URL or SKEP_TRACKER\n"
        )
    );
}

#[tokio::test]
async fn what_is_no_hub_is_not_mistaken_for_one() {
    for (answer, expected) in [
        (
            Answer::json(200, "<html>"),
            "does not seem to be a Skep hub: its answer cannot be read: expected value",
        ),
        (Answer::json(404, "<html>"), "error: the hub answered 404 Not Found"),
        (Answer::problem(503, "the catalogue is closed"), "error: the catalogue is closed\n"),
        (
            Answer::json(308, "").header("location", "https://hub.example/"),
            "error: the hub is elsewhere; try --tracker https://hub.example/\n",
        ),
    ] {
        let hub = StubHub::start([answer]).await;
        let ran = hub.world().run(&["ls"]).await.ended(Exit::Failed);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn the_flag_beats_the_variable_beats_the_file() {
    let hub = StubHub::start([page([], None), page([], None), page([], None)]).await;
    let file = |world: &World, url: &str| world.write("skep.toml", format!("[client]\ntracker = \"{url}\""));
    let world = World::new();
    file(&world, &hub.url());
    world.run(&["ls"]).await.ended(Exit::Success);
    let world = hub.world();
    file(&world, &nobody());
    world.run(&["ls"]).await.ended(Exit::Success);
    let world = World::new().var("SKEP_TRACKER", nobody());
    world.run(&["ls", "--tracker", &hub.address.to_string()]).await.ended(Exit::Success);
    assert_eq!(hub.asked().len(), 3);
}

#[tokio::test]
async fn an_address_that_is_none_is_a_misuse() {
    let ran = World::new().run(&["ls", "-t", "udp://hub:6969"]).await.ended(Exit::Misuse);
    assert_eq!(
        ran.stderr,
        "error: `udp://hub:6969` is not a hub's address: its scheme is udp; its http address is expected\n"
    );
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_failure() {
    struct Closed;

    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let hub = StubHub::start([page([1], None)]).await;
    let world = hub.world();
    let (mut env, _, stderr) = world.env();
    env.stdout = Box::new(Closed);
    assert_eq!(skep::run(["skep", "ls"], &mut env).await, Exit::Success);
    assert_eq!(stderr.text(), "");
}
