//! What no client should send, and whether the tracker still answers afterwards.

use rand::RngExt as _;
use swarm::{Event, InfoHash};
use wire::http::{AnnounceReply, Shape, decode_announce_reply};
use wire::udp::{
    ConnectionId, ReplyBody, decode_reply, encode_announce_request, encode_connect_request,
    encode_scrape_request,
};

use super::conversation::Peer;
use super::line::{Line, Miss};
use super::report::{Check, Outcome};
use super::{http, udp};

/// Bytes of a query that nobody needs.
const LONG_QUERY_BYTES: usize = 64 * 1024;

/// Sends all that the protocol of `line` has of it.
pub(super) async fn all(line: &mut Line) -> Vec<Check> {
    let stranger = Peer::random(rand::rng().random_range(10_000..20_000));
    let mut checks = match line {
        Line::Udp(line) => over_udp(line, &stranger).await,
        Line::Http(line) => over_http(line, &stranger).await,
    };
    checks.push(still_answers(line, &stranger).await);
    checks
}

async fn still_answers(line: &mut Line, stranger: &Peer) -> Check {
    const NAME: &str = "still answers after all that";
    let hash = InfoHash(rand::random());
    match line.announce(&stranger.announce(hash, Event::Started, 0), Shape::Compact).await {
        Ok(_) => {
            // Whether the goodbye is heard changes nothing here.
            let _ = line.announce(&stranger.announce(hash, Event::Stopped, 0), Shape::Compact).await;
            Check::new(NAME, None, Outcome::Pass, "a right announce is answered")
        }
        Err(miss @ Miss::Refused(_)) => Check::new(NAME, None, Outcome::Pass, miss.to_string()),
        Err(miss) => Check::new(NAME, None, Outcome::Fail, miss.to_string()),
    }
}

/// Announces with something wrong in each, and how bad it is to take it for right.
async fn over_http(line: &http::Line, stranger: &Peer) -> Vec<Check> {
    let id = stranger.id.to_string();
    let port = stranger.port;
    let hash = "SkepCheckSkepCheck..";
    let rest = "&uploaded=0&downloaded=0&numwant=0&event=started&compact=1";
    let whole = |hash: &str, id: &str, port: u32, left: &str| {
        format!("info_hash={hash}&peer_id={id}&port={port}&left={left}{rest}")
    };
    let (fail, warn) = (Outcome::Fail, Outcome::Warn);
    let probes = [
        ("refuses an info hash of 19 bytes", fail, whole(&hash[..19], &id, port.into(), "1")),
        ("refuses an announce without an info hash", fail, format!("peer_id={id}&port={port}&left=1{rest}")),
        ("refuses an announce without a port", fail, format!("info_hash={hash}&peer_id={id}&left=1{rest}")),
        ("refuses port 65536", fail, whole(hash, &id, 65_536, "1")),
        ("refuses port 0", warn, whole(hash, &id, 0, "1")),
        ("refuses a peer id of 19 bytes", warn, whole(hash, &id[..19], port.into(), "1")),
        ("refuses a number that is none", warn, whole(hash, &id, port.into(), "many")),
    ];
    let mut checks = Vec::new();
    for (name, if_taken, query) in probes {
        let (outcome, detail) = match line.announce_query(&query).await {
            Ok(response) => refusal(&response, if_taken),
            Err(miss) => (warn, miss.to_string()),
        };
        checks.push(Check::new(name, Some(3), outcome, detail));
    }

    let long = format!("{}&x={}", whole(hash, &id, port.into(), "1"), "x".repeat(LONG_QUERY_BYTES));
    let (outcome, detail) = match line.announce_query(&long).await {
        Ok(response) => refusal(&response, warn),
        Err(miss) => (Outcome::Pass, miss.to_string()),
    };
    checks.push(Check::new("bounds the length of a query", None, outcome, detail));
    checks
}

/// Whether a response says no; `if_taken` is what it is if it does not.
fn refusal(response: &http::Response, if_taken: Outcome) -> (Outcome, String) {
    match decode_announce_reply(&response.body) {
        Ok(AnnounceReply::Failure(failure)) => (Outcome::Pass, format!("refused: {}", failure.reason)),
        _ if response.status >= 500 => (Outcome::Fail, format!("HTTP status {}", response.status)),
        _ if response.status >= 400 => (Outcome::Pass, format!("refused: HTTP status {}", response.status)),
        Ok(AnnounceReply::Answer(_)) => (if_taken, "it is taken for a right announce".into()),
        Err(fault) => {
            (Outcome::Warn, format!("HTTP status {} and no tracker's answer: {fault}", response.status))
        }
    }
}

