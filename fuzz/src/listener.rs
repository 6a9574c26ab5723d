//! What the hub's HTTP listener does with the bytes of strangers.

use std::iter;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hub::Config;
use hub::listener::http::connection::{Connection, OUTPUT_BYTES_MAX, Service, Then};
use hub::listener::http::forwarded::client_ip;
use hub::tracker::{Events, Tracker};
use swarm::InfoHash;
use wire::proxy::{Header, V2_BYTES_MAX, decode};

/// Longest answer to one request, in bytes: the most peers as dictionaries, with ids.
const ANSWER_BYTES_MAX: usize = 32 << 10;

/// Bytes given to a connection at a time.
const READ_BYTES_MAX: usize = 16 << 10;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

struct Deaf;

impl Events for Deaf {
    fn completed(&self, _: InfoHash, _: u32) {}
}

/// However a connection's bytes are cut, it comes to the same end, within bounds: the first byte says how to cut.
///
/// # Panics
/// Where that does not hold.
pub fn http_head(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else { return };
    let mut config = Config::default();
    config.tracker.memory_max = 1 << 20;
    let tracker = Arc::new(Tracker::new(&config.tracker, Box::new(Deaf)));
    let mut service = Service::new(&config, &tracker);
    let whole = converse(&mut service, data.chunks(READ_BYTES_MAX), &config);
    let parts = converse(&mut service, data.chunks(usize::from(cut) + 1), &config);
    match whole {
        Then::Refuse => assert_ne!(parts, Then::HandOver),
        Then::Close => assert!(matches!(parts, Then::Close | Then::Refuse)),
        Then::Read | Then::HandOver => assert_eq!(parts, whole),
        Then::GoOn => panic!("a connection that goes on has not ended"),
    }
    let endless = vec![b'x'; config.http.head_bytes_max];
    assert_ne!(converse(&mut service, [data, &endless].into_iter(), &config), Then::Read);
}

fn converse<'a>(service: &mut Service, reads: impl Iterator<Item = &'a [u8]>, config: &Config) -> Then {
    let mut connection = Connection::default();
    let mut out = Vec::new();
    for read in reads {
        let mut then = connection.receive(read, PEER, service, &mut out);
        loop {
            assert!(out.is_empty() || out.starts_with(b"HTTP/1.1 "));
            assert!(out.len() < OUTPUT_BYTES_MAX + ANSWER_BYTES_MAX);
            out.clear();
            if then != Then::GoOn {
                break;
            }
            then = connection.receive(&[], PEER, service, &mut out);
        }
        if then != Then::Read {
            return then;
        }
    }
    let input = connection.take_input();
    assert!(input.len() < config.http.head_bytes_max + READ_BYTES_MAX);
    Then::Read
}

/// Whatever a client writes before a proxy appends to it, it does not pass for another: what comes out is the address
/// that the proxy appended, or a fault.
///
/// # Panics
/// Where that does not hold.
pub fn forwarded(data: &[u8]) {
    const CLIENT: &str = "198.51.100.7";
    let proxy = IpAddr::from([10, 0, 0, 1]);
    let trusts = |ip| ip == proxy;
    let client: IpAddr = CLIENT.parse().expect("an address");
    let append = |text: String| [data, text.as_bytes()].concat();
    for value in [append(format!(", for={CLIENT}")), append(format!(",for=\"{CLIENT}:80\";proto=http"))] {
        if let Ok(ip) = client_ip(proxy, &trusts, iter::once(&value[..]), iter::empty()) {
            assert_eq!(ip, client);
        }
    }
    let value = append(format!(", {CLIENT}"));
    if let Ok(ip) = client_ip(proxy, &trusts, iter::empty(), iter::once(&value[..])) {
        assert_eq!(ip, client);
    }
    let own = format!("for={CLIENT}");
    if let Ok(ip) =
        client_ip(proxy, &trusts, [data, own.as_bytes()].into_iter(), iter::once(CLIENT.as_bytes()))
    {
        assert_eq!(ip, client);
    }
}

/// However few bytes of a load balancer's header are there, nothing is said that more of them take back, and a whole
/// header is within its bound.
///
/// # Panics
/// Where that does not hold.
pub fn proxy_header(data: &[u8]) {
    let end = decode(data);
    if let Ok(Header::Whole { bytes, .. }) = end {
        assert!(bytes <= data.len() && bytes <= V2_BYTES_MAX);
    }
    for at in 0..data.len() {
        match decode(&data[..at]) {
            Ok(Header::Beginning) => {}
            Ok(header) => assert_eq!(end, Ok(header)),
            Err(_) => assert!(end.is_err()),
        }
    }
}
