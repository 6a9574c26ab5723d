//! A socket that many conversations share.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use wire::udp::ConnectionId;

use crate::announce::target::Family;

/// How long a connection id is used (BEP 15: a minute).
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(60);

/// Trackers of which a connection is remembered, beyond those that are being talked to.
const CONNECTIONS_MAX: usize = 64;

/// The longest answer that is read: 20 bytes, and more peers than are asked for. The rest is cut off.
const DATAGRAM_BYTES_MAX: usize = 16 * 1024;

/// Rest after an error in receiving, lest an error that stays be met without end.
const REST: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Channel {
    socket: Arc<UdpSocket>,
    waiting: Arc<Waiting>,
    connections: Mutex<HashMap<SocketAddr, Arc<tokio::sync::Mutex<Slot>>>>,
    reader: AbortHandle,
}

/// Who waits for which transaction id, and from where.
type Waiting = Mutex<HashMap<u32, (SocketAddr, oneshot::Sender<Vec<u8>>)>>;

/// What is known of the connection to one address.
#[derive(Debug, Default)]
pub(super) struct Slot {
    open: Option<(ConnectionId, Instant)>,
    silent: Option<Instant>,
}

impl Channel {
    pub(super) fn open(family: Family) -> io::Result<Self> {
        let (domain, any): (_, SocketAddr) = match family {
            Family::V4 => (Domain::IPV4, (Ipv4Addr::UNSPECIFIED, 0).into()),
            Family::V6 => (Domain::IPV6, (Ipv6Addr::UNSPECIFIED, 0).into()),
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if family == Family::V6 {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&any.into())?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let waiting = Arc::new(Waiting::default());
        let reader = tokio::spawn(read(socket.clone(), waiting.clone())).abort_handle();
        Ok(Self { socket, waiting, connections: Mutex::default(), reader })
    }

    /// Sends what `encode` makes of a new transaction id, and waits for the answer; `None` if none comes in time.
    pub(super) async fn exchange(
        &self,
        address: SocketAddr,
        wait: Duration,
        encode: impl FnOnce(u32, &mut Vec<u8>),
    ) -> io::Result<Option<Vec<u8>>> {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.register(address, sender);
        let mut request = Vec::new();
        encode(ticket.transaction, &mut request);
        self.socket.send_to(&request, address).await?;
        Ok(timeout(wait, receiver).await.ok().and_then(Result::ok))
    }

    /// What is known of the connection to `address`; whoever holds the lock may ask for one.
    pub(super) fn slot(&self, address: SocketAddr) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut connections = self.connections.lock();
        if connections.len() >= CONNECTIONS_MAX && !connections.contains_key(&address) {
            connections.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        connections.entry(address).or_default().clone()
    }

    /// No longer uses `id`.
    pub(super) async fn forget(&self, address: SocketAddr, id: ConnectionId) {
        let slot = self.slot(address);
        let mut slot = slot.lock().await;
        if slot.open.is_some_and(|(open, _)| open == id) {
            slot.open = None;
        }
    }

    fn register(&self, address: SocketAddr, sender: oneshot::Sender<Vec<u8>>) -> Ticket<'_> {
        let mut waiting = self.waiting.lock();
        let transaction = loop {
            let transaction = rand::random();
            if !waiting.contains_key(&transaction) {
                break transaction;
            }
        };
        waiting.insert(transaction, (address, sender));
        Ticket { waiting: &self.waiting, transaction }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Slot {
    pub(super) fn usable(&self) -> Option<ConnectionId> {
        self.open.filter(|(_, since)| since.elapsed() < CONNECTION_AGE_MAX).map(|(id, _)| id)
    }

    pub(super) fn open(&mut self, id: ConnectionId, since: Instant) {
        *self = Self { open: Some((id, since)), silent: None };
    }

    /// A request for a connection was not answered.
    pub(super) fn silent(&mut self) {
        self.silent = Some(Instant::now());
    }

    /// Whether somebody else asked in vain while we waited for the lock.
    pub(super) fn was_silent_since(&self, began: Instant) -> bool {
        self.silent.is_some_and(|at| at > began)
    }
}

/// A place among those who wait, given up in any case.
struct Ticket<'a> {
    waiting: &'a Waiting,
    transaction: u32,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.transaction);
    }
}

async fn read(socket: Arc<UdpSocket>, waiting: Arc<Waiting>) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let (len, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "an answer of a UDP tracker could not be received");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        // The transaction id stands at the same place in every answer.
        let Some(transaction) = buffer[..len].get(4..8).and_then(|bytes| bytes.try_into().ok()) else {
            continue;
        };
        let transaction = u32::from_be_bytes(transaction);
        let mut waiting = waiting.lock();
        let expected = waiting.get(&transaction).is_some_and(|(address, _)| same(*address, from));
        if expected && let Some((_, sender)) = waiting.remove(&transaction) {
            // Whoever waited may have gone in this moment.
            let _ = sender.send(buffer[..len].to_vec());
        }
    }
}

/// The same address and port, whatever the flow and scope of an IPv6 one.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip() == other.ip() && one.port() == other.port()
}

#[cfg(test)]
impl Channel {
    pub(super) fn local_port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }
}
