use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::turns::Turns;

/// How many pieces a peer may spoil alone before its address is banned: one may be a broken disk.
const STRIKES_MAX: u8 = 2;

/// The most addresses whose strikes are remembered; beyond it the lowest address is forgotten.
const STRUCK_MAX: usize = 4_096;

/// The most banned addresses; beyond it the lowest is forgiven.
const BANNED_MAX: usize = 65_536;

/// What all torrents of a program share: limits, connections being made, and who is banned.
#[derive(Debug)]
pub struct Session {
    /// Upload limit of all torrents together.
    pub upload: Turns,
    /// Download limit of all torrents together.
    pub download: Turns,
    /// The most connections of all torrents together.
    pub connections_max: usize,
    /// The most connections being made at once.
    pub half_open_max: usize,
    /// Who is banned.
    pub bans: Bans,
    pub(crate) connections: usize,
    pub(crate) half_open: usize,
}

/// Addresses that sent bad data.
#[derive(Debug, Default)]
pub struct Bans {
    strikes: BTreeMap<IpAddr, u8>,
    banned: BTreeSet<IpAddr>,
}

impl Session {
    /// A session without rate limits.
    #[must_use]
    pub fn new(connections_max: usize, half_open_max: usize) -> Self {
        Self {
            upload: Turns::new(None),
            download: Turns::new(None),
            connections_max,
            half_open_max,
            bans: Bans::default(),
            connections: 0,
            half_open: 0,
        }
    }

    /// Connections of all torrents.
    #[must_use]
    pub const fn connections(&self) -> usize {
        self.connections
    }

    /// Connections being made by all torrents.
    #[must_use]
    pub const fn half_open(&self) -> usize {
        self.half_open
    }
}

impl Bans {
    /// Whether `ip` is banned.
    #[must_use]
    pub fn is_banned(&self, ip: IpAddr) -> bool {
        self.banned.contains(&ip.to_canonical())
    }

    /// Bans `ip`.
    pub fn ban(&mut self, ip: IpAddr) {
        self.banned.insert(ip.to_canonical());
        if self.banned.len() > BANNED_MAX {
            self.banned.pop_first();
        }
    }

    /// A piece that `ip` alone sent was bad; true if it is banned now.
    pub(crate) fn strike(&mut self, ip: IpAddr) -> bool {
        let strikes = self.strikes.entry(ip).or_insert(0);
        *strikes = strikes.saturating_add(1);
        let out = *strikes >= STRIKES_MAX;
        if out {
            self.strikes.remove(&ip);
            self.ban(ip);
        } else if self.strikes.len() > STRUCK_MAX {
            self.strikes.pop_first();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_strike_is_out_and_memory_is_bounded() {
        let mut bans = Bans::default();
        let liar = IpAddr::from([10, 0, 0, 1]);
        assert!(!bans.strike(liar) && !bans.is_banned(liar));
        assert!(bans.strike(liar) && bans.is_banned(liar));
        for n in 0..70_000_u32 {
            let ip = IpAddr::from((0x0b00_0000 + n).to_be_bytes());
            bans.strike(ip);
            bans.ban(ip);
        }
        assert!(bans.strikes.len() <= STRUCK_MAX && bans.banned.len() <= BANNED_MAX);
    }
}
