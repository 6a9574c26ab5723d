//! What was fetched into the folder, between runs.
//!
//! A torrent that is being fetched is kept as a magnet link until its description is known, and as a .torrent file
//! then; at the next start it is fetched on. When it is whole the file gets another name, and at the next start it is
//! shared as what it is, if it is still there: what a person has removed is not fetched again.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use peer::disk::{Identity, Place};
use peer::folder::ENTRIES_MAX;
use sha1::{Digest, Sha1};
use swarm::InfoHash;
use wire::magnet::Magnet;
use wire::metainfo::{METAINFO_BYTES_MAX, Metainfo, with_trackers};

/// What the files' names end with.
const MAGNET: &str = "magnet";
const TORRENT: &str = "torrent";
const WHOLE: &str = "whole";

/// What was fetched into one folder, or is being fetched.
#[derive(Debug)]
pub(super) struct Records {
    /// Where they are kept.
    place: PathBuf,
    kept: Mutex<HashMap<InfoHash, Record>>,
}

/// What is known of one.
#[derive(Debug, Clone)]
pub(super) enum Record {
    /// It is to be fetched; what it is was not known yet.
    Magnet(Box<Magnet>),
    /// It is to be fetched.
    Torrent(Arc<Metainfo>),
    /// It was fetched.
    Whole(Arc<Metainfo>),
}

impl Records {
    /// Reads what is kept of `folder`.
    ///
    /// # Errors
    /// The state directory cannot be used.
    pub(super) fn open(state_dir: &Path, folder: &Path) -> io::Result<Self> {
        let key: String =
            Sha1::digest(folder.as_os_str().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let place = state_dir.join(format!("fetched-{key}"));
        fs::create_dir_all(&place)?;
        let mut kept = HashMap::new();
        for entry in fs::read_dir(&place)?.take(ENTRIES_MAX) {
            let path = entry?.path();
            match read(&path) {
                Some((hash, record)) => drop(kept.insert(hash, record)),
                // It was being written when the machine stopped.
                None => drop(fs::remove_file(&path)),
            }
        }
        Ok(Self { place, kept: Mutex::new(kept) })
    }

    /// Everything that is kept.
    pub(super) fn all(&self) -> Vec<Record> {
        self.kept.lock().values().cloned().collect()
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        self.kept.lock().len() < ENTRIES_MAX
    }

    /// What was fetched under a name in an earlier run.
    pub(super) fn fetched(&self, name: &str) -> Option<Arc<Metainfo>> {
        let kept = self.kept.lock();
        let mut whole = kept.values().filter_map(|record| match record {
            Record::Whole(torrent) => Some(torrent),
            Record::Magnet(_) | Record::Torrent(_) => None,
        });
        whole.find(|torrent| torrent.name() == name).cloned()
    }

    /// What is kept of a torrent.
    pub(super) fn get(&self, hash: InfoHash) -> Option<Record> {
        self.kept.lock().get(&hash).cloned()
    }

    /// Keeps a torrent as what it is now. Waits for the disk.
    pub(super) fn keep(&self, record: Record) {
        let (hash, end, bytes) = match &record {
            Record::Magnet(magnet) => (magnet.info_hash, MAGNET, magnet.to_string().into_bytes()),
            Record::Torrent(torrent) => (torrent.info_hash(), TORRENT, file(torrent, torrent.trackers())),
            Record::Whole(torrent) => (torrent.info_hash(), WHOLE, file(torrent, torrent.trackers())),
        };
        let mut kept = self.kept.lock();
        match peer::disk::replace_state(&self.path(hash, end), &bytes) {
            Ok(()) => self
                .remove(hash, &[MAGNET, TORRENT, WHOLE].map(|other| if other == end { "" } else { other })),
            Err(problem) => tracing::warn!(%problem, "it will not be remembered at the next start"),
        }
        kept.insert(hash, record);
    }

    /// Keeps a torrent no longer. Waits for the disk.
    pub(super) fn forget(&self, hash: InfoHash) {
        if self.kept.lock().remove(&hash).is_some() {
            self.remove(hash, &[MAGNET, TORRENT, WHOLE]);
        }
    }

    /// Sees that a torrent that was fetched into `folder` can be shared from where it is without being hashed, if its
    /// files are what was verified then. If nothing is there, it is kept no longer. Waits for the disk.
    pub(super) fn vouch(&self, state_dir: &Path, folder: &Path, torrent: &Arc<Metainfo>) {
        let path = folder.join(torrent.name());
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return self.forget(torrent.info_hash());
        }
        let fetched = Place::Download(folder.to_owned());
        let is_known = || peer::disk::knows(state_dir, torrent, &fetched);
        if !is_known() {
            return;
        }
        let identity = |file: &wire::metainfo::File| {
            let path = file.path.iter().fold(path.clone(), |path, name| path.join(name));
            fs::symlink_metadata(path).map(|metadata| Identity::of(&metadata))
        };
        let stored = torrent.files().iter().filter(|file| !file.pad);
        let Ok(files) = stored.map(identity).collect::<io::Result<Vec<_>>>() else { return };
        // Nothing has changed while we looked.
        if is_known()
            && let Err(problem) = peer::disk::remember(state_dir, torrent, &Place::Source(path), &files)
        {
            tracing::warn!(%problem, "what was fetched is hashed again");
        }
    }

