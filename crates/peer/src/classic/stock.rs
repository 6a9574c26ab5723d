use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::fd::OwnedFd;
use std::path::Path;

use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags};
use swarm::directory::FileName;
use tokio::sync::watch;

use super::Shelf;
use super::chunklist::FILE_BYTES_MAX;

/// What the names of downloads begin with in `beacon`.
pub const DOWNLOAD_PREFIX: &str = "[download]";

/// The files at the top of a folder that are offered to the peers of the classic dialects, which change over time.
///
/// A name from the network is looked up among them, and only then opened in the descriptor of the folder, links not
/// followed. In `chunklist` a port gives away the chunks of one file alone: the newest one.
#[derive(Debug)]
pub struct Stock {
    folder: OwnedFd,
    items: Mutex<Items>,
    /// Counts the changes.
    version: watch::Sender<u64>,
}

/// A file that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is called, in the folder too.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// What it is called in `beacon`.
    pub beacon_name: String,
    /// Its place in the order in which they came.
    pub(super) number: u64,
}

#[derive(Debug, Default)]
struct Items {
    by_name: BTreeMap<String, Item>,
    /// The names of items by those that they have in `beacon`, where these are others.
    aliases: BTreeMap<String, String>,
    /// The names of those whose chunks can be given away.
    chunked: BTreeMap<u64, String>,
    next: u64,
}

impl Stock {
    /// Nothing of that folder yet.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder, flags, Mode::empty())?;
        Ok(Self { folder, items: Mutex::default(), version: watch::Sender::new(0) })
    }

    /// Offers a file of the folder. With `prefix`, it is called so in `beacon`, before its name. What is no file there,
    /// or has a name that the dialects do not know, is not offered; whether it is. What is offered already stays as it is: what has changed is to be
    /// [withdrawn](Self::withdraw) first. Waits for the disk.
    pub fn offer(&self, name: &str, prefix: Option<&str>) -> bool {
        let Some(bytes) = FileName::new(name).ok().and_then(|_| self.size(name)) else { return false };
        let beacon_name = format!("{}{name}", prefix.unwrap_or_default());
        let beacon_name = if FileName::new(&beacon_name).is_ok() { beacon_name } else { name.to_owned() };
        let mut items = self.items.lock();
        if items.by_name.get(name).is_some_and(|it| (it.bytes, &it.beacon_name) == (bytes, &beacon_name)) {
            return true;
        }
        items.remove(name);
        let number = items.next;
        items.next += 1;
        if beacon_name != name {
            items.aliases.insert(beacon_name.clone(), name.to_owned());
        }
        if (1..=FILE_BYTES_MAX).contains(&bytes) {
            items.chunked.insert(number, name.to_owned());
        }
        items.by_name.insert(name.to_owned(), Item { name: name.to_owned(), bytes, beacon_name, number });
        drop(items);
        self.version.send_modify(|version| *version += 1);
        true
    }

    /// Offers a file no longer.
    pub fn withdraw(&self, name: &str) {
        if self.items.lock().remove(name) {
            self.version.send_modify(|version| *version += 1);
        }
    }

    /// What is offered, by name.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        self.items.lock().by_name.values().cloned().collect()
    }

    /// The one whose chunks are given away.
    pub(super) fn chunked_item(&self) -> Option<Item> {
        let items = self.items.lock();
        items.by_name.get(items.chunked.values().next_back()?).cloned()
    }

    /// Hears of each change from now on.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn size(&self, name: &str) -> Option<u64> {
        let metadata = self.open_file(name).and_then(|file| file.metadata()).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    fn open_file(&self, name: &str) -> io::Result<File> {
        // Opening a pipe would wait for who writes to it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(rustix::fs::openat(&self.folder, name, flags, Mode::empty())?.into())
    }
}

impl Items {
    fn remove(&mut self, name: &str) -> bool {
        let Some(item) = self.by_name.remove(name) else { return false };
        self.aliases.remove(&item.beacon_name);
        self.chunked.remove(&item.number);
        true
    }

    fn named(&self, name: &str) -> Option<&Item> {
        self.by_name.get(name).or_else(|| self.by_name.get(self.aliases.get(name)?))
    }
}

impl Shelf for Stock {
    fn has(&self, name: &str) -> bool {
        self.items.lock().named(name).is_some()
    }

    fn has_longer(&self, name: &str) -> bool {
        let items = self.items.lock();
        let behind = (Bound::Excluded(name), Bound::Unbounded);
        let of_names = items.by_name.range::<str, _>(behind).next().map(|(next, _)| next);
        let of_aliases = items.aliases.range::<str, _>(behind).next().map(|(next, _)| next);
        of_names.into_iter().chain(of_aliases).any(|next| next.starts_with(name))
    }

    fn chunked(&self) -> Option<String> {
        self.items.lock().chunked.values().next_back().cloned()
    }

    fn open(&self, name: &str) -> io::Result<File> {
        let own_name = self.items.lock().named(name).map(|item| item.name.clone());
        self.open_file(&own_name.ok_or(io::ErrorKind::NotFound)?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn only_files_of_the_folder_are_offered_and_only_while_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put("a", "one");
        put("secret", "no");
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("link")).unwrap();
        let stock = Stock::open(folder.path()).unwrap();
        assert!(stock.offer("a", None));
        for wrong in ["inner", "link", "../a", "gone", ""] {
            assert!(!stock.offer(wrong, None), "{wrong}");
            assert!(!stock.has(wrong) && stock.open(wrong).is_err(), "{wrong}");
        }
        assert!(stock.open("secret").is_err(), "it is there, but not offered");
        // What was a file may be a link when it is asked for.
        std::fs::remove_file(folder.path().join("a")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("a")).unwrap();
        assert!(stock.open("a").is_err());
        stock.withdraw("a");
        assert!(!stock.has("a"));
    }

    #[test]
    fn downloads_have_another_name_in_one_dialect_and_answer_to_both() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "one").unwrap();
        let stock = Stock::open(folder.path()).unwrap();
        assert!(stock.offer("a", Some(DOWNLOAD_PREFIX)));
        for name in ["a", "[download]a"] {
            let mut text = String::new();
            stock.open(name).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "one");
        }
        assert!(stock.has_longer("[down") && !stock.has_longer("[download]a"));
        assert_eq!(stock.items()[0].beacon_name, "[download]a");
        stock.withdraw("a");
        assert!(!stock.has("[download]a"));
    }

    #[test]
    fn the_newest_file_that_has_chunks_gives_them_away() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("b", "1"), ("a", "2"), ("empty", "")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let stock = Stock::open(folder.path()).unwrap();
        assert_eq!(stock.chunked(), None);
        for (name, newest) in [("b", "b"), ("a", "a"), ("empty", "a"), ("b", "a")] {
            stock.offer(name, None);
            assert_eq!(stock.chunked().as_deref(), Some(newest));
        }
        stock.withdraw("a");
        assert_eq!(stock.chunked().as_deref(), Some("b"));
    }
}
