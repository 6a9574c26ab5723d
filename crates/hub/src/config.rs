//! How a hub is set up. Every key has a default, so an empty file is a complete configuration.

mod check;
mod classic;
mod list;
mod section;
mod size;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::policy::lists::List;

pub use check::ConfigError;
pub use classic::{BeaconConfig, ChunklistConfig, ClassicConfig, IndexConfig, TokenConfig};
pub use section::Key;
use section::section;
pub use size::{format_size, parse_size};

/// The port that HTTP, UDP and the page share unless told otherwise.
pub const PORT_DEFAULT: u16 = 6969;

/// What `tracker.interval_min_secs` is unless told otherwise, if the interval is not shorter.
const INTERVAL_MIN_SECS_DEFAULT: u32 = 300;

/// How many torrents, clients of one torrent and addresses a member may be held to at most: no more is kept of one.
pub const SEATS_MAX: u32 = 10_000;

section! {
    /// The whole configuration of a hub. [`Config::check`] tells what is wrong with one.
    pub struct Config {
        /// Addresses and ports to listen on, for HTTP over TCP and for UDP. Port 0 is any free port.
        /// Default: port 6969 of every IPv4 and every IPv6 address.
        #[serde(with = "list")]
        pub listen: Vec<SocketAddr> = vec![
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT_DEFAULT)),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT_DEFAULT)),
        ],
        /// Directory of all that must outlive the process: the catalogue, the snapshot, the admin token.
        /// Default: `skep` in the platform's data directory, such as ~/.local/share/skep.
        pub state_dir: PathBuf = PathBuf::new(),
        /// Secret that opens everything that changes settings or removes what is there.
        /// Default: made at first start, in the file `admin-token` of the state directory.
        pub admin_token: Option<String> = None,
        /// Whom the hub is for: "open" to anybody; "listed" to anybody, but only torrents of the catalogue; "members", with
        /// their passkeys, and only torrents of the catalogue. Default: "open".
        pub mode: Mode = Mode::Open,
        /// Who may add torrents to the catalogue: "anyone" (any member where the hub is for members; within the limits of
        /// `[catalogue]`), "uploaders" (members with that role), or who has a "token".
        /// Default: "anyone".
        pub publish: Publish = Publish::Anyone,
        /// Members, where the hub is for them.
        pub members: MembersConfig = MembersConfig::default(),
        /// Lists of who and what may take part.
        pub access: AccessConfig = AccessConfig::default(),
        /// How often one address or network may ask.
        pub limits: LimitsConfig = LimitsConfig::default(),
        /// What members are credited.
        pub accounting: AccountingConfig = AccountingConfig::default(),
        /// What peers are told, and what is kept of them.
        pub tracker: TrackerConfig = TrackerConfig::default(),
        /// Limits of HTTP connections, those of announces included.
        pub http: HttpConfig = HttpConfig::default(),
        /// HTTPS: announces, the API and the page over TLS.
        pub tls: TlsConfig = TlsConfig::default(),
        /// The UDP tracker (BEP 15).
        pub udp: UdpConfig = UdpConfig::default(),
        /// What may be added to the catalogue, and how often.
        pub catalogue: CatalogueConfig = CatalogueConfig::default(),
        /// The copy of all swarms on disk that lets a restarted hub answer at once.
        pub snapshot: SnapshotConfig = SnapshotConfig::default(),
        /// The four classic dialects, each off until it has an address to listen on.
        pub classic: ClassicConfig = ClassicConfig::default(),
        /// Programs that are told of what happens.
        pub webhooks: WebhooksConfig = WebhooksConfig::default(),
        /// What is logged to standard error.
        pub log: LogConfig = LogConfig::default(),
    }
}

section! {
    /// `[members]`: members, where `mode = "members"`.
    pub struct MembersConfig {
        /// Wrong passkeys that an address (or IPv6 /64 network) may announce with in a minute before it is told to wait.
        /// Default: 60.
        pub wrong_passkeys_per_minute: u32 = 60,
        /// Torrents that a member may be in at a time. Default: any number.
        pub torrents_max: Option<u32> = None,
        /// Clients that a member may have in one torrent at a time, each address of one counted. Default: any number.
        pub clients_per_torrent_max: Option<u32> = None,
        /// Addresses (or IPv6 /64 networks) that a member may announce from at a time. Default: any number.
        pub addresses_max: Option<u32> = None,
    }
}