    fn remove(&self, hash: InfoHash, ends: &[&str]) {
        for end in ends.iter().filter(|end| !end.is_empty()) {
            // Most are not there.
            let _ = fs::remove_file(self.path(hash, end));
        }
    }

    fn path(&self, hash: InfoHash, end: &str) -> PathBuf {
        self.place.join(format!("{hash}.{end}"))
    }
}

/// A .torrent file of what is known of a torrent, with these trackers.
pub(super) fn file(torrent: &Metainfo, tiers: &[Vec<String>]) -> Vec<u8> {
    let bare = [b"d4:info", torrent.info_bytes(), b"e"].concat();
    // That is a torrent, so it has a place for trackers.
    with_trackers(&bare, tiers).unwrap_or(bare)
}

/// The same torrent with other trackers.
pub(super) fn with_tiers(torrent: &Metainfo, tiers: &[Vec<String>]) -> Option<Arc<Metainfo>> {
    Metainfo::decode(&file(torrent, tiers)).ok().map(Arc::new)
}

fn read(path: &Path) -> Option<(InfoHash, Record)> {
    if fs::metadata(path).ok()?.len() > METAINFO_BYTES_MAX as u64 {
        return None;
    }
    let bytes = fs::read(path).ok()?;
    let record = match path.extension().and_then(OsStr::to_str)? {
        MAGNET => Record::Magnet(Box::new(Magnet::decode(std::str::from_utf8(&bytes).ok()?).ok()?)),
        TORRENT => Record::Torrent(Arc::new(Metainfo::decode(&bytes).ok()?)),
        WHOLE => Record::Whole(Arc::new(Metainfo::decode(&bytes).ok()?)),
        _ => return None,
    };
    let hash = match &record {
        Record::Magnet(magnet) => magnet.info_hash,
        Record::Torrent(torrent) | Record::Whole(torrent) => torrent.info_hash(),
    };
    (path.file_stem() == Some(OsStr::new(&hash.to_string()))).then_some((hash, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torrent(name: &str) -> Arc<Metainfo> {
        let torrent =
            lab::torrent::Torrent::new(name, b"content", 16 << 10, "http://t.example/announce", false);
        Arc::new(Metainfo::decode(&torrent.bytes).unwrap())
    }

    #[test]
    fn what_is_kept_is_there_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Path::new("/shared");
        let records = Records::open(dir.path(), folder).unwrap();
        assert!(records.all().is_empty());
        let (one, two) = (torrent("one"), torrent("two"));
        let magnet = Magnet { trackers: vec!["udp://t.example:1".to_owned()], ..Magnet::from(&*one) };
        records.keep(Record::Magnet(Box::new(magnet.clone())));
        records.keep(Record::Whole(two.clone()));

        let again = Records::open(dir.path(), folder).unwrap();
        assert_eq!(again.all().len(), 2);
        assert!(matches!(again.get(one.info_hash()), Some(Record::Magnet(kept)) if *kept == magnet));
        let kept = again.fetched("two").unwrap();
        assert_eq!((kept.info_hash(), kept.trackers()), (two.info_hash(), two.trackers()));
        assert!(Records::open(dir.path(), Path::new("/other")).unwrap().all().is_empty());

        again.keep(Record::Torrent(one.clone()));
        again.forget(two.info_hash());
        let last = Records::open(dir.path(), folder).unwrap();
        assert!(matches!(last.get(one.info_hash()), Some(Record::Torrent(_))));
        assert_eq!((last.all().len(), last.fetched("one")), (1, None));
    }

    #[test]
    fn what_cannot_be_read_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path(), Path::new("/shared")).unwrap();
        let hash = torrent("one").info_hash();
        for (end, bytes) in [(TORRENT, &b"d4:infoe"[..]), (MAGNET, b"magnet:?xt=urn:btih:12"), ("new", b"")] {
            fs::write(records.path(hash, end), bytes).unwrap();
        }
        let other = records.path(torrent("two").info_hash(), WHOLE);
        fs::write(other, file(&torrent("one"), &[])).unwrap();
        assert!(Records::open(dir.path(), Path::new("/shared")).unwrap().all().is_empty());
        assert_eq!(fs::read_dir(&records.place).unwrap().count(), 0);
    }
}
