use std::fmt;
use std::net::{IpAddr, SocketAddr};

use tracing::level_filters::LevelFilter;

use super::{
    AccountingConfig, CatalogueConfig, ClassicConfig, Config, HttpConfig, LimitsConfig, LogConfig,
    MembersConfig, Mode, Publish, SEATS_MAX, SnapshotConfig, TlsConfig, TrackerConfig, UdpConfig,
    format_size,
};

/// The longest span a key in seconds may name: a day, beyond which a client would seem to have forgotten the hub.
const SECS_MAX: u32 = 86_400;
/// The longest time that a browser may be told to use HTTPS only: two years, which the lists of browsers ask for.
const HSTS_SECS_MAX: u32 = 2 * 366 * SECS_MAX;
/// The longest time that a silent peer may be kept: a week.
const PEER_TTL_SECS_MAX: u32 = 7 * SECS_MAX;
/// Peers that one answer may carry: what fits a UDP datagram, by IPv4's 6 bytes each, several times over.
const WANT_MAX: u32 = 10_000;
/// The least memory with which the registry's empty tables and a few thousand swarms fit.
const MEMORY_MIN: usize = 1 << 20;
/// A head must have room for an announce with a passkey and a proxy's headers.
const HEAD_BYTES_MIN: usize = 1 << 10;
/// A thousand a second, beyond which single ones are not told apart.
const RATE_MAX: u32 = 60_000;
/// A line of 8 kbit/s.
const LINE_RATE_MIN: usize = 1 << 10;
/// Beyond this a head is no longer a head, and each connection may hold one.
const HEAD_BYTES_MAX: usize = 1 << 20;
/// Bodies are held in memory.
const BODY_BYTES_MAX: usize = 1 << 30;
/// Hashes that one scrape may ask for at most, by configuration.
const SCRAPE_HASHES_MAX: usize = 10_000;
/// More threads than this serve no machine.
const WORKERS_MAX: usize = 1024;
/// A buffer below this drops datagrams at any pause.
const BUFFER_BYTES_MIN: usize = 4 << 10;
/// What the kernel's signed 32-bit option can say.
const BUFFER_BYTES_MAX: usize = 1 << 30;
/// The least memory with which the directory's empty tables and a few hundred peers fit.
const CLASSIC_MEMORY_MIN: usize = 1 << 20;
/// An address must be able to get a few answers.
const CLASSIC_ANSWERS_MIN: usize = 64 << 10;
/// Beyond this, an address gets more than a fast network carries in a minute.
const CLASSIC_ANSWERS_MAX: usize = (4 << 30) - 1;
/// Hexadecimal digits of an info hash.
const HASH_DIGITS: usize = 40;

/// One thing wrong with a configuration: which key, what it says, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key with its section, such as `tracker.want_max`.
    pub key: &'static str,
    /// The value as it was written.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}: {}", self.key, self.value, self.expected)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Looks for values that are of the right type and still cannot be meant.
    ///
    /// # Errors
    /// All of them, in the order of the file.
    pub fn check(&self) -> Result<(), Vec<ConfigError>> {
        let mut faults = Faults(Vec::new());
        self.check_top(&mut faults);
        self.members.check(&mut faults);
        self.limits.check(&mut faults);
        self.accounting.check(&mut faults);
        self.tracker.check(&mut faults);
        self.http.check(&mut faults);
        self.tls.check(&mut faults);
        self.udp.check(&mut faults);
        self.catalogue.check(self.http.body_bytes_max, &mut faults);
        self.snapshot.check(&mut faults);
        self.classic.check(&mut faults);
        self.log.check(&mut faults);
        if faults.0.is_empty() { Ok(()) } else { Err(faults.0) }
    }

    fn check_top(&self, faults: &mut Faults) {
        if self.listen.is_empty() {
            faults.add(
                "listen",
                "empty",
                "at least one address and port is expected, such as \"0.0.0.0:6969\"",
            );
        }
        faults.twice("listen", &self.listen);
        if self.state_dir.as_os_str().is_empty() {
            faults.add("state_dir", "empty", "the path of a directory that the hub may write to is expected");
        }
        if let Some(token) = &self.admin_token
            && (token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()))
        {
            // The token itself is a secret, so it is not quoted.
            let value = if token.is_empty() { "empty" } else { "set to what no HTTP header can carry" };
            faults.add("admin_token", value, "visible ASCII characters without blanks are expected");
        }
        if self.publish == Publish::Uploaders && self.mode != Mode::Members {
            faults.add(
                "publish",
                "\"uploaders\"",
                "\"anyone\" or \"token\" is expected where `mode` is not \"members\"",
            );
        }
    }
}

