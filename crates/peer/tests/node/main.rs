//! Nodes on this machine, and what they meet there.

#![expect(clippy::unwrap_used, reason = "a test's panic is its report")]

mod announcing;
mod partial;
mod support;
mod transfer;
