//! The peer: files, connections and announcing around the engine.

mod net;
pub mod node;
mod store;
