//! A whole hub, spoken to over TLS.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lab::wait;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::config::Config;
use crate::hub::Hub;

/// How long a test waits for what must come, before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

const TOKEN: &str = "opensesame";
const HASH: &str = "info_hash=aaaaaaaaaaaaaaaaaaaa";

fn announce(port: u16) -> String {
    format!("/announce?{HASH}&peer_id=-TT0001-abcdefghijkl&port={port}&left=5&compact=1")
}

/// A hub, the folder of its state and certificates, and who speaks to it.
struct Lab {
    hub: Hub,
    dir: TempDir,
}

/// A certificate and its key, in PEM form.
struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    fn write(&self, dir: &Path) {
        fs::write(dir.join("key.pem"), &self.key).unwrap();
        fs::write(dir.join("certificate.pem"), &self.certificate).unwrap();
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

/// Somebody who vouches for clients.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn client(&self) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["admin".to_owned()]).unwrap();
        Pair { certificate: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }
}

impl Lab {
    async fn start(pair: &Pair, change: impl FnOnce(&mut Config, &Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        pair.write(dir.path());
        let mut config = Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            state_dir: dir.path().join("state"),
            admin_token: Some(TOKEN.into()),
            ..Config::default()
        };
        config.tls.listen = vec!["127.0.0.2:0".parse().unwrap()];
        config.tls.certificate = Some(dir.path().join("certificate.pem"));
        config.tls.key = Some(dir.path().join("key.pem"));
        change(&mut config, dir.path());
        config.check().unwrap();
        Self { hub: Hub::start(config).await.unwrap(), dir }
    }

    fn http(&self) -> SocketAddr {
        self.hub.bound().http[0]
    }

    fn https(&self) -> SocketAddr {
        self.hub.bound().https[0]
    }

    fn plain(&self, to: SocketAddr) -> Client<TcpStream> {
        Client::new(connect(to))
    }

    /// Speaks TLS to who has the certificate of `pair`, and shows that of `own`.
    fn tls(&self, pair: &Pair, own: Option<&Pair>) -> Client<StreamOwned<ClientConnection, TcpStream>> {
        self.tls_after(b"", pair, own)
    }

    fn tls_after(
        &self,
        header: &[u8],
        pair: &Pair,
        own: Option<&Pair>,
    ) -> Client<StreamOwned<ClientConnection, TcpStream>> {
        let mut stream = connect(self.https());
        stream.write_all(header).unwrap();
        Client::new(StreamOwned::new(client(pair, own), stream))
    }
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn client(pair: &Pair, own: Option<&Pair>) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(pair.der()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some(own) => {
            let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            config.with_client_auth_cert(vec![own.der()], key).unwrap()
        }
    };
    ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap()
}

struct Client<S: std::io::Read + std::io::Write>(BufReader<S>);

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl<S: std::io::Read + std::io::Write> Client<S> {
    fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    fn get(&mut self, target: &str) -> Answer {
        self.try_get(target).unwrap()
    }

    fn try_get(&mut self, target: &str) -> std::io::Result<Answer> {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost:7777\r\n\r\n"))
    }

    fn ask(&mut self, request: &str) -> std::io::Result<Answer> {
        self.0.get_mut().write_all(request.as_bytes())?;
        self.0.get_mut().flush()?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let head = head.to_lowercase();
        let status = head["http/1.1 ".len()..][..3].parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let mut body = vec![0; length.trim().parse().unwrap()];
        self.0.read_exact(&mut body)?;
        Ok(Answer { status, head, body })
    }

    /// Waits until the hub closes the connection.
    fn ends(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = self.0.read_to_end(&mut rest);
    }
}

