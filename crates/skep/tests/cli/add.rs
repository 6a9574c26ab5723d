use serde_json::{Value, json};
use skep::exit::Exit;

use crate::support::{Answer, Asked, StubHub, World, nobody, torrent};

/// Flags that spare a test the waiting.
const AT_ONCE: [&str; 2] = ["--retry-delay", "0"];

fn created() -> Answer {
    Answer::json(201, "{}")
}

fn hash_of(name: &str) -> String {
    wire::metainfo::Metainfo::decode(&torrent(name)).unwrap().info_hash().to_string()
}

fn line(fate: &str, name: &str) -> String {
    format!("{fate:10}  {}  {name}\n", hash_of(name))
}

async fn add(world: &World, args: &[&str]) -> crate::support::Ran {
    let args: Vec<&str> = ["add"].iter().chain(&AT_ONCE).chain(args).copied().collect();
    world.run(&args).await
}

#[tokio::test]
async fn files_and_directories_are_sent_as_they_are() {
    let hub = StubHub::start([created(), created(), Answer::json(200, "{}")]).await;
    let world = hub.world();
    world.write("one.torrent", torrent("one"));
    world.write("more/b.torrent", torrent("b"));
    world.write("more/deep/a.TORRENT", torrent("a"));
    world.write("more/readme.txt", "not one");
    let ran = add(&world, &["one.torrent", "more"]).await.ended(Exit::Success);
    let lines = [line("registered", "one"), line("registered", "b"), line("known", "a")].concat();
    assert_eq!(ran.stdout, lines + "2 registered, 1 known already, 0 failed\n");
    assert_eq!(ran.stderr, "");
    assert_eq!(hub.asked().len(), 3);
    for (asked, name) in hub.asked().iter().zip(["one", "b", "a"]) {
        let Asked { line, media_type, authorization, body } = asked;
        assert_eq!(line, "POST /api/v1/torrents");
        assert_eq!(media_type.as_deref(), Some("application/x-bittorrent"));
        assert_eq!(*authorization, None);
        assert_eq!(*body, torrent(name));
    }
}

#[tokio::test]
async fn a_hub_in_trouble_is_asked_again() {
    let hub =
        StubHub::start([Answer::problem(503, "starting"), Answer::problem(500, "oops"), created()]).await;
    let world = hub.world();
    world.write("one.torrent", torrent("one"));
    add(&world, &["one.torrent"]).await.ended(Exit::Success);
    assert_eq!(hub.asked().len(), 3);
}

