//! A tracker over UDP (BEP 15).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use swarm::{Families, InfoHash};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};
use wire::Announce;
use wire::http::Shape;
use wire::udp::{
    ConnectionId, ReplyBody, decode_reply, encode_announce_request, encode_connect_request,
    encode_scrape_request,
};

use super::Options;
use super::line::{Got, Heard, Miss, Scraped};
use super::target::Target;

/// For how long a connection id is used again. BEP 15 allows a minute.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(60);

/// No datagram is longer.
const DATAGRAM_BYTES_MAX: usize = 65_535;

pub(super) struct Line {
    socket: UdpSocket,
    pub(super) address: SocketAddr,
    pub(super) families: Families,
    path: Vec<u8>,
    connection: Option<(ConnectionId, Instant)>,
    pub(super) options: Options,
}

impl Line {
    pub(super) async fn open(target: &Target, address: SocketAddr, options: &Options) -> io::Result<Self> {
        Ok(Self {
            socket: socket(address).await?,
            address,
            families: Families::of(address.ip()),
            path: target.path_and_query().into_bytes(),
            connection: None,
            options: options.clone(),
        })
    }

    /// The connection id, asked for if there is none or it is old.
    pub(super) async fn connect(&mut self) -> Got<ConnectionId> {
        if let Some((id, since)) = self.connection
            && since.elapsed() < CONNECTION_AGE_MAX
        {
            return Ok(id);
        }
        let transaction = rand::random();
        let mut request = Vec::new();
        encode_connect_request(transaction, &mut request);
        let since = Instant::now();
        let answer = self.exchange(&request, transaction, "the connect request").await?;
        match answered(&answer, self.families)? {
            ReplyBody::Connect(id) => {
                self.connection = Some((id, since));
                Ok(id)
            }
            ReplyBody::Error(reason) => Err(Miss::Refused(reason.into_owned())),
            other => Err(mismatch("the connect request", &other)),
        }
    }

    pub(super) async fn announce(&mut self, announce: &Announce<'_>) -> Got<Heard> {
        let path = self.path.clone();
        self.announce_at(announce, &path).await
    }

    /// Announces with BEP 41 URL data even if the tracker's address has no path.
    pub(super) async fn announce_with_options(&mut self, announce: &Announce<'_>) -> Got<Heard> {
        let path = if self.path.is_empty() { b"/announce".to_vec() } else { self.path.clone() };
        self.announce_at(announce, &path).await
    }

    async fn announce_at(&mut self, announce: &Announce<'_>, path: &[u8]) -> Got<Heard> {
        let connection = self.connect().await?;
        let transaction = rand::random();
        let mut request = Vec::new();
        encode_announce_request(transaction, connection, announce, path, &mut request);
        let answer = self.exchange(&request, transaction, "the announce").await?;
        match answered(&answer, self.families)? {
            ReplyBody::Announce { interval, complete, incomplete, peers } => Ok(Heard {
                interval: Some(interval),
                min_interval: None,
                complete: Some(complete),
                incomplete: Some(incomplete),
                peers: peers.iter().collect(),
                shape: Shape::Compact,
                disorder: None,
            }),
            ReplyBody::Error(reason) => Err(Miss::Refused(reason.into_owned())),
            other => Err(mismatch("the announce", &other)),
        }
    }

    pub(super) async fn scrape(&mut self, hashes: &[InfoHash]) -> Got<Scraped> {
        let connection = self.connect().await?;
        let transaction = rand::random();
        let mut request = Vec::new();
        encode_scrape_request(transaction, connection, hashes.iter().copied(), &mut request);
        let answer = self.exchange(&request, transaction, "the scrape").await?;
        match answered(&answer, self.families)? {
            ReplyBody::Scrape(counts) if counts.len() == hashes.len() => {
                Ok(counts.iter().map(Some).collect())
            }
            ReplyBody::Scrape(counts) => {
                let (found, asked) = (counts.len(), hashes.len());
                Err(Miss::Garbled(format!(
                    "a scrape of {asked} swarms is answered with the counts of {found}"
                )))
            }
            ReplyBody::Error(reason) => Err(Miss::Refused(reason.into_owned())),
            other => Err(mismatch("the scrape", &other)),
        }
    }