section! {
    /// `[access]`: lists of who and what may take part, each a file with an entry a line, and remarks after `#`. They are
    /// read anew when they change. Where there is a list of what is allowed, nothing else is; what is denied is so in
    /// any case.
    pub struct AccessConfig {
        /// File of the only torrents that may be announced and added, by info hash. Default: none.
        pub torrents_allowed: Option<PathBuf> = None,
        /// File of torrents that may be neither announced nor added, by info hash. Default: none.
        pub torrents_denied: Option<PathBuf> = None,
        /// File of the only clients that may announce: what their peer ids begin with, such as -TR, or `agent:` and what
        /// their user agents do. Default: none.
        pub clients_allowed: Option<PathBuf> = None,
        /// File of clients that may not announce. Default: none.
        pub clients_denied: Option<PathBuf> = None,
        /// File of the only addresses and networks that peers may announce from. Default: none.
        pub peers_allowed: Option<PathBuf> = None,
        /// File of addresses and networks that peers may not announce from. Default: none.
        pub peers_denied: Option<PathBuf> = None,
        /// File of the only addresses and networks that the API and the page are for. Default: none.
        pub api_allowed: Option<PathBuf> = None,
        /// File of addresses and networks that the API and the page are not for. Default: none.
        pub api_denied: Option<PathBuf> = None,
        /// File of addresses and networks that nothing here is for. Default: none.
        pub banned: Option<PathBuf> = None,
        /// File of addresses and networks of reverse proxies that are believed beside `http.trusted_proxies`. Default: none.
        pub proxies: Option<PathBuf> = None,
    }
}

section! {
    /// `[limits]`: how often one address or network may ask, over UDP and HTTP. A minute's worth may come at once. An address
    /// is an IPv6 /64 network, too; a network is an IPv4 /24 or an IPv6 /48.
    pub struct LimitsConfig {
        /// Announces of an address in a minute. Many people may share one. Default: any number.
        pub announces_per_minute: Option<u32> = None,
        /// Announces of a network in a minute. Default: any number.
        pub announces_per_minute_network: Option<u32> = None,
        /// Scrapes of an address in a minute. Default: any number.
        pub scrapes_per_minute: Option<u32> = None,
        /// Scrapes of a network in a minute. Default: any number.
        pub scrapes_per_minute_network: Option<u32> = None,
        /// Connection ids that an address may ask for in a minute (UDP); beyond it gets no answer. Default: any number.
        pub connects_per_minute: Option<u32> = None,
        /// Connection ids that a network may ask for in a minute (UDP). Default: any number.
        pub connects_per_minute_network: Option<u32> = None,
    }
}

section! {
    /// `[accounting]`: what members are credited, where `mode = "members"`.
    pub struct AccountingConfig {
        /// Bytes a second that nobody's line is faster than, as a number or a size: what a client reports beyond gives no
        /// credit. Default: "2 GiB".
        #[serde(with = "size")]
        pub line_rate_max: usize = 2 << 30,
        /// Hours for which a download should be seeded. Default: 72.
        pub seed_hours_min: u32 = 72,
        /// Percent of a download that, sent, are as good. Default: 100.
        pub ratio_pct_min: u32 = 100,
        /// Hours after which somebody who has seeded too little and is gone counts as a hit-and-run. Default: 72.
        pub absent_hours: u32 = 72,
        /// Announces that may wait to be credited; more give their credit with the next one. Default: 1000000.
        pub queue_max: usize = 1_000_000,
    }
}

