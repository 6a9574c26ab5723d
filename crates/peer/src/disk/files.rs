//! Open files, few at a time.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parking_lot::Mutex;

/// Files that are kept open, the last used ones of all torrents.
#[derive(Debug)]
pub(super) struct Files {
    open: Mutex<Open>,
    max: usize,
}

/// A file of a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) storage: u64,
    pub(super) file: usize,
}

#[derive(Debug, Default)]
struct Open {
    files: HashMap<Key, Entry>,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    file: Arc<File>,
    writable: bool,
    used: u64,
}

impl Files {
    /// Keeps `max` files open. Each thread that uses one may have one more for as long as that takes.
    pub(super) fn new(max: usize) -> Self {
        Self { open: Mutex::default(), max: max.max(1) }
    }

    /// The file, opened by `open` if it is not.
    pub(super) fn get<E>(
        &self,
        key: Key,
        write: bool,
        open: impl FnOnce() -> Result<File, E>,
    ) -> Result<Arc<File>, E> {
        if let Some(file) = self.open.lock().find(key, write) {
            return Ok(file);
        }
        // Not under the lock: a slow disk holds up only who asks for it.
        let file = Arc::new(open()?);
        let mut kept = self.open.lock();
        if let Some(file) = kept.find(key, write) {
            return Ok(file);
        }
        if !kept.files.contains_key(&key) && kept.files.len() >= self.max {
            kept.drop_oldest();
        }
        let used = kept.uses;
        kept.files.insert(key, Entry { file: file.clone(), writable: write, used });
        Ok(file)
    }

    /// Closes one file.
    pub(super) fn close(&self, key: Key) {
        self.open.lock().files.remove(&key);
    }

    /// Closes all files of a torrent.
    pub(super) fn close_all(&self, storage: u64) {
        self.open.lock().files.retain(|key, _| key.storage != storage);
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.lock().files.len()
    }
}

impl Open {
    fn find(&mut self, key: Key, write: bool) -> Option<Arc<File>> {
        self.uses += 1;
        let entry = self.files.get_mut(&key).filter(|entry| entry.writable || !write)?;
        entry.used = self.uses;
        Some(entry.file.clone())
    }

    /// One in a hundred or so is looked for only when another file is opened, which takes longer.
    fn drop_oldest(&mut self) {
        let oldest = self.files.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
        if let Some(key) = oldest {
            self.files.remove(&key);
        }
    }
}

/// Writes all of `parts`, one behind the other, at `offset`.
pub(super) fn write_at(file: &File, mut parts: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        let written = match &*parts {
            [part] => file.write_at(part, offset),
            parts => rustix::io::pwritev(file, parts, offset).map_err(io::Error::from),
        };
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                offset += bytes as u64;
                IoSlice::advance_slices(&mut parts, bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills all of `parts`, one behind the other, from `offset`; `UnexpectedEof` if the file ends before.
pub(super) fn read_at(file: &File, mut parts: &mut [IoSliceMut<'_>], mut offset: u64) -> io::Result<()> {
    IoSliceMut::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        let read = match &mut *parts {
            [part] => file.read_at(part, offset),
            parts => rustix::io::preadv(file, parts, offset).map_err(io::Error::from),
        };
        match read {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                offset += bytes as u64;
                IoSliceMut::advance_slices(&mut parts, bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(file: usize) -> Key {
        Key { storage: 1, file }
    }

    #[test]
    fn the_longest_unused_is_closed_first() {
        let files = Files::new(2);
        let open = |file| files.get(key(file), false, tempfile::tempfile).unwrap();
        let first = open(0);
        open(1);
        open(0);
        open(2);
        assert_eq!(files.len(), 2);
        assert!(Arc::ptr_eq(&first, &open(0)), "1 was closed");
        files.close_all(1);
        assert_eq!(files.len(), 0);
    }

    #[test]
    fn what_is_open_to_read_is_opened_again_to_write() {
        let files = Files::new(2);
        let open = |write| files.get(key(0), write, tempfile::tempfile).unwrap();
        let reader = open(false);
        let writer = open(true);
        assert!(!Arc::ptr_eq(&reader, &writer));
        assert!(Arc::ptr_eq(&writer, &open(false)));
    }

    #[test]
    fn parts_are_written_and_read_in_order() {
        let file = tempfile::tempfile().unwrap();
        write_at(&file, &mut [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")], 3).unwrap();
        let (mut a, mut b) = ([0; 4], [0; 2]);
        read_at(&file, &mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)], 2).unwrap();
        assert_eq!((&a, &b), (b"\0abc", b"de"));
        let short = read_at(&file, &mut [IoSliceMut::new(&mut [0; 9])], 0).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
    }
}
