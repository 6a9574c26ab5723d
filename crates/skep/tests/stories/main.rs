//! What happens to people who share and fetch: interruptions, damage, liars, full disks. The program is the one that they
//! run, and what it moved is read off the hub and the disk.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test's panic is its report")]

mod crowd;
mod hostile;
mod manners;
mod names;
mod resume;
mod scene;
mod trouble;
