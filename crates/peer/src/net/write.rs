use std::io::{self, IoSlice};

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use wire::peer::{Block, encode_piece_head};

use super::outbound::{Item, Outbound};

/// Where the data of blocks comes from, and who is told what became of it.
pub(crate) trait Blocks {
    /// Reads blocks; `None` for each that cannot be read.
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
    loop {
        let items = outbound.take().await;
        let named =
            items.iter().filter_map(|item| if let Item::Block(block) = item { Some(*block) } else { None });
        let named: Vec<Block> = named.collect();
        let mut data = if named.is_empty() { Vec::new() } else { blocks.read(named).await }.into_iter();
        let mut parts = Vec::with_capacity(2 * items.len());
        let mut data_bytes = 0;
        for item in items {
            match item {
                Item::Messages(messages) => parts.push(Bytes::from(messages)),
                Item::Block(block) => match data.next().flatten() {
                    Some(data) => {
                        let mut head = Vec::with_capacity(16);
                        encode_piece_head(block.piece, block.begin, block.length, &mut head);
                        parts.push(Bytes::from(head));
                        parts.push(data);
                        data_bytes += block.length;
                    }
                    None => blocks.unreadable(block),
                },
            }
        }
        send(stream, &parts).await?;
        if data_bytes > 0 {
            blocks.sent(data_bytes);
        }
    }
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
