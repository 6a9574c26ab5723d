//! Having the processor fetch from memory what an announce will look at, while others are being answered.
//!
//! In a tracker of millions of peers most of an announce's own time is waiting for memory: for a line of the index, then
//! for the swarm that the index names, then for its peers. A listener that has many announces at hand can have all these
//! lines on their way at once.

use super::Registry;
use super::swarm::Swarm;
use crate::InfoHash;

/// What to fetch. Each is found by the one before, which should have arrived by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Where the index says which swarm it is.
    Index,
    /// The swarm.
    Swarm,
    /// Its peers.
    Peers,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Self; 3] = [Self::Index, Self::Swarm, Self::Peers];
}

impl Registry {
    /// Has memory fetched that an announce of `hash` will look at. Changes nothing and waits for nothing.
    pub fn prefetch(&self, hash: &InfoHash, stage: Stage) {
        let key = self.salt.hash(&hash.0);
        if stage == Stage::Index {
            return self.index.prefetch(key);
        }
        // It may be another's: the first whose hash looks like it will do.
        let Some(swarm) = self.index.find(key, |_| true).and_then(|at| self.swarms.get(at)) else { return };
        match stage {
            Stage::Index | Stage::Swarm => fetch_all::<Swarm>(std::slice::from_ref(swarm)),
            Stage::Peers => swarm.prefetch_peers(),
        }
    }
}

/// Bytes that are fetched at a time.
const LINE_BYTES: usize = 64;

/// Lines that are asked for at most: what goes on beyond, the processor sees coming.
const LINES_MAX: usize = 16;

/// Has the lines of `items` fetched.
pub(super) fn fetch_all<T>(items: &[T]) {
    let lines = size_of_val(items).div_ceil(LINE_BYTES).min(LINES_MAX);
    let stride = (LINE_BYTES / size_of::<T>()).max(1);
    items.iter().step_by(stride).take(lines).for_each(fetch);
    // The last one may reach into a line more.
    items.last().filter(|_| lines < LINES_MAX).into_iter().for_each(fetch_end);
}

/// Has the line fetched in which `item` begins.
pub(super) fn fetch<T>(item: &T) {
    fetch_line(std::ptr::from_ref(item).cast());
}

fn fetch_end<T>(item: &T) {
    let end = std::ptr::from_ref(item).cast::<u8>().wrapping_add(size_of::<T>().saturating_sub(1));
    fetch_line(end);
}

#[cfg(target_arch = "x86_64")]
fn fetch_line(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    #[expect(
        unsafe_code,
        reason = "there is no safe way to say it, and `cargo xtask bench tracker` shows what it saves"
    )]
    // SAFETY: a hint, which reads nothing that the program could see and faults at no address; every x86-64 has it.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
}

/// Where stable Rust has no such hint, the processor finds out for itself.
#[cfg(not(target_arch = "x86_64"))]
fn fetch_line(_: *const u8) {}
