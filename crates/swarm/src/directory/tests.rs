use std::collections::BTreeMap;
use std::net::IpAddr;

use super::*;
use crate::testing::Dice;
use crate::{Endpoint, Families, Port, Seconds};

fn directory() -> Directory {
    Directory::new(Config::usual(1 << 24, 7))
}

fn at(address: &str) -> Endpoint {
    let address: std::net::SocketAddr = address.parse().unwrap();
    Endpoint::new(address.ip(), Port::new(address.port()).unwrap())
}

fn name(text: &str) -> FileName<'_> {
    FileName::new(text).unwrap()
}

fn offer(text: &str, extent: Extent) -> Offer<'_> {
    Offer { name: name(text), extent }
}

fn list<'a>(text: &'a str, bytes: &'a [u8]) -> ChunkList<'a> {
    ChunkList { name: name(text), bytes, stated_bytes: 4_096 }
}

/// The endpoints that a client of the dialect is told of, in order.
fn told(directory: &Directory, dialect: Dialect, name: &str) -> Vec<String> {
    let ask = Ask { dialect, name, asker: None, families: Families::Both, want: 50 };
    let rows = directory.look_up(&ask, &mut Dice::new(1)).rows;
    let mut told: Vec<_> = rows.iter().map(|row| row.holder.endpoint().to_string()).collect();
    told.sort();
    told
}

fn seeders(directory: &Directory) -> Vec<(String, String)> {
    let rows = directory.seeders(50, Families::Both, &mut Dice::new(1));
    let mut rows: Vec<_> =
        rows.iter().map(|row| (row.name.to_owned(), row.holder.endpoint().to_string())).collect();
    rows.sort();
    rows
}

#[test]
fn token_and_beacon_serve_each_other() {
    let mut directory = directory();
    let files = [offer("video.mp4", Extent::Parts(20))];
    directory.join(&Join::token("p1", at("10.0.0.1:8080"), &files), 0).unwrap();
    directory.join(&Join::beacon(at("10.0.0.2:6001"), &[offer("video.mp4", Extent::Unknown)]), 0).unwrap();
    directory.join(&Join::index("alice", at("10.0.0.3:7000"), &files), 0).unwrap();
    directory
        .join(&Join::chunklist(at("10.0.0.4:1").ip(), at("10.0.0.4:7001"), list("video.mp4", b"[]")), 0)
        .unwrap();
    for dialect in [Dialect::Token, Dialect::Beacon] {
        assert_eq!(told(&directory, dialect, "video.mp4"), ["10.0.0.1:8080", "10.0.0.2:6001"]);
    }
    assert_eq!(told(&directory, Dialect::Index, "video.mp4"), ["10.0.0.3:7000"]);
    assert_eq!(told(&directory, Dialect::Chunklist, "video.mp4"), ["10.0.0.4:7001"]);
    assert_eq!(directory.stats().holders, [1; 4]);
    assert_eq!((directory.stats().names, directory.stats().names_in_all), ([1; 4], 1));
}

#[test]
fn a_peer_of_skeps_is_there_in_all_four() {
    let mut directory = directory();
    let files = [offer("a", Extent::Bytes(100_000)), offer("b", Extent::Bytes(0))];
    let join = Join::token("skep", at("10.0.0.1:6881"), &files).serving_all(Some(list("a", b"['00']")));
    directory.join(&join, 0).unwrap();
    for dialect in Dialect::ALL {
        assert_eq!(told(&directory, dialect, "a"), ["10.0.0.1:6881"], "{dialect}");
        let finds_b = dialect != Dialect::Chunklist;
        assert_eq!(!told(&directory, dialect, "b").is_empty(), finds_b, "{dialect}");
    }
    assert_eq!(seeders(&directory), [("a".to_owned(), "10.0.0.1:6881".to_owned())]);
    assert_eq!(directory.chunk_list("a").as_deref(), Some(&b"['00']"[..]));

    let ask = |dialect| Ask { dialect, name: "a", asker: None, families: Families::V4, want: 1 };
    let answer = directory.look_up(&ask(Dialect::Token), &mut Dice::new(1));
    assert_eq!((answer.parts, answer.rows[0].extent), (Some(2), Extent::Bytes(100_000)));
    let answer = directory.look_up(&ask(Dialect::Chunklist), &mut Dice::new(1));
    assert_eq!(answer.rows[0].extent, Extent::Bytes(4_096), "what it says that its list has");
}

