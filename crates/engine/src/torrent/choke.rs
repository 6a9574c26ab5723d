//! Whom we upload to.

use wire::peer::Message;

use super::Torrent;
use crate::bits::Bits;
use crate::choker::Candidate;
use crate::layout::BLOCK_BYTES;
use crate::peer::{Peer, PeerKey};
use crate::restraint::Restraint;
use crate::time::Micros;

impl Torrent {
    /// Decides anew who is unchoked.
    pub(super) fn choke_round(&mut self, now: Micros) {
        if self.holds_back(now) {
            return;
        }
        let spreading = self.spread.is_some();
        let wishes = |peer: &Peer| peer.interested || (spreading && !peer.has.is_full() && !peer.upload_only);
        let mut candidates: Vec<Candidate> = Vec::new();
        for peer in self.roster.iter_mut().filter(|peer| wishes(peer)) {
            candidates.push(Candidate {
                key: peer.key,
                unchoked: !peer.choked,
                since: peer.choke_changed,
                given: peer.given.bytes(now),
                idle: peer.uploads.is_empty() && peer.in_hand < BLOCK_BYTES,
                snubs: peer.snubs_us,
            });
        }
        let seeding = self.is_complete();
        let unchoked = self.choker.decide(&mut candidates, seeding, now, &mut self.dice);
        for one in &candidates[unchoked..] {
            self.choke(one.key, now);
        }
        for one in &candidates[..unchoked] {
            self.unchoke(one.key, now);
        }
        for slot in 0..self.roster.slots() {
            let Some(key) = self.roster.key_at(slot) else { continue };
            let Some(peer) = self.roster.get(key) else { continue };
            if !peer.choked && !peer.interested && !spreading {
                self.choke(key, now);
            } else {
                self.show_more(key, now);
            }
        }
    }

    /// Chokes everybody if others have all of it between them and need no help of ours.
    fn holds_back(&mut self, now: Micros) -> bool {
        let Some(restraint) = self.restraint.as_ref().filter(|restraint| restraint.holds()) else {
            return false;
        };
        if restraint.is_settled(now) {
            let pieces = self.content.as_ref().map_or(0, |content| content.layout.pieces());
            let mut elsewhere = Bits::none(pieces);
            self.roster.iter().for_each(|peer| elsewhere.unite(&peer.has));
            if !elsewhere.is_full() {
                self.restraint = None;
                return false;
            }
        }
        for slot in 0..self.roster.slots() {
            if let Some(key) = self.roster.key_at(slot) {
                self.choke(key, now);
            }
        }
        true
    }

    /// Gives free slots to those that wait, at once.
    pub(super) fn fill_slots(&mut self, now: Micros) {
        if self.restraint.as_ref().is_some_and(Restraint::holds) {
            return;
        }
        let spreading = self.spread.is_some();
        let unchoked = self.roster.iter().filter(|peer| !peer.choked).count();
        let free = self.choker.slots().saturating_sub(unchoked);
        if free == 0 {
            return;
        }
        let wishes = |peer: &&Peer| {
            peer.choked && (peer.interested || (spreading && !peer.has.is_full() && !peer.upload_only))
        };
        let mut waiting: Vec<_> =
            self.roster.iter().filter(wishes).map(|peer| (peer.choke_changed, peer.key)).collect();
        self.dice.shuffle(&mut waiting);
        waiting.sort_by_key(|(since, _)| *since);
        for (_, key) in waiting.into_iter().take(free) {
            self.unchoke(key, now);
        }
    }

    pub(super) fn choke(&mut self, key: PeerKey, now: Micros) {
        let Some(peer) = self.roster.get(key).filter(|peer| !peer.choked) else { return };
        peer.choked = true;
        peer.choke_changed = now;
        peer.last_said = now;
        self.out.send(key, &Message::Choke);
        let allowed = &peer.allowed_by_us;
        let (out, fast) = (&mut self.out, peer.fast);
        peer.uploads.retain(|&block| {
            let keep = fast && allowed.contains(&block.piece);
            if fast && !keep {
                out.send(key, &Message::Reject(block));
            }
            keep
        });
        if let Some(spread) = &mut self.spread {
            peer.offered.iter().for_each(|&piece| spread.unclaim(piece));
        }
    }

    fn unchoke(&mut self, key: PeerKey, now: Micros) {
        let Some(peer) = self.roster.get(key).filter(|peer| peer.choked) else { return };
        peer.choked = false;
        peer.choke_changed = now;
        peer.last_said = now;
        self.out.send(key, &Message::Unchoke);
        self.show_more(key, now);
    }
}
