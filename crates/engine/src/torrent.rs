//! One torrent: what it knows, and where each event goes.

use std::collections::VecDeque;

use crate::bits::Bits;
use crate::candidates::Candidates;
use crate::choker::Choker;
use crate::dice::Dice;
use crate::event::{Action, Config, Content, Event, Identity, Link, Reason, Stats};
use crate::layout::Layout;
use crate::limiter::Limiter;
use crate::metadata::Fetch;
use crate::meter::Meter;
use crate::outbox::Outbox;
use crate::peer::{PeerKey, PeerView};
use crate::picker::{Picker, Priority};
use crate::restraint::Restraint;
use crate::roster::Roster;
use crate::session::Session;
use crate::spread::Spread;
use crate::time::{Micros, SECOND};

mod choke;
mod connect;
mod describe;
mod download;
mod receive;
mod round;
mod upload;
mod verify;

/// Over how long a torrent's own rates are measured.
const RATE_WINDOW: Micros = 4 * SECOND;

/// A torrent, seeded or downloaded, among its peers.
#[derive(Debug)]
pub struct Torrent {
    identity: Identity,
    config: Config,
    /// What is described; `None` until an info dictionary has come (BEP 9).
    content: Option<Described>,
    /// The info dictionary on its way, as long as there is no content.
    fetch: Fetch,
    roster: Roster,
    candidates: Candidates,
    choker: Choker,
    spread: Option<Spread>,
    restraint: Option<Restraint>,
    upload: Limiter,
    download: Limiter,
    /// Peers with something to send, waiting for the upload limit; in turn.
    upload_turns: VecDeque<PeerKey>,
    /// Requests wait for the download limit or for the disk.
    download_held: bool,
    /// More has come than the disk has written.
    disk_behind: bool,
    /// Something that any peer may be asked for has become free.
    wake_all: bool,
    half_open: usize,
    unwritten: u64,
    paused: bool,
    /// `Completed` is still to be said.
    completion_due: bool,
    next_round: Micros,
    totals: Stats,
    sent: Meter,
    received: Meter,
    dice: Dice,
    out: Outbox,
}

#[derive(Debug)]
struct Described {
    layout: Layout,
    private: bool,
    metadata_bytes: u32,
    have: Bits,
    /// What is missing; `None` once nothing is.
    picker: Option<Picker>,
}

impl Torrent {
    /// A torrent that starts now. `content`: its description, or `None` to get it from peers (BEP 9). `seed` decides its
    /// throws.
    #[must_use]
    pub fn new(identity: Identity, content: Option<Content>, config: Config, seed: u64, now: Micros) -> Self {
        let mut torrent = Self {
            identity,
            upload: Limiter::new(config.upload_limit),
            download: Limiter::new(config.download_limit),
            config,
            content: None,
            fetch: Fetch::default(),
            roster: Roster::default(),
            candidates: Candidates::default(),
            choker: Choker::new(),
            spread: None,
            restraint: None,
            upload_turns: VecDeque::new(),
            download_held: false,
            disk_behind: false,
            wake_all: false,
            half_open: 0,
            unwritten: 0,
            paused: false,
            completion_due: false,
            next_round: now,
            totals: Stats::default(),
            sent: Meter::new(RATE_WINDOW, now),
            received: Meter::new(RATE_WINDOW, now),
            dice: Dice::new(seed),
            out: Outbox::default(),
        };
        if let Some(content) = content {
            torrent.describe(content);
        }
        torrent
    }

    /// Takes in what happened at `now`. Time never runs backwards; an event for a peer that is gone is ignored.
    pub fn handle(&mut self, event: Event<'_>, now: Micros, session: &mut Session) {
        match event {
            Event::Message { peer, message } => self.receive(peer, message, now, session),
            Event::Block { peer, block } => self.receive_block(peer, block, now, session),
            Event::Sent { peer, bytes } => self.block_sent(peer, bytes, now, session),
            Event::Unreadable { peer, block } => self.unreadable(peer, block),
            Event::Gone { peer } => self.gone(peer, true, now, session),
            Event::ConnectFailed { endpoint } => self.connect_failed(endpoint, now, session),
            Event::Written { bytes } => self.unwritten = self.unwritten.saturating_sub(u64::from(bytes)),
            Event::Hashed { piece, good } => self.hashed(piece, good, now, session),
            Event::Addresses { source, endpoints } => self.addresses(source, endpoints, now, session),
            Event::Priorities(priorities) => self.prioritize(priorities, now, session),
            Event::Limits { upload, download } => {
                self.upload.set(upload);
                self.download.set(download);
            }
            Event::Pause => self.pause(now, session),
            Event::Resume => {
                self.paused = false;
                self.connect_more(now, session);
            }
            Event::Tick => {}
        }
        self.go_on(now, session);
    }

    /// An endpoint that [`Action::Connect`] named was connected to, or somebody connected to us: the connection's
    /// key, to which the first actions follow; or why it is to be closed.
    ///
    /// # Errors
    /// The connection is not wanted.
    pub fn connected(&mut self, link: &Link, now: Micros, session: &mut Session) -> Result<PeerKey, Reason> {
        let key = self.admit(link, now, session)?;
        self.go_on(now, session);
        Ok(key)
    }

