//! A hub for members, administered from the command line: who announces over HTTP and UDP, and who shares and gets.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lab::http::Request;
use lab::hub::{ADMIN_TOKEN, Hub, Setup};
use lab::lan::Host;
use lab::machine::{Machine, Ran};
use lab::program::Signal;
use lab::wait;
use serde_json::{Value, json};
use swarm::{Event, Families, InfoHash, PeerId};
use tempfile::TempDir;
use wire::udp::{self, ConnectionId, ReplyBody};

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

const HASH: &str = "0101010101010101010101010101010101010101";

struct World {
    hub: Hub,
    machine: Machine,
    _state: TempDir,
}

impl World {
    fn new(mode: &str) -> Self {
        Self::with(&format!("mode = \"{mode}\"\n"))
    }

    fn with(config: &str) -> Self {
        let state = tempfile::tempdir().unwrap();
        let config = format!("{config}[tracker]\njitter_pct = 0\n");
        let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).config(&config).start(state.path());
        let machine = Machine::new(env!("CARGO_BIN_EXE_skep"), &Host::loopback());
        Self { hub, machine, _state: state }
    }

    /// What an administrator's command comes to.
    fn administer(&self, command: &[&str]) -> Ran {
        let address = self.hub.http().to_string();
        let rights = ["-t", &address, "--admin-token", ADMIN_TOKEN];
        self.machine.run(&[command, &rights].concat(), PATIENCE)
    }

    /// Makes a member, and tells its passkey.
    fn add(&self, name: &str) -> String {
        let ran = self.administer(&["user", "add", name, "--json"]);
        ran.went_well();
        let made: Value = serde_json::from_str(&ran.stdout).unwrap();
        made["passkey"].as_str().unwrap().to_owned()
    }

    /// Puts the torrent of [`HASH`] into the catalogue.
    fn list(&self) {
        let facts = json!({"info_hash": HASH, "name": "one", "private": true});
        let request = Request::new("POST", "/api/v1/torrents").bearer(ADMIN_TOKEN).json(&facts);
        assert_eq!(self.hub.send(&request).status, 201);
    }

    /// What an announce over HTTP is answered.
    fn announce(&self, path: &str) -> String {
        let hash = "%01".repeat(20);
        let query =
            format!("info_hash={hash}&peer_id=-SK0100-abcdefghijkl&port=6881&uploaded=0&downloaded=0&left=1");
        let answer = self.hub.get(&format!("{path}?{query}"));
        assert_eq!(answer.status, 200);
        String::from_utf8_lossy(&answer.body).into_owned()
    }

    /// What an announce over UDP is answered, with this path (BEP 41): the interval, or a refusal.
    fn announce_udp(&self, path: &str) -> Result<u32, String> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(self.hub.udp()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let ask = |request: &[u8]| {
            socket.send(request).unwrap();
            let mut answer = vec![0; 2_048];
            let len = socket.recv(&mut answer).unwrap();
            answer.truncate(len);
            answer
        };
        let mut request = Vec::new();
        udp::encode_connect_request(1, &mut request);
        let answer = ask(&request);
        let ReplyBody::Connect(connection) = udp::decode_reply(&answer, Families::V4).unwrap().body else {
            panic!("{answer:?}");
        };
        request.clear();
        udp::encode_announce_request(2, connection, &announce(), path.as_bytes(), &mut request);
        let answer = ask(&request);
        match udp::decode_reply(&answer, Families::V4).unwrap().body {
            ReplyBody::Announce { interval, .. } => Ok(interval),
            ReplyBody::Error(text) => Err(text.into_owned()),
            other => panic!("{other:?}"),
        }
    }

    /// What a scrape over UDP is refused with.
    fn scrape_udp(&self, connection: ConnectionId) -> Vec<u8> {
        let mut request = Vec::new();
        udp::encode_scrape_request(3, connection, [InfoHash([1; 20])], &mut request);
        request
    }
}

