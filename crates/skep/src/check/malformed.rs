//! What no client should send, and whether the tracker still answers afterwards.

use swarm::{Event, InfoHash, PeerId};
use wire::http::{AnnounceReply, Shape, decode_announce_reply};
use wire::udp::{
    ConnectionId, ReplyBody, SCRAPE_HASHES_MAX, decode_reply, encode_announce_request,
    encode_connect_request, encode_scrape_request,
};

use super::conversation::{Cast, Peer};
use super::line::{Line, Miss};
use super::report::{Check, Outcome};
use super::{http, udp};

/// Bytes of a query that nobody needs. A URL of more than 64 KiB could not even be sent.
const LONG_QUERY_BYTES: usize = 32 * 1024;

/// Whether something holds, and what was seen.
type Verdict = (Outcome, String);

/// What is thrown at a tracker, by whom, and about which torrent.
struct Thrower<'a> {
    hash: InfoHash,
    peer: &'a Peer,
    /// The words in which the tracker refuses even what is right: they say nothing about what is wrong.
    refusal: Option<&'a str>,
}

/// Sends all that the protocol of `line` has of it, about the torrent that the conversation was about. `refusal` is how
/// the tracker refused that, if it did.
pub(super) async fn all(line: &mut Line, cast: &Cast, refusal: Option<&str>) -> Vec<Check> {
    let thrower = Thrower { hash: cast.hash, peer: &cast.leecher, refusal };
    let mut checks = match line {
        Line::Udp(line) => thrower.over_udp(line).await,
        Line::Http(line) => thrower.over_http(line).await,
    };
    checks.push(thrower.still_answered(line).await);
    checks
}

