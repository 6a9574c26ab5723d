//! Peers that mean no good.

use std::fs;

use lab::hub::{Hub, Setup};
use lab::lan::{Host, Lan};
use lab::machine::Machine;
use lab::stranger::{Manner, Stranger};
use lab::torrent::content;
use lab::wait;
use tempfile::TempDir;

use crate::scene::{FETCH_MAX, FILE_BYTES, await_path, skep};

/// Where the fetching peer listens, on a host of its own.
const PEER_PORT: u16 = 7001;

struct Neighbourhood {
    hub: Hub,
    url: String,
    seeder: Machine,
    getter: Machine,
    getter_host: Host,
    liar: Host,
    _lan: Lan,
    _state: TempDir,
}

impl Neighbourhood {
    fn new(payload: &[u8]) -> Option<Self> {
        let mut lan = Lan::new()?;
        let state = tempfile::tempdir().unwrap();
        let hub = Setup::new(skep()).on(&lan.host("hub")).start(state.path());
        let url = format!("http://{}", hub.http());
        let (seeder_host, getter_host, liar) = (lan.host("seeder"), lan.host("getter"), lan.host("liar"));
        let (seeder, getter) = (Machine::new(skep(), &seeder_host), Machine::new(skep(), &getter_host));
        fs::write(seeder.home().join("field.bin"), payload).unwrap();
        Some(Self { hub, url, seeder, getter, getter_host, liar, _lan: lan, _state: state })
    }
}

#[test]
fn a_liar_is_banned_and_the_rest_comes_from_who_is_honest() {
    let payload = content(9, FILE_BYTES);
    let Some(around) = Neighbourhood::new(&payload) else { return };
    let sharing = around.seeder.share(&["share", "field.bin", "-t", &around.url, "--limit-up", "4M"]);
    let hash = sharing.info_hash();
    let pieces = around.hub.get(&format!("/api/v1/torrents/{hash}")).json()["piece_length"].as_u64().unwrap();
    let pieces = FILE_BYTES.div_ceil(usize::try_from(pieces).unwrap());
    let liar = Stranger::start(&around.liar, &hash, Manner::Lying { pieces });
    liar.announce(around.hub.http());

    let port = PEER_PORT.to_string();
    let mut get = around.getter.start(&["get", "field.bin", "-t", &around.url, "--peer-port", &port]);
    assert_eq!(fs::read(await_path(&mut get)).unwrap(), payload);
    assert!(liar.asked() > 0, "it was asked for nothing, and nothing is shown");
    let lies = liar.asked() * (16 << 10);
    assert!(lies < FILE_BYTES / 2, "{lies} bytes were asked of the liar");
    let to = (around.getter_host.v4(), PEER_PORT).into();
    assert!(liar.is_shunned_by(to));
    let other = Stranger::start(around.hub.host(), &hash, Manner::Lying { pieces });
    assert!(!other.is_shunned_by(to), "a stranger at another address is heard");
}

#[test]
fn a_peer_that_misdescribes_a_torrent_does_not_stop_it() {
    let payload = content(10, FILE_BYTES);
    for answers in [true, false] {
        let Some(around) = Neighbourhood::new(&payload) else { return };
        // To learn the magnet link.
        let sharing = around.seeder.share(&["share", "field.bin", "-t", &around.url]);
        let (hash, magnet) = (sharing.info_hash(), sharing.magnets[0].clone());
        sharing.program.kill();
        let liar = Stranger::start(&around.liar, &hash, Manner::Misdescribing { bytes: 30_000, answers });
        let magnet = format!("{magnet}&x.pe={}", liar.address());
        let mut get = around.getter.start(&["get", &magnet]);
        wait::until("a question for the liar", FETCH_MAX, || (liar.asked() > 0).then_some(()));
        let _sharing = around.seeder.share(&["share", "field.bin", "-t", &around.url]);
        assert_eq!(fs::read(await_path(&mut get)).unwrap(), payload, "answers: {answers}");
    }
}
