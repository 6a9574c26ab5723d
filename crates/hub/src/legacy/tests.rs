use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read_text(text: &str) -> Result<(Vec<LegacyTorrent>, Report), LegacyError> {
    let mut torrents = Vec::new();
    let report = read(text.as_bytes(), |torrent| torrents.push(torrent))?;
    Ok((torrents, report))
}

fn read_value(value: &Value) -> (Vec<LegacyTorrent>, Report) {
    read_text(&value.to_string()).unwrap()
}

const HEX: &str = "00017f80ff206162636465666768696a6b6c6d7e";

#[test]
fn a_state_file_is_read() {
    let (torrents, report) = read_value(&json!({
        "version": [1, {"torrents": 2}],
        "torrents": {
            "%00%01%7F%80%FF abcdefghijklm~": {
                "info": {
                    "info_hash": HEX, "name": "Größe", "size": 1_048_576, "piece_length": 16_384,
                    "creation_date": 1_700_000_000.75, "comment": "", "created_by": "mktorrent 1.1",
                },
                "peers_info": [
                    {
                        "peer_id": "-TR2940-abcdefghijkl", "ip": "10.0.0.5", "port": 6881,
                        "last_seen": 1_700_000_100.25, "uploaded": 5, "downloaded": 7, "left": 0, "is_seeder": true,
                    },
                    {"peer_id": "%00short", "ip": "2001:db8::1", "port": "6882", "last_seen": 1_700_000_101},
                ],
                "stats": {"complete": 1, "incomplete": 1, "downloaded": 3, "uploaded": 99},
            },
        },
    }));
    let hash = HEX.parse().unwrap();
    let port = |port| swarm::Port::new(port).unwrap();
    assert_eq!(
        torrents,
        [LegacyTorrent {
            torrent: NewTorrent {
                size: Some(1_048_576),
                piece_length: Some(16_384),
                created_by: Some("mktorrent 1.1".into()),
                created_at: Some(1_700_000_000),
                ..NewTorrent::named(hash, "Größe")
            },
            completed: 3,
            peers: vec![
                LegacyPeer {
                    endpoint: Endpoint::new([10, 0, 0, 5].into(), port(6881)),
                    peer_id: Some(PeerId(*b"-TR2940-abcdefghijkl")),
                    last_seen: 1_700_000_100,
                    uploaded: 5,
                    downloaded: 7,
                    left: Some(0),
                },
                LegacyPeer {
                    endpoint: Endpoint::new("2001:db8::1".parse().unwrap(), port(6882)),
                    peer_id: None,
                    last_seen: 1_700_000_101,
                    uploaded: 0,
                    downloaded: 0,
                    left: None,
                },
            ],
        }]
    );
    assert_eq!(report, Report { torrents: 1, peers: 2, ..Report::default() });
}

#[test]
fn what_is_absent_or_odd_is_tolerated() {
    let odd = [
        json!({}),
        json!({"info": null, "peers_info": null, "stats": null}),
        json!({"info": [], "peers_info": "none", "stats": {"downloaded": -1}}),
        json!({"info": {"name": 5, "size": "big", "creation_date": "yesterday"}, "stats": {"downloaded": 1e300}}),
        json!({"stats": {"downloaded": 734_003_200_u64}}),
    ];
    for entry in odd {
        let (torrents, report) = read_value(&json!({"torrents": {HEX: entry}}));
        let plain = NewTorrent::named(HEX.parse().unwrap(), "");
        assert_eq!(torrents, [LegacyTorrent { torrent: plain, completed: 0, peers: vec![] }], "{entry}");
        assert_eq!(report, Report { torrents: 1, ..Report::default() });
    }
}

#[test]
fn what_cannot_be_used_is_counted_and_quoted() {
    let (torrents, report) = read_value(&json!({"torrents": {
        "no hash": {"info": {"name": "lost"}},
        "0000000000000000000000000000000000000001": 5,
        "0000000000000000000000000000000000000002": {"peers_info": {
            "a": {"ip": "10.0.0.1", "port": 0, "last_seen": 1},
            "b": {"ip": "10.0.0.300", "port": 1, "last_seen": 1},
            "c": {"ip": "0.0.0.0", "port": 1, "last_seen": 1},
            "d": {"ip": "10.0.0.1", "port": 1, "last_seen": "long ago"},
            "e": "peer",
            "f": {"ip": "10.0.0.1", "port": 65_536, "last_seen": 1},
            "g": {"ip": "10.0.0.1", "port": 1, "last_seen": 1},
        }},
    }}));
    assert_eq!(torrents.len(), 1);
    assert_eq!((report.torrents, report.torrents_skipped, report.peers, report.peers_skipped), (1, 2, 1, 6));
    let whole = report.quoted.join("\n");
    for expected in [
        "`no hash`: is no info hash in any spelling",
        "`0000000000000000000000000000000000000001`: is no object",
        "peer `{\"ip\":\"10.0.0.1\",\"last_seen\":1,\"port\":0}`: `port` is no number from 1 to 65535",
        "`ip` is no address of a peer",
        "`last_seen` is no time in Unix seconds",
    ] {
        assert!(whole.contains(expected), "{expected} is not in\n{whole}");
    }
}