#[test]
fn a_peer_of_several_dialects_is_told_of_once() {
    let mut directory = directory();
    let files = [offer("a", Extent::Unknown)];
    directory.join(&Join::beacon(at("10.0.0.1:6881"), &files), 0).unwrap();
    directory.join(&Join::token("skep", at("10.0.0.1:6881"), &files), 0).unwrap();
    directory.join(&Join::token("other", at("10.0.0.2:6881"), &files), 0).unwrap();
    for dialect in [Dialect::Token, Dialect::Beacon] {
        assert_eq!(told(&directory, dialect, "a"), ["10.0.0.1:6881", "10.0.0.2:6881"]);
    }
    // It is not told of itself, whatever it is called elsewhere.
    let asker = Some(Key::token("skep", at("10.0.0.1:1").ip()));
    let ask = Ask { dialect: Dialect::Token, name: "a", asker, families: Families::Both, want: 50 };
    let rows = directory.look_up(&ask, &mut Dice::new(1)).rows;
    assert_eq!(rows.iter().map(|row| row.holder.label()).collect::<Vec<_>>(), ["other"]);
    // In `token`, two labels are two peers, even where one port is said to be both's.
    directory.join(&Join::token("twin", at("10.0.0.2:6881"), &files), 0).unwrap();
    assert_eq!(told(&directory, Dialect::Token, "a").len(), 3);
    assert_eq!(told(&directory, Dialect::Beacon, "a").len(), 2);
}

#[test]
fn clients_are_told_of_addresses_they_can_reach() {
    let mut directory = directory();
    let files = [offer("a", Extent::Unknown)];
    directory.join(&Join::beacon(at("10.0.0.1:1"), &files), 0).unwrap();
    directory.join(&Join::beacon(at("[fd00::1]:1"), &files), 0).unwrap();
    directory.join(&Join::beacon(at("[::ffff:10.0.0.1]:1"), &files), 0).unwrap();
    for (families, endpoint) in [(Families::V4, "10.0.0.1:1"), (Families::V6, "[fd00::1]:1")] {
        let ask = Ask { dialect: Dialect::Beacon, name: "a", asker: None, families, want: 50 };
        let rows = directory.look_up(&ask, &mut Dice::new(1)).rows;
        let told: Vec<_> = rows.iter().map(|row| row.holder.endpoint()).collect();
        assert_eq!(told, [at(endpoint)]);
    }
}

/// Who was first to give a name a list decides: others are listed with it if theirs is the same, or when it is gone.
#[test]
fn a_chunk_list_cannot_be_taken_over() {
    let mut directory = directory();
    let join = |address: &str, bytes: &'static [u8]| {
        Join::chunklist(at(address).ip(), at(address), list("song", bytes))
    };
    let row = |address: &str| ("song".to_owned(), address.to_owned());
    directory.join(&join("10.0.0.2:1", b"['good']"), 0).unwrap();
    directory.join(&join("10.0.0.1:1", b"['evil']"), 0).unwrap();
    directory.join(&join("10.0.0.3:1", b"['good']"), 0).unwrap();
    assert_eq!(directory.chunk_list("song").as_deref(), Some(&b"['good']"[..]));
    assert_eq!(seeders(&directory), [row("10.0.0.2:1"), row("10.0.0.3:1")]);
    assert_eq!(told(&directory, Dialect::Chunklist, "song"), ["10.0.0.2:1", "10.0.0.3:1"]);
    // A peer that was here before, and gives the name a list only now, has no earlier turn.
    let early = Join::token("early", at("10.0.0.4:1"), &[]).serving_all(None);
    directory.join(&early, 0).unwrap();
    directory.join(&early.serving_all(Some(list("song", b"['evil']"))), 0).unwrap();
    assert_eq!(directory.chunk_list("song").as_deref(), Some(&b"['good']"[..]));
    // The first may change its mind. Who has what it had before is not listed any more.
    directory.join(&join("10.0.0.2:1", b"['better']"), 0).unwrap();
    assert_eq!(directory.chunk_list("song").as_deref(), Some(&b"['better']"[..]));
    assert_eq!(seeders(&directory), [row("10.0.0.2:1")]);
    // Then it is the next one's turn.
    assert!(directory.leave(&Key::chunklist("song", at("10.0.0.2:1").ip())));
    assert_eq!(directory.chunk_list("song").as_deref(), Some(&b"['evil']"[..]));
    assert_eq!(seeders(&directory), [row("10.0.0.1:1"), row("10.0.0.4:1")]);
}

