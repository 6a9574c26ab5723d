//! The peer: files, connections and announcing around the engine.

pub mod announce;
mod net;
pub mod node;
mod percent;
mod store;
