use std::net::IpAddr;

use swarm::{Event, PeerId};

use super::population::{Peer, Population};

/// What a leecher says is missing, in bytes.
const LEFT_BYTES: u64 = 1 << 20;

/// A peer's announce, in the words that all protocols share.
pub(super) fn announce(
    peer: Peer,
    event: Event,
    want: Option<u32>,
    population: &Population,
) -> wire::Announce<'static> {
    wire::Announce {
        info_hash: population.hash(peer.torrent),
        peer_id: PeerId(population.peer_id(peer)),
        port: population.port(peer),
        stated_ip: population.stated_ip(peer).map(IpAddr::V4),
        uploaded: 0,
        downloaded: 0,
        left: Some(if population.is_seeder(peer) { 0 } else { LEFT_BYTES }),
        event,
        want,
        key: None,
        passkey: None,
    }
}