    /// The next thing to do. What an action lends is valid until the next call.
    pub fn next_action(&mut self) -> Option<Action<'_>> {
        self.out.next()
    }

    /// When [`Event::Tick`] is due; `None` if nothing is waited for.
    pub fn next_timeout(&mut self, now: Micros, session: &mut Session) -> Option<Micros> {
        let round = (self.roster.len() > 0).then_some(self.next_round);
        let connect = self.can_connect(session).then(|| self.candidates.next_at()).flatten();
        let upload = if self.upload_turns.is_empty() {
            None
        } else {
            self.upload.opens_at(now).max(session.upload.opens_at(now)).or(Some(now))
        };
        let download = if self.download_held {
            self.download.opens_at(now).max(session.download.opens_at(now))
        } else {
            None
        };
        let restraint = self.restraint.as_ref().map(Restraint::until);
        [round, connect, upload, download, restraint].into_iter().flatten().min().map(|at| at.max(now))
    }

    /// The torrent in numbers.
    pub fn stats(&mut self, now: Micros) -> Stats {
        Stats {
            left: self.left(),
            upload_rate: self.sent.rate(now),
            download_rate: self.received.rate(now),
            peers: self.roster.len(),
            seeds: self.roster.iter().filter(|peer| peer.is_seed()).count(),
            unchoked: self.roster.iter().filter(|peer| !peer.choked).count(),
            candidates: self.candidates.waiting(),
            ..self.totals
        }
    }

    /// The connections.
    pub fn peers(&mut self, now: Micros) -> Vec<PeerView> {
        self.roster.iter_mut().map(|peer| peer.view(now)).collect()
    }

    /// The pieces that are verified; `None` until the torrent is described.
    #[must_use]
    pub fn have(&self) -> Option<&Bits> {
        self.content.as_ref().map(|content| &content.have)
    }

    /// How the torrent is cut; `None` until it is described.
    #[must_use]
    pub fn layout(&self) -> Option<&Layout> {
        self.content.as_ref().map(|content| &content.layout)
    }

    /// Whether all that is wanted is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.lacking().is_none_or(Bits::is_empty))
    }

    /// Bytes that are missing, wanted or not; `None` until the torrent is described.
    #[must_use]
    pub fn missing_bytes(&self) -> Option<u64> {
        let Described { layout, have, .. } = self.content.as_ref()?;
        let full = u64::from(layout.pieces() - have.count()) * u64::from(layout.piece_bytes_max());
        let last = layout.pieces().saturating_sub(1);
        let short = layout.piece_bytes_max() - layout.piece_bytes(last);
        Some(full - if layout.pieces() == 0 || have.has(last) { 0 } else { u64::from(short) })
    }

    /// Wanted bytes that are missing.
    fn left(&self) -> u64 {
        let Some(content) = &self.content else { return 0 };
        let Some(lacking) = content.lacking() else { return 0 };
        let full = u64::from(lacking.count()) * u64::from(content.layout.piece_bytes_max());
        let last = content.layout.pieces().saturating_sub(1);
        let short = content.layout.piece_bytes_max() - content.layout.piece_bytes(last);
        full - if lacking.has(last) { u64::from(short) } else { 0 }
    }

    /// What follows from any event.
    fn go_on(&mut self, now: Micros, session: &mut Session) {
        if let Some(spread) = self.spread.take_if(|spread| spread.is_done()) {
            self.restraint = spread.restraint(now);
            self.show_everything(now);
            self.choke_round(now);
        }
        if let Some(restraint) = self.restraint.as_mut().filter(|restraint| now >= restraint.until()) {
            if restraint.turn(now) {
                self.restraint = None;
            }
            self.choke_round(now);
        }
        if now >= self.next_round {
            self.round(now, session);
        }
        if self.candidates.next_at().is_some_and(|at| at <= now) {
            self.connect_more(now, session);
        }
        if !self.upload_turns.is_empty() {
            self.serve_turns(now, session);
        }
        let may_go_on = self.download_held && self.may_ask(now, session);
        if std::mem::take(&mut self.wake_all) || may_go_on {
            self.download_held = false;
            self.ask_all(now, session);
        }
    }

    fn prioritize(&mut self, priorities: &[Priority], now: Micros, session: &mut Session) {
        let Some(content) = &mut self.content else { return };
        let Some(picker) = &mut content.picker else { return };
        for (piece, &priority) in (0..content.layout.pieces()).zip(priorities) {
            picker.prioritize(piece, priority, content.have.has(piece));
        }
        let lacking = picker.lacking().clone();
        self.completion_due |= !lacking.is_empty();
        for slot in 0..self.roster.slots() {
            let Some(key) = self.roster.key_at(slot) else { continue };
            self.drop_unwanted(key, &lacking);
            let Some(peer) = self.roster.get(key) else { continue };
            peer.wanted = peer.has.common_count(&lacking);
            peer.dry = false;
            self.show_interest(key, now);
        }
        self.wake_all = true;
        self.say_if_complete(now, session);
    }
}

impl Described {
    /// What is wanted and missing; `None` if everything is there.
    fn lacking(&self) -> Option<&Bits> {
        self.picker.as_ref().map(Picker::lacking)
    }
}