fn announce() -> wire::Announce<'static> {
    wire::Announce {
        info_hash: InfoHash([1; 20]),
        peer_id: PeerId(*b"-SK0100-abcdefghijkl"),
        port: 6881,
        stated_ip: None,
        uploaded: 0,
        downloaded: 0,
        left: Some(1),
        event: Event::Started,
        want: None,
        key: None,
        passkey: None,
    }
}

#[test]
fn members_announce_by_their_passkeys_and_nobody_else_does() {
    let world = World::new("members");
    world.list();
    let passkey = world.add("ann");
    for path in [format!("/announce/{passkey}"), format!("/{passkey}/announce")] {
        assert!(world.announce(&path).contains("8:intervali1800e"), "{}", world.announce(&path));
        assert_eq!(world.announce_udp(&path), Ok(1800));
    }
    let scrape = world.hub.get(&format!("/scrape/{passkey}?info_hash={}", "%01".repeat(20)));
    assert!(String::from_utf8_lossy(&scrape.body).starts_with("d5:files"), "{:?}", scrape.body);

    let wrong = format!("/announce/{}", "0".repeat(32));
    for (path, reason) in
        [("/announce", "this tracker is for members"), (&wrong, "your passkey is not known")]
    {
        let answer = world.announce(path);
        assert!(answer.starts_with("d14:failure reason") && answer.contains(reason), "{answer}");
        assert!(answer.contains("8:retry in5:never"), "{answer}");
        assert!(world.announce_udp(path).unwrap_err().starts_with(reason));
    }
    for (command, reason) in [
        (&["user", "disable", "ANN"][..], "your account is disabled"),
        (&["user", "set", "ann", "--until", "2001-01-01"], "your account is disabled"),
        (&["user", "enable", "ann"], "your membership has ended"),
    ] {
        world.administer(command).went_well();
        assert!(world.announce(&format!("/announce/{passkey}")).contains(reason), "{command:?}");
    }
    world.administer(&["user", "set", "ann", "--until", "never"]).went_well();
    assert_eq!(world.announce_udp(&format!("/announce/{passkey}")), Ok(1800));
    world.administer(&["user", "rotate", "ann"]).went_well();
    assert!(
        world.announce_udp(&format!("/announce/{passkey}")).unwrap_err().contains("not known (any more)")
    );
}

