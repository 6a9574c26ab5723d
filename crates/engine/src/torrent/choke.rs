//! Whom we upload to.

use wire::peer::Message;

use super::Torrent;
use crate::choker::Candidate;
use crate::layout::BLOCK_BYTES;
use crate::peer::{Peer, PeerKey};
use crate::time::Micros;

impl Torrent {
    /// Decides anew who is unchoked.
    pub(super) fn choke_round(&mut self, now: Micros) {
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

    /// Gives free slots to those that wait, at once.
    pub(super) fn fill_slots(&mut self, now: Micros) {
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
