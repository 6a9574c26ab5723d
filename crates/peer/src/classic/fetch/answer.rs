use std::net::SocketAddr;
use std::time::Duration;

use bytes::BufMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use wire::classic::transfer::{self, Wanted};

use super::super::conversation::connect;
use super::super::{Error, Wrong};

/// How long a peer may be silent.
const SILENCE: Duration = Duration::from_secs(15);

/// Over which time it is looked at how fast a peer is.
const SLOW_SPAN: Duration = Duration::from_secs(30);

/// What must come in that time: 1 KiB a second.
const SLOW_BYTES: u64 = 30 << 10;

/// What a peer sends when it is asked for something.
#[derive(Debug)]
pub(super) struct Answer {
    from: SocketAddr,
    stream: TcpStream,
    /// Since when `span_bytes` have come.
    span_from: Instant,
    span_bytes: u64,
}

impl Answer {
    /// Asks a peer.
    pub(super) async fn of(from: SocketAddr, wanted: &Wanted) -> Result<Self, Error> {
        let mut stream = connect(from).await?;
        let mut request = Vec::new();
        transfer::encode(wanted, &mut request);
        match timeout(SILENCE, stream.write_all(&request)).await {
            Ok(written) => written.map_err(|error| Wrong::BrokeOff(error).with(from))?,
            Err(_) => return Err(Wrong::Silent(SILENCE).with(from)),
        }
        Ok(Self { from, stream, span_from: Instant::now(), span_bytes: 0 })
    }

    /// Appends what comes next, at most `bytes_max` bytes: how many; 0 if that was all.
    pub(super) async fn read(&mut self, into: &mut Vec<u8>, bytes_max: usize) -> Result<usize, Error> {
        let mut room = into.limit(bytes_max);
        let bytes = match timeout(SILENCE, self.stream.read_buf(&mut room)).await {
            Ok(read) => read.map_err(|error| Wrong::BrokeOff(error).with(self.from))?,
            Err(_) => return Err(Wrong::Silent(SILENCE).with(self.from)),
        };
        self.span_bytes += bytes as u64;
        if self.span_from.elapsed() >= SLOW_SPAN {
            if self.span_bytes < SLOW_BYTES && bytes > 0 {
                return Err(Wrong::Slow { bytes: SLOW_BYTES, span: SLOW_SPAN }.with(self.from));
            }
            (self.span_from, self.span_bytes) = (Instant::now(), 0);
        }
        Ok(bytes)
    }
}
