//! How a torrent becomes active: its files are found, what is not known to be good is hashed, and the engine is told.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use engine::{Bits, Content, Event, Priority, piece_priorities};
use wire::metainfo::Metainfo;

use super::torrent::Stay;
use super::{Inner, Phase, Turn};
use crate::disk::{Cause, Checked, Doing, Layout, Place, Problem, Progress, Storage};

/// A look at a torrent's files, which may take long: it can be watched, and broken off.
#[derive(Debug, Default)]
pub(super) struct Check {
    cancelled: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

impl Check {
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { done: self.done.load(Ordering::Relaxed), total: self.total.load(Ordering::Relaxed) }
    }

    fn note(&self, progress: Progress) -> ControlFlow<()> {
        self.done.store(progress.done, Ordering::Relaxed);
        self.total.store(progress.total, Ordering::Relaxed);
        if self.cancelled.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// What a torrent's files are looked for with.
struct Search {
    metainfo: Arc<Metainfo>,
    place: Place,
    wanted: Vec<bool>,
    /// As they were opened before.
    storage: Option<Storage>,
    check: Arc<Check>,
}

/// A torrent's files, as they were found.
struct Found {
    storage: Storage,
    checked: Checked,
    content: Content,
    priorities: Vec<Priority>,
}

impl Inner {
    /// Opens a torrent that was just taken in; if that fails, takes it out again.
    pub(super) async fn bring_in(self: &Arc<Self>, stay: Stay) -> Result<(), Problem> {
        let inner = self.clone();
        // Whoever asked may not wait for the end.
        let opening = self.runtime.spawn(async move {
            let opened = inner.open(stay).await;
            let paused = inner.turn(stay, |turn| turn.running.is_paused());
            match (opened, paused) {
                (Err(problem), Some(false)) => {
                    drop(inner.take_out(stay));
                    Err(problem)
                }
                // Somebody paused it meanwhile: it is here, and will be opened again.
                (Err(_), Some(true)) => Ok(()),
                (opened, _) => opened,
            }
        });
        opening.await.unwrap_or_else(|error| Err(unfit(Path::new("."), error.to_string())))
    }

    /// Looks for a torrent's files, and has it become active.
    pub(super) async fn open(self: &Arc<Self>, stay: Stay) -> Result<(), Problem> {
        let gate = self.turn(stay, |turn| turn.running.gate.clone()).ok_or_else(cancelled)?;
        let _alone = gate.lock().await;
        // Never closed.
        let _permit = self.openings.acquire().await;
        let search = self.turn(stay, |turn| turn.search()).ok_or_else(cancelled)??;
        let (inner, check) = (self.clone(), search.check.clone());
        let searching = self.runtime.spawn_blocking(move || search.run(&inner, stay));
        let found = searching.await.unwrap_or_else(|error| Err(unfit(Path::new("."), error.to_string())));
        let taken_up = self.turn(stay, |turn| turn.take_up(&check, found)).ok_or_else(cancelled)?;
        self.save_soon(stay);
        taken_up
    }
}

impl Turn<'_> {
    fn search(&mut self) -> Result<Search, Problem> {
        let running = &mut *self.running;
        let metainfo = running.metainfo.as_ref().filter(|_| running.is_in(&Phase::Checking));
        let metainfo = metainfo.ok_or_else(cancelled)?;
        let wanted = running.files.choose(metainfo);
        let wanted = wanted.map_err(|why| Problem {
            doing: Doing::Choose,
            path: running.place.path().to_owned(),
            cause: Cause::Unfit(why),
        })?;
        let check = Arc::new(Check::default());
        running.check = Some(check.clone());
        Ok(Search {
            metainfo: metainfo.clone(),
            place: running.place.clone(),
            wanted,
            storage: running.storage.clone(),
            check,
        })
    }

    /// Goes on with what was found; not if the search was broken off.
    fn take_up(&mut self, check: &Arc<Check>, found: Result<Found, Problem>) -> Result<(), Problem> {
        let running = &mut *self.running;
        if !running.check.as_ref().is_some_and(|current| Arc::ptr_eq(current, check)) {
            return Err(cancelled());
        }
        running.checked = check.progress();
        running.check = None;
        let Found { storage, checked, content, priorities } = found?;
        let whole = content.have.is_full();
        let phase = if whole { Phase::Whole(storage.path()) } else { Phase::Fetching };
        let path = running.place.path().to_owned();
        running.storage = Some(storage);
        running.unsaved |= checked.hashed_bytes > 0;
        if matches!(running.place, Place::Source(_)) && !whole {
            let changed = Problem { doing: Doing::Read, path, cause: Cause::Changed };
            return Err(checked.first_problem.unwrap_or(changed));
        }
        running.enter(phase);
        if running.engine.layout().is_none() {
            running.engine.described(content, self.now, self.session);
        } else {
            running.engine.rechecked(content.have);
        }
        if priorities.contains(&Priority::Skip) {
            self.tell(Event::Priorities(&priorities));
        }
        self.tell(Event::Resume);
        self.begin_with_web_seeds();
        self.begin_to_announce();
        Ok(())
    }
}

impl Search {
    /// Waits for the disk.
    fn run(self, inner: &Arc<Inner>, stay: Stay) -> Result<Found, Problem> {
        let Self { metainfo, place, wanted, storage, check } = self;
        let path = place.path().to_owned();
        let layout = Layout::new(metainfo.clone()).map_err(|why| unfit(&path, why.to_string()))?;
        let cut = engine::Layout::new(layout.size(), layout.piece_bytes_max());
        let cut = cut.ok_or_else(|| unfit(&path, "the torrent has too many pieces".to_owned()))?;
        let want = |file: usize| wanted.get(file).copied().unwrap_or(false);
        let storage = match storage {
            Some(storage) => storage,
            None => {
                let owner = Arc::downgrade(inner);
                let sink = move |done| {
                    if let Some(inner) = owner.upgrade() {
                        inner.done(stay, done);
                    }
                };
                inner.disk.open(layout, place, want, sink)?
            }
        };
        // What was good before it was paused is believed too.
        inner.save(stay);
        let checked =
            storage.check(inner.keeper.folder().map(PathBuf::as_path), &|progress| check.note(progress))?;
        let have = Bits::from_bitfield(checked.have.as_bytes(), cut.pieces());
        let wants = |file| if want(file) { Priority::Normal } else { Priority::Skip };
        let files = metainfo.files().iter().enumerate().map(|(at, file)| (file.length, wants(at)));
        let priorities = piece_priorities(&cut, files);
        let content = Content {
            layout: cut,
            private: metainfo.private(),
            metadata_bytes: u32::try_from(metainfo.info_bytes().len()).unwrap_or(0),
            have: have.unwrap_or_else(|| Bits::none(cut.pieces())),
        };
        Ok(Found { storage, checked, content, priorities })
    }
}

fn cancelled() -> Problem {
    Problem { doing: Doing::Open, path: ".".into(), cause: Cause::Cancelled }
}

fn unfit(path: &Path, why: String) -> Problem {
    Problem { doing: Doing::Open, path: path.to_owned(), cause: Cause::Unfit(why) }
}
