//! How a BitTorrent peer behaves, as a state machine.
//!
//! A [`Torrent`] is told what happened ([`Event`]) and when, and answers with what to do ([`Action`]). It opens no
//! socket or file and never asks what time it is: the same code runs over real connections, in a test without sleeps,
//! and in a simulation of a thousand peers.
//!
//! # How to drive it
//! 1. After each call, take [`Torrent::next_action`] until there is none, and do what it says.
//! 2. Call [`Torrent::handle`] with [`Event::Tick`] when [`Torrent::next_timeout`] has come.
//! 3. The data of blocks never passes through here. A block that came is announced as [`Event::Block`] while the caller
//!    holds its bytes; if [`Action::Write`] follows, they are wanted, otherwise they may go. A block to send is named
//!    by [`Action::SendBlock`]; the caller reads it, sends it, and says [`Event::Sent`] when the network took it.
//! 4. [`Action::Verify`] follows the last `Write` of a piece. Nothing counts, and nothing is offered to others, before
//!    [`Event::Hashed`] says that the piece is good.

mod bits;
mod candidates;
mod choker;
mod dice;
mod event;
mod layout;
mod limiter;
mod metadata;
mod meter;
mod outbox;
mod peer;
mod pex;
mod picker;
mod pipeline;
mod restraint;
mod roster;
mod session;
mod spread;
mod time;
mod torrent;
mod turns;

pub use bits::Bits;
pub use candidates::{CANDIDATES_MAX, Source};
pub use event::{Action, Config, Content, Event, Identity, Link, Reason, Stats};
pub use layout::{BLOCK_BYTES, Layout};
pub use peer::{PeerKey, PeerView};
pub use picker::{Priority, piece_priorities};
pub use pipeline::REQUESTS_MAX;
pub use session::{Bans, Session};
pub use time::{MILLISECOND, Micros, SECOND};
pub use torrent::Torrent;
pub use turns::Turns;
