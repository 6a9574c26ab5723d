//! A port for a program that must be told one, and another beside it.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Ports that no system hands out by itself: below the dynamic ones (Linux: 32768 and up), above the well-known.
const NAMED: std::ops::Range<u16> = 12_000..32_000;

/// A port of this machine that is free and stays so, and with it the next one: nobody is given one of them who does not
/// name it, as it would happen to a port that was free a moment ago.
///
/// # Panics
/// If there are none.
#[must_use]
pub fn free_pair() -> u16 {
    let free = |port: u16| {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
            && UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
    };
    // Where to look is chance, so that two tests at once do not meet.
    let dice = RandomState::new();
    let tries = (0..1000_u32).map(|n| {
        let any = dice.hash_one(n) % u64::from(NAMED.end - NAMED.start);
        NAMED.start + u16::try_from(any).expect("below a port")
    });
    tries.into_iter().find(|&port| free(port) && free(port + 1)).expect("two free ports, one after the other")
}
