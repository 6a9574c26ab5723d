//! A tracker over HTTP (BEP 3, BEP 48).

use std::error::Error;
use std::net::{IpAddr, SocketAddr};

use reqwest::{Client, Url};
use swarm::InfoHash;
use wire::Announce;
use wire::bencode::{Rules, Tree};
use wire::http::{
    AnnounceReply, REPLY_BYTES_MAX, ScrapeReply, Shape, decode_announce_reply, decode_scrape_reply,
    encode_announce_query_shaped, encode_scrape_query,
};

use super::line::{Got, Heard, Miss, Scraped};
use super::target::Target;
use super::{CheckError, Options};

pub(super) struct Line {
    client: Client,
    announce: Url,
    scrape: Option<Url>,
}

/// A response, whatever its status.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Line {
    pub(super) fn open(target: &Target, address: SocketAddr, options: &Options) -> Result<Self, CheckError> {
        // Fails only if a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent(concat!("skep/", env!("CARGO_PKG_VERSION")))
            .timeout(options.timeout)
            // A proxy's answers would be taken for the tracker's.
            .no_proxy();
        if target.host.parse::<IpAddr>().is_err() {
            client = client.resolve(&target.host, address);
        }
        if let Some(trust) = &options.trust {
            client = client.tls_backend_preconfigured(trust.tls());
        }
        let client = client
            .build()
            .map_err(|error| CheckError::Local(format!("HTTP cannot be set up: {}", causes(&error))))?;
        Ok(Self { client, announce: target.url.clone(), scrape: target.scrape_url() })
    }

    pub(super) async fn announce(&self, announce: &Announce<'_>, shape: Shape) -> Got<Heard> {
        let mut query = String::new();
        encode_announce_query_shaped(announce, shape, &mut query);
        let response = self.announce_query(&query).await?;
        match understood(&response, decode_announce_reply(&response.body))? {
            AnnounceReply::Answer(answer) => Ok(Heard {
                interval: answer.interval,
                min_interval: answer.min_interval,
                complete: answer.complete,
                incomplete: answer.incomplete,
                peers: answer.peers.iter().map(|(peer, _)| *peer).collect(),
                shape: answer.shape,
                disorder: Tree::parse(&response.body, &Rules::STRICT).err().map(|fault| fault.to_string()),
            }),
            AnnounceReply::Failure(failure) => Err(Miss::Refused(failure.reason)),
        }
    }

    pub(super) async fn scrape(&self, hashes: &[InfoHash]) -> Got<Scraped> {
        let Some(url) = &self.scrape else {
            return Err(Miss::Impossible("the announce URL's last part does not begin with `announce`"));
        };
        let mut query = String::new();
        encode_scrape_query(hashes.iter().copied(), &mut query);
        let response = self.get(url, &query).await?;
        match understood(&response, decode_scrape_reply(&response.body))? {
            ScrapeReply::Answer(answer) => {
                let counts_of =
                    |hash| answer.files.iter().find(|(found, _)| *found == hash).map(|(_, counts)| *counts);
                Ok(hashes.iter().map(|hash| counts_of(*hash)).collect())
            }
            ScrapeReply::Failure(failure) => Err(Miss::Refused(failure.reason)),
        }
    }

    /// Announces with any query, right or wrong.
    pub(super) async fn announce_query(&self, query: &str) -> Got<Response> {
        self.get(&self.announce, query).await
    }

    async fn get(&self, url: &Url, query: &str) -> Got<Response> {
        let mut url = url.clone();
        let query = match url.query() {
            Some(given) => format!("{given}&{query}"),
            None => query.to_owned(),
        };
        url.set_query(Some(&query));
        let failed = |error: reqwest::Error| Miss::Silent(causes(&error));
        let mut response = self.client.get(url).send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > REPLY_BYTES_MAX {
                return Err(Miss::Garbled(format!("the answer is longer than {REPLY_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, body })
    }
}

/// What a response says; one with an error's status only if it is a tracker's own words.
fn understood<T>(response: &Response, reply: Result<T, wire::Malformed>) -> Got<T> {
    match (response.status, reply) {
        (_, Ok(reply)) => Ok(reply),
        (200, Err(fault)) => Err(Miss::Garbled(fault.to_string())),
        (status, Err(_)) => Err(Miss::Refused(format!("HTTP status {status}"))),
    }
}

/// An error with its causes, without the URL, whose escapes nobody reads.
fn causes(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let words = cause.to_string();
        let words = words.split(" for url (").next().unwrap_or(&words).to_owned();
        if !text.contains(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}
