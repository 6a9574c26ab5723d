/// Microseconds since an origin of the caller's choice, usually the start of the process.
pub type Micros = u64;

/// One second.
pub const SECOND: Micros = 1_000_000;

/// One millisecond.
pub const MILLISECOND: Micros = 1_000;
