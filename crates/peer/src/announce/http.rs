//! Announcing over HTTP, with or without TLS (BEP 3, 7, 23, 31).

#[cfg(test)]
mod tests;
mod turns;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use swarm::Endpoint;
use wire::Announce;
use wire::http::{AnnounceReply, REPLY_BYTES_MAX, RetryIn, decode_announce_reply, encode_announce_query};

use super::schedule::{Answer, Miss};
use super::target::{Family, Target};
use super::{SetUpError, resolve, words};
use crate::percent::percent;
use crate::trust::Trust;
use turns::Turns;

/// How long a tracker has for its whole answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may take to come about, within the time for the answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// How long a connection is kept for the next torrent's announce.
const IDLE_TIME_MAX: Duration = Duration::from_secs(15);

/// The HTTP trackers of all torrents.
#[derive(Debug)]
pub(super) struct Http {
    others: Clients,
    /// For the hub whose certificate is known in another way than by the system's authorities.
    trusted: Option<(Trust, Clients)>,
    turns: Turns,
}

/// Those of either family.
#[derive(Debug)]
struct Clients {
    v4: Client,
    v6: Client,
}

impl Http {
    pub(super) fn new(timeout: Duration, trust: Option<Trust>) -> Result<Self, SetUpError> {
        // Fails only if a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusted = trust.map(|trust| Clients::new(timeout, Some(&trust)).map(|clients| (trust, clients)));
        Ok(Self {
            others: Clients::new(timeout, None)?,
            trusted: trusted.transpose()?,
            turns: Turns::default(),
        })
    }
    /// Announces to `target` over `family`, and returns what it said and whom it named.
    pub(super) async fn announce(
        &self,
        target: &Target,
        family: Family,
        announce: &Announce<'_>,
        tracker_id: Option<&[u8]>,
    ) -> Result<(Answer, Vec<Endpoint>), Miss> {
        resolve::addresses(target, family).await?;
        let clients = match &self.trusted {
            Some((trust, clients)) if trust.covers(&target.url) => clients,
            _ => &self.others,
        };
        let client = match family {
            Family::V4 => &clients.v4,
            Family::V6 => &clients.v6,
        };
        let _turn = self.turns.take(target).await;
        let url = with_query(&target.url, announce, tracker_id);
        let failed = |error: reqwest::Error| Miss::Failed(words::cause(&error));
        let mut response = client.get(url).send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > REPLY_BYTES_MAX {
                return Err(Miss::Failed(format!("its answer is longer than {REPLY_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        understood(&response, &body)
    }
}

impl Clients {
    fn new(timeout: Duration, trust: Option<&Trust>) -> Result<Self, SetUpError> {
        let client = |local: IpAddr| {
            let builder = Client::builder()
                .user_agent(concat!("skep/", env!("CARGO_PKG_VERSION")))
                // A socket of one family reaches addresses of that family only.
                .local_address(local)
                // A tracker takes our address from the connection: a proxy's would be listed.
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(timeout)
                .redirect(redirect::Policy::limited(REDIRECTS_MAX))
                .pool_idle_timeout(IDLE_TIME_MAX)
                .pool_max_idle_per_host(2);
            let builder = match trust {
                Some(trust) => builder.tls_backend_preconfigured(trust.tls()),
                None => builder,
            };
            builder.build().map_err(|error| SetUpError(words::cause(&error)))
        };
        Ok(Self { v4: client(Ipv4Addr::UNSPECIFIED.into())?, v6: client(Ipv6Addr::UNSPECIFIED.into())? })
    }
}

fn with_query(url: &Url, announce: &Announce<'_>, tracker_id: Option<&[u8]>) -> Url {
    let mut query = url.query().map_or_else(String::new, |given| format!("{given}&"));
    encode_announce_query(announce, &mut query);
    if let Some(id) = tracker_id {
        query.push_str("&trackerid=");
        percent(id, &mut query);
    }
    let mut url = url.clone();
    url.set_query(Some(&query));
    url
}

/// What a response says. A status of an error may come with a tracker's own words, which count more.
fn understood(response: &Response, body: &[u8]) -> Result<(Answer, Vec<Endpoint>), Miss> {
    match (response.status(), decode_announce_reply(body)) {
        (_, Ok(AnnounceReply::Failure(failure))) => Err(Miss::Refused {
            reason: words::plain(&failure.reason),
            retry_in: failure.retry_in.or_else(|| retry_after(response)),
        }),
        (_, Ok(AnnounceReply::Answer(answer))) => {
            let peers = answer.peers.into_iter().map(|(peer, _)| peer).collect();
            let answer = Answer {
                interval: answer.interval,
                min_interval: answer.min_interval,
                seeders: answer.complete,
                leechers: answer.incomplete,
                warning: answer.warning.as_deref().map(words::plain),
                tracker_id: answer.tracker_id,
            };
            Ok((answer, peers))
        }
        (StatusCode::OK, Err(fault)) => {
            Err(Miss::Failed(format!("its answer is not a tracker's: {}", words::plain(fault.reason()))))
        }
        (status, Err(_)) => {
            Err(Miss::Refused { reason: format!("HTTP status {status}"), retry_in: retry_after(response) })
        }
    }
}

/// `Retry-After` in seconds, rounded up to BEP 31's minutes.
fn retry_after(response: &Response) -> Option<RetryIn> {
    let secs: u32 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(RetryIn::Minutes(secs.div_ceil(60)))
}
