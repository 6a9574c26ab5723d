//! The UDP sides of `beacon` and `chunklist`. What is no request gets no answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm::Port;
use swarm::directory::Dialect;
use tokio::net::UdpSocket;
use tokio::time::sleep;
use wire::classic::{beacon, chunklist};

use super::calls::Calls;
use super::lists::Lists;
use crate::classic::{Count, Registrar, Seeding};
use crate::config::ClassicConfig;
use crate::throttle::Throttle;

/// The longest datagram.
const DATAGRAM_BYTES_MAX: usize = 1 << 16;

/// How long receiving rests when the system cannot do it.
const RECEIVE_AGAIN: Duration = Duration::from_millis(100);

/// What the sockets have in common.
pub(super) struct Datagrams {
    registrar: Arc<Registrar>,
    /// Bytes that an address may be sent beyond what came from it: a datagram may be from somebody else than it says.
    answers: Throttle,
}

impl Datagrams {
    pub(super) fn new(registrar: Arc<Registrar>, config: &ClassicConfig) -> Self {
        let per_minute = u32::try_from(config.answers_per_minute_max).unwrap_or(u32::MAX);
        Self { registrar, answers: Throttle::new(per_minute) }
    }

    /// The tracker of `beacon` at one socket. It never ends.
    pub(super) async fn beacon(self: Arc<Self>, socket: UdpSocket) {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let mut answer = Vec::new();
        loop {
            let (len, from) = self.receive(Dialect::Beacon, &socket, &mut datagram).await;
            let source = from.ip().to_canonical();
            match beacon::decode(&datagram[..len]) {
                Ok(request) => {
                    if let Some(holders) = self.registrar.beacon(&request, source) {
                        answer.clear();
                        beacon::encode(holders, &mut answer);
                        self.send(&socket, Dialect::Beacon, &answer, from, len).await;
                    }
                }
                Err(fault) => self.malformed(Dialect::Beacon, from, &fault),
            }
        }
    }

    /// The tracker of `chunklist` at one socket. It never ends.
    pub(super) async fn chunklist(
        self: Arc<Self>,
        socket: UdpSocket,
        list_port: Port,
        calls: Calls,
        lists: Arc<Lists>,
    ) {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let mut answer = Vec::new();
        loop {
            let (len, from) = self.receive(Dialect::Chunklist, &socket, &mut datagram).await;
            let source = from.ip().to_canonical();
            match chunklist::decode(&datagram[..len]) {
                Ok(chunklist::Request::Register { name, ip, port, size }) => {
                    answer.clear();
                    chunklist::encode_call(calls.seeders_port(), &mut answer);
                    self.send(&socket, Dialect::Chunklist, &answer, from, len).await;
                    calls.call(Seeding { name, source, stated: ip, port, size });
                }
                Ok(chunklist::Request::ListSeeder) => {
                    answer.clear();
                    chunklist::encode_seeders(&self.registrar.seeders(source, list_port), &mut answer);
                    self.send(&socket, Dialect::Chunklist, &answer, from, len).await;
                }
                Ok(chunklist::Request::GetChunkList { name }) => lists.asked(source, from.port(), name),
                Ok(chunklist::Request::Heartbeat { name }) => self.registrar.seeder_beats(&name, source),
                Ok(chunklist::Request::Exit { name }) => self.registrar.seeder_leaves(&name, source),
                Err(fault) => self.malformed(Dialect::Chunklist, from, &fault),
            }
        }
    }

    /// Sends an answer to a datagram of `asked_bytes`, unless that address has had too many of late.
    async fn send(
        &self,
        socket: &UdpSocket,
        dialect: Dialect,
        answer: &[u8],
        to: SocketAddr,
        asked_bytes: usize,
    ) {
        let beyond = u32::try_from(answer.len().saturating_sub(asked_bytes)).unwrap_or(u32::MAX);
        if beyond > 0 && self.answers.take(to.ip(), beyond, Instant::now()).is_err() {
            self.registrar.note(dialect, Count::Limited);
            return;
        }
        if let Err(error) = socket.send_to(answer, to).await {
            tracing::debug!(%dialect, %to, %error, "an answer could not be sent");
        }
    }

    fn malformed(&self, dialect: Dialect, from: SocketAddr, fault: &wire::Malformed) {
        self.registrar.note(dialect, Count::Malformed);
        let from: IpAddr = from.ip();
        tracing::debug!(%dialect, %from, %fault, "a datagram that is none");
    }

    /// The next datagram of somebody who may send any.
    async fn receive(
        &self,
        dialect: Dialect,
        socket: &UdpSocket,
        datagram: &mut [u8],
    ) -> (usize, SocketAddr) {
        loop {
            match socket.recv_from(datagram).await {
                Ok((_, from)) if !self.registrar.admits(from.ip()) => {
                    self.registrar.note(dialect, Count::Denied);
                }
                Ok(received) => return received,
                // A client that was not there for its answer.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    tracing::debug!(%error, "cannot receive datagrams");
                    sleep(RECEIVE_AGAIN).await;
                }
            }
        }
    }
}