#[test]
fn equal_chunk_lists_are_kept_once() {
    let mut directory = directory();
    let bytes = vec![b'x'; CHUNK_LIST_BYTES_MAX];
    for port in 1..=20 {
        let endpoint = at(&format!("10.0.0.{port}:{port}"));
        directory.join(&Join::chunklist(endpoint.ip(), endpoint, list("a", &bytes)), 0).unwrap();
    }
    assert!((CHUNK_LIST_BYTES_MAX..CHUNK_LIST_BYTES_MAX + 8_192).contains(&directory.memory_bytes()));
    let longer = vec![b'x'; CHUNK_LIST_BYTES_MAX + 1];
    let endpoint = at("10.0.0.1:1");
    let refused = directory.join(&Join::chunklist(endpoint.ip(), endpoint, list("a", &longer)), 0);
    assert_eq!(refused, Err(Refused::ChunkList { bytes: longer.len() }));
    assert_eq!(directory.chunk_list("a").map(|bytes| bytes.len()), Some(bytes.len()));
}

/// The place that a seeder states is one to be told to others, and none to be probed.
#[test]
fn a_stated_address_is_never_probed() {
    let mut directory = directory();
    let source: IpAddr = "10.0.0.1".parse().unwrap();
    directory.join(&Join::chunklist(source, at("203.0.113.5:7000"), list("a", b"[]")), 0).unwrap();
    assert_eq!(told(&directory, Dialect::Chunklist, "a"), ["203.0.113.5:7000"]);
    assert_eq!(directory.next_probe(61).unwrap().endpoint, at("10.0.0.1:7000"));
    assert!(directory.beat(&Key::chunklist("a", source), 61));
}

#[test]
fn probes_keep_to_their_interval_and_number() {
    let mut directory = Directory::new(Config { probes_in_flight_max: 2, ..Config::usual(1 << 20, 7) });
    for port in 1..=3 {
        directory.join(&Join::token("p", at(&format!("10.0.0.{port}:80")), &[]), 0).unwrap();
    }
    assert_eq!(directory.next_probe(60), None, "not a moment early");
    let first = directory.next_probe(61).unwrap();
    let second = directory.next_probe(61).unwrap();
    assert_ne!(first.endpoint, second.endpoint);
    assert_eq!(directory.next_probe(61), None, "two are under way");
    directory.probed(first.ticket, true, 62, |_| panic!("it answered"));
    let third = directory.next_probe(62).unwrap();
    directory.probed(second.ticket, false, 63, |_| panic!("once is not three times"));
    directory.probed(third.ticket, false, 63, |_| panic!("once is not three times"));
    directory.probed(third.ticket, false, 64, |_| panic!("an outcome counts once"));
    assert_eq!(directory.next_probe(122), None);
    let again = directory.next_probe(123).unwrap();
    assert_eq!(again.endpoint, first.endpoint);
    // Nothing is ever heard of this one. It counts neither way.
    assert_eq!(directory.next_probe(183).map(|probe| probe.endpoint), Some(second.endpoint));
    assert_eq!(directory.stats().probes, 2);
    assert_eq!(directory.next_probe(184).map(|probe| probe.endpoint), Some(third.endpoint));
    directory.probed(again.ticket, false, 185, |_| panic!("it was forgotten"));
    assert_eq!(directory.holder(&Key::token("p", at("10.0.0.1:80").ip())).unwrap().failures(), Some(0));
}

/// Registering again and again puts no probe off, and failures stay; but a new port is a new place.
#[test]
fn registering_is_no_answer_to_probes() {
    let mut directory = directory();
    let join = |directory: &mut Directory, port: u16, now| {
        let endpoint = at(&format!("10.0.0.1:{port}"));
        directory.join(&Join::token("p", endpoint, &[]), now).unwrap();
    };
    let key = Key::token("p", at("10.0.0.1:1").ip());
    let fail = |directory: &mut Directory, now: &mut Seconds| {
        *now += 61;
        let probe = directory.next_probe(*now).unwrap();
        let mut gone = false;
        directory.probed(probe.ticket, false, *now, |holder| gone = holder.key() == key);
        gone
    };
    let mut now = 0;
    join(&mut directory, 80, now);
    for _ in 0..2 {
        join(&mut directory, 80, now + 60);
        assert!(!fail(&mut directory, &mut now));
    }
    join(&mut directory, 81, now);
    assert!(!fail(&mut directory, &mut now), "the first failure there");
    assert!(!fail(&mut directory, &mut now));
    join(&mut directory, 81, now);
    assert!(fail(&mut directory, &mut now));
    assert!(directory.holder(&key).is_none());
}

