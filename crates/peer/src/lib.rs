//! The peer: files, connections and announcing around the engine.
