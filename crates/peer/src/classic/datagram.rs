//! Questions and answers over UDP.
//!
//! Each question has a socket of its own, as with the clients of these dialects: answers do not say what they answer,
//! so one that comes late must not be taken for another's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{Error, Wrong};

/// How often a question is asked that stays without an answer.
pub(super) const TRIES: u32 = 3;

/// How long an answer is waited for each time.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// More than any datagram has, so that one that is too long is not taken for a whole one.
const DATAGRAM_BYTES: usize = 1 << 16;

/// A socket that speaks with `to` alone.
pub(super) async fn socket(to: SocketAddr) -> Result<UdpSocket, Error> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let connected = async {
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(to).await?;
        io::Result::Ok(socket)
    };
    connected.await.map_err(|error| Wrong::Unreachable(error).with(to))
}

/// Says something that nobody answers.
pub(super) async fn tell(to: SocketAddr, message: &[u8]) -> Result<(), Error> {
    let told = socket(to).await?.send(message).await;
    told.map(drop).map_err(|error| Wrong::Unreachable(error).with(to))
}

/// Asks, again if need be, and waits for the answer.
pub(super) async fn ask(to: SocketAddr, question: &[u8]) -> Result<Vec<u8>, Error> {
    let socket = socket(to).await?;
    for _ in 0..TRIES {
        socket.send(question).await.map_err(|error| Wrong::Unreachable(error).with(to))?;
        if let Ok(answer) = timeout(PATIENCE, receive(&socket, to)).await {
            return answer;
        }
    }
    Err(Wrong::Silent(PATIENCE * TRIES).with(to))
}

/// The next datagram.
pub(super) async fn receive(socket: &UdpSocket, from: SocketAddr) -> Result<Vec<u8>, Error> {
    let mut answer = vec![0; DATAGRAM_BYTES];
    let bytes = socket.recv(&mut answer).await.map_err(|error| Wrong::Unreachable(error).with(from))?;
    answer.truncate(bytes);
    Ok(answer)
}
