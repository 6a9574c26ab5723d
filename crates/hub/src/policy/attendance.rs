//! Where each member is at the moment, for limits of how much one may take part in at a time.
//!
//! A client takes a seat with its announce and has it until it stops or has been silent for too long. The table knows no
//! more seats of a member than the limits allow, and nothing at all where there are none.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use swarm::{Event, InfoHash, PeerId, UserId};

use super::Known;
use crate::store::roll::Limits;
use crate::throttle::counted_as;

/// Parts of the table, so that announces on several cores do not meet at one lock.
const SHARDS: usize = 64;

/// Seats of a member whose number no limit bounds otherwise.
const SEATS_MAX: usize = 10_000;

/// Which limit keeps a client out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// So many torrents at a time.
    Torrents(u32),
    /// So many clients in one torrent.
    Clients(u32),
    /// So many addresses at a time.
    Addresses(u32),
}

/// Who is where.
#[derive(Debug)]
pub struct Attendance {
    limits: Limits,
    ttl_secs: u32,
    shards: Box<[Mutex<Seats>]>,
    /// The part of the table that is looked through next.
    next_part: AtomicUsize,
    hashes: RandomState,
}

/// The seats of some members.
type Seats = HashMap<UserId, Vec<Seat>>;

/// A client of a member in a torrent, by what is left of a hash each: two that are taken for one are let in.
#[derive(Debug, Clone, Copy)]
struct Seat {
    torrent: u32,
    client: u32,
    address: u32,
    /// When it was heard of last, in seconds of the caller's clock.
    at: u32,
}

