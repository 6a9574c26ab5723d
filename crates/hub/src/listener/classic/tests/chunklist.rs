//! `chunklist`: text over UDP; the tracker comes for chunk lists, and clients come for them to the tracker.

use std::io::{Read, Write};

use swarm::directory::Dialect;
use wire::classic::chunklist::decode_seeders;

use super::{SOON, Trackers};
use crate::classic::Count;

impl Trackers {
    pub(super) fn list_seeders(&self, host: u8) -> String {
        self.ask_by_datagram(Dialect::Chunklist, host, "list_seeder")
    }

    fn list_port(&self) -> u16 {
        decode_seeders(self.list_seeders(1).as_bytes()).unwrap()[0].chunk_list_port.get()
    }

    /// The list that a client is given which asks for it by name from `host`, and then connects.
    fn chunk_list(&self, host: u8, list_port: u16, name: &str) -> Vec<u8> {
        let _socket = self.send(Dialect::Chunklist, host, &format!("get_chunk_list;{name}"));
        let mut list = Vec::new();
        self.connect_to(list_port, host).read_to_end(&mut list).unwrap();
        list
    }
}

const LIST: &[u8] = b"{0: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}";

#[test]
fn a_seeder_registers_and_its_list_is_given_away_as_it_came() {
    let trackers = Trackers::start();
    let seeder = trackers.network.host(2);
    assert_eq!(trackers.list_seeders(1), "[]");
    // It believes its list to be longer than it is.
    trackers.seed(2, &format!("register; movie.mkv; {seeder}; 7001; 4096"), LIST);
    let port = trackers.list_port();
    assert_ne!(port, trackers.at(Dialect::Chunklist).port() + 1);
    assert_eq!(trackers.list_seeders(1), format!("[('movie.mkv', '{seeder}', 7001, {port}, 4096)]"));
    assert_eq!(trackers.chunk_list(1, port, "movie.mkv"), LIST);
    assert_eq!(trackers.chunk_list(1, port, "other.mkv"), b"");
    // Without blanks, and a list that is no dict.
    trackers.seed(3, &format!("register;b;{};7002;6", trackers.network.host(3)), b"['00']");
    assert_eq!(trackers.chunk_list(1, port, "b"), b"['00']");
}

#[test]
fn a_list_is_read_until_its_stated_size_or_until_nothing_more_comes() {
    let trackers = Trackers::start();
    let seeder = trackers.network.host(2);
    for (name, size) in [("whole", LIST.len()), ("silent", 1 << 16)] {
        // The seeder keeps the connection open.
        let mut stream = trackers.called(2, &format!("register; {name}; {seeder}; 7001; {size}"));
        for part in LIST.chunks(10) {
            stream.write_all(part).unwrap();
        }
        lab::wait::until("the seeder to be known", SOON, || {
            trackers.list_seeders(1).contains(name).then_some(())
        });
        assert_eq!(trackers.chunk_list(1, trackers.list_port(), name), LIST);
        drop(stream);
    }
}

#[test]
fn a_connection_waits_for_the_datagram_that_says_what_it_is_for() {
    let trackers = Trackers::start();
    trackers.seed(2, "register; a; 1.2.3.4; 7001; 6", b"['00']");
    let mut connection = trackers.connect_to(trackers.list_port(), 1);
    let _socket = trackers.send(Dialect::Chunklist, 1, "get_chunk_list;a");
    let mut list = Vec::new();
    connection.read_to_end(&mut list).unwrap();
    assert_eq!(list, b"['00']");
}

#[test]
fn what_was_asked_for_last_is_given_and_each_address_its_own() {
    let trackers = Trackers::start();
    trackers.seed(4, "register; a; 1.2.3.4; 7001; 6", b"['aa']");
    trackers.seed(5, "register; b; 1.2.3.4; 7001; 6", b"['bb']");
    let port = trackers.list_port();
    let first = trackers.send(Dialect::Chunklist, 1, "get_chunk_list;a");
    first.send_to(b"get_chunk_list;b", trackers.at(Dialect::Chunklist)).unwrap();
    let _other = trackers.send(Dialect::Chunklist, 2, "get_chunk_list;a");
    // The datagrams are dealt with.
    trackers.list_seeders(1);
    let mut lists = [Vec::new(), Vec::new()];
    trackers.connect_to(port, 1).read_to_end(&mut lists[0]).unwrap();
    trackers.connect_to(port, 2).read_to_end(&mut lists[1]).unwrap();
    assert_eq!(lists, [b"['bb']".to_vec(), b"['aa']".to_vec()]);
}

#[test]
fn a_stated_address_is_believed_only_where_it_is_to_be() {
    for (trusts, ip) in [(false, None), (true, Some("10.9.8.7"))] {
        let trackers = Trackers::with(|config| config.trust_stated_ip = trusts);
        trackers.seed(2, "register; a; 10.9.8.7; 7001; 6", b"['00']");
        let ip = ip.map_or_else(|| trackers.network.host(2).to_string(), ToOwned::to_owned);
        let list = trackers.list_seeders(1);
        assert!(list.contains(&format!("'{ip}', 7001")), "{list}");
    }
}

#[test]
fn who_has_ever_beaten_must_go_on() {
    let trackers = Trackers::start();
    trackers.seed(2, "register; a; 1.2.3.4; 7001; 6", b"['00']");
    trackers.pass(45);
    assert_ne!(trackers.list_seeders(1), "[]");
    trackers.send(Dialect::Chunklist, 2, "heartbeat;a");
    trackers.list_seeders(1);
    assert_eq!(trackers.count(Dialect::Chunklist, Count::Beats), 1);
    trackers.pass(29);
    assert_ne!(trackers.list_seeders(1), "[]");
    trackers.pass(2);
    assert_eq!(trackers.list_seeders(1), "[]");
}
