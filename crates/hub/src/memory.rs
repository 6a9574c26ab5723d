//! Memory that has become free and that the allocator keeps, in case it is needed again.

/// Gives it back to the system: after much has been let go that will not come again soon.
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

/// Other allocators do so by themselves, or not at all.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
