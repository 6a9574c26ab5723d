//! Which pieces are there.

use std::io::IoSliceMut;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use sha1::{Digest, Sha1};

use super::files::read_at;
use super::place::{Identity, Standing};
use super::problem::{Cause, Doing, Problem};
use super::resume::Saved;
use super::storage::{FileState, Inner, State};
use super::{Layout, Pieces, READ_BACK_BYTES};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The pieces that are there.
    pub have: Pieces,
    /// The bytes that were hashed; the others were known from before.
    pub hashed_bytes: u64,
    /// Why something is not there, if it might be expected: the first file that could not be used.
    pub first_problem: Option<Problem>,
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes that were hashed.
    pub done: u64,
    /// Bytes that are to be hashed.
    pub total: u64,
}

/// A file as it was found.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    standing: Standing,
    identity: Option<Identity>,
    /// It was under this name before, and is ours.
    known: bool,
    /// It has not changed since.
    unchanged: bool,
}

pub(super) fn run(
    storage: &Inner,
    saved: Option<&Saved>,
    progress: &(dyn Fn(Progress) -> ControlFlow<()> + Sync),
) -> Result<Checked, Problem> {
    let mut first_problem = None;
    let mut found = find(storage, saved, &mut first_problem)?;
    let settled = found.iter().filter_map(|found| found.identity?.settles_in()).max();
    if let Some(wait) = settled {
        thread::sleep(wait);
        found = find(storage, saved, &mut first_problem)?;
    }
    storage.shared.files.close_all(storage.id);
    let mut have = Pieces::none(storage.site.layout().pieces());
    let mut suspects = Vec::new();
    let mut is_there = |piece: u32| {
        let layout = storage.site.layout();
        let usable = |file: usize| found[file].identity.is_some();
        let unchanged = |file: usize| found[file].unchanged;
        match saved.filter(|_| layout.files_of(piece).all(unchanged)) {
            Some(saved) if saved.have.contains(piece) => {
                have.insert(piece);
            }
            Some(saved) if !saved.begun.contains(piece) => {}
            _ if layout.files_of(piece).all(usable) => suspects.push(piece),
            _ => {}
        }
    };
    (0..storage.site.layout().pieces()).for_each(&mut is_there);
    {
        let mut state = storage.state.lock();
        let found = found.iter().map(|found| FileState {
            standing: found.standing,
            missing: 0,
            identity: found.identity.filter(|_| found.standing == Standing::Own),
            dirty: false,
        });
        state.files = found.collect();
    }
    let hashed_bytes = hash(storage, &suspects, progress, &mut have, &mut first_problem)?;
    count(storage, &have);
    settle(storage, &found, &have)?;
    storage.release_if_complete();
    Ok(Checked { have, hashed_bytes, first_problem })
}

/// Looks for every file.
fn find(
    storage: &Inner,
    saved: Option<&Saved>,
    first_problem: &mut Option<Problem>,
) -> Result<Vec<Found>, Problem> {
    let (site, layout) = (&storage.site, storage.site.layout());
    let mut all = Vec::with_capacity(layout.files().len());
    for file in 0..layout.files().len() {
        if !layout.is_stored(file) {
            all.push(Found::default());
            continue;
        }
        let own = match site.look(file, Standing::Own) {
            Ok(own) => own,
            // What cannot be used of a source is missing; what stands in a download's way stops it.
            Err(problem) if site.is_source() || !storage.wanted.files[file] => {
                first_problem.get_or_insert(problem);
                None
            }
            Err(problem) => return Err(problem),
        };
        let part = if site.is_source() { None } else { site.look(file, Standing::Part)? };
        let before = saved.map_or((Standing::Absent, None), |saved| saved.files[file]);
        let (standing, identity) = match (own, part) {
            // Both, if a stranger took the name while we were away.
            (Some(_), Some(part)) if before.0 == Standing::Part => (Standing::Part, Some(part)),
            (Some(own), _) => (Standing::Own, Some(own)),
            (None, Some(part)) => (Standing::Part, Some(part)),
            (None, None) => (Standing::Absent, None),
        };
        if standing == Standing::Absent && (site.is_source() || before.0 == Standing::Own) {
            let missing = Problem::new(Doing::Open, site.path(file, Standing::Own), Cause::Missing);
            first_problem.get_or_insert(missing);
        }
        let known = standing != Standing::Absent && before.0 == standing;
        let unchanged = saved.is_some() && before == (standing, identity);
        all.push(Found { standing, identity, known, unchanged });
    }
    Ok(all)
}

