//! What the `skep` binary is made of, so that tests can call it without a process.

pub mod check;
