//! Files that come in pieces, from several holders at once: the parts of `token` and the chunks of `chunklist`.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use wire::classic::chunklist::CHUNK_BYTES;
use wire::classic::transfer::{self, PART_BYTES, Wanted};

use super::super::{Error, Wrong};
use super::answer::Answer;
use super::partial::Partial;
use super::record::Record;
use super::{Check, FetchError, Fetched, Order, Progress, stream};

/// Holders that are asked at the same time.
const HOLDERS_AT_ONCE: usize = 16;

/// Pieces that one holder is asked for at the same time: small programs serve one after another.
const PIECES_PER_HOLDER: usize = 2;

/// How long one piece may take.
const PIECE: Duration = Duration::from_secs(60);

/// How often in a row a holder may fail before it is asked no more.
const FAILURES_MAX: u32 = 3;

/// How often is noted what is here.
const REMEMBER: Duration = Duration::from_secs(2);

/// The most parts of a file: 256 GiB.
const PARTS_MAX: u32 = 1 << 22;

/// Gets a file in the parts of `token`, from several holders at once; from holders that know no parts, as those of
/// `beacon`, as a whole from one. `total_parts` is what the tracker says, 0 if it does not.
///
/// # Errors
/// If a part is given by none of the holders, or the disk does not take it. The parts that have come are kept, and gone
/// on with another time.
pub async fn parts(
    order: &Order<'_>,
    total_parts: u32,
    holders: &[SocketAddr],
) -> Result<Fetched, FetchError> {
    if total_parts > PARTS_MAX {
        return Err(FetchError::TooManyParts { parts: total_parts, parts_max: PARTS_MAX });
    }
    if total_parts == 0 {
        return stream::whole(order, holders).await;
    }
    let kind = Kind::Parts(order.name.to_owned());
    let holders = order.holders(holders)?;
    let partial = Partial::open(order, "token").await?;
    let recalled = partial.recall(total_parts.into()).await.map(|record| record.pieces).unwrap_or_default();
    let mut pieces = Pieces::new(total_parts);
    // What is missing at the end of the file cannot be here, whatever was noted.
    let length = partial.length().await?;
    for (number, _) in (0..total_parts).zip(recalled).filter(|(_, is_here)| *is_here) {
        let here = length.saturating_sub(u64::from(number) * PART_BYTES).min(PART_BYTES);
        if here == PART_BYTES || (here > 0 && number + 1 == total_parts) {
            pieces.set_here(number, here);
        }
    }
    match fetch(order, &kind, &holders, &partial, &mut pieces).await? {
        None => {
            let bytes = pieces.length(PART_BYTES);
            let path = partial.finish(bytes).await?;
            Ok(Fetched { path, bytes, check: Check::Parts })
        }
        Some(reasons) => {
            let know_no_parts: Vec<SocketAddr> = reasons
                .iter()
                .filter(|reason| matches!(reason.wrong, Wrong::NotThere))
                .map(|reason| reason.who)
                .collect();
            if pieces.here == 0 {
                partial.discard().await;
                if !know_no_parts.is_empty() {
                    return stream::whole(order, &know_no_parts).await;
                }
            }
            Err(order.failed(reasons))
        }
    }
}

/// Gets a file in the chunks of `chunklist`, each of which must have its hash, from several seeders at once.
///
/// # Errors
/// If a chunk is given by none of the seeders, or the disk does not take it. The chunks that have come are kept, and
/// gone on with another time.
pub async fn chunks(
    order: &Order<'_>,
    hashes: &[[u8; 32]],
    seeders: &[SocketAddr],
) -> Result<Fetched, FetchError> {
    let kind = Kind::Chunks(hashes.to_vec());
    let holders = order.holders(seeders)?;
    let partial = Partial::open(order, "chunklist").await?;
    let count = u32::try_from(hashes.len()).unwrap_or(u32::MAX);
    let mut pieces = Pieces::new(count);
    let length = partial.length().await?;
    let chunk_bytes = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
    for (number, hash) in (0..count).zip(hashes) {
        let offset = u64::from(number) * CHUNK_BYTES;
        if offset >= length {
            break;
        }
        let (found, bytes) = partial.hash(offset, chunk_bytes).await?;
        // A chunk is whole, but for the last. Behind the last one more may be left of another file.
        if found == *hash && (bytes == CHUNK_BYTES || number + 1 == count) {
            pieces.set_here(number, bytes);
        }
    }
    match fetch(order, &kind, &holders, &partial, &mut pieces).await? {
        None => {
            let bytes = pieces.length(CHUNK_BYTES);
            let path = partial.finish(bytes).await?;
            Ok(Fetched { path, bytes, check: Check::Hashes })
        }
        Some(reasons) => {
            if pieces.here == 0 {
                partial.discard().await;
            }
            Err(order.failed(reasons))
        }
    }
}