#[test]
fn a_scrape_over_udp_has_no_place_for_a_passkey() {
    let world = World::new("members");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(world.hub.udp()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = |request: &[u8]| {
        socket.send(request).unwrap();
        let mut answer = vec![0; 2_048];
        let len = socket.recv(&mut answer).unwrap();
        answer.truncate(len);
        answer
    };
    let mut request = Vec::new();
    udp::encode_connect_request(1, &mut request);
    let answer = ask(&request);
    let ReplyBody::Connect(connection) = udp::decode_reply(&answer, Families::V4).unwrap().body else {
        panic!("{answer:?}");
    };
    let answer = ask(&world.scrape_udp(connection));
    let reply = udp::decode_reply(&answer, Families::V4).unwrap();
    assert!(matches!(&reply.body, ReplyBody::Error(text) if text.contains("for members")), "{reply:?}");
}

#[test]
fn where_torrents_are_listed_others_are_not_announced() {
    let world = World::new("listed");
    assert!(world.announce("/announce").contains("not in this tracker's catalogue"));
    assert!(world.announce_udp("").unwrap_err().contains("not in this tracker's catalogue"));
    world.list();
    assert!(world.announce("/announce").contains("8:intervali1800e"));
    assert_eq!(world.announce_udp(""), Ok(1800));
    let remove = Request::new("DELETE", &format!("/api/v1/torrents/{HASH}")).bearer(ADMIN_TOKEN);
    assert_eq!(world.hub.send(&remove).status, 204);
    assert!(world.announce("/announce").contains("not in this tracker's catalogue"));
}

#[test]
fn a_member_takes_part_in_so_much_at_a_time() {
    let world =
        World::with("mode = \"members\"\n[members]\naddresses_max = 1\nclients_per_torrent_max = 1\n");
    world.list();
    let (ann, bob) = (world.add("ann"), world.add("bob"));
    let path = |passkey: &str| format!("/announce/{passkey}");
    assert_eq!(world.announce_udp(&path(&ann)), Ok(1800));
    assert!(
        world.announce(&path(&ann)).contains("8:interval"),
        "the same client at the same address, over HTTP"
    );
    let other = |passkey: &str| {
        let answer = world.hub.get(&format!(
            "{}?info_hash={}&peer_id=-SK0100-zyxwvutsrqpo&port=6882&left=1",
            path(passkey),
            "%01".repeat(20)
        ));
        String::from_utf8_lossy(&answer.body).into_owned()
    };
    assert!(other(&ann).contains("you may have 1 clients in one torrent at a time"), "{}", other(&ann));
    assert!(other(&bob).contains("8:interval"), "somebody else is held to its own");
}

#[test]
fn wrong_secrets_are_so_many_a_minute() {
    let world = World::new("open");
    let status = |secret: &str| {
        let request = Request::new("GET", "/metrics").bearer(secret);
        world.hub.send(&request).status
    };
    for _ in 0..60 {
        assert_eq!(status("wrong"), 403);
    }
    assert_eq!(status("wrong"), 429);
    assert_eq!(status(ADMIN_TOKEN), 200, "a right one is right");
    // What a proxy sends to places that ask for none is nobody's try.
    let elsewhere = Request::new("GET", "/api/v1/stats").bearer("somebody else's");
    assert_eq!(world.hub.send(&elsewhere).status, 200);
}

#[test]
fn members_share_and_get_among_themselves() {
    let world = World::new("members");
    let hub = world.hub.http().to_string();
    let (ann, bob) = (world.add("ann"), world.add("bob"));
    let here = Machine::new(env!("CARGO_BIN_EXE_skep"), &Host::loopback());
    let content = lab::torrent::content(4, 500_000);
    std::fs::write(here.home().join("data.bin"), &content).unwrap();
    // It is a private torrent without saying so: the hub takes no other.
    let sharing = here.share(&["share", "data.bin", "-t", &hub, "--passkey", &ann]);

    let there = Machine::new(env!("CARGO_BIN_EXE_skep"), &Host::loopback());
    let stranger = there.run(&["get", "data.bin", "-t", &hub, "--no-seed"], PATIENCE);
    assert_eq!(stranger.code, Some(1));
    stranger.failed_with(&["for members", "--passkey"]);
    let got = there.run(&["get", "data.bin", "-t", &hub, "--passkey", &bob, "--no-seed"], PATIENCE);
    got.went_well();
    assert!(std::fs::read(there.home().join("data.bin")).unwrap() == content);
    let listed = there.run(&["ls", "-t", &hub, "--passkey", &bob], PATIENCE);
    assert!(listed.stdout.contains("data.bin"), "{}", listed.stdout);
    let short = there.run(&["ls", "-t", &hub, "--passkey", "short"], PATIENCE);
    assert_eq!(short.code, Some(2));
    assert!(short.stderr.contains("--passkey: this is no passkey: 32 hexadecimal digits are expected"));
    // What is told to be typed elsewhere has nobody's passkey, nor has what the hub keeps.
    let said = sharing.program.stdout();
    assert!(said.contains(&format!("get it     skep get data.bin -t http://{hub}\n")), "{said}");
    assert!(!said.contains(&ann), "{said}");
    let file = format!("/t/{}.torrent?passkey={bob}", sharing.info_hash());
    assert!(!String::from_utf8_lossy(&world.hub.get(&file).body).contains(&ann));
    sharing.program.signal(Signal::INT);
    Ran::of(sharing.program, PATIENCE).went_well();
    wait::until("the seeder to be gone", PATIENCE, || {
        let request = Request::new("GET", "/api/v1/torrents").bearer(ADMIN_TOKEN);
        (world.hub.send(&request).json()["torrents"][0]["seeders"] == 0).then_some(())
    });
}

#[test]
fn a_hub_is_administered_from_the_command_line() {
    let world = World::new("members");
    let made = world.administer(&["user", "add", "ann", "--role", "uploader", "--until", "2040-05-06"]);
    made.went_well();
    let passkey = made.stdout.lines().next().unwrap().strip_prefix("passkey     ").unwrap().to_owned();
    assert!(made.stdout.contains(&format!("announce    http://{}/{passkey}/announce", world.hub.http())));
    assert!(made.stderr.contains("told this once"), "{}", made.stderr);
    world.administer(&["user", "add", "ANN"]).failed_with(&["the name `ANN` is taken"]);
    world.administer(&["user", "add", "a b"]).failed_with(&["a name has 1 to 32 letters"]);
    world.administer(&["user", "show", "bob"]).failed_with(&["there is no user `bob`"]);
    let shown = world.administer(&["user", "show", "ann"]);
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "name        ann",
            "role        uploader",
            "state       active",
            "until       2040-05-06 00:00",
            "passkey     yes",
        ]
    );

    let invite = world.administer(&["invite", "create", "--note", "the lab", "--uses", "2", "--json"]);
    let invite: Value = serde_json::from_str(&invite.stdout).unwrap();
    let code = invite["code"].as_str().unwrap();
    let hub = world.hub.http().to_string();
    let joined = world.machine.run(&["invite", "use", code, "cat", "-t", &hub], PATIENCE);
    joined.went_well();
    let listed = world.administer(&["user", "list"]);
    let rows: Vec<Vec<&str>> =
        listed.stdout.lines().map(|line| line.split_ascii_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "ROLE", "STATE", "UNTIL", "PASSKEY", "SINCE", "INVITED", "BY"]);
    assert_eq!((rows[1][0], rows[2][0], rows[2].last()), ("ann", "cat", Some(&"admin-token")));
    let invites = world.administer(&["invite", "list"]);
    assert!(invites.stdout.lines().nth(1).unwrap().ends_with("the lab"), "{}", invites.stdout);

    let token = world.administer(&["token", "create", "ci", "--scope", "users"]);
    let token = token.stdout.trim().strip_prefix("token       ").unwrap().to_owned();
    let with = |command: &[&str]| {
        world.machine.run(&[command, &["-t", &hub, "--admin-token", &token]].concat(), PATIENCE)
    };
    with(&["user", "remove", "cat"]).went_well();
    with(&["token", "list"]).failed_with(&["the token `ci` has the scope `users`, and this needs `admin`"]);
    world.administer(&["token", "revoke", "ci"]).went_well();
    with(&["user", "list"]).failed_with(&["nor another secret that it knows"]);

    let audit = world.administer(&["audit", "--json"]);
    let acts: Value = serde_json::from_str(&audit.stdout).unwrap();
    let acts: Vec<String> = acts
        .as_array()
        .unwrap()
        .iter()
        .map(|act| {
            format!(
                "{} {} {}",
                act["who"].as_str().unwrap(),
                act["act"].as_str().unwrap(),
                act["object"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        acts,
        [
            "admin-token token.remove ci",
            "ci user.remove cat",
            "admin-token token.add ci",
            "invitation user.join cat",
            "admin-token invite.add the lab",
            "admin-token user.add ann",
        ]
    );
    let shown = world.administer(&["audit", "-n", "1"]);
    assert_eq!(shown.stdout.lines().count(), 2, "{}", shown.stdout);
    assert!(shown.stdout.lines().nth(1).unwrap().ends_with("token.remove  ci"), "{}", shown.stdout);
}

/// What an account is, as the API tells.
fn account(hub: &Hub, name: &str) -> Value {
    let target = format!("/api/v1/users/{name}/account");
    let answer = hub.send(&Request::new("GET", &target).bearer(ADMIN_TOKEN));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// An announce with totals, if the hub is still there to answer it.
fn announce_totals(
    to: SocketAddr,
    passkey: &str,
    peer: usize,
    totals: (u64, u64),
    event: &str,
) -> Option<()> {
    let hash = "%01".repeat(20);
    let (uploaded, downloaded) = totals;
    let target = format!(
        "/{passkey}/announce?info_hash={hash}&peer_id=-SK0100-{peer:012}&port={}&uploaded={uploaded}\
         &downloaded={downloaded}&left=0{event}",
        7000 + peer
    );
    let answer = Request::new("GET", &target).send(&Host::loopback(), to).ok()?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("8:interval"), "{text}");
    Some(())
}

#[test]
fn what_is_announced_is_credited_before_it_is_shown() {
    let world = World::new("members");
    world.list();
    let passkey = world.add("ann");
    let announce = |totals, event| announce_totals(world.hub.http(), &passkey, 1, totals, event).unwrap();
    announce((0, 0), "&event=started");
    announce((70, 100), "&event=completed");
    announce((170, 100), "&event=stopped");
    let told = account(&world.hub, "ann");
    assert_eq!(
        (&told["uploaded"], &told["downloaded"], &told["ratio"]),
        (&json!(170), &json!(100), &json!(1.7))
    );
    assert_eq!(
        (&told["torrents"][0]["info_hash"], &told["torrents"][0]["uploaded"]),
        (&json!(HASH), &json!(170))
    );
    assert_ne!(told["torrents"][0]["completed_at"], Value::Null);
    // The member sees the same, and nobody else's.
    let own = |secret: &str| world.hub.send(&Request::new("GET", "/api/v1/account").bearer(secret));
    assert_eq!(own(&passkey).json(), told);
    assert_eq!(own(ADMIN_TOKEN).status, 403);
    let others = Request::new("GET", "/api/v1/users/ann/account").bearer(&passkey);
    assert_eq!(world.hub.send(&others).status, 401);

    // From now on downloading is free, and what is sent counts double.
    let factors = json!({"upload_pct": 200, "download_pct": 0});
    let add = Request::new("POST", "/api/v1/factors").bearer(ADMIN_TOKEN);
    assert_eq!(world.hub.send(&add.json(&factors)).status, 201);
    announce((0, 0), "&event=started");
    announce((10, 10), "");
    let told = account(&world.hub, "ann");
    assert_eq!((&told["uploaded"], &told["credited_up"]), (&json!(180), &json!(190)));
    assert_eq!((&told["downloaded"], &told["credited_down"]), (&json!(110), &json!(100)));
    for (wrong, field) in [
        (json!({"upload_pct": 10_001}), "upload_pct"),
        (json!({"begins": 5, "ends": 5}), "ends"),
        (json!({"info_hash": "xy"}), "info_hash"),
    ] {
        let add = Request::new("POST", "/api/v1/factors").bearer(ADMIN_TOKEN);
        let refused = world.hub.send(&add.json(&wrong));
        assert_eq!((refused.status, &refused.json()["field"]), (422, &json!(field)), "{wrong}");
    }
}

#[test]
fn kill_9_loses_no_credit_that_the_next_announce_has() {
    let state = tempfile::tempdir().unwrap();
    let setup = Setup::new(env!("CARGO_BIN_EXE_skep")).config("mode = \"members\"\n");
    let passkey = std::sync::OnceLock::new();
    // Each client counts for itself, as clients do, whatever becomes of the hub.
    let clients = std::sync::Mutex::new([(0_u64, 0_u64); 4]);
    for crash in 0..3 {
        let hub = setup.start(state.path());
        let passkey: &String = passkey.get_or_init(|| {
            let facts = json!({"info_hash": HASH, "name": "one", "private": true});
            let post = |target: &str| Request::new("POST", target).bearer(ADMIN_TOKEN);
            assert_eq!(hub.send(&post("/api/v1/torrents").json(&facts)).status, 201);
            let made = hub.send(&post("/api/v1/users").json(&json!({"name": "ann"})));
            made.json()["passkey"].as_str().unwrap().to_owned()
        });
        let (announced, to) = (AtomicUsize::new(0), hub.http());
        std::thread::scope(|scope| {
            for peer in 0..4 {
                let (clients, announced) = (&clients, &announced);
                scope.spawn(move || {
                    let mut event = if crash == 0 { "&event=started" } else { "" };
                    loop {
                        let totals = {
                            let mut clients = clients.lock().unwrap();
                            clients[peer].0 += 1_000;
                            clients[peer].1 += 10;
                            clients[peer]
                        };
                        // No answer: the hub is gone.
                        if announce_totals(to, passkey, peer, totals, event).is_none() {
                            return;
                        }
                        event = "";
                        announced.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let many = || (announced.load(Ordering::Relaxed) > 300 * (crash + 1)).then_some(());
            wait::until("many announces", PATIENCE, many);
            hub.kill();
        });
    }
    let hub = setup.start(state.path());
    let clients = clients.into_inner().unwrap();
    for (peer, totals) in clients.iter().enumerate() {
        announce_totals(hub.http(), passkey.get().unwrap(), peer, *totals, "").unwrap();
    }
    let told = account(&hub, "ann");
    let sum = |part: fn(&(u64, u64)) -> u64| clients.iter().map(part).sum::<u64>();
    assert_eq!(told["uploaded"], sum(|totals| totals.0));
    assert_eq!(told["downloaded"], sum(|totals| totals.1));
    assert_eq!(told["flagged"], 0);
    hub.stop();
}

#[test]
fn one_member_may_take_part_in_fewer_torrents_than_all() {
    let world = World::with("mode = \"members\"\n[members]\nclients_per_torrent_max = 3\n");
    world.list();
    let path = format!("/announce/{}", world.add("ann"));
    let set = world.administer(&["user", "set", "ann", "--clients-per-torrent-max", "1"]);
    set.went_well();
    assert!(set.stdout.contains("at most     1 clients in a torrent"), "{}", set.stdout);
    assert_eq!(world.announce_udp(&path), Ok(1800));
    let second = |world: &World| {
        let query = "peer_id=-SK0100-another_here&port=6882&uploaded=0&downloaded=0&left=1";
        let answer = world.hub.get(&format!("{path}?info_hash={}&{query}", "%01".repeat(20)));
        String::from_utf8_lossy(&answer.body).into_owned()
    };
    assert!(second(&world).contains("1 client"), "{}", second(&world));
    world.administer(&["user", "set", "ann", "--clients-per-torrent-max", "default"]).went_well();
    assert!(second(&world).contains("8:interval"), "{}", second(&world));
    let nothing = world.administer(&["user", "set", "ann"]);
    assert_eq!(nothing.code, Some(2), "{}", nothing.stderr);
}

#[test]
fn a_ban_is_made_listed_and_lifted_from_the_command_line() {
    let world = World::new("open");
    let ran = world.administer(&["ban", "add", "203.0.113.77/24", "--until", "7d", "--note", "a flood"]);
    ran.went_well();
    assert!(ran.stderr.contains("banned: 203.0.113.0/24 until 2"), "{}", ran.stderr);
    world.administer(&["access", "add", "clients-denied", "-SK"]).went_well();
    assert!(world.announce("/announce").contains("failure reason"), "{}", world.announce("/announce"));
    assert!(world.announce_udp("").is_err());

    let bans = world.administer(&["ban", "list"]);
    bans.went_well();
    let lines: Vec<&str> = bans.stdout.lines().collect();
    assert!(lines[0].starts_with("NETWORK ") && lines[1].starts_with("203.0.113.0/24 "), "{lines:?}");
    assert!(lines[1].ends_with(" a flood") && lines.len() == 2, "{lines:?}");
    let all: Value = serde_json::from_str(&world.administer(&["access", "list", "--json"]).stdout).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 2);
    // As other clients begin, whatever flags there are of that letter.
    for prefix in ["-qB", "-tr"] {
        world.administer(&["access", "add", "clients-denied", prefix]).went_well();
        world.administer(&["access", "remove", "clients-denied", prefix]).went_well();
    }

    world.administer(&["access", "remove", "clients-denied", "-SK"]).went_well();
    assert_eq!(world.announce_udp(""), Ok(1800));
    world.administer(&["ban", "lift", "203.0.113.0/24"]).went_well();
    for (command, words) in [
        (&["ban", "lift", "203.0.113.0/24"][..], "`203.0.113.0/24` is not on the list banned"),
        (&["ban", "add", "somebody"], "`somebody` is not an address or a network"),
        (&["ban", "add", "127.0.0.0/8"], "127.0.0.1 would be shut out of the API"),
    ] {
        let ran = world.administer(command);
        assert!(ran.stderr.contains(words) && ran.code == Some(1), "{ran:?}");
    }
}