section! {
    /// `[tracker]`: what peers are told, and what is kept of them.
    pub struct TrackerConfig {
        /// Seconds that a client is asked to wait between two announces. Default: 1800.
        pub interval_secs: u32 = 1800,
        /// Seconds that a client must let pass between two announces. Default: 300, or the interval if that is shorter.
        pub interval_min_secs: Option<u32> = None,
        /// Percent by which each told interval is lengthened at random at most, so that announces spread out.
        /// Default: 10.
        pub jitter_pct: u8 = 10,
        /// Seconds after its last announce at which a peer is forgotten.
        /// Default: two intervals at their longest, and a minute: 4020 with the other defaults.
        pub peer_ttl_secs: Option<u32> = None,
        /// Peers that an asker gets if it does not say how many it wants. Default: 50.
        pub want_default: u32 = 50,
        /// Peers that an asker gets at most. Default: 200.
        pub want_max: u32 = 200,
        /// Memory that all swarms together may take, as a number of bytes or a size. Beyond it, details go first, then
        /// the idle peers of the largest swarms, then new swarms are refused. Default: "1 GiB".
        #[serde(with = "size")]
        pub memory_max: usize = 1 << 30,
        /// Peers of whom the client's name and its traffic are kept beside the address. While there are more peers than
        /// that, nothing but the address is kept of any. Default: 200000.
        pub details_max: usize = 200_000,
        /// Whether a scrape without a hash is answered with all swarms. Default: false.
        pub full_scrape: bool = false,
        /// Whether the address that a client states (`ip=`) is believed. Only sensible where every client is trusted.
        /// Default: false.
        pub trust_stated_ip: bool = false,
        /// The hub's addresses as the outside sees them, at most one IPv4 and one IPv6: what is listed for a peer that
        /// reaches the hub over loopback. Default: none.
        #[serde(with = "list")]
        pub external_ips: Vec<IpAddr> = Vec::new(),
        /// Hashes that one scrape may ask for. Default: 74, the most that fit a UDP scrape.
        pub scrape_hashes_max: usize = 74,
    }
}

section! {
    /// `[http]`: limits of HTTP connections.
    pub struct HttpConfig {
        /// Bytes that a request's head may have, as a number or a size. Default: "8 KiB".
        #[serde(with = "size")]
        pub head_bytes_max: usize = 8 << 10,
        /// Seconds that a client has to send a request's head. Default: 10.
        pub head_timeout_secs: u32 = 10,
        /// Connections open at a time; more are refused. Default: 10000.
        pub connections_max: usize = 10_000,
        /// Bytes that a request's body may have, as a number or a size. Default: "16 MiB".
        #[serde(with = "size")]
        pub body_bytes_max: usize = 16 << 20,
        /// Seconds that a connection may stay open without a request. Default: 30.
        pub keep_alive_secs: u32 = 30,
        /// Addresses or networks of reverse proxies whose `Forwarded` and `X-Forwarded-For` are believed. Default: none.
        #[serde(with = "list")]
        pub trusted_proxies: Vec<IpNet> = Vec::new(),
        /// Addresses or networks of load balancers that write a header of the PROXY protocol, version 1 or 2, before each
        /// connection, of TLS too. From them it is required, from all others it is refused. Default: none.
        #[serde(with = "list")]
        pub proxy_protocol_from: Vec<IpNet> = Vec::new(),
    }
}

section! {
    /// `[tls]`: HTTPS.
    pub struct TlsConfig {
        /// Addresses and ports to listen on for HTTPS. One that is in the top `listen` too speaks both there. Port 0 is any
        /// free port. Default: none.
        #[serde(with = "list")]
        pub listen: Vec<SocketAddr> = Vec::new(),
        /// PEM file of the certificate, with those that lead from it to a known authority after it. It and the key are
        /// read anew when they change. Default: none.
        pub certificate: Option<PathBuf> = None,
        /// PEM file of the certificate's private key. Default: none.
        pub key: Option<PathBuf> = None,
        /// Whether a certificate of the hub's own is made, in place of one from a file, for this machine's names and
        /// addresses. It stays in the state directory. Default: false.
        pub self_signed: bool = false,
        /// Whether pages and the API send those who come without TLS to HTTPS. Announces and scrapes are answered where
        /// they arrive, as old clients do not follow. Default: false.
        pub redirect: bool = false,
        /// Seconds for which browsers are told to come to this host by HTTPS only, whatever the port; 0 does not tell them.
        /// Default: 0.
        pub hsts_secs: u32 = 0,
        /// PEM file of authorities for clients' certificates. A client need not have one; who shows one of theirs may do
        /// what the admin token allows. Default: none.
        pub client_ca: Option<PathBuf> = None,
        /// TLS handshakes under way at a time; more are refused. Default: 256.
        pub handshakes_max: usize = 256,
    }
}

section! {
    /// `[udp]`: the UDP tracker.
    pub struct UdpConfig {
        /// Threads that serve UDP; 0 is one for each core. Default: 0.
        pub workers: usize = 0,
        /// Bytes the kernel may hold for a socket that is not read quickly enough, as a number or a size; the system may
        /// grant less. Default: "4 MiB".
        #[serde(with = "size")]
        pub buffer_bytes: usize = 4 << 20,
    }
}

