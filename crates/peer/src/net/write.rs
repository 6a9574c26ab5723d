use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use wire::peer::{Block, encode_piece_head};

use super::outbound::{Item, Outbound};

/// Where the data of blocks comes from, and who is told what became of it.
pub(crate) trait Blocks {
    /// Reads blocks, the first and as many of the next as there is memory for; `None` for each that cannot be read.
    fn read(&self, blocks: Vec<Block>) -> impl Future<Output = Vec<Option<Bytes>>> + Send;

    /// The network took so many bytes of data.
    fn sent(&self, bytes: u32);

    /// A block could not be read.
    fn unreadable(&self, block: Block);
}

/// Sends what lies in `outbound`, as it comes, until the connection breaks.
///
/// # Errors
/// That it broke.
pub(crate) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    outbound: &Outbound,
    blocks: &impl Blocks,
) -> io::Result<()> {
    let mut items = VecDeque::new();
    loop {
        if items.is_empty() {
            items.extend(outbound.take().await);
        }
        let (parts, data_bytes) = gather(&mut items, blocks).await;
        send(stream, &parts).await?;
        if data_bytes > 0 {
            blocks.sent(data_bytes);
        }
    }
}

/// Takes from the front of `items` what can be sent now: its bytes in order, and how many of them are data.
async fn gather(items: &mut VecDeque<Item>, blocks: &impl Blocks) -> (Vec<Bytes>, u32) {
    let block = |item: &Item| if let Item::Block(block) = item { Some(*block) } else { None };
    let named: Vec<Block> = items.iter().filter_map(block).collect();
    let mut data = if named.is_empty() { Vec::new() } else { blocks.read(named).await }.into_iter();
    let mut parts = Vec::with_capacity(2 * items.len());
    let mut data_bytes = 0;
    while let Some(item) = items.pop_front() {
        match item {
            Item::Messages(messages) => parts.push(Bytes::from(messages)),
            Item::Block(block) => match data.next() {
                Some(Some(data)) => {
                    let mut head = Vec::with_capacity(16);
                    encode_piece_head(block.piece, block.begin, block.length, &mut head);
                    parts.push(Bytes::from(head));
                    parts.push(data);
                    data_bytes += block.length;
                }
                Some(None) => blocks.unreadable(block),
                None => {
                    items.push_front(Item::Block(block));
                    break;
                }
            },
        }
    }
    (parts, data_bytes)
}

/// Sends all parts, many with one call to the system.
async fn send(stream: &mut (impl AsyncWrite + Unpin), parts: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        let taken = stream.write_vectored(left).await?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut left, taken);
    }
    Ok(())
}