#[tokio::test]
async fn three_tries_are_enough() {
    let hub =
        StubHub::start(["first", "second", "third", "fourth"].map(|word| Answer::problem(503, word))).await;
    let world = hub.world();
    world.write("one.torrent", torrent("one"));
    let ran = add(&world, &["one.torrent"]).await.ended(Exit::Failed);
    assert_eq!(ran.stderr, "error: one.torrent: third\n");
    assert_eq!(ran.stdout, "0 registered, 0 known already, 1 failed\n");
    assert_eq!(hub.asked().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_final_and_the_rest_goes_on() {
    let hub = StubHub::start([Answer::problem(400, "`piece length` is 0"), created()]).await;
    let world = hub.world();
    world.write("a.torrent", torrent("a"));
    world.write("b.torrent", torrent("b"));
    world.write("c.torrent", "d4:infoi1ee");
    let ran = add(&world, &["a.torrent", "c.torrent", "b.torrent"]).await.ended(Exit::Failed);
    assert_eq!(ran.stdout, line("registered", "b") + "1 registered, 0 known already, 2 failed\n");
    assert!(
        ran.stderr
            .starts_with("error: a.torrent: `piece length` is 0\nerror: c.torrent: not a torrent file: ")
    );
    assert_eq!(hub.asked().len(), 2);
}

#[tokio::test]
async fn json_tells_of_each_file() {
    let hub = StubHub::start([created()]).await;
    let world = hub.world();
    world.write("a.torrent", torrent("a"));
    world.write("b.torrent", "");
    let ran = add(&world, &["--json", "a.torrent", "b.torrent"]).await.ended(Exit::Failed);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let first = json!({"file": "a.torrent", "outcome": "registered", "info_hash": hash_of("a"), "name": "a", "error": null});
    assert_eq!(told[0], first);
    assert_eq!((&told[1]["outcome"], &told[1]["info_hash"]), (&json!("failed"), &Value::Null));
    assert!(told[1]["error"].as_str().unwrap().starts_with("not a torrent file: "));
}

#[tokio::test]
async fn silence_ends_it_for_all_files() {
    let hub = StubHub::start([Answer::never(), Answer::never()]).await;
    let world = hub.world();
    world.write("a.torrent", torrent("a"));
    world.write("b.torrent", torrent("b"));
    let args = ["--timeout", "0.05", "--tries", "2", "a.torrent", "b.torrent"];
    let ran = add(&world, &args).await.ended(Exit::Failed);
    assert_eq!(
        ran.stderr,
        format!(
            "error: a.torrent: the hub at {} did not answer within 0.05 s\n\
             error: b.torrent: not tried, for the hub does not answer\n",
            hub.url()
        )
    );
    assert_eq!(ran.stdout, "0 registered, 0 known already, 2 failed\n");
    assert_eq!(hub.asked().len(), 2);
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let url = nobody();
    let world = World::new();
    world.write("a.torrent", torrent("a"));
    let ran = add(&world, &["-t", &url, "a.torrent"]).await.ended(Exit::Failed);
    assert!(
        ran.stderr.starts_with(&format!("error: a.torrent: no hub answers at {url} (")),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn an_older_hub_is_told_bare_facts() {
    let hub = StubHub::start([
        Answer::json(404, r#"{"error":"Not found"}"#),
        Answer::json(200, r#"{"message":"Torrent info added successfully"}"#),
        Answer::json(200, r#"{"message":"Torrent info added successfully"}"#),
    ])
    .await;
    let world = hub.world();
    world.write("a.torrent", torrent("a"));
    let nameless = String::from_utf8(torrent("b")).unwrap().replace("10:created by4:test", "");
    world.write("b.torrent", nameless);
    add(&world, &["a.torrent", "b.torrent"]).await.ended(Exit::Success);
    let posts = ["POST /api/v1/torrents", "POST /add_torrent_info", "POST /add_torrent_info"];
    assert_eq!(hub.lines(), posts);
    let facts: Vec<Value> =
        hub.asked()[1..].iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect();
    assert_eq!(
        facts[0],
        json!({
            "info_hash": hash_of("a"), "name": "a", "size": 16384, "piece_length": 16384,
            "comment": "", "created_by": "test", "creation_date": null,
        })
    );
    assert_eq!(facts[1]["created_by"], "Skep");
}

#[tokio::test]
async fn what_is_neither_hub_nor_older_hub_is_told() {
    let hub = StubHub::start([Answer::json(404, ""), Answer::json(404, "")]).await;
    let world = hub.world();
    world.write("a.torrent", torrent("a"));
    let ran = add(&world, &["a.torrent"]).await.ended(Exit::Failed);
    assert_eq!(ran.stderr, "error: a.torrent: the hub answered 404 Not Found\n");
}

#[tokio::test]
async fn the_token_is_shown_only_when_asked_for() {
    let hub =
        StubHub::start([created(), Answer::problem(401, "a token, please"), created(), created()]).await;
    let world = hub.world().var("SKEP_ADMIN_TOKEN", "0815");
    for name in ["a", "b", "c"] {
        world.write(&format!("{name}.torrent"), torrent(name));
    }
    add(&world, &["a.torrent", "b.torrent", "c.torrent"]).await.ended(Exit::Success);
    let shown: Vec<Option<String>> = hub.asked().into_iter().map(|asked| asked.authorization).collect();
    let token = Some("Bearer 0815".to_owned());
    assert_eq!(shown, [None, None, token.clone(), token]);
}

#[tokio::test]
async fn the_token_of_this_machine_is_found() {
    let hub = StubHub::start([Answer::problem(429, "too many"), created()]).await;
    let world = hub.world();
    world.write("data/skep/admin-token", "s3cret\n");
    world.write("a.torrent", torrent("a"));
    add(&world, &["a.torrent"]).await.ended(Exit::Success);
    assert_eq!(hub.asked()[1].authorization.as_deref(), Some("Bearer s3cret"));
}

#[tokio::test]
async fn without_the_token_the_error_says_where_it_was_looked_for() {
    let hub = StubHub::start([Answer::problem(401, "adding needs the admin token")]).await;
    let world = hub.world();
    world.write("a.torrent", torrent("a"));
    let ran = add(&world, &["a.torrent"]).await.ended(Exit::Failed);
    assert_eq!(
        ran.stderr,
        "error: a.torrent: adding needs the admin token; give the admin token with --admin-token or \
         SKEP_ADMIN_TOKEN (DIR/data/skep/admin-token: No such file or directory (os error 2))\n"
    );
}

#[tokio::test]
async fn a_hub_that_asks_for_a_pause_gets_it_unless_it_is_too_long() {
    let hub = StubHub::start([Answer::problem(429, "slow down").header("retry-after", "3600")]).await;
    let world = hub.world();
    world.write("a.torrent", torrent("a"));
    let ran = add(&world, &["a.torrent"]).await.ended(Exit::Failed);
    assert_eq!(ran.stderr, "error: a.torrent: slow down\n");
    assert_eq!(hub.asked().len(), 1);
}

#[tokio::test]
async fn a_wrong_path_is_told_before_anything_is_sent() {
    let hub = StubHub::start([]).await;
    let world = hub.world();
    world.write("a.torrent", torrent("a"));
    world.write("empty/readme.txt", "");
    let ran = add(&world, &["a.torrent", "b.torrent"]).await.ended(Exit::Failed);
    assert_eq!(ran.stderr, "error: b.torrent: No such file or directory (os error 2)\n");
    let ran = add(&world, &["a.torrent", "empty"]).await.ended(Exit::Failed);
    assert_eq!(ran.stderr, "error: empty: no file in this directory ends in .torrent\n");
    assert_eq!(hub.asked().len(), 0);
}

#[tokio::test]
async fn flags_are_checked() {
    for (flag, value) in
        [("--tries", "0"), ("--timeout", "0"), ("--retry-delay", "-1"), ("--timeout", "soon")]
    {
        let flag = format!("{flag}={value}");
        let ran = World::new().run(&["add", &flag, "x"]).await.ended(Exit::Misuse);
        assert!(ran.stderr.contains(&format!("invalid value '{value}'")), "{}", ran.stderr);
    }
}