impl Attendance {
    /// Nobody is there. `ttl_secs`: how long a client may be silent.
    #[must_use]
    pub fn new(limits: Limits, ttl_secs: u32) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { limits, ttl_secs, shards, next_part: AtomicUsize::new(0), hashes: RandomState::new() }
    }

    /// Lets a client of a member announce, at `now` in seconds, or not. Limits of the member's own go before those of all.
    ///
    /// # Errors
    ///
    /// [`Beyond`]; who has a seat keeps it.
    pub fn take(
        &self,
        member: &Known,
        torrent: &InfoHash,
        peer: &PeerId,
        ip: IpAddr,
        event: Event,
        now: u32,
    ) -> Result<(), Beyond> {
        let limits = member.limits.or(self.limits);
        if limits == Limits::default() {
            return Ok(());
        }
        let user = member.user;
        let seat = Seat {
            torrent: self.tag(torrent),
            client: self.tag((torrent, peer)),
            address: self.tag(counted_as(ip)),
            at: now,
        };
        let mut shard = self.shards[user.0 as usize % SHARDS].lock();
        let seats = shard.entry(user).or_default();
        seats.retain(|other| now.saturating_sub(other.at) <= self.ttl_secs && !other.is_same(&seat));
        let taken = if event == Event::Stopped { Ok(()) } else { sit(seats, seat, limits) };
        if seats.is_empty() {
            shard.remove(&user);
        }
        taken
    }

    /// Forgets those of a part of the table who have been silent for too long: of members who never come again nobody else
    /// would. To be called every second.
    pub fn expire_some(&self, now: u32) {
        let part = self.next_part.fetch_add(1, Ordering::Relaxed) % SHARDS;
        self.shards[part].lock().retain(|_, seats| {
            seats.retain(|seat| now.saturating_sub(seat.at) <= self.ttl_secs);
            !seats.is_empty()
        });
    }

    fn tag(&self, of: impl std::hash::Hash) -> u32 {
        let [.., a, b, c, d] = self.hashes.hash_one(of).to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

impl Seat {
    /// The same client in the same torrent, wherever it is: it may be at two addresses, one of each family.
    fn is_same(&self, other: &Self) -> bool {
        self.client == other.client && self.address == other.address
    }
}

/// Gives a client a seat among those of its member.
fn sit(seats: &mut Vec<Seat>, seat: Seat, limits: Limits) -> Result<(), Beyond> {
    let Limits { torrents, clients_per_torrent, addresses } = limits;
    let is_new = |of: fn(&Seat) -> u32| !seats.iter().any(|other| of(other) == of(&seat));
    if let Some(max) = torrents
        && is_new(|seat| seat.torrent)
        && distinct(seats, |seat| seat.torrent) >= max as usize
    {
        return Err(Beyond::Torrents(max));
    }
    if let Some(max) = clients_per_torrent
        && seats.iter().filter(|other| other.torrent == seat.torrent).count() >= max as usize
    {
        return Err(Beyond::Clients(max));
    }
    if let Some(max) = addresses
        && is_new(|seat| seat.address)
        && distinct(seats, |seat| seat.address) >= max as usize
    {
        return Err(Beyond::Addresses(max));
    }
    if seats.len() >= SEATS_MAX {
        return Err(Beyond::Torrents(u32::try_from(SEATS_MAX).unwrap_or(u32::MAX)));
    }
    seats.push(seat);
    Ok(())
}

fn distinct(seats: &[Seat], of: fn(&Seat) -> u32) -> usize {
    let mut all: Vec<u32> = seats.iter().map(of).collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: u32 = 100;

    fn limits(torrents: u32, clients: u32, addresses: u32) -> Attendance {
        let some = |max: u32| (max > 0).then_some(max);
        let limits = Limits {
            torrents: some(torrents),
            clients_per_torrent: some(clients),
            addresses: some(addresses),
        };
        Attendance::new(limits, TTL)
    }

    fn take(attendance: &Attendance, of: (u32, u8, u8, u8), event: Event, now: u32) -> Result<(), Beyond> {
        let (user, torrent, peer, ip) = of;
        let ip = IpAddr::from([10, 0, 0, ip]);
        attendance.take(
            &Known::new(UserId(user), Limits::default()),
            &InfoHash([torrent; 20]),
            &PeerId([peer; 20]),
            ip,
            event,
            now,
        )
    }

    #[test]
    fn so_many_torrents_at_a_time() {
        let attendance = limits(2, 0, 0);
        let announce = |torrent, event, now| take(&attendance, (1, torrent, 1, 1), event, now);
        assert_eq!(announce(1, Event::Started, 0), Ok(()));
        assert_eq!(announce(2, Event::Started, 0), Ok(()));
        assert_eq!(announce(3, Event::Started, 0), Err(Beyond::Torrents(2)));
        assert_eq!(announce(1, Event::Update, 90), Ok(()), "who has a seat keeps it");
        assert_eq!(announce(1, Event::Stopped, 91), Ok(()));
        assert_eq!(announce(3, Event::Started, 92), Ok(()));
        // The second was silent for too long.
        assert_eq!(announce(4, Event::Started, 101), Ok(()));
        assert_eq!(
            take(&attendance, (2, 9, 1, 1), Event::Started, 101),
            Ok(()),
            "others have limits of their own"
        );
    }

    #[test]
    fn so_many_clients_in_a_torrent_and_so_many_addresses() {
        let clients = limits(0, 1, 0);
        assert_eq!(take(&clients, (1, 1, 1, 1), Event::Started, 0), Ok(()));
        assert_eq!(take(&clients, (1, 1, 2, 1), Event::Started, 0), Err(Beyond::Clients(1)));
        assert_eq!(take(&clients, (1, 2, 2, 1), Event::Started, 0), Ok(()));
        let addresses = limits(0, 0, 2);
        for (torrent, ip, taken) in
            [(1, 1, Ok(())), (1, 2, Ok(())), (2, 1, Ok(())), (3, 3, Err(Beyond::Addresses(2)))]
        {
            assert_eq!(
                take(&addresses, (1, torrent, 1, ip), Event::Started, 0),
                taken,
                "{torrent} from {ip}"
            );
        }
    }

    #[test]
    fn a_member_s_own_limits_go_before_those_of_all() {
        let all = limits(1, 0, 0);
        let own = Known::new(UserId(1), Limits { torrents: Some(2), ..Limits::default() });
        let announce = |member: &Known, torrent: u8| {
            let (hash, peer, ip) = (InfoHash([torrent; 20]), PeerId([1; 20]), IpAddr::from([10, 0, 0, 1]));
            all.take(member, &hash, &peer, ip, Event::Started, 0)
        };
        let other = Known::new(UserId(2), Limits::default());
        assert_eq!(
            [1, 2, 3].map(|torrent| announce(&own, torrent)),
            [Ok(()), Ok(()), Err(Beyond::Torrents(2))]
        );
        assert_eq!([1, 2].map(|torrent| announce(&other, torrent)), [Ok(()), Err(Beyond::Torrents(1))]);
    }

    #[test]
    fn nothing_is_kept_without_limits_or_of_those_who_are_gone() {
        let none = limits(0, 0, 0);
        assert_eq!(take(&none, (1, 1, 1, 1), Event::Started, 0), Ok(()));
        assert!(none.shards.iter().all(|shard| shard.lock().is_empty()));
        let some = limits(5, 0, 0);
        for user in 0..200 {
            take(&some, (user, 1, 1, 1), Event::Started, user).unwrap();
        }
        (0..SHARDS).for_each(|_| some.expire_some(199 + TTL / 2));
        assert_eq!(some.shards.iter().map(|shard| shard.lock().len()).sum::<usize>(), 51);
        take(&some, (199, 1, 1, 1), Event::Stopped, 199 + TTL / 2).unwrap();
        assert_eq!(some.shards.iter().map(|shard| shard.lock().len()).sum::<usize>(), 50);
    }
}