impl Thrower<'_> {
    async fn still_answered(&self, line: &mut Line) -> Check {
        let right = self.peer.announce(self.hash, Event::Started, 0);
        let answered = line.announce(&right, Shape::Compact).await;
        if answered.is_ok() {
            // Whether the goodbye is heard changes nothing here.
            let _ = line.announce(&self.peer.announce(self.hash, Event::Stopped, 0), Shape::Compact).await;
        }
        let (outcome, detail) = match answered {
            Ok(_) => (Outcome::Pass, "a right announce is answered".to_owned()),
            Err(Miss::Refused(reason)) if self.refusal == Some(&reason) => {
                (Outcome::Pass, "refused as before".to_owned())
            }
            Err(miss) => (Outcome::Fail, miss.to_string()),
        };
        Check::new("still answers after all that", None, outcome, detail)
    }

    fn refused(&self, reason: &str) -> Verdict {
        if self.refusal == Some(reason) {
            (Outcome::Skip, "refused like everything else".to_owned())
        } else {
            (Outcome::Pass, format!("refused: {reason}"))
        }
    }

    /// Announces with something wrong in each, and how bad it is to take it for right.
    async fn over_http(&self, line: &http::Line) -> Vec<Check> {
        let PeerId(id) = self.peer.id;
        let (hash, short_hash) = (escaped(&self.hash.0), escaped(&self.hash.0[..19]));
        let (id, short_id) = (escaped(&id), escaped(&id[..19]));
        let port = self.peer.port;
        let rest = "uploaded=0&downloaded=0&numwant=0&compact=1";
        let (fail, warn) = (Outcome::Fail, Outcome::Warn);
        let probes = [
            (
                "refuses an info hash of 19 bytes",
                fail,
                format!("info_hash={short_hash}&peer_id={id}&port={port}&left=1&{rest}"),
            ),
            (
                "refuses an announce without an info hash",
                fail,
                format!("peer_id={id}&port={port}&left=1&{rest}"),
            ),
            (
                "refuses an announce without a port",
                fail,
                format!("info_hash={hash}&peer_id={id}&left=1&{rest}"),
            ),
            ("refuses port 65536", fail, format!("info_hash={hash}&peer_id={id}&port=65536&left=1&{rest}")),
            ("refuses port 0", warn, format!("info_hash={hash}&peer_id={id}&port=0&left=1&{rest}")),
            (
                "refuses a peer id of 19 bytes",
                warn,
                format!("info_hash={hash}&peer_id={short_id}&port={port}&left=1&{rest}"),
            ),
            (
                "refuses a number that is none",
                warn,
                format!("info_hash={hash}&peer_id={id}&port={port}&left=many&{rest}"),
            ),
        ];
        let mut checks = Vec::new();
        for (name, if_taken, query) in probes {
            let (outcome, detail) = match line.announce_query(&query).await {
                Ok(response) => self.response(&response, if_taken),
                Err(miss) => (warn, miss.to_string()),
            };
            if outcome == if_taken {
                // Whoever may be listed now leaves as it came.
                let _ = line.announce_query(&format!("{query}&event=stopped")).await;
            }
            checks.push(Check::new(name, Some(3), outcome, detail));
        }

        let nothing = "x".repeat(LONG_QUERY_BYTES);
        let long = format!("info_hash={hash}&peer_id={id}&port={port}&left=1&{rest}&x={nothing}");
        let (outcome, detail) = match line.announce_query(&long).await {
            // Which status says so does not matter.
            Ok(http::Response { status: status @ 400.., .. }) => {
                (Outcome::Pass, format!("HTTP status {status}"))
            }
            Ok(response) => self.response(&response, warn),
            Err(miss) => (Outcome::Pass, miss.to_string()),
        };
        if outcome == warn {
            let _ = line.announce_query(&format!("{long}&event=stopped")).await;
        }
        checks.push(Check::new("bounds the length of a query", None, outcome, detail));
        checks
    }

    /// Whether a response says no; `if_taken` is how bad it is if it does not.
    fn response(&self, response: &http::Response, if_taken: Outcome) -> Verdict {
        match (response.status, decode_announce_reply(&response.body)) {
            (_, Ok(AnnounceReply::Failure(failure))) => self.refused(&failure.reason),
            (status @ 500.., _) => (Outcome::Fail, format!("HTTP status {status}")),
            (status @ 400.., _) => self.refused(&format!("HTTP status {status}")),
            (_, Ok(AnnounceReply::Answer(_))) => (if_taken, "it is taken for a right announce".to_owned()),
            (status, Err(fault)) => {
                (Outcome::Warn, format!("HTTP status {status} and no tracker's answer: {fault}"))
            }
        }
    }

    async fn over_udp(&self, line: &mut udp::Line) -> Vec<Check> {
        let mut checks = self.without_connection(line).await;
        match line.connect().await {
            Ok(connection) => {
                checks.push(self.port_zero(line, connection).await);
                checks.push(self.too_many_hashes(line, connection).await);
            }
            Err(miss) => checks.push(Check::new("refuses port 0", Some(15), Outcome::Skip, miss.to_string())),
        }
        checks
    }

    /// Datagrams from somebody who has no connection id: error or silence, and no more bytes than came.
    async fn without_connection(&self, line: &udp::Line) -> Vec<Check> {
        let (names, datagrams): (Vec<_>, Vec<_>) = self.strange_datagrams().into_iter().unzip();
        let answers = match udp::throw(line.address, line.options.silence, &datagrams).await {
            Ok(answers) => answers,
            Err(error) => {
                let skip = |name| Check::new(name, Some(15), Outcome::Skip, error.to_string());
                return names.into_iter().map(skip).collect();
            }
        };
        let mut checks = Vec::new();
        let mut amplified = Vec::new();
        for ((name, datagram), answer) in names.into_iter().zip(&datagrams).zip(&answers) {
            let (outcome, detail) = match answer.as_deref().map(|answer| decode_reply(answer, line.families))
            {
                None => (Outcome::Pass, "silence".to_owned()),
                Some(Ok(reply)) => match reply.body {
                    ReplyBody::Error(reason) => self.refused(&reason),
                    _ => (Outcome::Fail, "it is taken for right".to_owned()),
                },
                Some(Err(fault)) => (Outcome::Warn, fault.to_string()),
            };
            checks.push(Check::new(name, Some(15), outcome, detail));
            let (sent, came) = (datagram.len(), answer.as_ref().map_or(0, Vec::len));
            if came > sent {
                amplified.push(format!("{came} bytes for {sent} ({name})"));
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

    fn strange_datagrams(&self) -> Vec<(&'static str, Vec<u8>)> {
        let announce = self.peer.announce(self.hash, Event::Started, 1);
        let connection = ConnectionId(rand::random());
        let mut forged = Vec::new();
        encode_announce_request(rand::random(), connection, &announce, b"", &mut forged);
        let cut = forged[..40].to_vec();
        let mut unknown = forged.clone();
        unknown[8..12].copy_from_slice(&9_u32.to_be_bytes());
        let mut scrape = Vec::new();
        encode_scrape_request(rand::random(), connection, [self.hash], &mut scrape);
        let mut connect = Vec::new();
        encode_connect_request(rand::random(), &mut connect);
        let short = connect[..8].to_vec();
        connect[0] ^= 0xff;
        vec![
            ("refuses a connection id it did not give", forged),
            ("refuses a scrape without a connection", scrape),
            ("refuses an announce cut short", cut),
            ("refuses a datagram of 8 bytes", short),
            ("refuses another protocol's id", connect),
            ("refuses an unknown action", unknown),
        ]
    }

    async fn port_zero(&self, line: &udp::Line, connection: ConnectionId) -> Check {
        let nowhere = Peer { port: 0, ..*self.peer };
        let request = |event| {
            let transaction = rand::random();
            let mut request = Vec::new();
            let announce = nowhere.announce(self.hash, event, 1);
            encode_announce_request(transaction, connection, &announce, b"", &mut request);
            (request, transaction)
        };
        let (outcome, detail) = match said(line, request(Event::Started)).await {
            Said::Nothing => (Outcome::Pass, "silence".to_owned()),
            Said::No(reason) => self.refused(&reason),
            Said::Counts(_) | Said::Other => {
                // Whoever may be listed now leaves as it came.
                said(line, request(Event::Stopped)).await;
                (Outcome::Warn, "it is taken for a right announce".to_owned())
            }
        };
        Check::new("refuses port 0", Some(15), outcome, detail)
    }

    async fn too_many_hashes(&self, line: &udp::Line, connection: ConnectionId) -> Check {
        let transaction = rand::random();
        let mut request = Vec::new();
        let hashes = std::iter::repeat_n(self.hash, SCRAPE_HASHES_MAX);
        encode_scrape_request(transaction, connection, hashes, &mut request);
        request.extend_from_slice(&self.hash.0);
        let (outcome, detail) = match said(line, (request, transaction)).await {
            Said::Nothing => (Outcome::Pass, "silence".to_owned()),
            Said::No(reason) => self.refused(&reason),
            Said::Counts(n @ ..=SCRAPE_HASHES_MAX) => (Outcome::Pass, format!("{n} are answered")),
            Said::Counts(n) => (Outcome::Warn, format!("{n} are answered, where about 74 are allowed")),
            Said::Other => (Outcome::Warn, "it is answered with another action".to_owned()),
        };
        Check::new("bounds a scrape of 75", Some(15), outcome, detail)
    }
}

/// What came back to somebody who has a connection id.
enum Said {
    Nothing,
    No(String),
    Counts(usize),
    Other,
}

async fn said(line: &udp::Line, (request, transaction): (Vec<u8>, u32)) -> Said {
    let Some(answer) = line.throw(&request, transaction).await else { return Said::Nothing };
    match decode_reply(&answer, line.families).map(|reply| reply.body) {
        Ok(ReplyBody::Error(reason)) => Said::No(reason.into_owned()),
        Ok(ReplyBody::Scrape(counts)) => Said::Counts(counts.len()),
        Ok(_) | Err(_) => Said::Other,
    }
}

/// Every byte as an escape, which any tracker must understand.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}