impl MembersConfig {
    fn check(&self, faults: &mut Faults) {
        faults.range("members.wrong_passkeys_per_minute", self.wrong_passkeys_per_minute, 1, u32::MAX);
        for (key, max) in [
            ("members.torrents_max", self.torrents_max),
            ("members.clients_per_torrent_max", self.clients_per_torrent_max),
            ("members.addresses_max", self.addresses_max),
        ] {
            if let Some(max) = max {
                faults.range(key, max, 1, SEATS_MAX);
            }
        }
    }
}

impl LimitsConfig {
    fn check(&self, faults: &mut Faults) {
        for (key, per_minute) in [
            ("limits.announces_per_minute", self.announces_per_minute),
            ("limits.announces_per_minute_network", self.announces_per_minute_network),
            ("limits.scrapes_per_minute", self.scrapes_per_minute),
            ("limits.scrapes_per_minute_network", self.scrapes_per_minute_network),
            ("limits.connects_per_minute", self.connects_per_minute),
            ("limits.connects_per_minute_network", self.connects_per_minute_network),
        ] {
            if let Some(per_minute) = per_minute {
                faults.range(key, per_minute, 1, RATE_MAX);
            }
        }
    }
}

impl AccountingConfig {
    fn check(&self, faults: &mut Faults) {
        let rate = self.line_rate_max;
        if rate < LINE_RATE_MIN {
            let expected = format!("at least {} is expected", format_size(LINE_RATE_MIN as u64));
            faults.add("accounting.line_rate_max", format_size(rate as u64), expected);
        }
        faults.range("accounting.queue_max", self.queue_max, 1_000, 1 << 26);
    }
}

impl TrackerConfig {
    fn check(&self, faults: &mut Faults) {
        faults.range("tracker.interval_secs", self.interval_secs, 1, SECS_MAX);
        if let Some(least) = self.interval_min_secs
            && least > self.interval_secs
        {
            let expected = format!("at most `tracker.interval_secs` ({}) is expected", self.interval_secs);
            faults.add("tracker.interval_min_secs", least, expected);
        }
        faults.range("tracker.jitter_pct", self.jitter_pct, 0, 100);
        if let Some(ttl) = self.peer_ttl_secs {
            let longest = self.interval_longest_secs();
            if ttl <= longest {
                let expected = format!(
                    "more than the longest interval a client may be told ({longest}) is expected, \
                     or peers that obey it would be forgotten"
                );
                faults.add("tracker.peer_ttl_secs", ttl, expected);
            } else {
                faults.range("tracker.peer_ttl_secs", ttl, 1, PEER_TTL_SECS_MAX);
            }
        }
        faults.range("tracker.want_max", self.want_max, 1, WANT_MAX);
        if self.want_default > self.want_max {
            let expected = format!("at most `tracker.want_max` ({}) is expected", self.want_max);
            faults.add("tracker.want_default", self.want_default, expected);
        }
        if self.memory_max < MEMORY_MIN {
            let expected = format!("at least {} is expected", size(MEMORY_MIN));
            faults.add("tracker.memory_max", size(self.memory_max), expected);
        }
        self.check_external_ips(faults);
        faults.range("tracker.scrape_hashes_max", self.scrape_hashes_max, 1, SCRAPE_HASHES_MAX);
    }

