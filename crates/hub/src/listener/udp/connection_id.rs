//! Connection ids (BEP 15): proof that a client receives what is sent to the address it claims.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;
use swarm::Seconds;
use wire::udp::ConnectionId;

/// Seconds for which an id is honored (BEP 15).
const VALID_SECS: u32 = 120;

/// Bits of an id that say when it was given; the rest are a keyed hash of the address and that time.
const TIME_BITS: u32 = 16;

/// Gives ids and knows its own again, without keeping any.
#[derive(Clone)]
pub struct ConnectionIds(SipHasher24);

impl ConnectionIds {
    /// With a key from the operating system.
    #[must_use]
    pub fn random() -> Self {
        Self::with_key(rand::random())
    }

    fn with_key(key: [u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(&key))
    }

    /// The id of a client at `ip`.
    pub(super) fn give(&self, ip: IpAddr, now: Seconds) -> ConnectionId {
        let time = u64::from(now) << (u64::BITS - TIME_BITS);
        ConnectionId(time | (self.mac(ip, now) >> TIME_BITS))
    }

    /// Whether `id` was given to a client at `ip` no more than two minutes ago.
    pub(super) fn is_valid(&self, id: ConnectionId, ip: IpAddr, now: Seconds) -> bool {
        let claimed = id.0 >> (u64::BITS - TIME_BITS);
        let age = u64::from(now).wrapping_sub(claimed) & ((1 << TIME_BITS) - 1);
        let Ok(age) = u32::try_from(age) else { return false };
        let Some(given) = now.checked_sub(age) else { return false };
        age <= VALID_SECS && self.give(ip, given) == id
    }

    fn mac(&self, ip: IpAddr, time: Seconds) -> u64 {
        let mut hasher = self.0;
        match ip.to_canonical() {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        hasher.write_u32(time);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn an_id_is_valid_for_two_minutes_at_one_address() {
        let ids = ConnectionIds::with_key([7; 16]);
        for now in [0, 5, 65_500, 65_536, 1_000_000, u32::MAX - 120] {
            let id = ids.give(HERE, now);
            assert!(ids.is_valid(id, HERE, now));
            assert!(ids.is_valid(id, HERE, now + 120));
            assert!(!ids.is_valid(id, HERE, now.saturating_add(121)) || now + 120 == u32::MAX);
            assert!(!ids.is_valid(id, THERE, now));
        }
    }

    #[test]
    fn an_id_does_not_come_back_to_life() {
        let ids = ConnectionIds::with_key([7; 16]);
        let id = ids.give(HERE, 100);
        assert!(!ids.is_valid(id, HERE, 100 + (1 << TIME_BITS)));
    }

    #[test]
    fn nobody_else_can_make_one() {
        let (ours, theirs) = (ConnectionIds::with_key([7; 16]), ConnectionIds::with_key([8; 16]));
        assert!(!ours.is_valid(theirs.give(HERE, 100), HERE, 100));
        for bit in 0..64 {
            let ConnectionId(id) = ours.give(HERE, 100);
            assert!(!ours.is_valid(ConnectionId(id ^ (1 << bit)), HERE, 100), "bit {bit} does not matter");
        }
        assert!(!ours.is_valid(ConnectionId(0x0417_2710_1980), HERE, 100));
    }
}