impl Answer {
    fn has(&self, part: &str) -> bool {
        self.body.windows(part.len()).any(|window| window == part.as_bytes())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Waits until `condition` holds.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    wait::until(what, PATIENCE, || condition().then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_hub_answers_is_answered_over_tls_on_one_connection() {
    let pair = Pair::new();
    let lab = Lab::start(&pair, |_, _| ()).await;
    let mut client = lab.tls(&pair, None);
    assert!(client.get(&announce(1001)).has("10:incompletei1e"));
    // The same swarm as without TLS.
    assert!(lab.plain(lab.http()).get(&announce(1002)).has("10:incompletei2e"));
    assert!(client.get(&format!("/scrape?{HASH}")).has("10:incompletei2e"));
    assert!(client.get(&format!("/scrape?{HASH}&format=json")).has(r#""incomplete":2"#));
    let api = client.get("/api/v1/torrents");
    assert_eq!((api.status, api.header("content-type")), (200, Some("application/json")));
    let page = client.get("/");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("strict-transport-security"), None);
    let keyless = client.get("/stats");
    assert_eq!(keyless.status, 200);
    // Links lead where the page came from.
    let body = r#"{"info_hash":"0101010101010101010101010101010101010101","name":"x"}"#;
    let added = format!(
        "POST /api/v1/torrents HTTP/1.1\r\nHost: localhost:7777\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let added = client.ask(&added).unwrap();
    assert!(
        added.has("https%3A%2F%2Flocalhost%3A7777%2Fannounce"),
        "{}",
        String::from_utf8_lossy(&added.body)
    );
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_speaks_both() {
    let pair = Pair::new();
    let lab = Lab::start(&pair, |config, _| {
        config.tls.listen = config.listen.clone();
        config.tls.redirect = true;
    })
    .await;
    assert_eq!(lab.http(), lab.https());
    assert!(lab.tls(&pair, None).get(&announce(1001)).has("10:incompletei1e"));
    let mut plain = lab.plain(lab.http());
    assert!(plain.get(&announce(1002)).has("10:incompletei2e"));
    assert_eq!(plain.get("/").header("location"), Some("https://localhost:7777/"));
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_the_api_are_sent_to_https_and_announces_never() {
    let pair = Pair::new();
    let lab = Lab::start(&pair, |config, _| {
        config.tls.redirect = true;
        config.tls.hsts_secs = 600;
    })
    .await;
    let port = lab.https().port();
    let mut plain = lab.plain(lab.http());
    for target in ["/", "/api/v1/torrents?query=x", "/health", "/t/none.torrent", "/nowhere"] {
        let answer = plain.get(target);
        assert_eq!(answer.status, 308, "{target}");
        assert_eq!(answer.header("location"), Some(&*format!("https://localhost:{port}{target}")));
        assert_eq!(answer.header("strict-transport-security"), None, "it means nothing without TLS");
    }
    let post = "POST /shutdown HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(plain.ask(post).unwrap().header("location"), Some(&*format!("https://[::1]:{port}/shutdown")));
    for (target, part) in [
        (announce(1001), "8:interval"),
        (format!("/?{HASH}&peer_id=-TT0001-abcdefghijkl&port=1&left=5"), "8:interval"),
        (format!("/scrape?{HASH}"), "5:files"),
        (format!("/scrape?{HASH}&format=json"), "files"),
        ("/announce".to_owned(), "14:failure reason"),
    ] {
        let answer = plain.get(&target);
        assert!(answer.status == 200 && answer.has(part), "{target}: {answer:?}");
    }
    let mut tls = lab.tls(&pair, None);
    assert_eq!(tls.get("/").header("strict-transport-security"), Some("max-age=600"));
    assert_eq!(tls.get("/nowhere").header("strict-transport-security"), Some("max-age=600"));
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_took_tls_off_is_not_sent_in_a_circle() {
    let pair = Pair::new();
    let lab = Lab::start(&pair, |config, _| {
        config.tls.redirect = true;
        config.tls.hsts_secs = 600;
        config.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let mut proxy = lab.plain(lab.http());
    let mut ask = |proto: &str| {
        let head = "Host: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto";
        proxy.ask(&format!("GET / HTTP/1.1\r\n{head}: {proto}\r\n\r\n")).unwrap()
    };
    let answer = ask("https");
    assert_eq!((answer.status, answer.header("strict-transport-security")), (200, Some("max-age=600")));
    assert_eq!(ask("http").status, 308);
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_at_a_port_of_tls_is_told_so() {
    let pair = Pair::new();
    let lab = Lab::start(&pair, |_, _| ()).await;
    let answer = lab.plain(lab.https()).get("/");
    assert_eq!(answer.status, 400);
    assert!(answer.has("this port speaks HTTPS: use https:// with it"), "{answer:?}");
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_certificate_does_what_the_token_does() {
    let (pair, authority, stranger) = (Pair::new(), Authority::new(), Authority::new());
    let lab = Lab::start(&pair, |config, dir| {
        let path = dir.join("clients.pem");
        fs::write(&path, &authority.certificate).unwrap();
        config.tls.client_ca = Some(path);
    })
    .await;
    let own = authority.client();
    assert_eq!(lab.tls(&pair, Some(&own)).get("/metrics").status, 200);
    assert_eq!(lab.tls(&pair, None).get("/metrics").status, 401);
    assert_eq!(lab.tls(&pair, None).get("/api/v1/torrents").status, 200, "a certificate is optional");
    // Who shows a wrong token relies on it.
    let wrong = "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n\r\n";
    assert_eq!(lab.tls(&pair, Some(&own)).ask(wrong).unwrap().status, 403);
    let foreign = stranger.client();
    assert!(lab.tls(&pair, Some(&foreign)).try_get("/").is_err(), "nobody vouches for it");
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_a_proxy_counts_for_nobody_behind_it() {
    let (pair, authority) = (Pair::new(), Authority::new());
    let lab = Lab::start(&pair, |config, dir| {
        let path = dir.join("clients.pem");
        fs::write(&path, &authority.certificate).unwrap();
        config.tls.client_ca = Some(path);
        config.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let behind = "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
    assert_eq!(lab.tls(&pair, Some(&authority.client())).ask(behind).unwrap().status, 401);
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_changes_is_shown_to_who_comes_next_and_nobody_is_dropped() {
    let (first, second, third) = (Pair::new(), Pair::new(), Pair::new());
    let lab = Lab::start(&first, |_, _| ()).await;
    let mut early = lab.tls(&first, None);
    assert_eq!(early.get("/health").status, 200);
    let before = lab.hub.fingerprint();
    second.write(lab.dir.path());
    until("the new certificate to be noticed", || lab.hub.fingerprint() != before);
    assert_eq!(lab.tls(&second, None).get("/health").status, 200);
    assert!(lab.tls(&first, None).try_get("/health").is_err());
    // And when asked to.
    third.write(lab.dir.path());
    lab.hub.reload().await;
    assert_eq!(lab.tls(&third, None).get("/health").status, 200);
    assert_eq!(early.get("/health").status, 200, "the connection from before");
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_pair_keeps_the_old_one() {
    let (first, second) = (Pair::new(), Pair::new());
    let lab = Lab::start(&first, |_, _| ()).await;
    let dir = lab.dir.path();
    let before = lab.hub.fingerprint();
    fs::write(dir.join("key.pem"), &second.key).unwrap();
    lab.hub.reload().await;
    fs::write(dir.join("certificate.pem"), "nothing").unwrap();
    lab.hub.reload().await;
    fs::remove_file(dir.join("certificate.pem")).unwrap();
    lab.hub.reload().await;
    assert_eq!(lab.hub.fingerprint(), before);
    assert_eq!(lab.tls(&first, None).get("/health").status, 200);
    second.write(dir);
    lab.hub.reload().await;
    assert_ne!(lab.hub.fingerprint(), before);
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_files_at_the_start_is_told_by_name() {
    let (pair, other) = (Pair::new(), Pair::new());
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let start = async || {
        let mut config = Config { state_dir: path("state"), ..Config::default() };
        config.listen = vec!["127.0.0.1:0".parse().unwrap()];
        config.tls.listen.clone_from(&config.listen);
        (config.tls.certificate, config.tls.key) = (Some(path("certificate.pem")), Some(path("key.pem")));
        let error = Hub::start(config).await.err().unwrap().to_string();
        error.replace(&dir.path().display().to_string(), "DIR")
    };
    assert_eq!(
        start().await,
        "DIR/certificate.pem: it cannot be read: No such file or directory (os error 2)"
    );
    fs::write(path("certificate.pem"), "hello").unwrap();
    assert_eq!(start().await, "DIR/certificate.pem: it holds no certificate in PEM form");
    fs::write(path("certificate.pem"), &pair.certificate).unwrap();
    fs::write(path("key.pem"), &pair.certificate).unwrap();
    assert_eq!(start().await, "DIR/key.pem: it holds no private key in PEM form, or one with a passphrase");
    fs::write(path("key.pem"), &other.key).unwrap();
    assert_eq!(start().await, "DIR/key.pem: it is not the key of the certificate DIR/certificate.pem");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_shake_hands_is_closed() {
    let pair = Pair::new();
    let lab = Lab::start(&pair, |config, _| config.http.head_timeout_secs = 1).await;
    // Nothing; the beginning of a record; and a whole record that is none.
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00", b"\x16\x03\x01\x00\x01\x00"] {
        let mut silent = lab.plain(lab.https());
        silent.0.get_mut().write_all(begun).unwrap();
        silent.ends();
    }
    assert_eq!(lab.tls(&pair, None).get("/health").status, 200);
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_are_bounded() {
    let pair = Pair::new();
    let lab = Lab::start(&pair, |config, _| config.tls.handshakes_max = 1).await;
    let mut stuck = Vec::new();
    until("the bound", || {
        // It may itself come too late, as nobody says who is first.
        let mut silent = lab.plain(lab.https());
        silent.0.get_mut().write_all(b"\x16\x03\x01\x02\x00").unwrap();
        stuck.push(silent);
        lab.tls(&pair, None).try_get("/health").is_err()
    });
    drop(stuck);
    until("room for a handshake", || lab.tls(&pair, None).try_get("/health").is_ok());
    lab.hub.shutdown().await.unwrap();
}

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.77 127.0.0.1 4000 443\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_says_who_is_behind_it() {
    let pair = Pair::new();
    let lab = Lab::start(&pair, |config, _| {
        config.http.proxy_protocol_from = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let is_seen = |answer: &Answer| answer.body.windows(4).any(|window| window == [192, 0, 2, 77]);
    let mut plain = lab.plain(lab.http());
    plain.0.get_mut().write_all(HEADER).unwrap();
    assert!(is_seen(&plain.get(&announce(1001))));
    assert!(is_seen(&plain.get(&announce(1001))), "it stands once, before the first request");
    assert_eq!(plain.get("/health").status, 200, "and goes over with the connection");

    let mut tls = lab.tls_after(HEADER, &pair, None);
    assert!(is_seen(&tls.get(&announce(1001))));
    let v2 =
        [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &[192, 0, 2, 77, 127, 0, 0, 1, 4, 0, 1, 187]].concat();
    assert!(is_seen(&lab.tls_after(&v2, &pair, None).get(&announce(1001))));

    // Without a header nothing is answered, and least of all the request.
    let answer = lab.plain(lab.http()).get(&announce(1002));
    assert!(answer.status == 400 && answer.has("PROXY header `GET /announce"), "{answer:?}");
    assert!(lab.tls(&pair, None).try_get("/health").is_err());
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn from_others_no_header_is_believed() {
    let pair = Pair::new();
    let lab = Lab::start(&pair, |config, _| {
        config.http.proxy_protocol_from = vec!["192.0.2.0/24".parse().unwrap()];
    })
    .await;
    let mut plain = lab.plain(lab.http());
    plain.0.get_mut().write_all(HEADER).unwrap();
    let answer = plain.get(&announce(1001));
    assert!(answer.status == 505 && !answer.has("interval"), "no request ends like a header: {answer:?}");
    assert!(lab.tls_after(HEADER, &pair, None).try_get("/health").is_err());
    assert!(lab.plain(lab.http()).get(&announce(1001)).has("interval"));
    lab.hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_tls_count_among_all() {
    let pair = Pair::new();
    let lab = Lab::start(&pair, |config, _| config.http.connections_max = 1).await;
    let mut first = lab.tls(&pair, None);
    assert_eq!(first.get("/health").status, 200);
    assert_eq!(lab.plain(lab.http()).get("/health").status, 503);
    drop(first);
    until("its place", || lab.tls(&pair, None).try_get("/health").is_ok());
    lab.hub.shutdown().await.unwrap();
}