/// Of which kind the pieces are.
#[derive(Debug, Clone)]
enum Kind {
    /// Of the file of that name.
    Parts(String),
    /// With these hashes.
    Chunks(Vec<[u8; 32]>),
}

impl Kind {
    const fn piece_bytes(&self) -> u64 {
        match self {
            Self::Parts(_) => PART_BYTES,
            Self::Chunks(_) => CHUNK_BYTES,
        }
    }

    fn wanted(&self, number: u32) -> Wanted {
        match self {
            Self::Parts(name) => Wanted::Part { name: name.clone(), part: number },
            Self::Chunks(_) => Wanted::Chunk(number),
        }
    }

    fn hash(&self, number: u32) -> Option<[u8; 32]> {
        match self {
            Self::Parts(_) => None,
            Self::Chunks(hashes) => hashes.get(number as usize).copied(),
        }
    }
}

/// How far a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Missing,
    Asked,
    Here,
}

/// What is here and what is not.
#[derive(Debug)]
struct Pieces {
    states: Vec<Piece>,
    /// Before this one none is missing.
    first_missing: usize,
    here: u32,
    bytes: u64,
    last_bytes: u64,
}

impl Pieces {
    fn new(count: u32) -> Self {
        let states = vec![Piece::Missing; count as usize];
        Self { states, first_missing: 0, here: 0, bytes: 0, last_bytes: 0 }
    }

    /// A piece that is neither here nor asked for nor among `but`; it is asked for then.
    fn next(&mut self, but: &HashSet<u32>) -> Option<u32> {
        while self.states.get(self.first_missing).is_some_and(|state| *state != Piece::Missing) {
            self.first_missing += 1;
        }
        for (number, state) in self.states.iter_mut().enumerate().skip(self.first_missing) {
            let Ok(number) = u32::try_from(number) else { break };
            if *state == Piece::Missing && !but.contains(&number) {
                *state = Piece::Asked;
                return Some(number);
            }
        }
        None
    }

    fn set_missing(&mut self, number: u32) {
        self.states[number as usize] = Piece::Missing;
        self.first_missing = self.first_missing.min(number as usize);
    }

    fn set_here(&mut self, number: u32, bytes: u64) {
        self.states[number as usize] = Piece::Here;
        self.here += 1;
        self.bytes += bytes;
        if self.is_last(number) {
            self.last_bytes = bytes;
        }
    }

    fn is_last(&self, number: u32) -> bool {
        number as usize + 1 == self.states.len()
    }

    fn are_all_here(&self) -> bool {
        self.here as usize == self.states.len()
    }

    /// How long the file is when all are here.
    fn length(&self, piece_bytes: u64) -> u64 {
        (self.states.len() as u64).saturating_sub(1) * piece_bytes + self.last_bytes
    }

    fn record(&self) -> Record {
        let pieces: Vec<bool> = self.states.iter().map(|state| *state == Piece::Here).collect();
        Record { size: pieces.len() as u64, pieces }
    }
}

/// Somebody who is asked.
struct Holder {
    address: SocketAddr,
    /// What it has not got.
    has_not: HashSet<u32>,
    asked: usize,
    failures: u32,
    last_failure: Option<Error>,
}

impl Holder {
    /// Takes a failure into account.
    fn failed(&mut self, error: Error, number: u32) {
        match error.wrong {
            // It may have others; but who has nothing is not asked for everything.
            Wrong::NotThere => {
                self.has_not.insert(number);
                self.failures += 1;
            }
            // That is no accident.
            Wrong::Forged(_) | Wrong::Long(_) => self.failures = FAILURES_MAX,
            _ => self.failures += 1,
        }
        self.last_failure = Some(error);
    }
}

/// What a holder gave, or did, when it was asked for a piece.
struct Answered {
    /// Its place among the holders.
    at: usize,
    number: u32,
    piece: Result<Vec<u8>, Error>,
}

