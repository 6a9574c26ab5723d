use serde_json::{Value, json};
use skep::exit::Exit;

use crate::support::{Answer, StubHub};

const STATE: &str = r#"{"torrents":{}}"#;

#[tokio::test]
async fn import_sends_the_file_with_the_token() {
    let reply = json!({"torrents": 2, "peers": 1, "skipped": ["torrent `xyz`: not a hash", {"peer": 7}]});
    let hub = StubHub::start([Answer::json(200, &reply), Answer::json(200, &reply)]).await;
    let world = hub.world();
    world.write("state.json", STATE);
    let ran = world.run(&["import", "state.json", "--admin-token", "t0ken"]).await.ended(Exit::Success);
    assert_eq!(ran.stdout, "brought in 2 torrents and 1 peer, left out 2\n");
    assert_eq!(ran.stderr, "left out: torrent `xyz`: not a hash\nleft out: {\"peer\":7}\n");
    let asked = &hub.asked()[0];
    assert_eq!(asked.line, "POST /api/v1/import");
    assert_eq!(asked.authorization.as_deref(), Some("Bearer t0ken"));
    assert_eq!(asked.media_type.as_deref(), Some("application/json"));
    assert_eq!(asked.body, STATE);
    let ran =
        world.run(&["import", "state.json", "--json", "--admin-token", "t0ken"]).await.ended(Exit::Success);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), reply);
}

#[tokio::test]
async fn a_long_list_of_what_was_left_out_is_cut() {
    let skipped: Vec<String> = (0..25).map(|n| n.to_string()).collect();
    let reply = json!({"torrents": 0, "peers": 0, "skipped": skipped});
    let hub = StubHub::start([Answer::json(200, reply)]).await;
    let world = hub.world();
    world.write("state.json", STATE);
    let ran = world.run(&["import", "state.json"]).await.ended(Exit::Success);
    assert!(ran.stderr.ends_with("left out: 19\nleft out: 5 more\n"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_file_that_is_no_state_does_not_travel() {
    let hub = StubHub::start([]).await;
    let world = hub.world();
    world.write("state.json", "{'torrents'");
    let ran = world.run(&["import", "state.json"]).await.ended(Exit::Failed);
    let expected =
        "error: cannot import state.json: it is not JSON: key must be a string at line 1 column 2\n";
    assert_eq!(ran.stderr, expected);
    let ran = world.run(&["import", "nowhere.json"]).await.ended(Exit::Failed);
    assert_eq!(ran.stderr, "error: cannot import nowhere.json: No such file or directory (os error 2)\n");
    assert_eq!(hub.asked().len(), 0);
}

#[tokio::test]
async fn a_token_that_may_not_is_told() {
    let hub = StubHub::start([Answer::problem(403, "this token may not import")]).await;
    let world = hub.world().var("SKEP_ADMIN_TOKEN", "wrong");
    world.write("state.json", STATE);
    let ran = world.run(&["import", "state.json"]).await.ended(Exit::Failed);
    assert_eq!(ran.stderr, "error: this token may not import\n");
}

#[tokio::test]
async fn export_writes_everything_the_hub_tells() {
    let page = |n: u64, next: Option<&str>| {
        Answer::json(200, json!({"torrents": [{"info_hash": n, "files": [n]}], "next": next}))
    };
    let pages = || [page(1, Some("2")), page(2, None)];
    let hub = StubHub::start(pages().into_iter().chain(pages())).await;
    let world = hub.world();
    let expected = [json!({"info_hash": 1, "files": [1]}), json!({"info_hash": 2, "files": [2]})];
    let ran = world.run(&["export", "--json"]).await.ended(Exit::Success);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&ran.stdout).unwrap(), expected);
    assert_eq!(ran.stderr, "exported 2 torrents\n");
    let ran = world.run(&["-q", "export", "--lines"]).await.ended(Exit::Success);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.as_slice(), ran.stderr.as_str()), (expected.as_slice(), ""));
}

#[tokio::test]
async fn an_empty_catalogue_exports_as_an_empty_array() {
    let hub = StubHub::start([Answer::json(200, r#"{"torrents":[],"next":null}"#)]).await;
    let ran = hub.world().run(&["export", "--json"]).await.ended(Exit::Success);
    assert_eq!(ran.stdout, "[]\n");
}
