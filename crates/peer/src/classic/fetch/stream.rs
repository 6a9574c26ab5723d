//! Files that come as one stream: `beacon`'s, which have no size, and `index`'s, which have one and can be gone on with.

use std::net::SocketAddr;

use wire::classic::transfer::{self, REFUSAL_BYTES_MAX, Wanted};

use super::super::{Error, Wrong};
use super::answer::Answer;
use super::partial::Partial;
use super::record::Record;
use super::{BYTES_MAX, Check, FetchError, Fetched, Order, Progress};

/// What is taken from the network before it is written, in bytes.
const BLOCK_BYTES: usize = 256 << 10;

/// What went wrong: with a holder, so that another is asked, or here.
enum Trouble {
    Holder(Error),
    Here(FetchError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Holder(error)
    }
}

impl From<FetchError> for Trouble {
    fn from(error: FetchError) -> Self {
        Self::Here(error)
    }
}

/// Gets a file by its bare name, as in `beacon`: all of it from one holder, of which only that it closes the connection
/// tells that all is there. One that breaks is begun anew.
///
/// # Errors
/// If no holder gives it, or the disk does not take it.
pub async fn whole(order: &Order<'_>, holders: &[SocketAddr]) -> Result<Fetched, FetchError> {
    let holders = order.holders(holders)?;
    let partial = Partial::open(order, "bare").await?;
    let mut reasons = Vec::new();
    for holder in holders {
        match whole_from(order, holder, &partial).await {
            Ok(bytes) => {
                let path = partial.finish(bytes).await?;
                return Ok(Fetched { path, bytes, check: Check::Nothing });
            }
            Err(Trouble::Holder(reason)) => reasons.push(reason),
            Err(Trouble::Here(error)) => return Err(error),
        }
    }
    partial.discard().await;
    Err(order.failed(reasons))
}

async fn whole_from(order: &Order<'_>, from: SocketAddr, partial: &Partial) -> Result<u64, Trouble> {
    let mut answer = Answer::of(from, &Wanted::File(order.name.to_owned())).await?;
    partial.cut(0).await?;
    let mut head = Vec::new();
    while head.len() <= REFUSAL_BYTES_MAX {
        if answer.read(&mut head, BLOCK_BYTES).await? == 0 {
            // An empty file looks like this, too, but so does a peer that has gone.
            if head.is_empty() {
                return Err(Wrong::Closed.with(from).into());
            }
            if transfer::is_refusal(&head) {
                return Err(Wrong::NotThere.with(from).into());
            }
            break;
        }
    }
    receive(order, &mut answer, head, partial, 0, Expected { from, bytes: None }).await
}

/// Gets a file in the words of `index`: from one holder after another, each going on where the one before has ended.
///
/// # Errors
/// If no holder gives it to its end, or the disk does not take it. What has come is kept and gone on with another time.
pub async fn download(order: &Order<'_>, holders: &[SocketAddr]) -> Result<Fetched, FetchError> {
    let holders = order.holders(holders)?;
    let partial = Partial::open(order, "index").await?;
    let mut size = None;
    let mut reasons = Vec::new();
    for holder in holders {
        match download_from(order, holder, &partial, &mut size).await {
            Ok(bytes) => {
                let path = partial.finish(bytes).await?;
                return Ok(Fetched { path, bytes, check: Check::Length });
            }
            Err(Trouble::Holder(reason)) => reasons.push(reason),
            Err(Trouble::Here(error)) => return Err(error),
        }
    }
    if size.is_none() && partial.length().await? == 0 {
        partial.discard().await;
    }
    Err(order.failed(reasons))
}

/// `size` is what a holder before this one said, if one did.
async fn download_from(
    order: &Order<'_>,
    from: SocketAddr,
    partial: &Partial,
    size: &mut Option<u64>,
) -> Result<u64, Trouble> {
    let offset = partial.length().await?;
    let mut answer = Answer::of(from, &Wanted::Download { name: order.name.to_owned(), offset }).await?;
    let (mut stated, mut head) = read_size(&mut answer, from).await?;
    let mut offset = offset;
    match *size {
        Some(expected) if expected != stated => {
            let (found, expected) = (format!("{stated} bytes"), format!("{expected} bytes"));
            return Err(Wrong::Other { found, expected }.with(from).into());
        }
        Some(_) => {}
        // What is here from another time is of this file only if that had the same size.
        None if offset > 0 && partial.recall(stated).await.is_none() => {
            partial.cut(0).await?;
            offset = 0;
            answer = Answer::of(from, &Wanted::Download { name: order.name.to_owned(), offset }).await?;
            (stated, head) = read_size(&mut answer, from).await?;
            partial.remember(Record { size: stated, pieces: Vec::new() }).await?;
        }
        None => partial.remember(Record { size: stated, pieces: Vec::new() }).await?,
    }
    *size = Some(stated);
    receive(order, &mut answer, head, partial, offset, Expected { from, bytes: Some(stated) }).await
}

/// Reads the line before the bytes: the size, and what of the bytes came with it.
async fn read_size(answer: &mut Answer, from: SocketAddr) -> Result<(u64, Vec<u8>), Error> {
    let mut head = Vec::new();
    loop {
        match transfer::decode_size(&head) {
            Ok(Some((size, line_bytes))) => return Ok((size, head.split_off(line_bytes))),
            Ok(None) => {}
            Err(malformed) => return Err(Wrong::from(malformed).with(from)),
        }
        if answer.read(&mut head, BLOCK_BYTES).await? == 0 {
            return Err(Wrong::Closed.with(from));
        }
    }
}

/// Whose stream it is, and where it should end.
#[derive(Clone, Copy)]
struct Expected {
    from: SocketAddr,
    bytes: Option<u64>,
}

/// Writes `block` at `offset`, and everything that comes behind it to the end. How long the file is then.
async fn receive(
    order: &Order<'_>,
    answer: &mut Answer,
    mut block: Vec<u8>,
    partial: &Partial,
    mut offset: u64,
    expected: Expected,
) -> Result<u64, Trouble> {
    let Expected { from, bytes: size } = expected;
    let bytes_max = size.unwrap_or(BYTES_MAX);
    let mut outcome = Ok(1);
    loop {
        // What has come before it broke is kept: another holder goes on behind it.
        let is_over = !matches!(outcome, Ok(1..));
        if block.len() as u64 > bytes_max.saturating_sub(offset) {
            return Err(Wrong::Long(bytes_max).with(from).into());
        }
        if block.len() >= BLOCK_BYTES || (is_over && !block.is_empty()) {
            let bytes = block.len() as u64;
            block = partial.write(block, offset).await?;
            block.clear();
            offset += bytes;
            (order.progress)(Progress { bytes: offset, bytes_max: size });
        }
        if is_over {
            break;
        }
        outcome = answer.read(&mut block, BLOCK_BYTES).await;
    }
    outcome?;
    match size {
        Some(size) if offset < size => Err(Wrong::Short { bytes: offset, expected: size }.with(from).into()),
        _ => Ok(offset),
    }
}
