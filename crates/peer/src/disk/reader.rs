use std::io::IoSliceMut;
use std::sync::Arc;

use bytes::Bytes;

use super::Done;
use super::buffers::{Buffer, Buffers};
use super::files::read_at;
use super::pool::Read;
use super::problem::{Cause, Doing, Problem};
use super::storage::Inner;

/// Reads a batch, and tells the torrents. Neighboring blocks of a torrent are read with one call.
pub(super) fn run(buffers: &Arc<Buffers>, batch: &mut Vec<Read>) {
    batch.sort_by_key(|read| (read.storage.id, read.piece, read.begin));
    let mut reads = batch.drain(..).peekable();
    while let Some(first) = reads.next() {
        let storage = first.storage.clone();
        if let Err(problem) = allowed(&first) {
            storage.sink.done(Done::Read { tag: first.tag, data: Err(problem) });
            continue;
        }
        let position = storage.site.layout().position(first.piece, first.begin);
        let mut end = position + first.bytes as u64;
        let mut run = vec![(first.tag, buffers.take(first.bytes, first.room))];
        while let Some(next) = reads.next_if(|next| {
            let position = storage.site.layout().position(next.piece, next.begin);
            next.storage.id == storage.id && position == end && allowed(next).is_ok()
        }) {
            end += next.bytes as u64;
            run.push((next.tag, buffers.take(next.bytes, next.room)));
        }
        let outcome = fill(&storage, position, &mut run);
        for (tag, buffer) in run {
            let data = outcome.clone().map(|()| Bytes::from_owner(buffer));
            storage.sink.done(Done::Read { tag, data });
        }
    }
}

/// Only what is verified is read for others.
fn allowed(read: &Read) -> Result<(), Problem> {
    let storage = &read.storage;
    let inside = storage.site.layout().contains(read.piece, read.begin, read.bytes);
    if inside && storage.has(read.piece) {
        return Ok(());
    }
    let why = format!("piece {} from {}, {} bytes, is not there", read.piece, read.begin, read.bytes);
    Err(Problem::new(Doing::Read, storage.site.root(), Cause::Unfit(why)))
}

/// Fills the buffers, one behind the other, from `position` of the payload.
fn fill(storage: &Inner, position: u64, run: &mut [(u64, Buffer)]) -> Result<(), Problem> {
    let total = run.iter().map(|(_, buffer)| buffer.as_ref().len()).sum();
    let mut rest = run.iter_mut().map(|(_, buffer)| buffer.as_mut());
    let mut current: &mut [u8] = &mut [];
    let mut parts = Vec::new();
    for span in storage.site.layout().spans(position, total) {
        let mut missing = span.bytes;
        while missing > 0 {
            if current.is_empty() {
                match rest.next() {
                    Some(buffer) => current = buffer,
                    None => break,
                }
            }
            let (part, later) = current.split_at_mut(missing.min(current.len()));
            missing -= part.len();
            current = later;
            match span.file {
                Some(_) => parts.push(IoSliceMut::new(part)),
                None => part.fill(0),
            }
        }
        if let Some(file) = span.file {
            let open = storage.file(file, false)?;
            read_at(&open, &mut parts, span.offset)
                .map_err(|error| storage.problem(Doing::Read, file, &error))?;
            storage.unchanged(file, &open)?;
            parts.clear();
        }
    }
    Ok(())
}
