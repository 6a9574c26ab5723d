use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::PathBuf;

use swarm::directory::{FileName, FileNameError};

/// What is offered to the peers of the classic dialects: files by name. Names from the network go nowhere else.
pub trait Shelf: Send + Sync + 'static {
    /// Whether a file of that name is offered. It must not wait for the disk.
    fn has(&self, name: &str) -> bool;

    /// Whether a file is offered whose name begins with `name` and is longer. It must not wait for the disk.
    fn has_longer(&self, name: &str) -> bool;

    /// The name of the file whose chunks are given away by number alone, if there is one (`chunklist`).
    fn chunked(&self) -> Option<String>;

    /// Opens the file of that name, for reading. It may wait for the disk.
    ///
    /// # Errors
    /// If it is offered no more, or cannot be opened.
    fn open(&self, name: &str) -> io::Result<File>;
}

/// Files at fixed places.
#[derive(Debug, Clone, Default)]
pub struct Files {
    paths: BTreeMap<String, PathBuf>,
    chunked: Option<String>,
}

impl Files {
    /// Offers the file at `path` under `name`, instead of what was offered under it.
    ///
    /// # Errors
    /// If the name can be no file's.
    pub fn add(&mut self, name: &str, path: PathBuf) -> Result<(), FileNameError> {
        self.paths.insert(FileName::new(name)?.as_str().to_owned(), path);
        Ok(())
    }

    /// Says whose chunks are given away by number.
    pub fn give_chunks_of(&mut self, name: &str) {
        self.chunked = Some(name.to_owned());
    }
}

impl Shelf for Files {
    fn has(&self, name: &str) -> bool {
        self.paths.contains_key(name)
    }

    fn has_longer(&self, name: &str) -> bool {
        let mut behind = self.paths.range::<str, _>((Bound::Excluded(name), Bound::Unbounded));
        behind.next().is_some_and(|(next, _)| next.starts_with(name))
    }

    fn chunked(&self) -> Option<String> {
        self.chunked.clone()
    }

    fn open(&self, name: &str) -> io::Result<File> {
        File::open(self.paths.get(name).ok_or(io::ErrorKind::NotFound)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_names_are_known() {
        let mut files = Files::default();
        for name in ["a", "a.txt", "a.txt.gz", "b"] {
            files.add(name, name.into()).unwrap();
        }
        assert_eq!(
            ["a", "a.txt", "a.txt.gz", "b", "", "c"].map(|name| files.has_longer(name)),
            [true, true, false, false, true, false]
        );
        assert!(files.has("b") && !files.has("c"));
        assert!(files.add("../a", "a".into()).is_err());
    }
}