/// Gets what is missing. `None` if all is here then; otherwise what was wrong with each holder.
async fn fetch(
    order: &Order<'_>,
    kind: &Kind,
    holders: &[SocketAddr],
    partial: &Partial,
    pieces: &mut Pieces,
) -> Result<Option<Vec<Error>>, FetchError> {
    let holder =
        |&address| Holder { address, has_not: HashSet::new(), asked: 0, failures: 0, last_failure: None };
    let mut holders: Vec<Holder> = holders.iter().map(holder).collect();
    let bytes_max = Some(pieces.states.len() as u64 * kind.piece_bytes());
    let mut remembered_at = Instant::now();
    let mut asked = JoinSet::new();
    (order.progress)(Progress { bytes: pieces.bytes, bytes_max });
    while !pieces.are_all_here() {
        ask(&mut asked, &mut holders, kind, pieces);
        let Some(answered) = asked.join_next().await else { break };
        let Answered { at, number, piece } = match answered {
            Ok(answered) => answered,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let holder = &mut holders[at];
        holder.asked -= 1;
        match piece {
            Ok(piece) => {
                holder.failures = 0;
                let bytes = piece.len() as u64;
                partial.write(piece, u64::from(number) * kind.piece_bytes()).await?;
                pieces.set_here(number, bytes);
                (order.progress)(Progress { bytes: pieces.bytes, bytes_max });
            }
            Err(error) => {
                pieces.set_missing(number);
                holder.failed(error, number);
            }
        }
        // Chunks tell themselves what they are.
        if matches!(kind, Kind::Parts(_)) && remembered_at.elapsed() >= REMEMBER {
            partial.remember(pieces.record()).await?;
            remembered_at = Instant::now();
        }
    }
    if pieces.are_all_here() {
        return Ok(None);
    }
    if matches!(kind, Kind::Parts(_)) {
        partial.remember(pieces.record()).await?;
    }
    Ok(Some(holders.into_iter().filter_map(|holder| holder.last_failure).collect()))
}

/// Asks each holder that still can be asked for pieces that nobody else is asked for.
fn ask(asked: &mut JoinSet<Answered>, holders: &mut [Holder], kind: &Kind, pieces: &mut Pieces) {
    let mut usable: Vec<usize> =
        (0..holders.len()).filter(|at| holders[*at].failures < FAILURES_MAX).collect();
    // Who has failed just now waits until nobody else can be asked.
    usable.sort_by_key(|at| holders[*at].failures);
    usable.truncate(HOLDERS_AT_ONCE);
    for _ in 0..PIECES_PER_HOLDER {
        for &at in &usable {
            let holder = &mut holders[at];
            if holder.asked >= PIECES_PER_HOLDER {
                continue;
            }
            let Some(number) = pieces.next(&holder.has_not) else { continue };
            holder.asked += 1;
            let (from, wanted, hash) = (holder.address, kind.wanted(number), kind.hash(number));
            let (piece_bytes, is_last) = (kind.piece_bytes(), pieces.is_last(number));
            asked.spawn(async move {
                let got = timeout(PIECE, piece(from, &wanted, piece_bytes, is_last)).await;
                let got =
                    got.unwrap_or_else(|_| Err(Wrong::Slow { bytes: piece_bytes, span: PIECE }.with(from)));
                let got = got.and_then(|piece| match hash {
                    Some(hash) if <[u8; 32]>::from(Sha256::digest(&piece)) != hash => {
                        Err(Wrong::Forged(number).with(from))
                    }
                    _ => Ok(piece),
                });
                Answered { at, number, piece: got }
            });
        }
    }
}

/// One piece: as long as a piece is, or shorter if it is the last.
async fn piece(from: SocketAddr, wanted: &Wanted, piece_bytes: u64, is_last: bool) -> Result<Vec<u8>, Error> {
    let mut answer = Answer::of(from, wanted).await?;
    let bytes_max = usize::try_from(piece_bytes).unwrap_or(usize::MAX);
    let mut piece = Vec::with_capacity(bytes_max + 1);
    while answer.read(&mut piece, bytes_max + 1).await? > 0 {
        if piece.len() > bytes_max {
            return Err(Wrong::Long(piece_bytes).with(from));
        }
    }
    if transfer::is_refusal(&piece) || piece.is_empty() {
        return Err(Wrong::NotThere.with(from));
    }
    if piece.len() < bytes_max && !is_last {
        return Err(Wrong::Short { bytes: piece.len() as u64, expected: piece_bytes }.with(from));
    }
    Ok(piece)
}