section! {
    /// `[catalogue]`: what may be added, and how often. The admin token is above the limits per address.
    pub struct CatalogueConfig {
        /// Torrents that one address may add in a minute. Default: 120.
        pub additions_per_minute: u32 = 120,
        /// Torrents in the catalogue that one address may have added in all. Default: 1000.
        pub torrents_per_address: u32 = 1000,
        /// Bytes that a .torrent file may have, as a number or a size. Default: "10 MiB".
        #[serde(with = "size")]
        pub metainfo_bytes_max: usize = 10 << 20,
        /// Leading hexadecimal digits in which an unknown hash must agree with a known one to be taken for a mangled
        /// spelling of it. Default: 10.
        pub similar_prefix: usize = 10,
        /// Trailing hexadecimal digits in which they must agree. Default: 5.
        pub similar_suffix: usize = 5,
        /// Part of all digits, from 0 to 1, in which they must agree. Default: 0.95.
        pub similar_threshold: f64 = 0.95,
    }
}

section! {
    /// `[snapshot]`: the copy of all swarms on disk.
    pub struct SnapshotConfig {
        /// Seconds between two snapshots; one is also made when the hub stops. Default: 300.
        pub interval_secs: u32 = 300,
    }
}

section! {
    /// `[webhooks]`: programs that are told of new torrents, first completed downloads and new members.
    pub struct WebhooksConfig {
        /// Where each event is posted. They are signed with the secret in the file `webhook-secret` of the state directory, which
        /// is made at the first start. Default: nowhere.
        #[serde(with = "list")]
        pub urls: Vec<Url> = Vec::new(),
    }
}

section! {
    /// `[log]`: what is logged to standard error.
    pub struct LogConfig {
        /// The least important level shown ("error", "warn", "info", "debug" or "trace"), or a filter with a level for each
        /// part, such as "info,hub=debug". Default: "info".
        pub level: String = String::from("info"),
        /// Whether lines are "text" for people or "json" for programs. Default: "text".
        pub format: LogFormat = LogFormat::Text,
    }
}

/// Whom a hub is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Anybody, with any torrent.
    Open,
    /// Anybody, with torrents of the catalogue.
    Listed,
    /// Members, by their passkeys, with torrents of the catalogue (a private tracker, BEP 27).
    Members,
}

/// Who may add torrents to the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Publish {
    /// Anyone who reaches the hub, or any member where it is for members, within the limits of `[catalogue]`.
    Anyone,
    /// Members with the role of an uploader or an admin.
    Uploaders,
    /// Who has the admin token.
    Token,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl Config {
    /// Whether a key, written with its section, is a section itself.
    #[must_use]
    pub fn is_section(key: &str) -> bool {
        Self::SECTIONS.iter().any(|(section, _)| *section == key)
    }

    /// The sections below the top level, such as `tracker` or `classic.token`: their names and keys, in the order in
    /// which they are written. A section that is in another one is after it, and among its keys.
    pub const SECTIONS: &'static [(&'static str, &'static [Key])] = &[
        ("members", MembersConfig::KEYS),
        ("access", AccessConfig::KEYS),
        ("limits", LimitsConfig::KEYS),
        ("accounting", AccountingConfig::KEYS),
        ("tracker", TrackerConfig::KEYS),
        ("http", HttpConfig::KEYS),
        ("tls", TlsConfig::KEYS),
        ("udp", UdpConfig::KEYS),
        ("catalogue", CatalogueConfig::KEYS),
        ("snapshot", SnapshotConfig::KEYS),
        ("classic", ClassicConfig::KEYS),
        ("classic.token", TokenConfig::KEYS),
        ("classic.index", IndexConfig::KEYS),
        ("classic.chunklist", ChunklistConfig::KEYS),
        ("classic.beacon", BeaconConfig::KEYS),
        ("webhooks", WebhooksConfig::KEYS),
        ("log", LogConfig::KEYS),
    ];
}

