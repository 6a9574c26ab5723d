//! The swarms on disk, so that a restarted hub can answer at once.
//!
//! Losing it costs one announce interval, so nothing is done to keep the last second: it is written now and then, to a
//! file beside, which takes the old one's name when all of it is on disk. A damaged block costs the swarms in it.

mod format;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use crate::background::Turns;
use crate::tracker::Tracker;
use format::{BlockReader, BlockWriter, SwarmRecord};

/// What the file in the state directory is called.
const FILE: &str = "swarms.snapshot";

/// What a snapshot holds, or what of it could be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Swarms.
    pub swarms: u64,
    /// Peers.
    pub peers: u64,
}

/// What came of loading a snapshot.
#[derive(Debug)]
pub enum Loaded {
    /// There was none.
    Nothing,
    /// All of it was used, or all that is not out of date.
    Whole(Contents),
    /// Some of it, or none; the file is kept under another name for whoever wants to look at it.
    Damaged {
        /// What could be used.
        contents: Contents,
        /// What is wrong.
        why: String,
        /// Where the file is now.
        set_aside: PathBuf,
    },
}

/// Writes every swarm of `tracker` to `state_dir`. `now_unix` is in seconds.
///
/// # Errors
///
/// The system's; the snapshot before is then still there.
pub fn save(state_dir: &Path, tracker: &Tracker, now_unix: i64) -> io::Result<Contents> {
    let path = state_dir.join(FILE);
    let beside = state_dir.join(format!("{FILE}.new"));
    let written = write(&beside, tracker, now_unix).and_then(|contents| {
        fs::rename(&beside, &path)?;
        // The new name is on disk when the directory is.
        File::open(state_dir)?.sync_all()?;
        Ok(contents)
    });
    if written.is_err() {
        // It may never have come to be.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Reads the snapshot in `state_dir` into `tracker`, leaving out who has been silent for too long by `now_unix`.
///
/// # Errors
///
/// The system's, if there is a file but it cannot be read or set aside.
pub fn load(state_dir: &Path, tracker: &Tracker, now_unix: i64) -> io::Result<Loaded> {
    let path = state_dir.join(FILE);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Nothing),
        file => file?,
    };
    let mut contents = Contents::default();
    let mut room = true;
    let damage = read(file, now_unix, |record| {
        let SwarmRecord { hash, completed, is_continued, peers } = record;
        let before = peers.len() as u64;
        // A part is the first of its swarm, too, if what came before it was lost.
        let is_first = !is_continued || tracker.scrape(&hash).is_none();
        if room && tracker.import(hash, completed, &peers).is_ok() {
            contents.swarms += u64::from(is_first);
            contents.peers += before;
        } else if room {
            room = false;
            tracing::warn!("the snapshot holds more than fits the memory budget; the rest is left out");
        }
    })?;
    match damage {
        None => Ok(Loaded::Whole(contents)),
        Some(why) => {
            let set_aside = state_dir.join(format!("{FILE}.damaged"));
            fs::rename(&path, &set_aside)?;
            Ok(Loaded::Damaged { contents, why, set_aside })
        }
    }
}

fn write(path: &Path, tracker: &Tracker, now_unix: i64) -> io::Result<Contents> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let mut writer = BlockWriter::new(file, now_unix)?;
    let mut contents = Contents::default();
    let mut cursor = tracker.export_cursor();
    let mut turns = Turns::of(4);
    loop {
        // Under a lock memory is written, and after it the disk.
        let now = tracker.now();
        let more = tracker.export(&mut cursor, |swarm| {
            contents.swarms += u64::from(!swarm.is_continued());
            contents.peers += swarm.peers(now).len() as u64;
            writer.put(&swarm, now);
        });
        writer.flush_full()?;
        turns.step();
        if !more {
            break;
        }
    }
    let mut file = writer.finish(&contents)?;
    file.flush()?;
    file.sync_all()?;
    Ok(contents)
}

/// Hands each record of `file` to `each`. What is wrong with the file, if anything is.
fn read(file: File, now_unix: i64, mut each: impl FnMut(SwarmRecord)) -> io::Result<Option<String>> {
    let bytes = file.metadata()?.len();
    let mut reader = match BlockReader::new(BufReader::with_capacity(1 << 20, file), bytes, now_unix)? {
        Ok(reader) => reader,
        Err(why) => return Ok(Some(why)),
    };
    while let Some(block) = reader.next_block()? {
        for record in block {
            each(record);
        }
    }
    Ok(reader.damage())
}
