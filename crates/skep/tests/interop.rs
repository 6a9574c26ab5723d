//! Clients that nobody here wrote, and ours, move a folder between each other through the hub.
//!
//! Every program is on a host of its own. The clients hear of each other from the hub alone: whatever else they could
//! find peers by is off.

#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::folder::Folder;
use lab::http::Request;
use lab::hub::{ADMIN_TOKEN, Hub, Setup};
use lab::lan::{Host, Lan};
use lab::machine::Machine;
use lab::program::Program;
use lab::torrent::{Torrent, content};
use lab::transmission::Transmission;
use lab::wait::{self, SOON};
use lab::{aria2, libtorrent, transmission};
use serde_json::json;
use tempfile::TempDir;

const PIECE_BYTES: usize = 256 << 10;

/// How long a client may take over it. Some unchoke every 10 s only.
const FETCH_MAX: Duration = Duration::from_secs(90);

/// A client that misses its peer at first asks again soon.
const CONFIG: &str = "[tracker]\ninterval_secs = 5\ninterval_min_secs = 2\n\
                      [tls]\nlisten = \"0.0.0.0:6970\"\nself_signed = true\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Skep,
    Transmission,
    Aria2,
    Libtorrent,
}

/// How peers find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Http,
    Http6,
    Https,
    Udp,
    Udp6,
}

/// What the fetching client is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    File,
    Magnet,
}

use By::{File, Magnet};
use Client::{Aria2, Libtorrent, Skep};
use Over::{Http, Http6, Https, Udp, Udp6};

// aria2 asks no UDP tracker about a private torrent: it turns its DHT off for those, and UDP with it. libtorrent tells
// nobody what a private torrent is, so that its magnet link leads nowhere.

#[test]
fn transmission_to_aria2_over_http() {
    exchange(Client::Transmission, Aria2, Http, File, true);
}

#[test]
fn transmission_to_aria2_over_udp() {
    exchange(Client::Transmission, Aria2, Udp, File, false);
}

#[test]
fn transmission_to_aria2_over_ipv6() {
    exchange(Client::Transmission, Aria2, Http6, File, true);
}

#[test]
fn transmission_to_aria2_over_https() {
    exchange(Client::Transmission, Aria2, Https, File, true);
}

#[test]
fn aria2_to_transmission_over_https() {
    exchange(Aria2, Client::Transmission, Https, File, true);
}

#[test]
fn aria2_to_transmission_over_http() {
    exchange(Aria2, Client::Transmission, Http, File, true);
}

#[test]
fn aria2_to_transmission_over_udp() {
    exchange(Aria2, Client::Transmission, Udp, File, false);
}

#[test]
fn aria2_to_transmission_over_ipv6() {
    exchange(Aria2, Client::Transmission, Http6, File, true);
}

#[test]
fn skep_to_transmission_over_http_private() {
    exchange(Skep, Client::Transmission, Http, File, true);
}

#[test]
fn skep_to_transmission_over_udp_by_magnet() {
    exchange(Skep, Client::Transmission, Udp, Magnet, false);
}

#[test]
fn skep_to_aria2_over_http_by_magnet_private() {
    exchange(Skep, Aria2, Http, Magnet, true);
}

#[test]
fn skep_to_aria2_over_udp() {
    exchange(Skep, Aria2, Udp, File, false);
}

#[test]
fn skep_to_libtorrent_over_http_by_magnet() {
    exchange(Skep, Libtorrent, Http, Magnet, false);
}

#[test]
fn skep_to_libtorrent_over_udp_private() {
    exchange(Skep, Libtorrent, Udp, File, true);
}

#[test]
fn skep_to_libtorrent_over_ipv6() {
    exchange(Skep, Libtorrent, Http6, File, false);
}

#[test]
fn transmission_to_skep_over_http_by_magnet() {
    exchange(Client::Transmission, Skep, Http, Magnet, false);
}

#[test]
fn transmission_to_skep_over_udp_private() {
    exchange(Client::Transmission, Skep, Udp, File, true);
}

#[test]
fn aria2_to_skep_over_http_private() {
    exchange(Aria2, Skep, Http, File, true);
}

#[test]
fn aria2_to_skep_over_udp_by_magnet() {
    exchange(Aria2, Skep, Udp, Magnet, false);
}

#[test]
fn libtorrent_to_skep_over_http_by_magnet() {
    exchange(Libtorrent, Skep, Http, Magnet, false);
}

#[test]
fn libtorrent_to_skep_over_udp_private() {
    exchange(Libtorrent, Skep, Udp, File, true);
}

#[test]
fn libtorrent_to_skep_over_ipv6() {
    exchange(Libtorrent, Skep, Udp6, Magnet, false);
}

#[test]
fn transmission_to_aria2_as_members_over_http() {
    exchange_among_members(Client::Transmission, Aria2);
}

