use super::decode::missing;
use super::{COMPONENTS_MAX, FILES_MAX, safe};
use crate::Malformed;
use crate::bencode::{Dict, Value};

/// One file of a torrent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// Folders and file name, below the torrent's own folder; of a single file, its name alone.
    ///
    /// Each component is safe to join to a folder's path on any system: not empty, no `.` or `..`, no separator,
    /// control or text-direction character, no drive letter, no device name of Windows, no blank or dot at its end, at
    /// most [`NAME_BYTES_MAX`](super::NAME_BYTES_MAX) bytes. What was not is changed in the same way every time, and
    /// no two files that are not padding have the same path, nor is one the folder of another. Names that differ only
    /// in case are different, and the other characters that Windows refuses (`:`, `?`, …) are kept.
    pub path: Vec<String>,
    /// Bytes; 0 of a symbolic link.
    pub length: u64,
    /// Whether it only fills the payload up to the next piece: zeros, which nobody needs to store (BEP 47).
    pub pad: bool,
    /// Whether it is a program (BEP 47, `x`).
    pub executable: bool,
    /// Whether it is hidden (BEP 47, `h`).
    pub hidden: bool,
    /// Whether it is a symbolic link (BEP 47, `l`). Its target is the sender's word, and is never followed.
    pub symlink: bool,
}

/// A file as the torrent has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawFile<'a> {
    pub(super) path: Vec<&'a [u8]>,
    pub(super) length: u64,
    attr: &'a [u8],
    /// Named as padding is by programs older than BEP 47's attribute.
    pad_by_name: bool,
}

/// Reads `length` or `files` (BEP 3). True if it is a single file.
pub(super) fn v1<'a>(
    info: Dict<'_, 'a>,
    name: &'a [u8],
    input_bytes: usize,
) -> Result<(Vec<RawFile<'a>>, bool), Malformed> {
    let Some(list) = info.list("files")? else {
        let file = RawFile { path: vec![name], length: length(info)?, attr: attr(info)?, pad_by_name: false };
        return Ok((vec![file], true));
    };
    let mut files = Vec::new();
    let mut memory = Memory::for_input(input_bytes);
    for item in list.iter() {
        let Some(file) = item.as_dict() else { return Err(item.fault("an item of `files`", "a dictionary")) };
        if files.len() == FILES_MAX {
            return Err(too_many());
        }
        let path = path(file)?;
        memory.take(&path)?;
        let pad_by_name = is_pad_name(&path);
        files.push(RawFile { path, length: length(file)?, attr: attr(file)?, pad_by_name });
    }
    Ok((files, false))
}

/// Reads `file tree` (BEP 52), in its order.
pub(super) fn v2<'a>(info: Dict<'_, 'a>, input_bytes: usize) -> Result<Vec<RawFile<'a>>, Malformed> {
    let tree = info.dict("file tree")?.ok_or_else(|| missing("file tree", "a dictionary of the files"))?;
    let mut walk = Walk { files: Vec::new(), path: Vec::new(), memory: Memory::for_input(input_bytes) };
    walk.folder(tree)?;
    Ok(walk.files)
}

/// Whether both halves of a hybrid name the same files, padding aside. Otherwise its two swarms would share different
/// things under one name.
pub(super) fn agree(v1: &[RawFile<'_>], v2: &[RawFile<'_>]) -> Result<(), Malformed> {
    let mut v2_files = v2.iter();
    for file in v1.iter().filter(|file| !file.is_pad()) {
        if !v2_files.next().is_some_and(|other| other.path == file.path && other.length == file.length) {
            let path = file.path.join(&b'/');
            return Err(Malformed::found("`files`", &path, "in the same place of the `file tree`"));
        }
    }
    match v2_files.next() {
        None => Ok(()),
        Some(file) => Err(Malformed::found("`file tree`", &file.path.join(&b'/'), "in the list of `files`")),
    }
}

/// The same files with safe paths that are all different.
pub(super) fn made_safe(raw: &[RawFile<'_>]) -> Vec<File> {
    let mut paths = safe::paths(raw.iter().map(|file| (&file.path[..], file.is_pad())));
    raw.iter()
        .zip(&mut paths)
        .map(|(file, path)| File {
            path: std::mem::take(path),
            length: file.length,
            pad: file.is_pad(),
            executable: file.attr.contains(&b'x'),
            hidden: file.attr.contains(&b'h'),
            symlink: file.attr.contains(&b'l'),
        })
        .collect()
}

impl RawFile<'_> {
    fn is_pad(&self) -> bool {
        self.attr.contains(&b'p') || self.pad_by_name
    }
}

/// A file tree under way. It recurses once a folder, [`COMPONENTS_MAX`] deep at most.
struct Walk<'a> {
    files: Vec<RawFile<'a>>,
    path: Vec<&'a [u8]>,
    memory: Memory,
}

