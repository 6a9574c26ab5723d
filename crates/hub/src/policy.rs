//! Who may announce what: asked by the tracker before a swarm is touched.
//!
//! Nothing here waits: members are found in memory, by the hash of their passkey. What changes comes from
//! [`Members`](crate::members::Members), which writes it to the store first.

pub mod attendance;
mod current;
mod gate;
pub mod lists;
pub mod rates;

use std::net::IpAddr;
use std::time::Instant;

pub use current::Current;
pub use gate::{Gate, Known};

use self::attendance::Attendance;
use self::current::Published;
use self::lists::{Layer, Place};
use self::rates::Rates;
use crate::config::{LimitsConfig, MembersConfig, Mode};
use crate::store::roll::{Limits, SecretHash};
use crate::throttle::Throttle;
use crate::tracker::Refusal;

/// What holds for every announce and scrape.
pub struct Policy {
    mode: Mode,
    gate: Gate,
    attendance: Attendance,
    lists: Published,
    rates: Rates,
    /// Wrong passkeys of an address.
    wrong_passkeys: Throttle,
}

impl Policy {
    /// One for a hub that is set up so, whose clients may be silent for `ttl_secs`. It knows no members yet.
    #[must_use]
    pub fn new(mode: Mode, config: &MembersConfig, ttl_secs: u32) -> Self {
        let limits = Limits {
            torrents: config.torrents_max,
            clients_per_torrent: config.clients_per_torrent_max,
            addresses: config.addresses_max,
        };
        Self {
            mode,
            gate: Gate::default(),
            attendance: Attendance::new(limits, ttl_secs),
            lists: Published::default(),
            rates: Rates::new(&LimitsConfig::default()),
            wrong_passkeys: Throttle::new(config.wrong_passkeys_per_minute),
        }
    }

    /// The same, where nobody may ask more often than `config` says.
    #[must_use]
    pub fn limited(self, config: &LimitsConfig) -> Self {
        Self { rates: Rates::new(config), ..self }
    }

    /// How often everybody may ask.
    #[must_use]
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// Where members are at the moment.
    #[must_use]
    pub fn attendance(&self) -> &Attendance {
        &self.attendance
    }

    /// The access lists that hold now.
    #[must_use]
    pub fn current(&self) -> Current {
        self.lists.current()
    }

    /// Brings what a serving thread has kept up to date.
    pub fn refresh(&self, current: &mut Current) {
        self.lists.refresh(current);
    }

    /// From now on this is what is listed in one place.
    pub fn publish(&self, place: Place, layer: Layer) {
        self.lists.publish(place, layer);
    }

    /// Frees lists that hold no longer.
    pub fn tidy(&self) {
        self.lists.tidy();
    }

    /// Whom the hub is for.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The members that it knows.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Whether only torrents of the catalogue may be announced.
    #[must_use]
    pub fn is_listed_only(&self) -> bool {
        self.mode != Mode::Open
    }

    /// Lets somebody at `ip` in, or not; `now` in Unix seconds. Who it is, if members have names here.
    ///
    /// # Errors
    ///
    /// [`Refusal`], in words for the person at the client.
    pub fn admit(&self, passkey: Option<&[u8]>, ip: IpAddr, now: i64) -> Result<Option<Known>, Refusal> {
        match (self.mode, passkey) {
            (Mode::Members, Some(passkey)) => match self.gate.find(&SecretHash::of(passkey)) {
                Some(known) if known.disabled => Err(Refusal::MemberDisabled),
                Some(known) if known.is_over(now) => Err(Refusal::MemberOver),
                Some(known) => Ok(Some(known)),
                None => Err(match self.wrong_passkeys.take(ip, 1, Instant::now()) {
                    Ok(()) => Refusal::PasskeyUnknown,
                    Err(_) => Refusal::PasskeysTooMany,
                }),
            },
            (Mode::Members, None) => Err(Refusal::PasskeyMissing),
            (Mode::Open | Mode::Listed, Some(_)) => Err(Refusal::PasskeyUnwanted),
            (Mode::Open | Mode::Listed, None) => Ok(None),
        }
    }
}
