//! What the system's allocator is told of the memory of a tracker.

/// Bytes from which a block is one of pages of its own: an array of a large swarm, or of all the swarms of a shard, which grows
/// without being copied, and gives back at once what it does not need. It is where the allocator begins, too.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: i32 = 128 << 10;

/// Has large arrays kept in pages of their own. Otherwise the allocator would, from the first one that is let go on, copy
/// those up to its size that grow, and whoever wants something of that swarm would wait for milliseconds.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn set_large_apart() {
    use nix::libc::{M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, mallopt};
    // The second is twice the first, as where the allocator chooses them by itself.
    for (parameter, bytes) in [(M_MMAP_THRESHOLD, LARGE_BYTES), (M_TRIM_THRESHOLD, 2 * LARGE_BYTES)] {
        #[expect(
            unsafe_code,
            reason = "there is no safe way to say it, and `cargo xtask bench expiry` shows what it saves"
        )]
        // SAFETY: it changes one number that the allocator looks at, and which is right before and after.
        unsafe {
            mallopt(parameter, bytes);
        }
    }
}

/// Gives free memory back to the system that the allocator keeps in case it is needed again: after much has been let go that
/// will not come again soon.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back() {
    #[expect(
        unsafe_code,
        reason = "there is no safe way to say it, and `cargo xtask bench tracker --scenario dense` shows what it saves"
    )]
    // SAFETY: it takes a number of bytes to keep, and waits for whoever else is allocating.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// Other allocators have their own way.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn set_large_apart() {}

/// Other allocators do so by themselves, or not at all.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
