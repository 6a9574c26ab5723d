//! How much of something one address may have in a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Addresses that are remembered at a time. Beyond it, some are forgotten, and have a fresh minute.
const ADDRESSES_MAX: usize = 65_536;

const MINUTE: Duration = Duration::from_secs(60);

/// So much a minute for each address, in units such as tries or bytes: all of it at once, if it likes, and then as the
/// minute passes (the generic cell rate algorithm).
pub(crate) struct Throttle {
    per_minute: u32,
    /// When each address will have all of it again, if that is to come.
    whole_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl Throttle {
    /// `per_minute` units, one at least.
    #[must_use]
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute: per_minute.max(1), whole_at: Mutex::default() }
    }

    /// Takes `units` of `ip`, or of its /64 network if it is IPv6, where one person has 2^64 addresses.
    ///
    /// # Errors
    ///
    /// How long to wait until there are as many.
    pub(crate) fn take(&self, ip: IpAddr, units: u32, now: Instant) -> Result<(), Duration> {
        let taken = MINUTE * units / self.per_minute;
        let key = counted_as(ip);
        let mut whole_at = self.whole_at.lock();
        let whole = whole_at.get(&key).copied().unwrap_or(now).max(now) + taken;
        let ahead = whole.saturating_duration_since(now);
        if ahead > MINUTE {
            return Err(ahead - MINUTE);
        }
        if whole_at.len() >= ADDRESSES_MAX && !whole_at.contains_key(&key) {
            make_room(&mut whole_at, now);
        }
        whole_at.insert(key, whole);
        Ok(())
    }
}

/// The address itself, or its /64 network if it is IPv6.
pub(crate) fn counted_as(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            [a, b, c, d, 0, 0, 0, 0].into()
        }
        v4 => v4,
    }
}

/// Forgets who has all of it again; if that is not enough, half of the others, so that this is seldom done.
fn make_room(whole_at: &mut HashMap<IpAddr, Instant>, now: Instant) {
    whole_at.retain(|_, whole| *whole > now);
    if whole_at.len() >= ADDRESSES_MAX {
        let mut stays = false;
        whole_at.retain(|_, _| {
            stays = !stays;
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_minutes_tries_come_back_one_by_one() {
        let throttle = Throttle::new(3);
        let start = Instant::now();
        let after = |secs| start + Duration::from_secs(secs);
        let one = ip("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(throttle.take(one, 1, start), Ok(()));
        }
        assert_eq!(throttle.take(one, 1, start), Err(Duration::from_secs(20)));
        assert_eq!(throttle.take(one, 1, after(19)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.take(ip("192.0.2.2"), 1, start), Ok(()));
        assert_eq!(throttle.take(one, 1, after(20)), Ok(()));
        assert_eq!(throttle.take(one, 1, after(20)), Err(Duration::from_secs(20)));
        for _ in 0..3 {
            assert_eq!(throttle.take(one, 1, after(600)), Ok(()));
        }
        assert!(throttle.take(one, 1, after(600)).is_err());
    }

    #[test]
    fn many_units_are_had_together_or_not_at_all() {
        let throttle = Throttle::new(60_000);
        let now = Instant::now();
        let one = ip("192.0.2.1");
        assert_eq!(throttle.take(one, 59_000, now), Ok(()));
        assert_eq!(throttle.take(one, 2_000, now), Err(Duration::from_secs(1)));
        assert_eq!(throttle.take(one, 1_000, now), Ok(()));
    }

    #[test]
    fn a_v6_network_is_one_address_and_a_mapped_one_is_v4() {
        let throttle = Throttle::new(1);
        let now = Instant::now();
        assert_eq!(throttle.take(ip("2001:db8::1"), 1, now), Ok(()));
        assert!(throttle.take(ip("2001:db8::2"), 1, now).is_err());
        assert_eq!(throttle.take(ip("2001:db8:0:1::1"), 1, now), Ok(()));
        assert_eq!(throttle.take(ip("192.0.2.1"), 1, now), Ok(()));
        assert!(throttle.take(ip("::ffff:192.0.2.1"), 1, now).is_err());
    }

    #[test]
    fn the_table_is_bounded() {
        let throttle = Throttle::new(1);
        let now = Instant::now();
        let many = u32::try_from(ADDRESSES_MAX).unwrap();
        for n in 0..many + 1000 {
            assert_eq!(throttle.take(IpAddr::from(n.to_be_bytes()), 1, now), Ok(()));
        }
        assert!(throttle.whole_at.lock().len() <= ADDRESSES_MAX);
        let later = now + Duration::from_secs(61);
        for n in 0..many {
            let _ = throttle.take(IpAddr::from((n + (1 << 24)).to_be_bytes()), 1, later);
        }
        assert!(throttle.whole_at.lock().len() <= ADDRESSES_MAX);
    }
}
