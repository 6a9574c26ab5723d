//! A folder of files to be shared, and what became of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder's files, in memory.
#[derive(Debug, Clone)]
pub struct Folder<'a> {
    /// The folder's name.
    pub name: &'a str,
    /// Each file's path below it, and its bytes.
    pub files: Vec<(Vec<&'a str>, Vec<u8>)>,
}

impl Folder<'_> {
    /// Writes it into the folder `parent`: its path.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, parent: &Path) -> PathBuf {
        let root = parent.join(self.name);
        for (path, bytes) in &self.files {
            let path = path.iter().fold(root.clone(), |path, part| path.join(part));
            let folder = path.parent().expect("a folder for each file");
            let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, bytes));
            written.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        }
        root
    }

    /// How what is at `root` is not the same, byte for byte; `None` if it is.
    #[must_use]
    pub fn difference(&self, root: &Path) -> Option<String> {
        let mut others = BTreeSet::new();
        walk(root, &mut others);
        for (path, bytes) in &self.files {
            let path = path.iter().fold(root.to_owned(), |path, part| path.join(part));
            others.remove(&path);
            match fs::read(&path) {
                Ok(found) if found == *bytes => {}
                Ok(found) => {
                    let at = found.iter().zip(bytes).position(|(a, b)| a != b);
                    let (len, wanted) = (found.len(), bytes.len());
                    return Some(format!("{}: {len} bytes for {wanted}, unlike at {at:?}", path.display()));
                }
                Err(error) => return Some(format!("{}: {error}", path.display())),
            }
        }
        others.pop_first().map(|path| format!("{} does not belong there", path.display()))
    }
}

/// Adds all files below `folder` to `found`.
fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            _ => drop(found.insert(entry.path())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_same_is_noticed() {
        let temp = tempfile::tempdir().unwrap();
        let files = vec![(vec!["a", "b"], b"ab".to_vec()), (vec!["empty"], Vec::new())];
        let folder = Folder { name: "f", files };
        assert!(folder.difference(&temp.path().join("f")).is_some());
        let root = folder.write(temp.path());
        assert_eq!(folder.difference(&root), None);
        fs::write(root.join("more"), "").unwrap();
        assert!(folder.difference(&root).unwrap().contains("more"));
        fs::remove_file(root.join("more")).unwrap();
        fs::write(root.join("a").join("b"), "aB").unwrap();
        assert!(folder.difference(&root).unwrap().contains("Some(1)"));
    }
}
