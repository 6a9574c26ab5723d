//! The peer: files, connections and announcing around the engine.

pub mod disk;
pub mod announce;
pub mod webseed;

mod percent;
