//! The API keeps what its own description promises, whatever is sent: Schemathesis reads the one and tries the other.

use std::path::Path;
use std::process::Command;

use lab::http::Request;
use lab::hub::{ADMIN_TOKEN, Hub, Setup};
use serde_json::{Value, json};

/// Requests of a kind that are made up for an operation.
const EXAMPLES: &str = "30";

/// Answers that would end the trial: the hub stops, or is as it was.
const LEFT_OUT: [&str; 2] = ["--exclude-path=/api/v1/shutdown", "--exclude-path=/api/v1/reload"];

/// A hub for members with something of each kind, so that there is something to be changed.
fn furnished(state: &Path) -> Hub {
    let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).config("mode = \"members\"\n").start(state);
    let hash = "01".repeat(20);
    for (path, body) in [
        ("users", json!({"name": "ann"})),
        ("invites", json!({"note": "the lab"})),
        ("tokens", json!({"name": "ci", "scope": "read"})),
        ("access", json!({"list": "banned", "entry": "203.0.113.0/24"})),
        ("factors", json!({"download_pct": 0})),
        ("torrents", json!({"info_hash": hash, "name": "one", "private": true})),
    ] {
        let request = Request::new("POST", &format!("/api/v1/{path}")).bearer(ADMIN_TOKEN).json(&body);
        assert_eq!(hub.send(&request).status, 201, "{path}");
    }
    hub
}

#[test]
fn the_api_is_as_it_describes_itself() {
    let program = lab::schemathesis();
    if !program.is_file() {
        return lab::skip("Schemathesis is not installed; `cargo xtask setup` may install it");
    }
    let state = tempfile::tempdir().unwrap();
    let hub = furnished(state.path());
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis.toml");
    let ran = Command::new(program)
        .arg("--config-file")
        .arg(config)
        .args(["run", &format!("http://{}/api/v1/openapi.json", hub.http())])
        .args(["--header", &format!("Authorization: Bearer {ADMIN_TOKEN}")])
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--generation-database", "none", "--no-color"])
        .args(LEFT_OUT)
        .current_dir(state.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    hub.stop();
}

#[test]
fn every_call_is_described_once_and_has_a_name_of_its_own() {
    let state = tempfile::tempdir().unwrap();
    let hub = furnished(state.path());
    let request = Request::new("GET", "/api/v1/openapi.json").bearer(ADMIN_TOKEN);
    let description: Value = serde_json::from_slice(&hub.send(&request).body).unwrap();
    assert_eq!(description["openapi"], "3.1.0");
    let mut ids: Vec<&str> = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("default") && responses.len() > 1, "{method} {path}");
            assert!(responses.values().all(|response| response["description"] != ""), "{method} {path}");
            ids.push(operation["operationId"].as_str().unwrap());
        }
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), all >= 40), (all, true), "{ids:?}");
    hub.stop();
}