impl AccessConfig {
    /// The file of a list.
    #[must_use]
    pub fn file(&self, list: List) -> Option<&Path> {
        match list {
            List::TorrentsAllowed => &self.torrents_allowed,
            List::TorrentsDenied => &self.torrents_denied,
            List::ClientsAllowed => &self.clients_allowed,
            List::ClientsDenied => &self.clients_denied,
            List::PeersAllowed => &self.peers_allowed,
            List::PeersDenied => &self.peers_denied,
            List::ApiAllowed => &self.api_allowed,
            List::ApiDenied => &self.api_denied,
            List::Banned => &self.banned,
            List::Proxies => &self.proxies,
        }
        .as_deref()
    }
}

impl TrackerConfig {
    /// Seconds that a client must let pass between two announces: as configured, or 300, but never more than the
    /// interval.
    #[must_use]
    pub fn interval_min_secs(&self) -> u32 {
        self.interval_min_secs.unwrap_or(INTERVAL_MIN_SECS_DEFAULT).min(self.interval_secs)
    }

    /// Seconds after its last announce at which a peer is forgotten: as configured, or two intervals at their longest
    /// and a minute.
    #[must_use]
    pub fn peer_ttl_secs(&self) -> u32 {
        self.peer_ttl_secs
            .unwrap_or_else(|| self.interval_longest_secs().saturating_mul(2).saturating_add(60))
    }

    /// The longest interval that a client may be told, in seconds.
    #[must_use]
    pub fn interval_longest_secs(&self) -> u32 {
        let jitter = u64::from(self.interval_secs) * u64::from(self.jitter_pct) / 100;
        self.interval_secs.saturating_add(u32::try_from(jitter).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Config, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(read("{}"), Ok(Config::default()));
    }

    #[test]
    fn what_is_written_is_read() {
        let config = Config { admin_token: Some("x".into()), publish: Publish::Token, ..Config::default() };
        assert_eq!(read(&serde_json::to_string(&config).unwrap()), Ok(config));
    }

    #[test]
    fn lists_and_sizes_come_in_the_forms_people_write() {
        let config = read(
            r#"{"listen": "127.0.0.1:0, [::1]:0",
                "tracker": {"memory_max": "512 MiB", "external_ips": ["192.0.2.1"]},
                "http": {"head_bytes_max": 4096, "trusted_proxies": ["10.0.0.0/8", "::1"]}}"#,
        )
        .unwrap();
        assert_eq!(config.listen, ["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()]);
        assert_eq!(config.tracker.memory_max, 512 << 20);
        assert_eq!(config.http.head_bytes_max, 4096);
        assert_eq!(config.http.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
    }

    #[test]
    fn a_wrong_word_is_quoted() {
        for (json, expected) in [
            (r#"{"listen": "6969"}"#, "`6969` is not an address and port such as 0.0.0.0:6969 or [::]:6969"),
            (r#"{"http": {"trusted_proxies": ["proxy"]}}"#, "`proxy` is not an address or a network"),
            (r#"{"tracker": {"memory_max": "much"}}"#, "`much` is not a size"),
            (r#"{"tracker": {"interval": 5}}"#, "unknown field `interval`"),
            (
                r#"{"publish": "nobody"}"#,
                "unknown variant `nobody`, expected one of `anyone`, `uploaders`, `token`",
            ),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn every_key_is_documented_with_its_default() {
        let sections = Config::SECTIONS.iter().map(|&(section, keys)| (format!("{section}."), keys));
        for (section, keys) in [(String::new(), Config::KEYS)].into_iter().chain(sections) {
            for key in keys {
                let name = format!("{section}{}", key.name);
                let tells = key.doc.iter().any(|line| line.contains("Default: "));
                assert!(tells || Config::is_section(&name), "`{name}` does not tell its default");
            }
        }
    }

    #[test]
    fn what_is_left_out_follows_the_interval() {
        let mut tracker = TrackerConfig::default();
        assert_eq!(tracker.peer_ttl_secs(), 2 * 1980 + 60);
        assert_eq!(tracker.interval_min_secs(), 300);
        tracker.interval_secs = 60;
        assert_eq!(tracker.peer_ttl_secs(), 2 * 66 + 60);
        assert_eq!(tracker.interval_min_secs(), 60);
        tracker.interval_secs = u32::MAX;
        assert_eq!(tracker.peer_ttl_secs(), u32::MAX);
        tracker.peer_ttl_secs = Some(7);
        assert_eq!(tracker.peer_ttl_secs(), 7);
    }
}