    fn check_external_ips(&self, faults: &mut Faults) {
        const KEY: &str = "tracker.external_ips";
        let v4 = self.external_ips.iter().filter(|ip| ip.to_canonical().is_ipv4()).count();
        if v4 > 1 || self.external_ips.len() - v4 > 1 {
            faults.add(KEY, list(&self.external_ips), "at most one IPv4 and one IPv6 address are expected");
        }
        let useless = |ip: &&IpAddr| ip.is_unspecified() || ip.is_loopback() || ip.is_multicast();
        if let Some(ip) = self.external_ips.iter().find(useless) {
            let expected =
                format!("no peer can be reached at {ip}; an address that others can use is expected");
            faults.add(KEY, list(&self.external_ips), expected);
        }
    }
}

impl HttpConfig {
    fn check(&self, faults: &mut Faults) {
        faults.sizes("http.head_bytes_max", self.head_bytes_max, HEAD_BYTES_MIN, HEAD_BYTES_MAX);
        faults.range("http.head_timeout_secs", self.head_timeout_secs, 1, SECS_MAX);
        faults.not_zero("http.connections_max", self.connections_max);
        faults.sizes("http.body_bytes_max", self.body_bytes_max, HEAD_BYTES_MIN, BODY_BYTES_MAX);
        faults.range("http.keep_alive_secs", self.keep_alive_secs, 1, SECS_MAX);
    }
}

impl TlsConfig {
    fn check(&self, faults: &mut Faults) {
        faults.twice("tls.listen", &self.listen);
        match (&self.certificate, &self.key) {
            (Some(certificate), None) => {
                faults.add(
                    "tls.certificate",
                    certificate.display(),
                    "the file of its key is expected in `tls.key`",
                );
            }
            (None, Some(key)) => {
                faults.add(
                    "tls.key",
                    key.display(),
                    "the file of its certificate is expected in `tls.certificate`",
                );
            }
            (Some(certificate), Some(_)) if self.self_signed => {
                let expected = "either a certificate's file or `tls.self_signed` is expected, not both";
                faults.add("tls.certificate", certificate.display(), expected);
            }
            (None, None) if !self.listen.is_empty() && !self.self_signed => {
                let expected = "a certificate is expected with it: `tls.certificate` and `tls.key`, or `tls.self_signed`";
                faults.add("tls.listen", list(&self.listen), expected);
            }
            _ => {}
        }
        if self.listen.is_empty() {
            let expected =
                "an address and port for HTTPS is expected in `tls.listen`, such as \"0.0.0.0:6970\"";
            if let Some(certificate) = &self.certificate {
                faults.add("tls.certificate", certificate.display(), expected);
            }
            for (key, is_on) in [("tls.self_signed", self.self_signed), ("tls.redirect", self.redirect)] {
                if is_on {
                    faults.add(key, true, expected);
                }
            }
        }
        faults.range("tls.hsts_secs", self.hsts_secs, 0, HSTS_SECS_MAX);
        faults.not_zero("tls.handshakes_max", self.handshakes_max);
    }
}

impl UdpConfig {
    fn check(&self, faults: &mut Faults) {
        faults.range("udp.workers", self.workers, 0, WORKERS_MAX);
        faults.sizes("udp.buffer_bytes", self.buffer_bytes, BUFFER_BYTES_MIN, BUFFER_BYTES_MAX);
    }
}

impl CatalogueConfig {
    fn check(&self, body_bytes_max: usize, faults: &mut Faults) {
        faults.not_zero("catalogue.additions_per_minute", self.additions_per_minute);
        faults.not_zero("catalogue.torrents_per_address", self.torrents_per_address);
        if self.metainfo_bytes_max > body_bytes_max {
            let expected = format!(
                "at most `http.body_bytes_max` ({}) is expected, or no request can carry it",
                size(body_bytes_max)
            );
            faults.add("catalogue.metainfo_bytes_max", size(self.metainfo_bytes_max), expected);
        }
        faults.range("catalogue.similar_prefix", self.similar_prefix, 0, HASH_DIGITS);
        faults.range("catalogue.similar_suffix", self.similar_suffix, 0, HASH_DIGITS);
        if !(0.0..=1.0).contains(&self.similar_threshold) {
            faults.add(
                "catalogue.similar_threshold",
                self.similar_threshold,
                "a number from 0 to 1 is expected",
            );
        }
    }
}

