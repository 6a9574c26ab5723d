use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use wire::peer::{Block, Message};

/// Room for one read while little comes.
const READ_BYTES_MIN: usize = 4 << 10;

/// Room for one read while much comes.
const READ_BYTES_MAX: usize = 256 << 10;

/// The bytes before a block's data in a `piece` message: length, kind, piece and offset.
const PIECE_HEAD_BYTES: usize = 13;

/// What a peer said.
#[derive(Debug)]
pub(crate) enum Inbound<'a> {
    /// A block; its data is a part of the buffer that the network filled.
    Block(Block, Bytes),
    /// Anything else.
    Message(Message<'a>),
}

/// Reads until the other side closes, and hands `heard` what one read completed, together: it calls
/// [`Batch::next`] until there is no more.
///
/// # Errors
/// The connection broke, or what came is no message.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    mut heard: impl FnMut(&mut Batch<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    let mut room = READ_BYTES_MIN;
    loop {
        if buffer.capacity() - buffer.len() < room / 2 {
            buffer.reserve(room);
        }
        let came = stream.read_buf(&mut buffer).await?;
        if came == 0 {
            return Ok(());
        }
        room = (came * 2).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        heard(&mut Batch { buffer: &mut buffer, current: Bytes::new() })?;
    }
}

/// The whole messages at a buffer's start.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    buffer: &'a mut BytesMut,
    current: Bytes,
}

impl Batch<'_> {
    /// The next message of at most `length_max` bytes; `None` if no more is whole.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn next(&mut self, length_max: usize) -> io::Result<Option<Inbound<'_>>> {
        let malformed =
            |error: wire::Malformed| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
        let Some((_, used)) = wire::peer::frame(self.buffer, length_max).map_err(malformed)? else {
            return Ok(None);
        };
        self.current = self.buffer.split_to(used).freeze();
        match Message::decode(&self.current[4..]).map_err(malformed)? {
            Message::Piece { piece, begin, data } => {
                let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
                let data = self.current.slice(PIECE_HEAD_BYTES..);
                Ok(Some(Inbound::Block(Block { piece, begin, length }, data)))
            }
            message => Ok(Some(Inbound::Message(message))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<u8> {
        let mut bytes = Vec::new();
        let data = [7; 100];
        for message in [
            Message::Unchoke,
            Message::Piece { piece: 3, begin: 16_384, data: &data },
            Message::KeepAlive,
            Message::Have(9),
        ] {
            wire::peer::encode(&message, &mut bytes);
        }
        bytes
    }

    async fn told(chunks: &[&[u8]]) -> io::Result<Vec<String>> {
        let mut told = Vec::new();
        let mut script = tokio_test_stream(chunks);
        read(&mut script, |batch| {
            while let Some(inbound) = batch.next(1 << 17)? {
                told.push(format!("{inbound:?}"));
            }
            Ok(())
        })
        .await?;
        Ok(told)
    }

    /// A stream whose reads end where the chunks do.
    fn tokio_test_stream(chunks: &[&[u8]]) -> impl AsyncRead + Unpin {
        chunks.iter().fold(Box::new(tokio::io::empty()) as Box<dyn AsyncRead + Unpin>, |before, chunk| {
            Box::new(before.chain(io::Cursor::new(chunk.to_vec())))
        })
    }

    #[tokio::test]
    async fn a_stream_may_be_cut_anywhere() {
        let bytes = stream();
        let whole = told(&[&bytes]).await.unwrap();
        assert_eq!(whole.len(), 4);
        assert!(whole[1].starts_with("Block(Block { piece: 3, begin: 16384, length: 100 }"));
        for at in 0..bytes.len() {
            assert_eq!(told(&[&bytes[..at], &bytes[at..]]).await.unwrap(), whole);
        }
    }

    #[tokio::test]
    async fn what_is_no_message_ends_the_reading() {
        let error = told(&[&[0xff; 8]]).await.unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }
}
