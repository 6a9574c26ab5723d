//! Serving blocks.

use std::net::IpAddr;

use wire::peer::{Block, Message, allowed_fast};

use super::Torrent;
use super::connect::UPLOADS_MAX;
use crate::event::Reason;
use crate::layout::BLOCK_BYTES;
use crate::peer::{Peer, PeerKey};
use crate::session::Session;
use crate::spread::Spread;
use crate::time::Micros;

/// What a peer may have in the caller's hands at least, in bytes: read, or waiting in a socket.
const IN_HAND_MIN: u32 = 8 * BLOCK_BYTES;

/// What it may have at most: 4 ms of 1 GB/s.
const IN_HAND_MAX: u32 = 4 << 20;

/// The time that what is in the caller's hands should last, as a part of a second: a cancel cannot reach it there.
const IN_HAND_PER_SECOND: u64 = 50;

/// How many pieces a newcomer may have while it is choked.
const ALLOWED_FAST_PIECES: usize = 5;

impl Torrent {
    pub(super) fn receive_request(&mut self, key: PeerKey, block: Block, now: Micros, session: &mut Session) {
        let Some(content) = &self.content else { return };
        let Some(peer) = self.roster.get(key) else { return };
        if !content.layout.allows(block) {
            return self.disconnect(
                key,
                Reason::Violation("it asked for a block that is none"),
                now,
                session,
            );
        }
        let is_allowed = !peer.choked || (peer.fast && peer.allowed_by_us.contains(&block.piece));
        let is_there = content.have.has(block.piece) && peer.was_shown(block.piece);
        if !(is_allowed && is_there && peer.uploads.len() < UPLOADS_MAX) {
            if peer.fast {
                self.out.send(key, &Message::Reject(block));
            }
            return;
        }
        peer.uploads.push_back(block);
        peer.useful_at = now;
        if peer.shown.is_some() {
            peer.offered.retain(|&piece| piece != block.piece);
            self.show_more(key, now);
        }
        self.serve(key, now, session);
    }

    pub(super) fn receive_cancel(&mut self, key: PeerKey, block: Block) {
        let Some(peer) = self.roster.get(key) else { return };
        let Some(at) = peer.uploads.iter().position(|&other| other == block) else { return };
        peer.uploads.remove(at);
        // BEP 6: each request is answered, by its data or by a reject.
        if peer.fast {
            self.out.send(key, &Message::Reject(block));
        }
    }

    pub(super) fn block_sent(&mut self, key: PeerKey, bytes: u32, now: Micros, session: &mut Session) {
        self.totals.uploaded += u64::from(bytes);
        self.sent.add(bytes, now);
        let Some(peer) = self.roster.get(key) else { return };
        peer.in_hand = peer.in_hand.saturating_sub(bytes);
        peer.taken.add(bytes, now);
        peer.last_said = now;
        self.serve(key, now, session);
    }

    /// Names blocks to the caller as long as limits and the peer's share of buffers allow.
    fn serve(&mut self, key: PeerKey, now: Micros, session: &mut Session) {
        while self.is_servable(key, now) {
            if !(self.upload.is_open(now) && session.upload.is_open(self.identity.info_hash, now)) {
                if let Some(peer) = self.roster.get(key).filter(|peer| !peer.queued_for_tokens) {
                    peer.queued_for_tokens = true;
                    self.upload_turns.push_back(key);
                }
                return;
            }
            self.serve_one(key, session);
        }
    }

    /// Serves those that wait for the upload limit, a block each in turn.
    pub(super) fn serve_turns(&mut self, now: Micros, session: &mut Session) {
        while self.upload.is_open(now) && session.upload.is_open(self.identity.info_hash, now) {
            let Some(key) = self.upload_turns.pop_front() else { return };
            if self.is_servable(key, now) {
                self.serve_one(key, session);
                self.upload_turns.push_back(key);
            } else if let Some(peer) = self.roster.get(key) {
                peer.queued_for_tokens = false;
            }
        }
    }

    fn is_servable(&mut self, key: PeerKey, now: Micros) -> bool {
        self.roster
            .get(key)
            .is_some_and(|peer| !peer.uploads.is_empty() && peer.in_hand < in_hand_max(peer, now))
    }

    fn serve_one(&mut self, key: PeerKey, session: &mut Session) {
        let Some(content) = &self.content else { return };
        let Some(peer) = self.roster.get(key) else { return };
        let Some(block) = peer.uploads.pop_front() else { return };
        peer.in_hand += block.length;
        self.upload.take(block.length);
        session.upload.take(self.identity.info_hash, block.length);
        if let Some(spread) = &mut self.spread {
            spread.sent(block.piece, block.length, &content.layout);
        }
        self.out.send_block(key, block);
    }

    /// Lets a newcomer have a few pieces while it is choked (BEP 6), so that it soon has something to give. Not in a
    /// young swarm, where everybody is new and the uplink is better spent on few.
    pub(super) fn allow_fast(&mut self, key: PeerKey) {
        let Some(content) = &self.content else { return };
        let Some(peer) = self.roster.get(key) else { return };
        let pieces = content.layout.pieces();
        let is_young = self.spread.is_some() || content.have.count() < pieces.div_ceil(2);
        let is_new = (peer.has.count() as usize) < ALLOWED_FAST_PIECES;
        let (false, true, true, IpAddr::V4(ip)) = (is_young, is_new, peer.fast, peer.ip) else { return };
        let set = allowed_fast(ip, &self.identity.info_hash, pieces, ALLOWED_FAST_PIECES);
        peer.allowed_by_us = set.into_iter().filter(|&piece| content.have.has(piece)).collect();
        for &piece in &peer.allowed_by_us {
            self.out.send(key, &Message::AllowedFast(piece));
        }
    }

    /// Shows an unchoked peer more of what we have, while we are the only seeder.
    pub(super) fn show_more(&mut self, key: PeerKey, now: Micros) {
        let Some(content) = &self.content else { return };
        let Some(spread) = &mut self.spread else { return };
        let Some(peer) = self.roster.get(key) else { return };
        if peer.choked || peer.shown.is_none() {
            return;
        }
        let offers = Spread::offers(peer.taken.rate(now), &content.layout);
        while peer.offered.len() < offers {
            let Some(piece) = spread.offer(peer, now) else { return };
            if let Some(shown) = &mut peer.shown {
                shown.insert(piece);
            }
            peer.offered.push(piece);
            peer.offered_at = now;
            peer.last_said = now;
            self.out.send(key, &Message::Have(piece));
        }
    }
}

fn in_hand_max(peer: &mut Peer, now: Micros) -> u32 {
    let ahead = u32::try_from(peer.taken.rate(now) / IN_HAND_PER_SECOND).unwrap_or(u32::MAX);
    ahead.clamp(IN_HAND_MIN, IN_HAND_MAX)
}
