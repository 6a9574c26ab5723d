//! The peer: files, connections and announcing around the engine.

pub mod announce;
pub mod api;
pub mod classic;
pub mod disk;
pub mod folder;
mod net;
pub mod node;
mod percent;
pub mod trust;
pub mod webseed;