/// Something that a stranger throws at a tracker.
struct Thrown {
    name: &'static str,
    bep: u16,
    bytes: Vec<u8>,
    /// Whether this answer is wrong.
    wrong: fn(&ReplyBody<'_>) -> bool,
}

async fn over_udp(line: &mut udp::Line, stranger: &Peer) -> Vec<Check> {
    let mut checks = strangers_datagrams(line, stranger).await;
    match line.connect().await {
        Ok(connection) => {
            checks.push(port_zero(line, stranger, connection).await);
            checks.push(too_many_hashes(line, connection).await);
        }
        Err(miss) => checks.push(Check::new("refuses port 0", Some(15), Outcome::Skip, miss.to_string())),
    }
    checks
}

/// Datagrams from somebody who has no connection id: error or silence, and no more bytes than came.
async fn strangers_datagrams(line: &udp::Line, stranger: &Peer) -> Vec<Check> {
    let thrown = thrown(stranger);
    let datagrams: Vec<_> = thrown.iter().map(|thrown| thrown.bytes.clone()).collect();
    let answers = match udp::throw(line.address, line.options.silence, &datagrams).await {
        Ok(answers) => answers,
        Err(error) => {
            let skip = |thrown: &Thrown| Check::new(thrown.name, Some(15), Outcome::Skip, error.to_string());
            return thrown.iter().map(skip).collect();
        }
    };
    let mut checks = Vec::new();
    let mut amplified = Vec::new();
    for (Thrown { name, bep, bytes, wrong }, answer) in thrown.iter().zip(&answers) {
        let (outcome, detail) = match answer.as_deref().map(|answer| decode_reply(answer, line.families)) {
            None => (Outcome::Pass, "silence".to_owned()),
            Some(Ok(reply)) if wrong(&reply.body) => (Outcome::Fail, "it is taken for right".to_owned()),
            Some(Ok(reply)) => match reply.body {
                ReplyBody::Error(reason) => (Outcome::Pass, format!("refused: {reason}")),
                _ => (Outcome::Warn, "it is answered".to_owned()),
            },
            Some(Err(fault)) => (Outcome::Warn, fault.to_string()),
        };
        checks.push(Check::new(name, Some(*bep), outcome, detail));
        if let Some(answer) = answer
            && answer.len() > bytes.len()
        {
            amplified.push(format!("{} bytes for {} ({name})", answer.len(), bytes.len()));
        }
    }
    let (outcome, detail) = if amplified.is_empty() {
        (Outcome::Pass, "no answer is longer than what it answers".to_owned())
    } else {
        (Outcome::Warn, format!("useful for flooding others: {}", amplified.join(", ")))
    };
    checks.push(Check::new("answers strangers briefly", None, outcome, detail));
    checks
}

fn thrown(stranger: &Peer) -> Vec<Thrown> {
    let announce = stranger.announce(InfoHash(rand::random()), Event::Started, 1);
    let connection = ConnectionId(rand::random());
    let mut forged = Vec::new();
    encode_announce_request(rand::random(), connection, &announce, b"", &mut forged);
    let mut cut = forged.clone();
    cut.truncate(40);
    let mut scrape = Vec::new();
    encode_scrape_request(rand::random(), connection, [InfoHash(rand::random())], &mut scrape);
    let mut connect = Vec::new();
    encode_connect_request(rand::random(), &mut connect);
    let short = connect[..8].to_vec();
    connect[0] ^= 0xff;
    let mut unknown = forged.clone();
    unknown[8..12].copy_from_slice(&[0, 0, 0, 9]);

    let anything_but_error: fn(&ReplyBody<'_>) -> bool = |body| !matches!(body, ReplyBody::Error(_));
    let thrown = |name, bytes| Thrown { name, bep: 15, bytes, wrong: anything_but_error };
    vec![
        thrown("refuses a connection id it did not give", forged),
        thrown("refuses a scrape without a connection", scrape),
        thrown("refuses an announce cut short", cut),
        thrown("refuses a datagram of 8 bytes", short),
        thrown("refuses another protocol's id", connect),
        thrown("refuses an unknown action", unknown),
    ]
}

async fn port_zero(line: &udp::Line, stranger: &Peer, connection: ConnectionId) -> Check {
    let stranger = Peer { port: 0, ..*stranger };
    let announce = stranger.announce(InfoHash(rand::random()), Event::Started, 1);
    let transaction = rand::random();
    let mut request = Vec::new();
    encode_announce_request(transaction, connection, &announce, b"", &mut request);
    let (outcome, detail) = match known(line, &request, transaction).await {
        Said::Nothing => (Outcome::Pass, "silence".to_owned()),
        Said::No(reason) => (Outcome::Pass, format!("refused: {reason}")),
        Said::Counts(_) | Said::Other => (Outcome::Warn, "it is taken for a right announce".to_owned()),
    };
    Check::new("refuses port 0", Some(15), outcome, detail)
}

async fn too_many_hashes(line: &udp::Line, connection: ConnectionId) -> Check {
    let transaction = rand::random();
    let mut request = Vec::new();
    let hashes = std::iter::repeat_with(|| InfoHash(rand::random()));
    encode_scrape_request(transaction, connection, hashes.take(wire::udp::SCRAPE_HASHES_MAX), &mut request);
    request.extend_from_slice(&rand::random::<[u8; InfoHash::LEN]>());
    let (outcome, detail) = match known(line, &request, transaction).await {
        Said::Nothing => (Outcome::Pass, "silence".to_owned()),
        Said::No(reason) => (Outcome::Pass, format!("refused: {reason}")),
        Said::Counts(n) if n <= wire::udp::SCRAPE_HASHES_MAX => (Outcome::Pass, format!("{n} are answered")),
        Said::Counts(n) => (Outcome::Warn, format!("{n} are answered, where about 74 are allowed")),
        Said::Other => (Outcome::Warn, "it is answered with another action".to_owned()),
    };
    Check::new("bounds a scrape of 75", Some(15), outcome, detail)
}

/// What came back to somebody who has a connection id.
enum Said {
    Nothing,
    No(String),
    Counts(usize),
    Other,
}

async fn known(line: &udp::Line, request: &[u8], transaction: u32) -> Said {
    let Some(answer) = line.throw(request, transaction).await else { return Said::Nothing };
    match decode_reply(&answer, line.families).map(|reply| reply.body) {
        Ok(ReplyBody::Error(reason)) => Said::No(reason.into_owned()),
        Ok(ReplyBody::Scrape(counts)) => Said::Counts(counts.len()),
        Ok(_) | Err(_) => Said::Other,
    }
}