#[test]
fn only_the_first_oddities_are_quoted() {
    let torrents: Map<String, Value> =
        (0..50).map(|n| (format!("{n}\n{}", "x".repeat(500)), json!({}))).collect();
    let (_, report) = read_value(&json!({"torrents": torrents}));
    assert_eq!((report.torrents_skipped, report.quoted.len()), (50, QUOTED_MAX));
    assert!(report.quoted.iter().all(|line| line.lines().count() == 1 && line.len() < 200));
}

#[test]
fn an_ambiguous_hash_is_the_one_that_the_info_spells_or_a_guess() {
    let other = InfoHash(*b"%FF\xffabcdefghijklmnop");
    let text = hash_text::spell(&other);
    let likeliest = hash_text::readings(text.as_bytes())[0];
    assert_ne!(likeliest, other);

    let (torrents, report) =
        read_value(&json!({"torrents": {&text: {"info": {"info_hash": other.to_string()}}}}));
    assert_eq!((torrents[0].torrent.info_hash, report.guessed), (other, 0));

    let (torrents, report) = read_value(&json!({"torrents": {&text: {"info": {"info_hash": &text}}}}));
    assert_eq!((torrents[0].torrent.info_hash, report.guessed), (likeliest, 1));
    assert!(report.quoted[0].contains("may spell several info hashes"), "{report:?}");

    let (torrents, report) = read_value(&json!({"torrents": {"key 1": {"info": {"info_hash": HEX}}}}));
    assert_eq!((torrents[0].torrent.info_hash.to_string(), report.guessed), (HEX.into(), 0));
}

#[test]
fn a_peer_twice_is_the_one_seen_last() {
    let peer = |last_seen| json!({"ip": "10.0.0.1", "port": 1, "last_seen": last_seen});
    let mapped = json!({"ip": "::ffff:10.0.0.1", "port": 1, "last_seen": 9});
    let (torrents, _) = read_value(&json!({"torrents": {HEX: {"peers_info": [peer(5), mapped, peer(7)]}}}));
    assert_eq!(torrents[0].peers.iter().map(|peer| peer.last_seen).collect::<Vec<_>>(), [9]);
}

#[test]
fn what_is_no_state_file_is_refused_in_one_line() {
    let deep = "[".repeat(100_000);
    let texts =
        ["", "[]", "{}", "{\"torrents\":[]}", "{\"torrents\":{}", "{\"torrents\":{}} x", "d4:infode", &deep];
    for text in texts {
        let message = read_text(text).unwrap_err().to_string();
        assert!(message.starts_with("this is no state file of the old tracker: "), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
    let missing = read_file(Path::new("/nowhere/state.json"), |_| ()).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/state.json: "), "{missing}");
}

#[test]
fn a_file_without_end_is_refused() {
    let endless = b"{\"torrents\":{}".chain(std::io::repeat(b' '));
    assert!(matches!(read_at_most(100_000, endless, |_| ()), Err(LegacyError::TooLarge)));
}

/// Any JSON, in the shape of a state file to some depth.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(Value::from("10.0.0.1")),
    ];
    let names =
        ["info", "info_hash", "peers_info", "stats", "ip", "port", "last_seen", "downloaded", "peer_id", HEX];
    let keys = prop::sample::select(names.map(String::from).to_vec());
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(keys.clone(), inner, 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_without_a_panic(value in json_value()) {
        let (torrents, report) = read_value(&json!({"torrents": {HEX: value.clone(), "x": value}}));
        prop_assert_eq!(torrents.len() as u64, report.torrents);
        prop_assert!(report.quoted.len() <= QUOTED_MAX);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,64}") {
        drop(read_text(&text));
    }
}
