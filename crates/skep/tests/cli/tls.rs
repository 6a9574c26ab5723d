//! A hub over HTTPS, known by its fingerprint or by an authority.

use serde_json::Value;
use skep::exit::Exit;

use crate::support::{Running, World, torrent};

/// A hub with a certificate of its own.
struct Hub {
    running: Running,
    world: World,
    /// Its address over TLS.
    https: String,
    fingerprint: String,
}

impl Hub {
    async fn start() -> Self {
        let world = World::new();
        let running = world.start(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--tls-listen",
            "127.0.0.2:0",
            "--tls-self-signed",
            "--state-dir",
            "state",
            "--ready-file",
            "ready.json",
        ]);
        let fingerprint = running.stdout.line("SHA-256   ").await;
        let ready: Value = serde_json::from_slice(&std::fs::read(world.path("ready.json")).unwrap()).unwrap();
        let https = format!("https://{}", ready["https"][0].as_str().unwrap());
        let text = running.stdout.text();
        assert!(text.contains(&format!("announce  {https}/announce\n")), "{text}");
        Self { running, world, https, fingerprint }
    }

    fn certificate(&self) -> String {
        self.world.path("state/tls-certificate.pem").display().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_is_known_by_its_fingerprint_or_its_authority() {
    let hub = Hub::start().await;
    let (url, fingerprint, ca) = (&*hub.https, &*hub.fingerprint, &*hub.certificate());
    let bare = fingerprint.replace(':', "").to_lowercase();
    hub.world.write("one.torrent", torrent("one"));
    let add = ["add", "-t", url, "--tracker-fingerprint", fingerprint, "one.torrent"];
    hub.world.run(&add).await.ended(Exit::Success);
    for known_by in [
        &["--tracker-fingerprint", &bare][..],
        &["--tracker-ca", ca],
        &["--tracker-ca", ca, "--tracker-fingerprint", fingerprint],
    ] {
        let args = [&["ls", "-t", url], known_by].concat();
        let listed = hub.world.run(&args).await.ended(Exit::Success).stdout;
        assert!(listed.ends_with("  one\n"), "{listed}");
    }

    let by_variables = World::new().var("SKEP_TRACKER", url).var("SKEP_TRACKER_FINGERPRINT", fingerprint);
    by_variables.run(&["ls"]).await.ended(Exit::Success);
    by_variables.run(&["ls", "-t", "http://127.0.0.1:1"]).await.ended(Exit::Failed);
    let by_file = World::new();
    by_file.write("ca.pem", std::fs::read(ca).unwrap());
    by_file.write("skep.toml", format!("[client]\ntracker = \"{url}\"\ntracker_ca = \"ca.pem\"\n"));
    by_file.run(&["ls"]).await.ended(Exit::Success);
    assert_eq!(hub.running.stopped().await, Exit::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_another_is_told_from_one_that_is_silent() {
    let (hub, other) = (Hub::start().await, Hub::start().await);
    let (url, fingerprint) = (&*hub.https, &*other.fingerprint);
    let wrong =
        hub.world.run(&["ls", "-t", url, "--tracker-fingerprint", fingerprint]).await.ended(Exit::Failed);
    let expected = format!(
        "error: the hub at {url} is not trusted: its certificate has the fingerprint {}, and {fingerprint} is expected; \
         what is to be expected is named with --tracker-fingerprint SHA256 or --tracker-ca FILE\n",
        hub.fingerprint
    );
    assert_eq!(wrong.stderr, expected);
    for args in [&["ls", "-t", url][..], &["ls", "-t", url, "--tracker-ca", &other.certificate()]] {
        let ran = hub.world.run(args).await.ended(Exit::Failed);
        let expected = format!("error: the hub at {url} is not trusted: its certificate ");
        assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
    }
    // The authority alone is right.
    let ca = hub.certificate();
    let both = ["ls", "-t", url, "--tracker-ca", &ca, "--tracker-fingerprint", fingerprint];
    hub.world.run(&both).await.ended(Exit::Failed);
    hub.running.stopped().await;
    other.running.stopped().await;
}

#[tokio::test]
async fn without_tls_there_is_no_certificate_to_know() {
    let world = World::new();
    let fingerprint = "AB".repeat(32);
    let plain = world.run(&["ls", "-t", "localhost", "--tracker-fingerprint", &fingerprint]).await;
    assert_eq!(
        plain.ended(Exit::Misuse).stderr,
        "error: --tracker-fingerprint is for a hub at https://HOST:PORT, and `http://localhost:6969/` is reached without TLS\n"
    );
    world.write("a", "a");
    let udp = ["share", "a", "-t", "udp://localhost:1", "--tracker-ca", "ca.pem"];
    let udp = world.run(&udp).await.ended(Exit::Misuse);
    assert!(udp.stderr.starts_with("error: --tracker-ca is for a hub at https://"), "{}", udp.stderr);
    let none =
        world.run(&["ls", "-t", "https://localhost:1", "--tracker-ca", "ca.pem"]).await.ended(Exit::Misuse);
    assert!(none.stderr.starts_with("error: DIR/ca.pem: it cannot be read: "), "{}", none.stderr);
    let word = world.run(&["ls", "--tracker-fingerprint", "abc"]).await.ended(Exit::Misuse);
    assert!(
        word.stderr.contains("SHA-256 fingerprint `abc` is not 64 hexadecimal digits"),
        "{}",
        word.stderr
    );
    let variable =
        World::new().var("SKEP_TRACKER_FINGERPRINT", "abc").var("SKEP_TRACKER", "https://localhost:1");
    let variable = variable.run(&["ls"]).await.ended(Exit::Misuse);
    assert!(
        variable.stderr.starts_with("error: SKEP_TRACKER_FINGERPRINT: SHA-256 fingerprint `abc` is not"),
        "{}",
        variable.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_announce_over_https() {
    let hub = Hub::start().await;
    let (url, fingerprint) = (&*hub.https, &*hub.fingerprint);
    let seeder = World::new();
    seeder.write("data/a", "a");
    let ca = hub.certificate();
    let share = seeder.start(&["share", "data", "-t", url, "--tracker-ca", &ca]);
    share.notes("sharing until Ctrl-C\n").await;
    let ls = ["ls", "-t", url, "--tracker-fingerprint", fingerprint, "--json"];
    let listed = hub.world.run(&ls).await.ended(Exit::Success).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["seeders"]), (&"data".into(), &1.into()));
    let leecher = World::new();
    let get = ["get", "data", "-t", url, "--tracker-fingerprint", fingerprint, "--no-seed"];
    leecher.run(&get).await.ended(Exit::Success);
    assert_eq!(std::fs::read(leecher.path("data/a")).unwrap(), b"a");
    let torrent = listed[0]["torrent_url"].as_str().unwrap();
    assert!(torrent.starts_with(url), "{torrent}");
    let get = ["get", torrent, "-t", url, "--tracker-ca", &ca, "--no-seed", "-o", "again"];
    leecher.run(&get).await.ended(Exit::Success);

    let announce = format!("{url}/announce");
    let check = ["check", &announce, "--tracker-fingerprint", fingerprint];
    leecher.run(&check).await.ended(Exit::Success);
    leecher.run(&["check", &announce]).await.ended(Exit::Failed);
    assert_eq!(share.stopped().await, Exit::Success);
    hub.running.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hub_and_peer_in_one_know_each_other_where_pages_are_had_by_https_only() {
    let world = World::new();
    world.write("data", "data");
    world.write(
        "skep.toml",
        "[tls]\nlisten = \"127.0.0.2:0\"\nself_signed = true\nredirect = true\n[client]\ntracker_fingerprint = \"ab\"\n",
    );
    let up = world.start(&["up", "data", "--listen", "127.0.0.1:0", "--state-dir", "state"]);
    up.notes("sharing until Ctrl-C\n").await;
    assert!(up.stdout.text().contains("https://127.0.0.2:"), "{}", up.stdout.text());
    assert_eq!(up.stopped().await, Exit::Success);
}
