//! Announcing: telling trackers what we have, and learning from them who else is there.

mod schedule;
mod status;
mod target;
mod words;

pub use schedule::{Progress, SPREAD_PERCENT, TRACKERS_MAX, WANT_MAX, Wish};
pub use status::{State, TrackerStatus};
pub use target::Family;