impl SnapshotConfig {
    fn check(&self, faults: &mut Faults) {
        faults.range("snapshot.interval_secs", self.interval_secs, 1, SECS_MAX);
    }
}

impl ClassicConfig {
    fn check(&self, faults: &mut Faults) {
        if self.memory_max < CLASSIC_MEMORY_MIN {
            let expected = format!("at least {} is expected", size(CLASSIC_MEMORY_MIN));
            faults.add("classic.memory_max", size(self.memory_max), expected);
        }
        faults.not_zero("classic.names_max", self.names_max);
        faults.not_zero("classic.names_per_peer_max", self.names_per_peer_max);
        faults.not_zero("classic.peers_per_address_max", self.peers_per_address_max);
        faults.not_zero("classic.connections_max", self.connections_max);
        faults.not_zero("classic.connections_per_address_max", self.connections_per_address_max);
        faults.range("classic.idle_secs", self.idle_secs, 1, SECS_MAX);
        let (least, most) = (CLASSIC_ANSWERS_MIN, CLASSIC_ANSWERS_MAX);
        faults.sizes("classic.answers_per_minute_max", self.answers_per_minute_max, least, most);
        faults.range("classic.probe_interval_secs", self.probe_interval_secs, 1, SECS_MAX);
        faults.range("classic.token.lifetime_secs", self.token.lifetime_secs, 1, PEER_TTL_SECS_MAX);
        faults.range("classic.index.ttl_secs", self.index.ttl_secs, 1, SECS_MAX);
        faults.range("classic.chunklist.ttl_secs", self.chunklist.ttl_secs, 1, SECS_MAX);
        faults.range("classic.beacon.ttl_secs", self.beacon.ttl_secs, 1, SECS_MAX);
        for address in &self.chunklist.listen {
            // Seeders listen one port above.
            if address.port() == u16::MAX {
                faults.add("classic.chunklist.listen", address, "a port below 65535 is expected");
            }
            if let Some(port) = self.chunklist.list_port.filter(|port| *port != 0)
                && address.port() != 0
                && Some(port) == address.port().checked_add(1)
            {
                let expected =
                    format!("another one than that above {address} is expected: it is the seeders'");
                faults.add("classic.chunklist.list_port", port, expected);
            }
        }
    }
}

impl LogConfig {
    fn check(&self, faults: &mut Faults) {
        // `info`, or `info,hub=debug`. A filter takes a word that is no level for the name of a part of the program,
        // and would show nothing else.
        let level = |directive: &str| {
            let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
            !level.trim().is_empty() && level.trim().parse::<LevelFilter>().is_ok()
        };
        if !self.level.split(',').all(level) {
            let expected = "a level such as \"info\" is expected, or a list such as \"info,hub=debug\"";
            faults.add("log.level", format_args!("\"{}\"", self.level), expected);
        }
    }
}

/// What has been found so far.
struct Faults(Vec<ConfigError>);

impl Faults {
    fn add(&mut self, key: &'static str, value: impl fmt::Display, expected: impl Into<String>) {
        self.0.push(ConfigError { key, value: value.to_string(), expected: expected.into() });
    }

    /// An address that is in `addresses` twice. Port 0 is another one each time.
    fn twice(&mut self, key: &'static str, addresses: &[SocketAddr]) {
        for (at, address) in addresses.iter().enumerate() {
            if address.port() != 0 && addresses[..at].contains(address) {
                self.add(key, list(addresses), format!("{address} is there twice; name it once"));
            }
        }
    }

    fn range<T: PartialOrd + fmt::Display>(&mut self, key: &'static str, value: T, min: T, max: T) {
        if value < min || value > max {
            self.add(key, value, format!("a number from {min} to {max} is expected"));
        }
    }

