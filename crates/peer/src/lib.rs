//! The peer: files, connections and announcing around the engine.

pub mod announce;
pub mod disk;
mod net;
pub mod node;
mod percent;
pub mod webseed;
