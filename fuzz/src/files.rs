//! What the hub reads from files that may be damaged, or somebody else's.

use hub::legacy;

/// The state file of an older tracker: what is read of it is within bounds, and counted.
///
/// # Panics
/// Where that does not hold.
pub fn legacy(data: &[u8]) {
    let (mut torrents, mut peers) = (0, 0);
    let read = legacy::read(data, |torrent| {
        torrents += 1;
        peers += torrent.peers.len() as u64;
        assert!(torrent.peers.len() * 2 <= data.len());
    });
    if let Ok(report) = read {
        assert_eq!((report.torrents, report.peers), (torrents, peers));
    }
}
