//! What is done each round: choking, time-outs, keep-alives, peer exchange.

use swarm::Endpoint;
use wire::peer::{Message, PexFlags, encode_extended};

use super::Torrent;
use crate::choker::ROUND;
use crate::event::Reason;
use crate::peer::{Peer, PeerKey};
use crate::session::Session;
use crate::time::{Micros, SECOND};

/// How long a peer may leave requests unanswered before others are asked for the same.
const SNUB_AFTER: Micros = 8 * SECOND;

/// The same for a peer that has never answered one.
const SNUB_UNPROVEN_AFTER: Micros = 4 * SECOND;

/// How long a peer that leaves requests unanswered is asked for nothing.
const SNUB_REST: Micros = 20 * SECOND;

/// Silence after which we send a keep-alive: others close after two minutes (BEP 3).
const KEEP_ALIVE: Micros = 100 * SECOND;

/// Silence after which a connection is taken for dead.
const SILENCE_MAX: Micros = 150 * SECOND;

/// How long two peers that have nothing for each other stay connected while others wait for the place.
const USELESS_MAX: Micros = 60 * SECOND;

/// How long a peer may leave the pieces alone that it is shown before it is shown all.
const OFFER_PATIENCE: Micros = 3 * SECOND;

/// Pieces that a peer is shown in one round, once the first copy is out: its bytes on the wire must stay few.
const SHOWN_A_ROUND_MAX: usize = 8_192;

impl Torrent {
    pub(super) fn round(&mut self, now: Micros, session: &mut Session) {
        self.next_round = now + ROUND;
        self.show_everything(now);
        for slot in 0..self.roster.slots() {
            if let Some(key) = self.roster.key_at(slot) {
                self.look_after(key, now, session);
            }
        }
        self.choke_round(now);
        self.exchange_peers(now);
        self.ask_for_metadata(now);
        self.connect_more(now, session);
        self.wake_all = true;
    }

    /// Closes connections of seeds to seeds.
    pub(super) fn close_useless(&mut self, now: Micros, session: &mut Session) {
        if !self.content.as_ref().is_some_and(|content| content.have.is_full()) {
            return;
        }
        for slot in 0..self.roster.slots() {
            let Some(key) = self.roster.key_at(slot) else { continue };
            if self.roster.get(key).is_some_and(|peer| peer.is_seed()) {
                self.disconnect(key, Reason::Useless, now, session);
            }
        }
    }

    fn look_after(&mut self, key: PeerKey, now: Micros, session: &mut Session) {
        let Some(peer) = self.roster.get(key) else { return };
        if now >= peer.last_heard + SILENCE_MAX {
            return self.disconnect(key, Reason::Silent, now, session);
        }
        let is_useless = !peer.interested && !peer.interesting && now >= peer.useful_at + USELESS_MAX;
        if is_useless && self.candidates.waiting() > 0 && self.roster.len() >= self.config.peers_max {
            return self.disconnect(key, Reason::Useless, now, session);
        }
        let Some(peer) = self.roster.get(key) else { return };
        if now >= peer.last_said + KEEP_ALIVE {
            peer.last_said = now;
            self.out.send(key, &Message::KeepAlive);
        }
        let patience = if peer.pipeline.is_proven() { SNUB_AFTER } else { SNUB_UNPROVEN_AFTER };
        if !peer.requests.is_empty() && now >= peer.last_block + patience {
            // What it was asked for is not cancelled: a slow peer is better than none, and it may be the only one.
            peer.snubs_us = true;
            peer.asked_nothing_until = now + SNUB_REST;
            self.release_requests(key);
        }
        let both_full = self.content.as_ref().is_some_and(|content| content.have.is_full());
        if both_full && self.roster.get(key).is_some_and(|peer| peer.is_seed()) {
            self.disconnect(key, Reason::Useless, now, session);
        }
    }

    /// Once the first copy is out, hides nothing any more; before that, nothing from those that want other pieces.
    pub(super) fn show_everything(&mut self, now: Micros) {
        let Some(content) = &self.content else { return };
        for peer in self.roster.iter_mut() {
            if self.spread.is_some() && !peer.declines(OFFER_PATIENCE, now) {
                continue;
            }
            let Some(shown) = &mut peer.shown else { continue };
            let hidden = content.have.iter().filter(|&piece| !shown.has(piece));
            let next: Vec<u32> = hidden.take(SHOWN_A_ROUND_MAX).collect();
            for piece in next {
                shown.insert(piece);
                if !peer.has.has(piece) {
                    self.out.send(peer.key, &Message::Have(piece));
                }
            }
            if shown.is_full() {
                peer.shown = None;
                peer.offered = Vec::new();
            }
        }
    }

    /// Tells peers of each other (BEP 11); never for a private torrent (BEP 27).
    fn exchange_peers(&mut self, now: Micros) {
        if self.content.is_none() || self.is_private() {
            return;
        }
        let is_due = |peer: &Peer| peer.pex_id.is_some() && peer.pex.is_due(now);
        if !self.roster.iter().any(is_due) {
            return;
        }
        let all: Vec<(Endpoint, PexFlags)> = self.roster.iter().filter_map(pex_entry).collect();
        let out = &mut self.out;
        for peer in self.roster.iter_mut().filter(|peer| is_due(peer)) {
            let (key, Some(id)) = (peer.key, peer.pex_id) else { continue };
            let others: Vec<_> =
                all.iter().filter(|(endpoint, _)| Some(*endpoint) != peer.listens).copied().collect();
            if let Some(payload) = peer.pex.update(&others, now) {
                peer.last_said = now;
                out.send_with(key, |bytes| encode_extended(id, bytes, |end| end.extend_from_slice(&payload)));
            }
        }
    }
}

fn pex_entry(peer: &Peer) -> Option<(Endpoint, PexFlags)> {
    let mut flags = PexFlags::default();
    if peer.is_seed() || peer.upload_only {
        flags = flags.with(PexFlags::UPLOAD_ONLY);
    }
    if peer.dialed {
        flags = flags.with(PexFlags::REACHABLE);
    }
    peer.listens.map(|endpoint| (endpoint, flags))
}