impl<'a> Walk<'a> {
    fn folder(&mut self, folder: Dict<'_, 'a>) -> Result<(), Malformed> {
        for (name, value) in folder.iter() {
            let Some(entry) = value.as_dict() else {
                return Err(value.fault("an entry of `file tree`", "a dictionary"));
            };
            if name.is_empty() {
                return Err(
                    value.fault("`file tree` without a name", "a file: it has other entries, or is the root")
                );
            }
            if self.path.len() == COMPONENTS_MAX {
                return Err(too_deep(value));
            }
            self.path.push(name);
            let mut entries = entry.iter();
            match (entries.next(), entries.next()) {
                (Some((b"", file)), None) => self.file(file)?,
                _ => self.folder(entry)?,
            }
            self.path.pop();
        }
        Ok(())
    }

    fn file(&mut self, value: Value<'_, 'a>) -> Result<(), Malformed> {
        let Some(file) = value.as_dict() else {
            return Err(value.fault("a file of `file tree`", "a dictionary"));
        };
        if self.files.len() == FILES_MAX {
            return Err(too_many());
        }
        let length = length(file)?;
        let root = file.bytes("pieces root")?;
        if length > 0 && root.is_none_or(|root| root.len() != 32) {
            return Err(
                value.fault("a file of `file tree`", "complete: `pieces root` of 32 bytes is expected")
            );
        }
        self.memory.take(&self.path)?;
        let attr = attr(file)?;
        self.files.push(RawFile { path: self.path.clone(), length, attr, pad_by_name: false });
        Ok(())
    }
}

/// What paths may still cost. A file tree names a folder once, however many files repeat it in their paths, so a
/// short input could ask for a great deal.
struct Memory {
    left: usize,
}

/// What paths may cost in memory, in bytes for each byte of input…
const PATH_BYTES_PER_INPUT_BYTE: usize = 32;

/// …and at least.
const PATH_BYTES_MIN: usize = 1 << 20;

/// What a path's component costs beside its own bytes, about: as it came, made safe, and while paths are compared.
const COMPONENT_BYTES: usize = 128;

impl Memory {
    fn for_input(bytes: usize) -> Self {
        Self { left: bytes.saturating_mul(PATH_BYTES_PER_INPUT_BYTE).max(PATH_BYTES_MIN) }
    }

    fn take(&mut self, path: &[&[u8]]) -> Result<(), Malformed> {
        let cost = path.iter().map(|component| COMPONENT_BYTES + 2 * component.len()).sum();
        self.left = self
            .left
            .checked_sub(cost)
            .ok_or_else(|| Malformed::new("the files' paths are too long for so short a torrent"))?;
        Ok(())
    }
}

fn path<'a>(file: Dict<'_, 'a>) -> Result<Vec<&'a [u8]>, Malformed> {
    let list = match file.list("path.utf-8")? {
        Some(list) => list,
        None => {
            file.list("path")?.ok_or_else(|| file.value().fault("a file", "complete: `path` is expected"))?
        }
    };
    let mut path = Vec::new();
    for item in list.iter() {
        if path.len() == COMPONENTS_MAX {
            return Err(too_deep(item));
        }
        path.push(item.as_bytes().ok_or_else(|| item.fault("a part of `path`", "a string"))?);
    }
    if path.is_empty() {
        return Err(file.value().fault("a file", "complete: its `path` is empty"));
    }
    Ok(path)
}

fn length(file: Dict<'_, '_>) -> Result<u64, Malformed> {
    if attr(file)?.contains(&b'l') {
        return Ok(0);
    }
    let length =
        file.int("length")?.ok_or_else(|| file.value().fault("a file", "complete: `length` is expected"))?;
    u64::try_from(length)
        .map_err(|_| Malformed::found("`length`", length.to_string().as_bytes(), "a number of bytes from 0"))
}

fn attr<'a>(file: Dict<'_, 'a>) -> Result<&'a [u8], Malformed> {
    Ok(file.bytes("attr")?.unwrap_or_default())
}

/// How padding is called: `.pad/<bytes>` (BEP 47), and `_____padding_file_<n>_…` by BitComet before it.
fn is_pad_name(path: &[&[u8]]) -> bool {
    match path {
        [b".pad", bytes] => !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit),
        [.., name] => name.starts_with(b"_____padding_file_"),
        [] => false,
    }
}

fn too_many() -> Malformed {
    Malformed::new(format!("the torrent has too many files: {FILES_MAX} at most"))
}

fn too_deep(value: Value<'_, '_>) -> Malformed {
    value.fault("a path", &format!("allowed so deep: {COMPONENTS_MAX} names at most"))
}
