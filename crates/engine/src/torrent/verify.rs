//! Pieces that were hashed.

use std::net::IpAddr;

use wire::peer::Message;

use super::Torrent;
use crate::event::Reason;
use crate::session::Session;
use crate::time::Micros;

impl Torrent {
    pub(super) fn hashed(&mut self, piece: u32, good: bool, now: Micros, session: &mut Session) {
        let Some(content) = &mut self.content else { return };
        let Some(picker) = &mut content.picker else { return };
        let senders = picker.hashed(piece, good);
        if senders.is_empty() {
            return;
        }
        if good {
            content.have.insert(piece);
            if let [sender] = senders[..] {
                self.acquit(sender);
            }
            self.offer(piece, now);
            self.say_if_complete(now, session);
        } else {
            self.totals.wasted += u64::from(content.layout.piece_bytes(piece));
            self.wake_all = true;
            self.blame(&senders, now, session);
        }
    }

    /// Tells others of a piece that is verified. Those that have it need not know.
    fn offer(&mut self, piece: u32, now: Micros) {
        self.out.verified(piece);
        for slot in 0..self.roster.slots() {
            let Some(key) = self.roster.key_at(slot) else { continue };
            let Some(peer) = self.roster.get(key) else { continue };
            if !peer.has.has(piece) {
                peer.last_said = now;
                self.out.send(key, &Message::Have(piece));
                continue;
            }
            peer.wanted = peer.wanted.saturating_sub(1);
            if peer.wanted == 0 {
                self.show_interest(key, now);
            }
        }
    }

    pub(super) fn say_if_complete(&mut self, now: Micros, session: &mut Session) {
        if !self.is_complete() {
            return;
        }
        if let Some(content) = self.content.as_mut().filter(|content| content.have.is_full()) {
            content.picker = None;
        }
        if std::mem::take(&mut self.completion_due) {
            self.out.completed();
            self.say_upload_only();
            self.close_useless(now, session);
        }
    }

    /// A bad piece: if one peer sent all of it, it is to blame; if several did, each must prove itself on pieces of its
    /// own.
    fn blame(&mut self, senders: &[IpAddr], now: Micros, session: &mut Session) {
        let alone = senders.len() == 1;
        for &ip in senders {
            let banned = alone && session.bans.strike(ip);
            if banned {
                self.out.banned(ip);
            }
            for slot in 0..self.roster.slots() {
                let Some(key) = self.roster.key_at(slot) else { continue };
                let Some(peer) = self.roster.get(key).filter(|peer| peer.ip == ip) else { continue };
                peer.on_parole = true;
                peer.current = None;
                if banned {
                    self.disconnect(key, Reason::Banned, now, session);
                }
            }
        }
    }

    /// A good piece that one peer alone sent.
    fn acquit(&mut self, ip: IpAddr) {
        for peer in self.roster.iter_mut().filter(|peer| peer.ip == ip && peer.on_parole) {
            peer.on_parole = false;
            peer.dry = false;
        }
    }
}
