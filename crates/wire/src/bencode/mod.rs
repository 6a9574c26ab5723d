//! Bencode (BEP 3): integers `i42e`, strings `4:spam`, lists `l…e` and dictionaries `d…e`.
//!
//! [`Tree::parse`] reads a whole value into a flat array that borrows from the input. It never recurses, allocates at
//! most one small [node](NODE_BYTES) for each item, and an item takes at least two bytes of input. Every value knows
//! its raw span, so that a hash can be taken of the sender's own bytes.
//!
//! Integers and lengths are strict everywhere: no leading zeros, no `-0`, nothing outside an `i64`. What the caller
//! chooses, by [`Rules`], is whether keys must be canonical and whether bytes may follow the value.

mod tree;
mod write;

pub use tree::{Dict, List, NODE_BYTES, Tree, Value};
pub use write::{DictWriter, put_bytes, put_dict, put_int, put_list, put_uint};

/// How strictly to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What is asked of a dictionary's keys.
    pub keys: Keys,
    /// What is asked of the bytes after the value.
    pub trailing: Trailing,
    /// Lists and dictionaries inside each other, at most.
    pub depth_max: usize,
}

/// What is asked of a dictionary's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Sorted as raw bytes, each once, as BEP 3 demands.
    Canonical,
    /// In any order, as some real torrents have them. Of a key that comes twice, the first counts, which is how the
    /// most used library (libtorrent) reads it; all of them are iterated over.
    AnyOrder,
}

/// What is asked of the bytes after the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailing {
    /// There must be none.
    Refused,
    /// They are ignored; [`Tree::end`] says where they start.
    Allowed,
}

/// Lists and dictionaries inside each other, at most, unless the caller wants fewer or more. A torrent's deepest
/// honest structure is its file tree (BEP 52), one level a folder.
pub const DEPTH_MAX: usize = 100;

impl Rules {
    /// As the specification has it.
    pub const STRICT: Self =
        Self { keys: Keys::Canonical, trailing: Trailing::Refused, depth_max: DEPTH_MAX };

    /// As the world writes it: keys in any order, bytes after the value.
    pub const LENIENT: Self =
        Self { keys: Keys::AnyOrder, trailing: Trailing::Allowed, depth_max: DEPTH_MAX };
}

#[cfg(test)]
mod tests;