    fn not_zero<T: Default + PartialEq + fmt::Display>(&mut self, key: &'static str, value: T) {
        if value == T::default() {
            self.add(key, value, "at least 1 is expected");
        }
    }

    fn sizes(&mut self, key: &'static str, value: usize, min: usize, max: usize) {
        if value < min || value > max {
            let expected = format!("a size from {} to {} is expected", size(min), size(max));
            self.add(key, size(value), expected);
        }
    }
}

fn size(bytes: usize) -> String {
    format_size(bytes as u64)
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(T::to_string).collect();
    format!("[{}]", words.join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn config(change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config { state_dir: PathBuf::from("/var/lib/skep"), ..Config::default() };
        change(&mut config);
        config
    }

    #[test]
    fn the_defaults_need_a_state_directory_and_nothing_else() {
        assert_eq!(config(|_| ()).check(), Ok(()));
        let errors = Config::default().check().unwrap_err();
        assert_eq!(errors.iter().map(|e| e.key).collect::<Vec<_>>(), ["state_dir"]);
    }

    #[test]
    fn each_wrong_value_is_named_with_what_would_be_right() {
        type Change = fn(&mut Config);
        let table: [(Change, &str); 19] = [
            (
                |c| c.listen.clear(),
                "`listen` is empty: at least one address and port is expected, such as \"0.0.0.0:6969\"",
            ),
            (
                |c| c.listen = vec!["[::1]:7".parse().unwrap(); 2],
                "`listen` is [[::1]:7, [::1]:7]: [::1]:7 is there twice; name it once",
            ),
            (
                |c| c.admin_token = Some("se cret".into()),
                "`admin_token` is set to what no HTTP header can carry: visible ASCII characters without blanks are expected",
            ),
            (
                |c| c.tracker.interval_secs = 0,
                "`tracker.interval_secs` is 0: a number from 1 to 86400 is expected",
            ),
            (
                |c| c.tracker.interval_min_secs = Some(1801),
                "`tracker.interval_min_secs` is 1801: at most `tracker.interval_secs` (1800) is expected",
            ),
            (
                |c| c.tracker.jitter_pct = 101,
                "`tracker.jitter_pct` is 101: a number from 0 to 100 is expected",
            ),
            (
                |c| c.tracker.peer_ttl_secs = Some(1980),
                "`tracker.peer_ttl_secs` is 1980: more than the longest interval a client may be told (1980) is expected, \
                 or peers that obey it would be forgotten",
            ),
            (
                |c| c.tracker.want_default = 201,
                "`tracker.want_default` is 201: at most `tracker.want_max` (200) is expected",
            ),
            (
                |c| c.tracker.want_max = 10_001,
                "`tracker.want_max` is 10001: a number from 1 to 10000 is expected",
            ),
            (|c| c.tracker.memory_max = 4096, "`tracker.memory_max` is 4 KiB: at least 1 MiB is expected"),
            (
                |c| {
                    c.tracker.external_ips =
                        ["192.0.2.1", "::ffff:192.0.2.2"].map(|ip| ip.parse().unwrap()).into();
                },
                "`tracker.external_ips` is [192.0.2.1, ::ffff:192.0.2.2]: at most one IPv4 and one IPv6 address are expected",
            ),
            (
                |c| c.tracker.external_ips = vec!["::1".parse().unwrap()],
                "`tracker.external_ips` is [::1]: no peer can be reached at ::1; an address that others can use is expected",
            ),
            (
                |c| c.http.head_bytes_max = 10,
                "`http.head_bytes_max` is 10 B: a size from 1 KiB to 1 MiB is expected",
            ),
            (|c| c.http.connections_max = 0, "`http.connections_max` is 0: at least 1 is expected"),
            (
                |c| c.catalogue.metainfo_bytes_max = 17 << 20,
                "`catalogue.metainfo_bytes_max` is 17 MiB: at most `http.body_bytes_max` (16 MiB) is expected, \
                 or no request can carry it",
            ),
            (|c| c.classic.memory_max = 1, "`classic.memory_max` is 1 B: at least 1 MiB is expected"),
            (
                |c| c.classic.index.ttl_secs = 0,
                "`classic.index.ttl_secs` is 0: a number from 1 to 86400 is expected",
            ),
            (
                |c| {
                    c.classic.chunklist.listen = vec!["127.0.0.1:5555".parse().unwrap()];
                    c.classic.chunklist.list_port = Some(5556);
                },
                "`classic.chunklist.list_port` is 5556: another one than that above 127.0.0.1:5555 is expected: \
                 it is the seeders'",
            ),
            (
                |c| c.catalogue.similar_threshold = f64::NAN,
                "`catalogue.similar_threshold` is NaN: a number from 0 to 1 is expected",
            ),
        ];
        for (change, expected) in table {
            let errors: Vec<String> = match config(change).check() {
                Ok(()) => Vec::new(),
                Err(errors) => errors.iter().map(ConfigError::to_string).collect(),
            };
            assert_eq!(errors, [expected]);
        }
    }

    #[test]
    fn https_needs_an_address_and_a_certificate() {
        let listen = || vec!["127.0.0.1:443".parse().unwrap()];
        let file = || Some(PathBuf::from("x.pem"));
        let wrong = |change: fn(&mut TlsConfig)| {
            let faults = config(|c| change(&mut c.tls)).check().unwrap_err();
            faults.iter().map(ConfigError::to_string).collect::<Vec<_>>().join("\n")
        };
        let tls = TlsConfig { listen: listen(), certificate: file(), key: file(), ..TlsConfig::default() };
        assert_eq!(config(|c| c.tls = tls).check(), Ok(()));
        let own = TlsConfig { listen: listen(), self_signed: true, redirect: true, ..TlsConfig::default() };
        assert_eq!(config(|c| c.tls = own).check(), Ok(()));
        let address = "an address and port for HTTPS is expected in `tls.listen`, such as \"0.0.0.0:6970\"";
        assert_eq!(wrong(|tls| tls.redirect = true), format!("`tls.redirect` is true: {address}"));
        assert_eq!(wrong(|tls| tls.self_signed = true), format!("`tls.self_signed` is true: {address}"));
        assert_eq!(
            wrong(|tls| tls.listen = vec!["127.0.0.1:443".parse().unwrap()]),
            "`tls.listen` is [127.0.0.1:443]: a certificate is expected with it: `tls.certificate` and `tls.key`, or \
             `tls.self_signed`"
        );
        let alone = |tls: &mut TlsConfig| {
            *tls = TlsConfig {
                listen: vec!["[::1]:443".parse().unwrap()],
                key: Some("k".into()),
                ..TlsConfig::default()
            };
        };
        assert_eq!(
            wrong(alone),
            "`tls.key` is k: the file of its certificate is expected in `tls.certificate`"
        );
        assert!(wrong(|tls| tls.handshakes_max = 0).starts_with("`tls.handshakes_max` is 0: "));
    }

    #[test]
    fn a_level_is_one_for_all_or_one_a_part() {
        for (level, right) in [
            ("info", true),
            ("WARN", true),
            ("info,hub=debug", true),
            ("hub::listener=trace, off", true),
            ("", false),
            ("loud", false),
            ("info,hub", false),
            ("hub=loud", false),
        ] {
            assert_eq!(config(|c| c.log.level = level.into()).check().is_ok(), right, "{level}");
        }
        let errors = config(|c| c.log.level = "loud".into()).check().unwrap_err();
        let expected = "`log.level` is \"loud\": a level such as \"info\" is expected, or a list such as \"info,hub=debug\"";
        assert_eq!(errors[0].to_string(), expected);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let config = config(|c| {
            c.listen.clear();
            c.snapshot.interval_secs = 0;
            c.log.level.clear();
        });
        let keys: Vec<_> = config.check().unwrap_err().iter().map(|e| e.key).collect();
        assert_eq!(keys, ["listen", "snapshot.interval_secs", "log.level"]);
    }
}
