use serde_json::Value;
use skep::exit::Exit;

use crate::support::{Answer, StubHub, World, nobody};

#[tokio::test]
async fn what_is_no_tracker_does_not_hold() {
    let hub = StubHub::start(std::iter::repeat_n(Answer::json(404, ""), 100)).await;
    let url = format!("{}/announce", hub.url());
    let ran = World::new().run(&["check", &url]).await.ended(Exit::Failed);
    assert!(ran.stdout.contains("FAIL"), "{}", ran.stdout);
    assert!(ran.stdout.lines().last().unwrap().starts_with(&format!("{url}: ")), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[tokio::test]
async fn json_is_for_scripts() {
    let url = format!("{}/announce", nobody());
    let ran = World::new().run(&["check", "--json", &url]).await.ended(Exit::Failed);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["url"], url);
    assert!(report["checks"].as_array().unwrap().iter().any(|check| check["outcome"] == "fail"));
}

#[tokio::test]
async fn an_address_that_is_no_trackers_is_a_misuse() {
    let ran = World::new().run(&["check", "ftp://host"]).await.ended(Exit::Misuse);
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains("ftp://host"), "{}", ran.stderr);
}
