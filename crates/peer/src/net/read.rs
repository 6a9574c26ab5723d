use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::net::tcp::ReadHalf;
use wire::peer::{Block, Message};

use super::supply::{READ_BYTES_MAX, Supply};
use crate::disk::Room;

/// Room for one read while little comes.
const READ_BYTES_MIN: usize = 4 << 10;

/// The bytes before a block's data in a `piece` message: length, kind, piece and offset.
const PIECE_HEAD_BYTES: usize = 13;

/// Where bytes come from.
pub(crate) trait Incoming {
    /// Waits until something has come. It may be wrong about that.
    fn ready(&self) -> impl Future<Output = io::Result<()>> + Send;

    /// Takes what has come, as far as there is room; 0 bytes is the end.
    fn take(&self, buffer: &mut (impl BufMut + Send)) -> io::Result<usize>;
}

impl Incoming for ReadHalf<'_> {
    async fn ready(&self) -> io::Result<()> {
        self.readable().await
    }

    fn take(&self, buffer: &mut (impl BufMut + Send)) -> io::Result<usize> {
        self.try_read_buf(buffer)
    }
}

/// What a peer said.
#[derive(Debug)]
pub(crate) enum Inbound<'a> {
    /// A block; its data is a part of the buffer that the network filled.
    Block(Block, Bytes),
    /// Anything else.
    Message(Message<'a>),
}

/// Reads until the other side closes, and hands `heard` what one read completed, together: it calls
/// [`Batch::next`] until there is no more. Nothing is read before `supply` has room for it.
///
/// # Errors
/// The connection broke, or what came is no message.
pub(crate) async fn read(
    stream: &impl Incoming,
    supply: &Supply,
    mut heard: impl FnMut(&mut Batch<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    let mut room = READ_BYTES_MIN;
    loop {
        // Only then is room taken: a connection that says nothing holds none.
        stream.ready().await?;
        let mut paid = supply.pay(room).await;
        supply.extend(&mut buffer, room);
        match stream.take(&mut (&mut buffer).limit(room)) {
            Ok(0) => return Ok(()),
            Ok(came) => {
                paid.shrink(came);
                room = (came * 2).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        heard(&mut Batch { buffer: &mut buffer, current: Bytes::new(), paid })?;
    }
}

/// The whole messages at a buffer's start.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    buffer: &'a mut BytesMut,
    current: Bytes,
    /// For what was read last.
    paid: Room,
}

impl Batch<'_> {
    /// What was paid for so many bytes of a block, which it keeps until it is written. Of a block that came in parts it is
    /// only the last one: what waits for the rest of a message is bounded by its length.
    pub(crate) fn paid(&mut self, bytes: u32) -> Room {
        self.paid.split(bytes)
    }

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
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;
    use crate::disk::Budget;

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
        let script = Script(RefCell::new(chunks.iter().map(|chunk| chunk.to_vec()).collect()));
        let budget = Budget::new(1 << 20);
        read(&script, &Supply::new(budget.clone()), |batch| {
            while let Some(inbound) = batch.next(1 << 17)? {
                told.push(format!("{inbound:?}"));
            }
            Ok(())
        })
        .await?;
        assert_eq!(budget.available(), 1 << 20, "nothing is held");
        Ok(told)
    }

    /// A stream whose reads end where the chunks do.
    struct Script(RefCell<VecDeque<Vec<u8>>>);

    impl Incoming for Script {
        fn ready(&self) -> impl Future<Output = io::Result<()>> + Send {
            std::future::ready(Ok(()))
        }

        fn take(&self, buffer: &mut (impl BufMut + Send)) -> io::Result<usize> {
            let chunk = self.0.borrow_mut().pop_front().unwrap_or_default();
            buffer.put_slice(&chunk);
            Ok(chunk.len())
        }
    }

    #[tokio::test]
    async fn a_stream_may_be_cut_anywhere() {
        let bytes = stream();
        let whole = told(&[&bytes]).await.unwrap();
        assert_eq!(whole.len(), 4);
        assert!(whole[1].starts_with("Block(Block { piece: 3, begin: 16384, length: 100 }"));
        for at in 1..bytes.len() {
            assert_eq!(told(&[&bytes[..at], &bytes[at..]]).await.unwrap(), whole);
        }
    }

    #[tokio::test]
    async fn what_is_no_message_ends_the_reading() {
        let error = told(&[&[0xff; 8]]).await.unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }

    #[tokio::test]
    async fn nothing_is_read_that_there_is_no_room_for() {
        let bytes = stream();
        let script = Script(RefCell::new([bytes].into()));
        let budget = Budget::new(1 << 13);
        let supply = Supply::new(budget.clone());
        let taken = budget.try_take(1 << 13);
        let mut heard = 0;
        let mut reading = Box::pin(read(&script, &supply, |batch| {
            while batch.next(1 << 17)?.is_some() {
                heard += 1;
            }
            Ok(())
        }));
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(reading.as_mut().poll(&mut context).is_pending());
        assert_eq!(script.0.borrow().len(), 1);
        drop(taken);
        assert!(reading.as_mut().poll(&mut context).is_ready());
        drop(reading);
        assert_eq!(heard, 4);
    }
}
