//! What an announce over UDP costs without its sockets: recorded datagrams through decoder, tracker and encoder.

use std::time::Instant;

use hub::listener::udp::Service;

use super::crowd::{Load, Recording, empty, service};

/// With TORRENTS PEERS ANNOUNCES ipv4|ipv6: everybody announces once, then so many are measured.
pub(super) fn run(arguments: &[String]) {
    let [torrents, peers, count, family] = arguments else { panic!("{arguments:?}") };
    let load = Load {
        torrents: torrents.parse().unwrap(),
        peers: peers.parse().unwrap(),
        is_ipv6: family == "ipv6",
    };
    let count: u32 = count.parse().unwrap();
    let tracker = empty();
    let mut service = service(&tracker);
    load.come(&tracker, &mut service);
    let measured = Recording::scattered(load, count, 0, &mut service);
    let began = Instant::now();
    let bytes = measured_announces(&measured, &mut service);
    let nanos = began.elapsed().as_nanos();
    let stats = tracker.stats();
    assert_eq!(stats.population.peers(), load.everybody() as usize, "everybody is there, and once");
    println!(
        "{{\"announces\": {count}, \"nanos\": {nanos}, \"reply_bytes\": {bytes}, \"memory_bytes\": {}}}",
        stats.memory_bytes
    );
}

/// What is measured. Valgrind knows it by its name.
#[inline(never)]
fn measured_announces(recording: &Recording, service: &mut Service) -> usize {
    recording.answer(service, &mut Vec::new())
}