#[test]
fn bounds_are_told() {
    let config = Config {
        names_max: 4,
        names_per_holder_max: 3,
        holders_per_address_max: 2,
        ..Config::usual(1 << 20, 7)
    };
    let mut directory = Directory::new(config);
    let offers = ["a", "b", "c", "d", "e"].map(|text| offer(text, Extent::Unknown));
    let token = |directory: &mut Directory, id: &str, offers: &[Offer<'_>]| {
        directory.join(&Join::token(id, at("10.0.0.1:1"), offers), 0)
    };
    assert_eq!(token(&mut directory, "p", &offers[..3]), Ok(Joined::New));
    assert_eq!(token(&mut directory, "p", &offers[1..]), Err(Refused::NamesOfHolder { max: 3 }));
    assert_eq!(token(&mut directory, "q", &offers[3..]), Err(Refused::Names { max: 4 }));
    assert_eq!(token(&mut directory, "q", &offers[3..4]), Ok(Joined::New));
    assert_eq!(token(&mut directory, "r", &[]), Err(Refused::HoldersOfAddress { max: 2 }));
    assert_eq!(directory.join(&Join::token("r", at("10.0.0.2:1"), &[]), 0), Ok(Joined::New));
    for id in ["", "a\nb", &"x".repeat(256)] {
        assert_eq!(token(&mut directory, id, &[]), Err(Refused::Label));
    }
    // Each REGISTER of `beacon` adds a name, up to as many as anybody may offer.
    for (turn, offer) in offers[..3].iter().enumerate() {
        let joined = if turn == 0 { Joined::New } else { Joined::Known };
        assert_eq!(directory.join(&Join::beacon(at("10.0.0.3:1"), &[*offer]), 0), Ok(joined));
    }
    let more = directory.join(&Join::beacon(at("10.0.0.3:1"), &offers[3..4]), 0);
    assert_eq!(more, Err(Refused::NamesOfHolder { max: 3 }));
    assert_eq!(directory.stats().refused, 7);
    for text in ["a", "b", "c"] {
        assert_eq!(told(&directory, Dialect::Token, text), ["10.0.0.1:1", "10.0.0.3:1"]);
    }
    assert_eq!(Refused::Names { max: 4 }.to_string(), "the directory holds 4 names, and may not hold more");
}

#[test]
fn a_full_directory_goes_on_with_what_it_has() {
    let mut directory = Directory::new(Config::usual(40_000, 7));
    let long = "n".repeat(200);
    let names: Vec<String> = (0..300).map(|number| format!("{long}{number}")).collect();
    let files = |number: usize| [offer(&names[number], Extent::Parts(1))];
    let endpoint = |number: usize| at(&format!("10.0.0.{}:80", number % 250));
    let full = (0..300).find(|&number| {
        directory.join(&Join::token("p", endpoint(number), &files(number)), 0) == Err(Refused::Full)
    });
    let full = full.expect("300 names of 200 bytes are more than 40,000 bytes");
    assert!(full > 50, "{full}");
    // What a replacement would change is as it was.
    let three = [files(0)[0], files(full)[0], files(full + 1)[0]];
    assert_eq!(directory.join(&Join::token("p", endpoint(0), &three), 0), Err(Refused::Full));
    assert_eq!(told(&directory, Dialect::Token, &names[0]), [endpoint(0).to_string()]);
    // Everybody is here, may say so, may move, and may leave; and who comes then has the room of who left.
    assert_eq!(directory.join(&Join::token("p", endpoint(1), &files(1)), 0), Ok(Joined::Known));
    assert_eq!(directory.join(&Join::token("p", at("10.0.0.1:81"), &files(1)), 0), Ok(Joined::Known));
    for number in 0..5 {
        assert!(directory.leave(&Key::token("p", endpoint(number).ip())));
    }
    assert_eq!(directory.join(&Join::token("q", endpoint(5), &files(full)), 0), Ok(Joined::New));
    assert!(directory.memory_bytes() <= 40_000);
}

