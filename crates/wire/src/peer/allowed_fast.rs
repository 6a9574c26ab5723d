use std::net::Ipv4Addr;

use sha1::{Digest, Sha1};
use swarm::InfoHash;

/// The largest set of allowed-fast pieces that is computed. BEP 6 suggests 10.
pub const ALLOWED_FAST_MAX: usize = 64;

/// How often a peer's address is hashed for its set. It takes a handful, and for the worst set, all 64 of 64 pieces,
/// about 60.
const ROUNDS_MAX: usize = 1_000;

/// The `k` pieces ([`ALLOWED_FAST_MAX`] at most) that a peer at `ip` may have while it is choked, of a torrent with so
/// many (BEP 6, "Allowed Fast Set Generation"): whoever computes them for that peer comes to the same ones, and so does
/// its neighbor in the same /24. Where there are no more than `k`, it is all of them.
///
/// BEP 6 has no sets for IPv6.
#[must_use]
pub fn allowed_fast(ip: Ipv4Addr, info_hash: &InfoHash, pieces: u32, k: usize) -> Vec<u32> {
    let k = k.min(ALLOWED_FAST_MAX).min(pieces as usize);
    let [a, b, c, _] = ip.octets();
    let mut hash: [u8; 20] =
        Sha1::new().chain_update([a, b, c, 0]).chain_update(info_hash.as_bytes()).finalize().into();
    let mut set = Vec::with_capacity(k);
    for _ in 0..ROUNDS_MAX {
        for word in hash.as_chunks::<4>().0 {
            if set.len() == k {
                return set;
            }
            let piece = u32::from_be_bytes(*word) % pieces;
            if !set.contains(&piece) {
                set.push(piece);
            }
        }
        hash = Sha1::digest(hash).into();
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: InfoHash = InfoHash([0xaa; 20]);
    const IP: Ipv4Addr = Ipv4Addr::new(80, 4, 4, 200);

    #[test]
    fn sets_are_those_of_the_specification() {
        assert_eq!(allowed_fast(IP, &HASH, 1313, 7), [1059, 431, 808, 1217, 287, 376, 1188]);
        assert_eq!(allowed_fast(IP, &HASH, 1313, 9), [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
    }

    #[test]
    fn a_network_has_one_set_and_the_next_another() {
        let set = allowed_fast(IP, &HASH, 1313, 10);
        assert_eq!(allowed_fast(Ipv4Addr::new(80, 4, 4, 1), &HASH, 1313, 10), set);
        assert_ne!(allowed_fast(Ipv4Addr::new(80, 4, 5, 200), &HASH, 1313, 10), set);
    }

    #[test]
    fn a_set_has_as_many_pieces_as_there_are_and_were_asked_for() {
        for k in [0, 1, 10, ALLOWED_FAST_MAX - 1, ALLOWED_FAST_MAX, usize::MAX] {
            for pieces in (0..200).chain([u32::MAX]) {
                let set = allowed_fast(IP, &HASH, pieces, k);
                assert_eq!(set.len(), k.min(ALLOWED_FAST_MAX).min(pieces as usize), "{k} of {pieces}");
                let mut sorted = set.clone();
                sorted.sort_unstable();
                assert!(
                    sorted.is_sorted_by(|one, next| one < next) && set.iter().all(|piece| *piece < pieces)
                );
            }
        }
    }
}