#[test]
fn libtorrent_to_transmission_as_members_over_http_and_udp() {
    exchange_among_members(Libtorrent, Client::Transmission);
}

/// The same among members of a private hub: each has the .torrent that the hub made for it.
fn exchange_among_members(seeder: Client, fetcher: Client) {
    if !seeder.is_there() || !fetcher.is_there() {
        return;
    }
    let Some(mut lan) = Lan::new() else { return };
    let state = tempfile::tempdir().unwrap();
    let config = format!("mode = \"members\"\n{CONFIG}");
    let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).on(&lan.host("hub")).config(&config).start(state.path());
    let hosts = ["seeder", "fetcher"].map(|name| lan.host(name));
    let folder = folder();
    let torrent =
        Torrent::folder(folder.name, &folder.files, PIECE_BYTES, "http://elsewhere.example/announce", true);
    let admin = |method: &str, target: &str| Request::new(method, target).bearer(ADMIN_TOKEN);
    assert_eq!(hub.add(&torrent.bytes).status, 201);
    let own_files = ["ann", "bob"].map(|name| {
        let made = hub.send(&admin("POST", "/api/v1/users").json(&json!({"name": name})));
        let passkey = made.json()["passkey"].as_str().unwrap().to_owned();
        let own = hub.get(&format!("/t/{}.torrent?passkey={passkey}", torrent.info_hash));
        assert_eq!(own.status, 200);
        let file = state.path().join(format!("{name}.torrent"));
        fs::write(&file, &own.body).unwrap();
        file.to_string_lossy().into_owned()
    });
    let swarm = || hub.send(&admin("GET", &format!("/api/v1/torrents/{}", torrent.info_hash))).json();
    let _seeding = seeder.seed(&hosts[0], &own_files[0], &folder);
    wait::until("the seeder", FETCH_MAX, || (swarm()["seeders"] == 1).then_some(()));
    let fetching = fetcher.fetch(&hosts[1], &own_files[1]);
    wait::until("the completion", FETCH_MAX, || (swarm()["completed"] == 1).then_some(()));
    let copy = fetching.folder.join(folder.name);
    wait::until("the files", SOON, || folder.difference(&copy).is_none().then_some(()));
    // Once a member may take part no more, its client is told so.
    assert_eq!(hub.send(&admin("DELETE", "/api/v1/users/bob")).status, 204);
    wait::until("the fetcher to be refused", FETCH_MAX, || {
        let metrics = hub.send(&admin("GET", "/metrics"));
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        let refused =
            text.lines().find_map(|line| line.strip_prefix("skep_refused_total{reason=\"passkey\"} "));
        (refused.unwrap() != "0").then_some(())
    });
    hub.stop();
}

/// Moves a folder from `seeder` to `fetcher`.
fn exchange(seeder: Client, fetcher: Client, over: Over, by: By, private: bool) {
    if !seeder.is_there() || !fetcher.is_there() {
        return;
    }
    let Some(mut lan) = Lan::new() else { return };
    let state = tempfile::tempdir().unwrap();
    let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).on(&lan.host("hub")).config(CONFIG).start(state.path());
    let authority = state.path().join("tls-certificate.pem");
    let [from, to] = ["seeder", "fetcher"].map(|name| lan.host(name).trusting(&authority));
    let folder = folder();

    let (_seeding, torrent) = if (seeder, over) == (Skep, Http) {
        share(&hub, &from, &folder, private)
    } else {
        let tracker = over.url(&hub);
        let torrent = Torrent::folder(folder.name, &folder.files, PIECE_BYTES, &tracker, private);
        assert_eq!(hub.add(&torrent.bytes).status, 201);
        let magnet = torrent.magnet(&tracker);
        let file = torrent.save(state.path()).to_string_lossy().into_owned();
        (seeder.seed(&from, &file, &folder), Shared { info_hash: torrent.info_hash, file, magnet })
    };
    let swarm = hub.await_swarm(&torrent.info_hash, SOON, |swarm| swarm.complete == 1);
    assert_eq!((swarm.incomplete, swarm.downloaded), (0, 0), "a seeder has downloaded nothing");

    let fetching = fetcher.fetch(&to, if by == File { &torrent.file } else { &torrent.magnet });
    await_copy(&hub, &torrent.info_hash, &folder, &fetching.folder.join(folder.name));
    hub.stop();
}

fn await_copy(hub: &Hub, info_hash: &str, folder: &Folder<'_>, copy: &Path) {
    // aria2 says that nothing is left of what it knows no size of.
    let swarm = hub.await_swarm(info_hash, FETCH_MAX, |swarm| swarm.downloaded > 0);
    assert_eq!((swarm.complete, swarm.incomplete, swarm.downloaded), (2, 0, 1));
    // A client may tell of its completion before its last write.
    let mut difference = None;
    let same = wait::within(SOON, || {
        difference = folder.difference(copy);
        difference.is_none().then_some(())
    });
    assert!(same.is_some(), "not, byte for byte, what was seeded: {difference:?}");
    let entry = wait::until("the completion in the catalogue", SOON, || {
        let entry = hub.get(&format!("/api/v1/torrents/{info_hash}")).json();
        (entry["completed"] != 0).then_some(entry)
    });
    assert_eq!(entry["completed"], 1, "{entry}");
}

