//! `beacon`: a datagram each, answered only where somebody asks for seeders; 1,024 bytes are received at most.

use swarm::directory::Dialect;

use super::Trackers;

impl Trackers {
    pub(super) fn beacon(&self, host: u8, datagram: &str) {
        self.send(Dialect::Beacon, host, datagram);
    }

    pub(super) fn holders_in_beacon(&self, host: u8, name: &str) -> String {
        let request = format!(r#"{{"action":"REQUEST","filename":"{name}"}}"#);
        self.ask_by_datagram(Dialect::Beacon, host, &request)
    }
}

#[test]
fn a_client_registers_is_found_beats_and_leaves() {
    let trackers = Trackers::start();
    let (one, two) = (trackers.network.host(1), trackers.network.host(2));
    assert_eq!(trackers.holders_in_beacon(3, "a.txt"), "[]");
    trackers.beacon(1, r#"{"action":"REGISTER","filename":"a.txt","port":6001}"#);
    assert_eq!(trackers.holders_in_beacon(3, "a.txt"), format!(r#"[["{one}", 6001]]"#));
    trackers.beacon(2, r#"{"action":"REGISTER","filename":"a.txt","port":6002}"#);
    trackers.beacon(2, r#"{"action":"REGISTER","filename":"[download]b.txt","port":6002}"#);
    let both = trackers.holders_in_beacon(3, "a.txt");
    assert!(
        both == format!(r#"[["{one}", 6001], ["{two}", 6002]]"#)
            || both == format!(r#"[["{two}", 6002], ["{one}", 6001]]"#),
        "{both}"
    );
    assert_eq!(trackers.holders_in_beacon(3, "[download]b.txt"), format!(r#"[["{two}", 6002]]"#));

    trackers.pass(20);
    trackers.beacon(1, r#"{"action":"HEARTBEAT","port":6001}"#);
    // Its address is another.
    trackers.beacon(1, r#"{"action":"HEARTBEAT","port":6002}"#);
    trackers.holders_in_beacon(3, "a.txt");
    trackers.pass(11);
    assert_eq!(trackers.holders_in_beacon(3, "a.txt"), format!(r#"[["{one}", 6001]]"#));
    trackers.beacon(2, r#"{"action":"EXIT","port":6001}"#);
    assert_eq!(trackers.holders_in_beacon(3, "a.txt"), format!(r#"[["{one}", 6001]]"#));
    trackers.beacon(1, r#"{"action":"EXIT","port":6001}"#);
    assert_eq!(trackers.holders_in_beacon(3, "a.txt"), "[]");
}

#[test]
fn an_answer_fits_what_a_client_receives() {
    let trackers = Trackers::start();
    for port in 1_000..1_200 {
        trackers.beacon(1, &format!(r#"{{"action":"REGISTER","filename":"a","port":{port}}}"#));
    }
    let answer = trackers.holders_in_beacon(2, "a");
    assert!(answer.len() <= 1_024 && answer.len() > 1_024 - 40, "{}", answer.len());
    let rows: Vec<(String, u16)> = serde_json::from_str(&answer).unwrap();
    assert!(rows.iter().all(|(ip, _)| *ip == trackers.network.host(1).to_string()));
}