#[test]
fn a_page_goes_on_where_the_last_one_ended() {
    let mut directory = directory();
    let names: Vec<String> = (0..10).map(|number| format!("file{number}")).collect();
    for name in &names {
        let offers = [offer(name, Extent::Unknown), offer("common", Extent::Unknown)];
        directory.join(&Join::index(name, at("10.0.0.1:80"), &offers), 0).unwrap();
    }
    let first = directory.holders(Dialect::Index, 0, 4);
    assert_eq!(
        first.rows.iter().map(HolderView::label).collect::<Vec<_>>(),
        ["file0", "file1", "file2", "file3"]
    );
    let next = first.next.unwrap();
    assert!(directory.leave(&Key::index("file1", at("10.0.0.1:80").ip())));
    assert!(directory.leave(&Key::index("file5", at("10.0.0.1:80").ip())));
    let second = directory.holders(Dialect::Index, next, 4);
    assert_eq!(
        second.rows.iter().map(HolderView::label).collect::<Vec<_>>(),
        ["file4", "file6", "file7", "file8"]
    );
    let third = directory.holders(Dialect::Index, second.next.unwrap(), 4);
    assert_eq!((third.rows.len(), third.next), (1, None));
    assert_eq!(directory.holders(Dialect::Token, 0, 4).next, None);
    let names = directory.names(0, 3);
    assert_eq!(directory.names(names.next.unwrap(), 100).rows.len() + names.rows.len(), 9);

    let common = directory.name("common").unwrap();
    assert_eq!((common.holders_len(Dialect::Index), common.holders_len(Dialect::Token)), (8, 0));
    // Who is there in two dialects of one transfer is told of once.
    for join in [
        Join::token("ann", at("10.0.0.2:80"), &[offer("common", Extent::Parts(1))]),
        Join::beacon(at("10.0.0.2:80"), &[offer("common", Extent::Unknown)]),
    ] {
        directory.join(&join, 0).unwrap();
    }
    let common = directory.name("common").unwrap();
    assert_eq!(Dialect::ALL.map(|dialect| common.holders_len(dialect)), [1, 8, 0, 1]);
    let page = common.holders(Dialect::Index, 0, 5);
    let rest = common.holders(Dialect::Index, page.next.unwrap(), 5);
    assert_eq!((page.rows.len(), rest.rows.len(), rest.next), (5, 3, None));
}

/// Everybody is as likely to be told of as anybody else, those included that are there in two dialects.
#[test]
fn look_ups_are_without_bias() {
    let mut directory = directory();
    let files = [offer("a", Extent::Unknown)];
    let endpoints: Vec<Endpoint> = (1..=20).map(|number| at(&format!("10.0.0.{number}:80"))).collect();
    for (number, endpoint) in endpoints.iter().enumerate() {
        if number % 2 == 0 {
            directory.join(&Join::beacon(*endpoint, &files), 0).unwrap();
        }
        if number % 3 != 1 {
            directory.join(&Join::token("p", *endpoint, &files), 0).unwrap();
        }
    }
    let all = told(&directory, Dialect::Beacon, "a").len();
    let (mut dice, mut seen) = (Dice::new(5), BTreeMap::new());
    let (rounds, want) = (20_000, 4);
    for _ in 0..rounds {
        let ask = Ask { dialect: Dialect::Beacon, name: "a", asker: None, families: Families::V4, want };
        for row in directory.look_up(&ask, &mut dice).rows {
            *seen.entry(row.holder.endpoint()).or_insert(0u32) += 1;
        }
    }
    assert_eq!(seen.len(), all);
    let expected = f64::from(rounds * 4) / f64::from(u32::try_from(all).unwrap());
    let statistic: f64 = seen.values().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
    // The quantile at 10^-6 for up to 19 degrees of freedom.
    assert!(statistic < 64.0, "{statistic}");
}

/// What is counted is what is there, after much coming and going.
#[test]
fn the_account_is_true() {
    let mut directory = directory();
    let mut dice = Dice::new(9);
    let names: Vec<String> = (0..40).map(|number| "n".repeat(1 + number * 3)).collect();
    for turn in 0..4_000 {
        let mut below = |bound| crate::chance::below(bound, &mut dice);
        let endpoint = at(&format!("10.0.0.{}:{}", 1 + below(30), 1 + below(3)));
        let offers: Vec<_> =
            (0..below(6)).map(|_| offer(&names[below(40) as usize], Extent::Unknown)).collect();
        let index = Join::index("p", endpoint, &offers).serving_all(None);
        match below(4) {
            0 => assert!(directory.leave(&index.key()) || directory.holder(&index.key()).is_none()),
            1 => assert!(directory.join(&Join::beacon(endpoint, &offers), turn).is_ok()),
            2 => assert!(directory.expire(turn, usize::MAX, |_| ()).done),
            _ => assert!(directory.join(&index, turn).is_ok()),
        }
        assert_eq!(directory.names.heap_bytes(), directory.names.heap_bytes_counted());
    }
}
