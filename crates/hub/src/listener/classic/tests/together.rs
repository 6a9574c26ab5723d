//! Clients of all four dialects at once find each other's files where they can.

use swarm::directory::Dialect;

use super::Trackers;

#[test]
fn clients_of_token_and_beacon_serve_each_other_and_the_others_their_own() {
    let trackers = Trackers::start();
    let [a, b, c, d] = [1, 2, 3, 4].map(|host| trackers.network.host(host));
    let token = trackers.token(1, "ann");
    let register = format!(
        r#"{{"type":"REGISTER","peer_id":"ann","token":"{token}","port":8001,"files":{{"ann.txt":3,"all.txt":1}}}}"#
    );
    assert_eq!(trackers.ask(Dialect::Token, 1, &register), r#"{"status":"REGISTERED"}"#);
    for name in ["bob.txt", "all.txt"] {
        trackers.beacon(2, &format!(r#"{{"action":"REGISTER","filename":"{name}","port":8002}}"#));
    }
    let register = r#"{"command":"register","username":"cat","port":8003,"files":{"cat.txt":5,"all.txt":5}}"#;
    assert_eq!(trackers.tell_index(3, register), "{\"status\":\"ok\"}\n");
    trackers.seed(4, &format!("register; all.txt; {d}; 8004; 6"), b"['00']");

    // Each is found by clients of the other dialect that fetch in the same way.
    assert_eq!(trackers.holders_in_beacon(5, "ann.txt"), format!(r#"[["{a}", 8001]]"#));
    let list = trackers.peer_list(5, "eve", "bob.txt");
    assert_eq!(
        list,
        format!(r#"{{"peers":[{{"peer_id":"{b}:8002","ip":"{b}","port":8002}}],"total_parts":1}}"#)
    );
    let both = trackers.holders_in_beacon(5, "all.txt");
    assert!(both.contains(&a.to_string()) && both.contains(&b.to_string()), "{both}");
    assert_eq!(both.matches('[').count(), 3, "{both}");

    // Nobody is sent to a peer that it cannot understand.
    for name in ["cat.txt", "none.txt"] {
        assert_eq!(trackers.holders_in_beacon(5, name), "[]");
        assert_eq!(trackers.peer_list(5, "eve", name), r#"{"peers":[],"total_parts":0}"#);
    }
    let found = trackers.tell_index(5, r#"{"command":"search","filename":"all.txt"}"#);
    assert_eq!(found.matches("\"ip\"").count(), 1, "{found}");
    assert!(found.contains(&c.to_string()), "{found}");
    let list = trackers.list_seeders(5);
    assert_eq!(list.matches('(').count(), 1, "{list}");
    assert!(list.contains(&d.to_string()), "{list}");
}

#[test]
fn who_leaves_in_one_dialect_stays_in_another() {
    let trackers = Trackers::start();
    let a = trackers.network.host(1);
    let token = trackers.token(1, "ann");
    let register =
        format!(r#"{{"type":"REGISTER","peer_id":"ann","token":"{token}","port":8001,"files":{{"x":1}}}}"#);
    trackers.ask(Dialect::Token, 1, &register);
    trackers.beacon(1, r#"{"action":"REGISTER","filename":"x","port":8001}"#);
    assert_eq!(trackers.holders_in_beacon(5, "x"), format!(r#"[["{a}", 8001]]"#), "one place is told once");
    trackers.beacon(1, r#"{"action":"EXIT","port":8001}"#);
    assert_eq!(trackers.holders_in_beacon(5, "x"), format!(r#"[["{a}", 8001]]"#));
    assert_eq!(trackers.holders(), [1, 0, 0, 0]);
}
