//! `token`: one request a connection, no framing, one `recv` of 8,192 bytes.

use std::io::Write;

use swarm::directory::Dialect;

use super::{CLIENT_BUFFER, Trackers, is_closed, receive};
use crate::classic::Count;

const WRONG_TOKEN: &str = r#"{"status":"FAIL","reason":"Invalid token"}"#;

impl Trackers {
    fn tell(&self, host: u8, request: &str) -> String {
        self.ask(Dialect::Token, host, request)
    }

    /// A token for a peer.
    pub(super) fn token(&self, host: u8, peer_id: &str) -> String {
        let reply = self.tell(host, &format!(r#"{{"type":"AUTH","peer_id":"{peer_id}"}}"#));
        let token =
            reply.strip_prefix(r#"{"status":"OK","token":""#).and_then(|rest| rest.strip_suffix("\"}"));
        let token = token.unwrap_or_else(|| panic!("{reply}"));
        assert!(token.starts_with(&format!("token_{peer_id}")), "{token}");
        token.to_owned()
    }

    fn register(&self, host: u8, peer_id: &str, token: &str, port: u16, files: &str) -> String {
        self.tell(
            host,
            &format!(
                r#"{{"type":"REGISTER","peer_id":"{peer_id}","token":"{token}","port":{port},"files":{files}}}"#
            ),
        )
    }

    pub(super) fn peer_list(&self, host: u8, peer_id: &str, name: &str) -> String {
        let token = self.token(host, peer_id);
        self.tell(
            host,
            &format!(
                r#"{{"type":"PEER_LIST","peer_id":"{peer_id}","token":"{token}","file_name":"{name}"}}"#
            ),
        )
    }
}

#[test]
fn a_client_gets_a_token_registers_and_finds_others() {
    let trackers = Trackers::start();
    let seeder = trackers.network.host(2);
    let token = trackers.token(2, "p2");
    let files = r#"{"document.pdf":5,"video.mp4":20}"#;
    assert_eq!(trackers.register(2, "p2", &token, 8080, files), r#"{"status":"REGISTERED"}"#);
    assert_eq!(
        trackers.peer_list(1, "p1", "document.pdf"),
        format!(r#"{{"peers":[{{"peer_id":"p2","ip":"{seeder}","port":8080}}],"total_parts":5}}"#)
    );
    assert_eq!(trackers.peer_list(1, "p1", "other.pdf"), r#"{"peers":[],"total_parts":0}"#);
    // What it offers now is all that it offers.
    assert_eq!(trackers.register(2, "p2", &token, 8081, r#"{"video.mp4":20}"#), r#"{"status":"REGISTERED"}"#);
    assert_eq!(trackers.peer_list(1, "p1", "document.pdf"), r#"{"peers":[],"total_parts":0}"#);
    assert_eq!(
        trackers.peer_list(1, "p1", "video.mp4"),
        format!(r#"{{"peers":[{{"peer_id":"p2","ip":"{seeder}","port":8081}}],"total_parts":20}}"#)
    );
}

#[test]
fn a_request_may_come_in_any_number_of_segments_and_the_connection_ends_after_its_reply() {
    let trackers = Trackers::start();
    let mut stream = trackers.connect(Dialect::Token, 1);
    for byte in b" { \"type\" : \"AUTH\",\n\"peer_id\":\"a}\\\"{\" }" {
        stream.write_all(&[*byte]).unwrap();
    }
    let reply = receive(&mut stream);
    assert!(reply.starts_with(r#"{"status":"OK","token":"token_a}\"{"#), "{reply}");
    assert!(is_closed(&mut stream));
}

#[test]
fn a_second_request_on_a_connection_is_not_answered() {
    let trackers = Trackers::start();
    let mut stream = trackers.connect(Dialect::Token, 1);
    let auth = r#"{"type":"AUTH","peer_id":"p1"}"#;
    stream.write_all(format!("{auth}{auth}").as_bytes()).unwrap();
    let reply = receive(&mut stream);
    assert_eq!(reply.matches("token_p1").count(), 1, "{reply}");
    assert!(is_closed(&mut stream));
}

#[test]
fn a_token_is_for_its_peer_at_its_address_and_for_its_time() {
    let trackers = Trackers::with(|config| config.token.lifetime_secs = 100);
    let token = trackers.token(1, "p1");
    let files = r#"{"a":1}"#;
    for (host, peer_id, token) in [
        (1, "p1", ""),
        (1, "p1", "token_p1"),
        // Another peer's, and the same one's from elsewhere.
        (1, "p2", token.as_str()),
        (2, "p1", token.as_str()),
    ] {
        assert_eq!(trackers.register(host, peer_id, token, 8080, files), WRONG_TOKEN);
    }
    let without = r#"{"type":"REGISTER","peer_id":"p1","port":8080,"files":{"a":1}}"#;
    assert_eq!(trackers.tell(1, without), WRONG_TOKEN);
    let without = r#"{"type":"PEER_LIST","peer_id":"p1","file_name":"a"}"#;
    assert_eq!(trackers.tell(1, without), WRONG_TOKEN);
    assert_eq!(trackers.holders(), [0; 4]);
    assert_eq!(trackers.count(Dialect::Token, Count::Forbidden), 6);

    assert_eq!(trackers.register(1, "p1", &token, 8080, files), r#"{"status":"REGISTERED"}"#);
    trackers.registrar.pass(100);
    assert_eq!(trackers.register(1, "p1", &token, 8080, files), WRONG_TOKEN, "it has expired");
    let token = trackers.token(1, "p1");
    assert_eq!(trackers.register(1, "p1", &token, 8080, files), r#"{"status":"REGISTERED"}"#);
}

#[test]
fn a_reply_fits_what_a_client_receives_at_once_and_others_are_told_of_in_other_replies() {
    let trackers = Trackers::start();
    for n in 0..1_000 {
        let id = format!("peer-with-a-long-name-{n}");
        let token = trackers.token(2, &id);
        trackers.register(2, &id, &token, 1_000 + n, r#"{"a":1}"#);
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let reply = trackers.peer_list(1, "p1", "a");
        assert!(reply.len() <= CLIENT_BUFFER && reply.len() > CLIENT_BUFFER - 100, "{}", reply.len());
        let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
        let peers = reply["peers"].as_array().unwrap();
        seen.extend(peers.iter().map(|peer| peer["port"].as_u64().unwrap()));
    }
    assert!(seen.len() > 600, "{} of 1,000 in 20 replies of about 90", seen.len());
}