/// Hashes `pieces`, and puts the good ones into `have`. How many bytes that were.
fn hash(
    storage: &Inner,
    pieces: &[u32],
    progress: &(dyn Fn(Progress) -> ControlFlow<()> + Sync),
    have: &mut Pieces,
    first_problem: &mut Option<Problem>,
) -> Result<u64, Problem> {
    if pieces.is_empty() {
        return Ok(0);
    }
    let _one_at_a_time = storage.shared.hashing.lock();
    let layout = storage.site.layout();
    let total = pieces.iter().map(|piece| u64::from(layout.piece_bytes(*piece))).sum();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results = Mutex::new((have, first_problem, 0));
    let work = || {
        let mut buffer = vec![0; READ_BACK_BYTES];
        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let hash = read_piece(storage, piece, &mut buffer);
            let mut results = results.lock();
            let (have, first_problem, done) = &mut *results;
            *done += u64::from(layout.piece_bytes(piece));
            match hash {
                Ok(hash) if Some(hash) == layout.hash(piece) => {
                    have.insert(piece);
                }
                Ok(_) => {}
                Err(problem) => {
                    first_problem.get_or_insert(problem);
                }
            }
            if progress(Progress { done: *done, total }).is_break() {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 1..cores.min(pieces.len()) {
            scope.spawn(work);
        }
        work();
    });
    if stop.load(Ordering::Relaxed) {
        return Err(Problem::new(Doing::Read, storage.site.root(), Cause::Cancelled));
    }
    Ok(total)
}

fn read_piece(storage: &Inner, piece: u32, buffer: &mut [u8]) -> Result<[u8; 20], Problem> {
    let mut hasher = Sha1::new();
    read_back(storage, piece, 0, storage.site.layout().piece_bytes(piece), buffer, &mut hasher)?;
    Ok(hasher.finalize().into())
}

/// Adds what is on disk of a piece to its hash, by way of `buffer`.
pub(super) fn read_back(
    storage: &Inner,
    piece: u32,
    begin: u32,
    bytes: u32,
    buffer: &mut [u8],
    hasher: &mut Sha1,
) -> Result<(), Problem> {
    let layout = storage.site.layout();
    for span in layout.spans(layout.position(piece, begin), bytes as usize) {
        let file = span.file.map(|file| storage.file(file, false)).transpose()?;
        let mut done = 0;
        while done < span.bytes {
            let length = buffer.len().min(span.bytes - done);
            let part = &mut buffer[..length];
            match (&file, span.file) {
                (Some(open), Some(file)) => {
                    let offset = span.offset + done as u64;
                    read_at(open, &mut [IoSliceMut::new(part)], offset)
                        .map_err(|error| storage.problem(Doing::Read, file, &error))?;
                }
                _ => part.fill(0),
            }
            hasher.update(&*part);
            done += length;
        }
    }
    Ok(())
}

/// Takes `have` as what is there.
fn count(storage: &Inner, have: &Pieces) {
    let layout = storage.site.layout();
    let mut guard = storage.state.lock();
    let State { have: known, begun, files, missing, .. } = &mut *guard;
    known.clone_from(have);
    *begun = Pieces::none(layout.pieces());
    *missing = 0;
    for piece in (0..layout.pieces()).filter(|piece| !have.contains(*piece)) {
        *missing += u32::from(storage.wanted.pieces.contains(piece));
        for file in layout.files_of(piece) {
            files[file].missing += 1;
        }
    }
}

/// Gives every file of a download the name that it deserves.
fn settle(storage: &Inner, found: &[Found], have: &Pieces) -> Result<(), Problem> {
    let (site, layout) = (&storage.site, storage.site.layout());
    if site.is_source() {
        return Ok(());
    }
    for (file, found) in found.iter().enumerate().filter(|(file, _)| layout.is_stored(*file)) {
        let complete = storage.state.lock().files[file].missing == 0;
        let wanted = storage.wanted.files[file];
        let bytes = found.identity.map(|identity| identity.bytes);
        let fits = bytes == Some(layout.files()[file].length);
        match found.standing {
            Standing::Own if complete && fits => {}
            Standing::Own => {
                let recognized = layout.pieces_of(file).any(|piece| have.contains(piece));
                // An empty file has nothing that could be mended.
                let ours = found.known && layout.files()[file].length > 0;
                if ours || recognized {
                    site.take_name(file)?;
                    storage.shared.files.close(super::files::Key { storage: storage.id, file });
                    storage.state.lock().files[file].standing = Standing::Part;
                } else if wanted && !(fits && is_undecidable(layout, file)) {
                    let path = site.path(file, Standing::Own);
                    return Err(Problem::new(Doing::Write, path, Cause::InTheWay));
                } else {
                    storage.state.lock().files[file].standing = Standing::Absent;
                }
            }
            Standing::Part if !fits => site.fit(file, &site.open(file, Standing::Part, true)?)?,
            Standing::Part => {}
            Standing::Absent if complete && wanted => {
                drop(site.create_part(file)?);
                storage.state.lock().files[file].standing = Standing::Part;
            }
            Standing::Absent => {}
        }
        if complete && wanted && storage.state.lock().files[file].standing == Standing::Part {
            storage.name(file)?;
        }
    }
    Ok(())
}

/// Whether no hash is of a file's bytes alone. Such a file may be ours though none of its pieces is good; it is left
/// alone, and compared when its pieces have come.
fn is_undecidable(layout: &Layout, file: usize) -> bool {
    layout.pieces_of(file).all(|piece| layout.files_of(piece).any(|other| other != file))
}