    /// Sends `request` once, and waits for an answer to it no longer than silence takes.
    pub(super) async fn throw(&self, request: &[u8], transaction: u32) -> Option<Vec<u8>> {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        self.socket.send(request).await.ok()?;
        let deadline = Instant::now() + self.options.silence;
        loop {
            let len = timeout_at(deadline, self.socket.recv(&mut buffer)).await.ok()?.ok()?;
            let datagram = &buffer[..len];
            if decode_reply(datagram, self.families).is_ok_and(|reply| reply.transaction == transaction) {
                return Some(datagram.to_vec());
            }
        }
    }

    /// Sends `request` until something comes back that carries its transaction id.
    async fn exchange(&self, request: &[u8], transaction: u32, what: &str) -> Got<Vec<u8>> {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let mut stray = None;
        for _ in 0..self.options.tries.max(1) {
            if let Err(error) = self.socket.send(request).await {
                return Err(Miss::Silent(format!("{what} could not be sent: {error}")));
            }
            let deadline = Instant::now() + self.options.timeout;
            while let Ok(received) = timeout_at(deadline, self.socket.recv(&mut buffer)).await {
                let datagram = match received {
                    Ok(len) => &buffer[..len],
                    Err(error) => return Err(Miss::Silent(format!("{what} did not arrive: {error}"))),
                };
                match decode_reply(datagram, self.families) {
                    Ok(reply) if reply.transaction == transaction => return Ok(datagram.to_vec()),
                    Ok(reply) => {
                        stray = Some(Miss::Silent(format!(
                            "{what} with transaction id {transaction:#010x} is answered with {:#010x}",
                            reply.transaction
                        )));
                    }
                    // The id stands at the same place in every answer.
                    Err(fault) if datagram.get(4..8) == Some(&transaction.to_be_bytes()) => {
                        return Err(Miss::Garbled(fault.to_string()));
                    }
                    Err(fault) => stray = Some(Miss::Garbled(fault.to_string())),
                }
            }
        }
        let silent = || {
            let (tries, timeout) = (self.options.tries.max(1), self.options.timeout);
            Miss::Silent(format!(
                "{what} is not answered, sent {tries} times and waited {timeout:?} each time"
            ))
        };
        Err(stray.unwrap_or_else(silent))
    }
}

/// What came back for datagrams that need not be answered, each from a socket of its own: all are sent at once, and all
/// are waited for until the silence is over.
pub(super) async fn throw(
    address: SocketAddr,
    silence: Duration,
    datagrams: &[Vec<u8>],
) -> io::Result<Vec<Option<Vec<u8>>>> {
    let mut sockets = Vec::with_capacity(datagrams.len());
    for datagram in datagrams {
        let socket = socket(address).await?;
        let sent = socket.send(datagram).await.is_ok();
        sockets.push((socket, sent));
    }
    let deadline = Instant::now() + silence;
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut answers = Vec::with_capacity(datagrams.len());
    for (socket, sent) in sockets {
        answers.push(match timeout_at(deadline, socket.recv(&mut buffer)).await {
            Ok(Ok(len)) if sent => Some(buffer[..len].to_vec()),
            _ => None,
        });
    }
    Ok(answers)
}

fn answered(datagram: &[u8], families: Families) -> Got<ReplyBody<'_>> {
    decode_reply(datagram, families).map(|reply| reply.body).map_err(|fault| Miss::Garbled(fault.to_string()))
}

fn mismatch(what: &str, answer: &ReplyBody<'_>) -> Miss {
    let answer = match answer {
        ReplyBody::Connect(_) => "connect",
        ReplyBody::Announce { .. } => "announce",
        ReplyBody::Scrape(_) => "scrape",
        ReplyBody::Error(_) => "error",
    };
    Miss::Garbled(format!("{what} is answered with the action of {answer}"))
}

/// A socket that talks to `address` alone. It fails where this machine has no way there.
pub(super) async fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    Ok(socket)
}