/// Files that make the edges of pieces and files meet in many ways, 32 MiB in all.
fn folder() -> Folder<'static> {
    let files = vec![
        (vec!["größe 大", "a b.bin"], content(1, (20 << 20) + 12_345)),
        (vec!["größe 大", "one byte"], content(2, 1)),
        (vec!["pieces"], content(3, 8 * PIECE_BYTES)),
        (vec!["rest", "deep", "er.bin"], content(4, 10 << 20)),
    ];
    Folder { name: "field data", files }
}

/// What is known of a torrent that is seeded.
struct Shared {
    info_hash: String,
    /// The path of its .torrent file.
    file: String,
    magnet: String,
}

/// Shares as our users do: the torrent is made by Skep, and the hub hands it out.
fn share(hub: &Hub, host: &Host, folder: &Folder<'_>, private: bool) -> (Running, Shared) {
    let machine = Machine::new(env!("CARGO_BIN_EXE_skep"), host);
    folder.write(machine.home());
    let url = format!("http://{}", hub.http());
    let mut arguments = vec!["share", folder.name, "-t", &url];
    arguments.extend(private.then_some("--private"));
    let sharing = machine.share(&arguments);
    let (info_hash, magnet) = (sharing.info_hash(), sharing.magnets[0].clone());
    let torrent = hub.get(&format!("/t/{info_hash}.torrent"));
    assert_eq!(torrent.status, 200);
    assert_eq!(torrent.body.windows(12).any(|window| window == b"7:privatei1e"), private);
    let file = machine.home().join("handed out.torrent");
    fs::write(&file, &torrent.body).unwrap();
    let file = file.to_string_lossy().into_owned();
    let running =
        Running { folder: machine.home().to_owned(), _kept: Kept::Machine(machine, sharing.program) };
    (running, Shared { info_hash, file, magnet })
}

/// A client, running until this is dropped.
struct Running {
    /// Where its files are.
    folder: PathBuf,
    _kept: Kept,
}

#[expect(dead_code, reason = "held, not read")]
enum Kept {
    Machine(Machine, Program),
    Transmission(Transmission),
    Program(Program, TempDir),
}

impl Client {
    /// Whether it is there; says so if not.
    fn is_there(self) -> bool {
        match self {
            Skep => true,
            Self::Transmission => lab::have(&[transmission::PROGRAM]),
            Aria2 => lab::have(&[aria2::PROGRAM]),
            Libtorrent => libtorrent::is_there(),
        }
    }

    /// Seeds a folder that is there already, by a .torrent file.
    fn seed(self, host: &Host, torrent: &str, folder: &Folder<'_>) -> Running {
        self.start(host, torrent, Some(folder))
    }

    /// Fetches what `source` names.
    fn fetch(self, host: &Host, source: &str) -> Running {
        self.start(host, source, None)
    }

    fn start(self, host: &Host, source: &str, seeded: Option<&Folder<'_>>) -> Running {
        let prepare = |folder: &Path| {
            if let Some(seeded) = seeded {
                seeded.write(folder);
            }
        };
        match self {
            Skep => {
                let machine = Machine::new(env!("CARGO_BIN_EXE_skep"), host);
                prepare(machine.home());
                let program = machine.start(&["get", source]);
                Running { folder: machine.home().to_owned(), _kept: Kept::Machine(machine, program) }
            }
            Self::Transmission => {
                let transmission = Transmission::start(host);
                prepare(transmission.downloads());
                transmission.add(source);
                let folder = transmission.downloads().to_owned();
                Running { folder, _kept: Kept::Transmission(transmission) }
            }
            Aria2 | Libtorrent => {
                let temp = tempfile::tempdir().unwrap();
                let folder = temp.path().to_owned();
                prepare(&folder);
                let program = match (self, seeded) {
                    (Libtorrent, _) => libtorrent::start(host, source, &folder),
                    (_, Some(_)) => aria2::seed(host, source, &folder),
                    (_, None) => aria2::fetch(host, source, &folder),
                };
                Running { folder, _kept: Kept::Program(program, temp) }
            }
        }
    }
}

impl Over {
    fn url(self, hub: &Hub) -> String {
        let (scheme, address) = match self {
            Http => ("http", hub.http()),
            Http6 => ("http", hub.http6()),
            Https => ("https", hub.https()),
            Udp => ("udp", hub.udp()),
            Udp6 => ("udp", hub.udp6()),
        };
        format!("{scheme}://{address}/announce")
    }
}
