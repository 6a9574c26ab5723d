//! The tracker protocols: what one half reads, the other half writes so that it reads the same.

use swarm::{Endpoint, Families, Reply};
use wire::http::{self, AnnounceReply, Answer, ScrapeReply, Shape};
use wire::udp::{self, ReplyBody, Request};
use wire::{Announce, PASSKEY_BYTES_MAX, passkey};

/// How many swarms a scrape may name here.
const HASHES_MAX: usize = 74;

/// A query that is read is written so that it reads the same.
///
/// # Panics
/// Where that does not hold.
pub fn http_announce(data: &[u8]) {
    assert!(passkey(data).is_none_or(|key| !key.is_empty() && key.len() <= PASSKEY_BYTES_MAX));
    let Ok(request) = http::decode_announce(data) else { return };
    // A key is kept as it stood in the query, with its escapes.
    let announce = Announce { key: None, ..request.announce };
    let mut query = String::new();
    http::encode_announce_query_shaped(&announce, request.shape, &mut query);
    let again = http::decode_announce(query.as_bytes()).expect("what was read can be read again");
    assert_eq!((again.announce, again.shape), (announce, request.shape));
}

/// A query that is read is sorted, bounded, and written so that it reads the same.
///
/// # Panics
/// Where that does not hold.
pub fn http_scrape(data: &[u8]) {
    let Ok(request) = http::decode_scrape(data, HASHES_MAX) else { return };
    assert!(request.hashes.len() <= HASHES_MAX && request.hashes.is_sorted_by(|one, next| one < next));
    let mut query = String::new();
    http::encode_scrape_query(request.hashes.iter().copied(), &mut query);
    let again = http::decode_scrape(query.as_bytes(), HASHES_MAX).expect("what was read can be read again");
    assert_eq!(again.hashes, request.hashes);
}

/// The peers and counts of an answer that is read are written so that they read the same.
///
/// # Panics
/// Where that does not hold.
pub fn http_reply(data: &[u8]) {
    if let Ok(AnnounceReply::Answer(answer)) = http::decode_announce_reply(data) {
        assert!(answer.peers.len() * 6 <= data.len());
        let (v4, v6): (Vec<_>, Vec<_>) =
            answer.peers.iter().copied().partition(|(peer, _)| matches!(peer, Endpoint::V4(..)));
        let mut reply = Reply::default();
        for (peer, id) in v4.iter().chain(&v6) {
            reply.push(*peer);
            reply.ids.push(*id);
        }
        let (interval, min_interval) = (answer.interval.unwrap_or(0), answer.min_interval.unwrap_or(0));
        let external_ip = answer.external_ip;
        let written = Answer { reply: &reply, interval, min_interval, external_ip, families: Families::Both };
        for shape in [Shape::Compact, Shape::Dictionaries { ids: true }] {
            let mut body = Vec::new();
            http::encode_announce(&written, shape, &mut body);
            let Ok(AnnounceReply::Answer(again)) = http::decode_announce_reply(&body) else {
                panic!("no answer")
            };
            let with_ids = matches!(shape, Shape::Dictionaries { .. });
            let peers = v4.iter().chain(&v6).map(|(peer, id)| (*peer, id.filter(|_| with_ids)));
            assert!(again.peers.iter().copied().eq(peers));
            assert_eq!((again.interval, again.external_ip), (Some(interval), external_ip));
        }
    }
    if let Ok(ScrapeReply::Answer(answer)) = http::decode_scrape_reply(data) {
        let mut files = answer.files;
        // Of a swarm that came twice, either may be kept.
        files.sort_by_key(|(hash, _)| *hash);
        files.dedup_by_key(|(hash, _)| *hash);
        let mut body = Vec::new();
        http::encode_scrape(files.iter().copied(), &mut body);
        let Ok(ScrapeReply::Answer(again)) = http::decode_scrape_reply(&body) else { panic!("no answer") };
        assert_eq!(again.files, files);
    }
}

/// A request that is read is written so that it reads the same; one that is refused is answered only if it names a
/// transaction.
///
/// # Panics
/// Where that does not hold.
pub fn udp_request(data: &[u8]) {
    let packet = match udp::decode(data) {
        Ok(packet) => packet,
        Err(reject) => {
            assert!(reject.reply_to.is_none() || data.len() >= 16);
            assert!(reject.connection.is_none() || reject.reply_to.is_some());
            return;
        }
    };
    let transaction = u32::from_be_bytes(data[12..16].try_into().expect("four bytes"));
    let mut datagram = Vec::new();
    match &packet.request {
        Request::Connect => udp::encode_connect_request(transaction, &mut datagram),
        Request::Announce { connection, announce } => {
            let path = announce.passkey.map(|key| [b"/announce/", key].concat()).unwrap_or_default();
            udp::encode_announce_request(transaction, *connection, announce, &path, &mut datagram);
        }
        Request::Scrape { connection, hashes } => {
            assert!((1..=udp::SCRAPE_HASHES_MAX).contains(&hashes.len()));
            udp::encode_scrape_request(transaction, *connection, hashes.clone(), &mut datagram);
        }
    }
    assert_eq!(udp::decode(&datagram), Ok(packet));
}

/// An answer that is read holds no more than its bytes do.
///
/// # Panics
/// Where that does not hold.
pub fn udp_reply(data: &[u8]) {
    for families in [Families::V4, Families::V6, Families::Both] {
        let Ok(reply) = udp::decode_reply(data, families) else { continue };
        let stride = if families == Families::V6 { 18 } else { 6 };
        match reply.body {
            ReplyBody::Connect(_) => assert!(data.len() >= 16),
            ReplyBody::Announce { peers, .. } => {
                assert_eq!(peers.len(), (data.len() - 20) / stride);
                assert!(peers.iter().count() <= peers.len());
            }
            ReplyBody::Scrape(counts) => assert_eq!(counts.iter().count(), (data.len() - 8) / 12),
            ReplyBody::Error(reason) => assert!(reason.len() <= data.len() * 3),
        }
    }
    // A tracker may read what another tracker answered, and must not answer it in turn for ever.
    if let Err(reject) = udp::decode(data) {
        let mut error = Vec::new();
        if let Some(reply_to) = reject.reply_to {
            udp::encode_error(reply_to, reject.fault.reason(), &mut error);
            assert!(udp::decode(&error).is_err_and(|reject| reject.reply_to.is_none()));
        }
    }
}
