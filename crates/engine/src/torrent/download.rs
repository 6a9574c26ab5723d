//! Asking for blocks, and what comes.

use wire::peer::{Block, Message};

use super::Torrent;
use crate::bits::Bits;
use crate::event::Reason;
use crate::peer::{PeerKey, Request};
use crate::picker::{Asker, Receipt};
use crate::session::Session;
use crate::time::Micros;

/// Until so many pieces are verified any piece is as good as the rarest: what counts is to have something to give.
const FIRST_PIECES: u32 = 4;

impl Torrent {
    /// Fills the queue of requests to a peer.
    pub(super) fn ask(&mut self, key: PeerKey, now: Micros, session: &mut Session) {
        if !self.may_ask(now, session) {
            self.download_held = true;
            return;
        }
        let Some(content) = &mut self.content else { return };
        let Some(picker) = &mut content.picker else { return };
        let Some(peer) = self.roster.get(key) else { return };
        let may_ask = !peer.chokes_us || !peer.allowed_fast.is_empty();
        if !may_ask || peer.wanted == 0 || peer.dry || now < peer.asked_nothing_until {
            return;
        }
        let target = if peer.snubs_us { 1 } else { peer.pipeline.target(peer.queue_max, now) as usize };
        // Top up in some numbers, not one by one.
        if peer.requests.len() > target - target / 4 {
            return;
        }
        if peer.requests.is_empty() {
            peer.pipeline.wakes(now);
            peer.last_block = now;
        }
        while peer.requests.len() < target {
            let mut asker = Asker {
                peer: key,
                has: &peer.has,
                on_parole: peer.on_parole,
                only: peer.chokes_us.then_some(&peer.allowed_fast[..]),
                suggested: &mut peer.suggested,
                current: &mut peer.current,
                any: content.have.count() < FIRST_PIECES,
            };
            let requests = &peer.requests;
            let found = picker.pick(&mut asker, &mut self.dice).or_else(|| {
                let is_asked =
                    |piece, index| requests.iter().any(|one| (one.piece, one.index) == (piece, index));
                picker.pick_again(&asker, is_asked, &mut self.dice)
            });
            let Some((piece, index)) = found else {
                peer.dry = true;
                break;
            };
            let block = content.layout.block(piece, index);
            self.download.take(block.length);
            session.download.take(self.identity.info_hash, block.length);
            peer.requests.push_back(Request { piece, index, at: now });
            peer.last_said = now;
            self.out.send(key, &Message::Request(block));
            if !(self.download.is_open(now) && session.download.is_open(self.identity.info_hash, now)) {
                self.download_held = true;
                break;
            }
        }
    }

    pub(super) fn ask_all(&mut self, now: Micros, session: &mut Session) {
        let slots = self.roster.slots();
        let start = self.dice.below(slots);
        for step in 0..slots {
            let Some(key) = self.roster.key_at((start + step) % slots) else { continue };
            if let Some(peer) = self.roster.get(key) {
                peer.dry = false;
                self.ask(key, now, session);
            }
        }
    }

    /// Whether limits and the disk allow more requests.
    ///
    /// A disk that fell behind has to come half-way back first: so requests go out in numbers, not one for each write.
    pub(super) fn may_ask(&mut self, now: Micros, session: &mut Session) -> bool {
        let unwritten_max = self.config.unwritten_bytes_max;
        self.disk_behind = self.unwritten >= if self.disk_behind { unwritten_max / 2 } else { unwritten_max };
        !self.disk_behind
            && self.download.is_open(now)
            && session.download.is_open(self.identity.info_hash, now)
    }

    pub(super) fn receive_block(&mut self, key: PeerKey, block: Block, now: Micros, session: &mut Session) {
        let Some(content) = &mut self.content else { return };
        let Some(peer) = self.roster.get(key) else { return };
        let Some(index) = content.layout.index(block) else {
            return self.disconnect(key, Reason::Violation("it sent a block that is none"), now, session);
        };
        peer.last_heard = now;
        self.totals.downloaded += u64::from(block.length);
        self.received.add(block.length, now);
        peer.given.add(block.length, now);
        let asked_at = peer.forget_request(block.piece, index);
        if let Some(at) = asked_at {
            peer.pipeline.arrived(block.length, now - at, now);
        }
        peer.last_block = now;
        peer.useful_at = now;
        peer.snubs_us = false;
        peer.asked_nothing_until = 0;
        let ip = peer.ip;
        let receipt = content
            .picker
            .as_mut()
            .map_or(Receipt::Unwanted, |picker| picker.receive(block.piece, index, ip, asked_at.is_some()));
        match receipt {
            Receipt::Unwanted => self.totals.wasted += u64::from(block.length),
            Receipt::Wanted { others, complete } => {
                self.unwritten += u64::from(block.length);
                self.out.write(block);
                if others > 0 {
                    self.cancel_elsewhere(block, index, now, session);
                }
                if complete {
                    self.out.verify(block.piece);
                }
            }
        }
        self.ask(key, now, session);
    }

