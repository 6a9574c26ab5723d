use std::net::SocketAddr;

use super::{list, section, size};

section! {
    /// `[classic]`: what the trackers of the four classic dialects have in common. Each is off until it has an address.
    pub struct ClassicConfig {
        /// Memory that peers, names and chunk lists may take together, as a number of bytes or a size. Default: "64 MiB".
        #[serde(with = "size")]
        pub memory_max: usize = 64 << 20,
        /// Different names that may be offered at a time. Default: 1000000.
        pub names_max: usize = 1_000_000,
        /// Names that one peer may offer. Default: 10000.
        pub names_per_peer_max: usize = 10_000,
        /// Peers that may be registered at one address. Default: 4096.
        pub peers_per_address_max: usize = 4_096,
        /// TCP connections open at a time; more are turned away. Default: 16384.
        pub connections_max: usize = 16_384,
        /// TCP connections that one address may have of them. Default: 1024.
        pub connections_per_address_max: usize = 1_024,
        /// Seconds that a TCP connection may stay open without a request. Default: 60.
        pub idle_secs: u32 = 60,
        /// Bytes that one address (or IPv6 /64 network) may be sent over UDP in a minute beyond what came from it, as a
        /// number or a size: answers go to whoever a datagram says it is from. Default: "16 MiB".
        #[serde(with = "size")]
        pub answers_per_minute_max: usize = 16 << 20,
        /// Seconds between two looks whether a peer that sends no heartbeats can still be reached. Default: 60.
        pub probe_interval_secs: u32 = 60,
        /// Whether the address that a peer states in `chunklist` is believed. Only sensible where every client is
        /// trusted. Default: false.
        pub trust_stated_ip: bool = false,
        /// The tracker of `token`.
        pub token: TokenConfig = TokenConfig::default(),
        /// The tracker of `index`.
        pub index: IndexConfig = IndexConfig::default(),
        /// The tracker of `chunklist`.
        pub chunklist: ChunklistConfig = ChunklistConfig::default(),
        /// The tracker of `beacon`.
        pub beacon: BeaconConfig = BeaconConfig::default(),
    }
}

section! {
    /// `[classic.token]`: JSON over TCP, with tokens.
    pub struct TokenConfig {
        /// Addresses and ports to listen on; usual is port 9000. Default: none, which turns the dialect off.
        #[serde(with = "list")]
        pub listen: Vec<SocketAddr> = Vec::new(),
        /// Seconds for which a token is good; clients get themselves a new one. Default: 86400.
        pub lifetime_secs: u32 = 86_400,
    }
}

section! {
    /// `[classic.index]`: JSON over TCP, with heartbeats.
    pub struct IndexConfig {
        /// Addresses and ports to listen on; usual is port 5000. Default: none, which turns the dialect off.
        #[serde(with = "list")]
        pub listen: Vec<SocketAddr> = Vec::new(),
        /// Seconds that a peer may be silent. Default: 15.
        pub ttl_secs: u32 = 15,
    }
}

section! {
    /// `[classic.chunklist]`: text over UDP, with chunk lists over TCP.
    pub struct ChunklistConfig {
        /// Addresses and ports to listen on; usual is port 5555. Default: none, which turns the dialect off.
        #[serde(with = "list")]
        pub listen: Vec<SocketAddr> = Vec::new(),
        /// TCP port where chunk lists are given away; never the one above that of `listen`, which is the seeders'.
        /// Default: two above the port of `listen`, or any free port if that is 0.
        pub list_port: Option<u16> = None,
        /// Seconds that a peer may be silent that has ever sent a heartbeat. Default: 30.
        pub ttl_secs: u32 = 30,
    }
}

section! {
    /// `[classic.beacon]`: JSON over UDP, with heartbeats.
    pub struct BeaconConfig {
        /// Addresses and ports to listen on; usual is port 5000. Default: none, which turns the dialect off.
        #[serde(with = "list")]
        pub listen: Vec<SocketAddr> = Vec::new(),
        /// Seconds that a peer may be silent. Default: 30.
        pub ttl_secs: u32 = 30,
    }
}
