//! What peers say.

use wire::peer::{Block, Message};

use super::Torrent;
use crate::bits::Bits;
use crate::event::Reason;
use crate::peer::PeerKey;
use crate::picker::SUGGESTIONS_MAX;
use crate::session::Session;
use crate::time::Micros;

/// The most allowed-fast pieces of one peer that are remembered (BEP 6).
const ALLOWED_FAST_MAX: usize = 64;

impl Torrent {
    pub(super) fn receive(&mut self, key: PeerKey, message: Message<'_>, now: Micros, session: &mut Session) {
        let Some(peer) = self.roster.get(key) else { return };
        peer.last_heard = now;
        let is_first = !peer.has_spoken;
        if !matches!(message, Message::Extended { .. } | Message::KeepAlive | Message::Unknown { .. }) {
            peer.has_spoken = true;
        }
        match message {
            Message::KeepAlive | Message::Port(_) | Message::Unknown { .. } => {}
            Message::Choke => self.choked_by(key),
            Message::Unchoke => {
                peer.chokes_us = false;
                peer.dry = false;
                self.ask(key, now, session);
            }
            Message::Interested => {
                peer.interested = true;
                self.fill_slots(now);
            }
            Message::NotInterested => {
                peer.interested = false;
                if !peer.choked && self.spread.is_none() {
                    self.choke(key, now);
                    self.fill_slots(now);
                }
            }
            Message::Have(piece) => self.receive_have(key, piece, now, session),
            Message::Bitfield(bits) => self.receive_bitfield(key, bits, is_first, now, session),
            Message::HaveAll => self.receive_all(key, is_first, now, session),
            Message::HaveNone => {
                if is_first {
                    self.allow_fast(key);
                } else {
                    self.disconnect(key, Reason::Violation("it said what it has twice"), now, session);
                }
            }
            Message::Request(block) => self.receive_request(key, block, now, session),
            Message::Cancel(block) => self.receive_cancel(key, block),
            Message::Reject(block) => self.receive_reject(key, block, now, session),
            Message::Piece { piece, begin, data } => {
                let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
                self.receive_block(key, Block { piece, begin, length }, now, session);
            }
            Message::Suggest(piece) => {
                if peer.suggested.len() < SUGGESTIONS_MAX {
                    peer.suggested.push(piece);
                }
            }
            Message::AllowedFast(piece) => {
                if peer.allowed_fast.len() < ALLOWED_FAST_MAX && !peer.allowed_fast.contains(&piece) {
                    peer.allowed_fast.push(piece);
                    peer.dry = false;
                    self.ask(key, now, session);
                }
            }
            Message::Extended { id, payload } => self.receive_extended(key, id, payload, now, session),
        }
    }

    fn receive_have(&mut self, key: PeerKey, piece: u32, now: Micros, session: &mut Session) {
        let Some(peer) = self.roster.get(key) else { return };
        let Some(content) = &mut self.content else { return peer.early.have(piece) };
        if piece >= content.layout.pieces() {
            return self.disconnect(
                key,
                Reason::Violation("it has a piece that does not exist"),
                now,
                session,
            );
        }
        if !peer.has.insert(piece) {
            return;
        }
        peer.offered.retain(|&offered| offered != piece);
        if let Some(spread) = &mut self.spread {
            spread.seen(piece);
        }
        if let Some(restraint) = &mut self.restraint {
            restraint.came(content.layout.piece_bytes(piece), now);
        }
        let Some(picker) = &mut content.picker else { return self.show_more(key, now) };
        picker.peer_got(piece, &peer.has);
        if picker.lacking().has(piece) {
            peer.wanted += 1;
            peer.dry = false;
            self.show_interest(key, now);
            self.ask(key, now, session);
        }
    }

    fn receive_bitfield(
        &mut self,
        key: PeerKey,
        bits: &[u8],
        is_first: bool,
        now: Micros,
        session: &mut Session,
    ) {
        let Some(content) = &self.content else {
            if let Some(peer) = self.roster.get(key) {
                peer.early.bitfield(bits);
            }
            return;
        };
        match Bits::from_bitfield(bits, content.layout.pieces()) {
            // aria2 says so what it got since, where a `have` for each would be longer.
            Some(has) if !is_first => {
                has.iter().for_each(|piece| self.receive_have(key, piece, now, session));
            }
            Some(has) => self.learn(key, has, now, session),
            None => {
                self.disconnect(key, Reason::Violation("its bitfield has the wrong length"), now, session);
            }
        }
    }

    fn receive_all(&mut self, key: PeerKey, is_first: bool, now: Micros, session: &mut Session) {
        if !is_first {
            return self.disconnect(key, Reason::Violation("it said what it has twice"), now, session);
        }
        match &self.content {
            Some(content) => self.learn(key, Bits::all(content.layout.pieces()), now, session),
            None => {
                if let Some(peer) = self.roster.get(key) {
                    peer.early.all();
                }
            }
        }
    }

    /// Takes in all that a peer has, at the start.
    pub(super) fn learn(&mut self, key: PeerKey, has: Bits, now: Micros, session: &mut Session) {
        let Some(content) = &mut self.content else { return };
        let Some(peer) = self.roster.get(key) else { return };
        peer.has = has;
        if let Some(spread) = &mut self.spread {
            peer.has.iter().for_each(|piece| spread.seen(piece));
        }
        if let Some(picker) = &mut content.picker {
            picker.peer_came(&peer.has);
            peer.wanted = peer.has.common_count(picker.lacking());
            peer.dry = false;
            self.show_interest(key, now);
            self.ask(key, now, session);
        }
        self.allow_fast(key);
    }
}