    /// A block came from one peer: the others it was asked of need not send it.
    fn cancel_elsewhere(&mut self, block: Block, index: u32, now: Micros, session: &mut Session) {
        for slot in 0..self.roster.slots() {
            let Some(key) = self.roster.key_at(slot) else { continue };
            let Some(peer) = self.roster.get(key) else { continue };
            if peer.forget_request(block.piece, index).is_some() {
                peer.dry = false;
                self.out.send(key, &Message::Cancel(block));
                self.ask(key, now, session);
            }
        }
    }

    pub(super) fn receive_reject(&mut self, key: PeerKey, block: Block, now: Micros, session: &mut Session) {
        let Some(content) = &mut self.content else { return };
        let Some(peer) = self.roster.get(key) else { return };
        let Some(index) = content.layout.index(block) else { return };
        if peer.forget_request(block.piece, index).is_none() {
            return;
        }
        peer.allowed_fast.retain(|&piece| piece != block.piece);
        if let Some(picker) = &mut content.picker {
            picker.release(block.piece, index);
        }
        // Whoever rejects while it does not choke would be asked for the same again at once: the next round will do.
        if !peer.chokes_us {
            peer.dry = true;
            peer.current = None;
        }
        self.give_back(block.length, session);
        self.wake_others(key, now, session);
    }

    /// Without the fast extension, a choke drops all requests; with it, each is rejected on its own (BEP 6).
    pub(super) fn choked_by(&mut self, key: PeerKey) {
        let Some(peer) = self.roster.get(key) else { return };
        peer.chokes_us = true;
        let fast = peer.fast;
        if let Some(picker) = self.content.as_mut().and_then(|content| content.picker.as_mut()) {
            picker.disown(key);
        }
        if !fast {
            self.release_requests(key);
        }
    }

    /// Gives up all requests to a peer, so that others can be asked.
    pub(super) fn release_requests(&mut self, key: PeerKey) {
        let Some(content) = &mut self.content else { return };
        let Some(peer) = self.roster.get(key) else { return };
        peer.current = None;
        for request in std::mem::take(&mut peer.requests) {
            if let Some(picker) = &mut content.picker {
                picker.release(request.piece, request.index);
            }
            self.wake_all = true;
        }
        if let Some(picker) = &mut content.picker {
            picker.disown(key);
        }
    }

    /// Cancels what is no longer wanted.
    pub(super) fn drop_unwanted(&mut self, key: PeerKey, lacking: &Bits) {
        let Some(content) = &self.content else { return };
        let Some(peer) = self.roster.get(key) else { return };
        let out = &mut self.out;
        peer.requests.retain(|request| {
            let keep = lacking.has(request.piece);
            if !keep {
                out.send(key, &Message::Cancel(content.layout.block(request.piece, request.index)));
            }
            keep
        });
        peer.current = None;
    }

    pub(super) fn show_interest(&mut self, key: PeerKey, now: Micros) {
        let Some(peer) = self.roster.get(key) else { return };
        let interesting = peer.wanted > 0;
        if interesting != peer.interesting {
            peer.interesting = interesting;
            peer.last_said = now;
            self.out.send(key, if interesting { &Message::Interested } else { &Message::NotInterested });
        }
    }

    fn wake_others(&mut self, but: PeerKey, now: Micros, session: &mut Session) {
        for slot in 0..self.roster.slots() {
            let Some(key) = self.roster.key_at(slot).filter(|&key| key != but) else { continue };
            let Some(peer) = self.roster.get(key) else { continue };
            if peer.dry {
                peer.dry = false;
                self.ask(key, now, session);
            }
        }
    }

    fn give_back(&mut self, bytes: u32, session: &mut Session) {
        self.download.give_back(bytes);
        session.download.give_back(bytes);
    }
}
