//! The names that a server knows the files by.
//!
//! On disk files have names that are safe there; a server has them under those that stand in the torrent. Most are the
//! same, so only the others are kept.

use std::collections::HashMap;

use wire::bencode::{Dict, Rules, Tree, Value};
use wire::metainfo::{File, Metainfo};

#[derive(Debug, Default)]
pub(super) struct RawNames {
    name: Option<Vec<u8>>,
    /// By the file's place in the torrent.
    paths: HashMap<usize, Vec<Vec<u8>>>,
}

impl RawNames {
    /// Those of `metainfo` that are not the safe ones.
    pub(super) fn of(metainfo: &Metainfo) -> Self {
        // It has been read before, so this does not fail; if it did, the safe names would do.
        let Ok(tree) = Tree::parse(metainfo.info_bytes(), &Rules::LENIENT) else { return Self::default() };
        let Some(info) = tree.root().as_dict() else { return Self::default() };
        let name = bytes(info, "name").filter(|name| usable(name) && *name != metainfo.name().as_bytes());
        let files = info.get("files").and_then(Value::as_list);
        let files = files.into_iter().flat_map(|files| files.iter().enumerate());
        let paths = files.zip(metainfo.files()).filter_map(|((at, raw), safe)| {
            let path = path(raw.as_dict()?)?;
            let same = path.iter().map(Vec::as_slice).eq(safe.path.iter().map(String::as_bytes));
            (!same && path.iter().all(|component| usable(component))).then_some((at, path))
        });
        Self { name: name.map(<[u8]>::to_vec), paths: paths.collect() }
    }

    pub(super) fn name<'a>(&'a self, metainfo: &'a Metainfo) -> &'a [u8] {
        self.name.as_deref().unwrap_or(metainfo.name().as_bytes())
    }

    pub(super) fn path(&self, at: usize, file: &File) -> Vec<Vec<u8>> {
        let safe = || file.path.iter().map(|component| component.as_bytes().to_vec()).collect();
        self.paths.get(&at).cloned().unwrap_or_else(safe)
    }
}

/// The text of `key`, before it that of `key.utf-8`, which some programs write beside it.
fn bytes<'a>(dict: Dict<'_, 'a>, key: &str) -> Option<&'a [u8]> {
    let utf8 = dict.get(&format!("{key}.utf-8")).and_then(Value::as_bytes);
    utf8.or_else(|| dict.get(key).and_then(Value::as_bytes))
}

fn path(file: Dict<'_, '_>) -> Option<Vec<Vec<u8>>> {
    let path = file.get("path.utf-8").or_else(|| file.get("path"))?.as_list()?;
    path.iter().map(|component| component.as_bytes().map(<[u8]>::to_vec)).collect()
}

/// Whether it is a name that an address can hold: `.` and `..` would lead elsewhere, even escaped.
fn usable(component: &[u8]) -> bool {
    !matches!(component, b"" | b"." | b"..")
}
