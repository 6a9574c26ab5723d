//! Questions and answers in JSON over one connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wire::classic::Scanner;

use super::{ANSWER, CONNECT, Error, Wrong};

/// A connection to a tracker.
#[derive(Debug)]
pub(super) struct Conversation {
    with: SocketAddr,
    stream: TcpStream,
    /// What has come and was no part of the last answer.
    received: Vec<u8>,
}

impl Conversation {
    pub(super) async fn open(with: SocketAddr) -> Result<Self, Error> {
        Ok(Self { with, stream: connect(with).await?, received: Vec::new() })
    }

    /// Writes a request, and waits for one whole JSON object.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, Error> {
        match timeout(ANSWER, self.exchange(request)).await {
            Ok(answer) => answer.map_err(|wrong| wrong.with(self.with)),
            Err(_) => Err(Wrong::Silent(ANSWER).with(self.with)),
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>, Wrong> {
        self.stream.write_all(request).await.map_err(Wrong::BrokeOff)?;
        let mut scanner = Scanner::default();
        loop {
            if let Some(end) = scanner.scan(&self.received)? {
                return Ok(self.received.drain(..end).collect());
            }
            if self.stream.read_buf(&mut self.received).await.map_err(Wrong::BrokeOff)? == 0 {
                return Err(Wrong::Closed);
            }
        }
    }
}

/// Connects, or says why not.
pub(super) async fn connect(to: SocketAddr) -> Result<TcpStream, Error> {
    match timeout(CONNECT, TcpStream::connect(to)).await {
        Ok(connected) => connected.map_err(|error| Wrong::Unreachable(error).with(to)),
        Err(_) => Err(Wrong::Silent(CONNECT).with(to)),
    }
}
