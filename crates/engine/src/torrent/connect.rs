//! Connections: whom to connect to, whom to let in, who is gone.

use swarm::Endpoint;
use wire::peer::{Block, ExtensionHandshake, Message, encode_extended};

use super::Torrent;
use crate::bits::Bits;
use crate::candidates::Source;
use crate::event::{Link, Reason};
use crate::peer::{Peer, PeerKey};
use crate::pipeline::REQUESTS_MAX;
use crate::session::Session;
use crate::time::Micros;

/// The ids by which we want to be sent extended messages.
pub(super) const METADATA_ID: u8 = 1;
pub(super) const PEX_ID: u8 = 2;

/// The requests of one peer that are kept (`reqq`); more are rejected.
pub(super) const UPLOADS_MAX: usize = REQUESTS_MAX as usize;

impl Torrent {
    pub(super) fn addresses(
        &mut self,
        source: Source,
        endpoints: &[Endpoint],
        now: Micros,
        session: &mut Session,
    ) {
        if source == Source::Peer && self.is_private() {
            return;
        }
        endpoints.iter().for_each(|&endpoint| self.candidates.add(endpoint, now));
        self.connect_more(now, session);
    }

    pub(super) fn can_connect(&self, session: &Session) -> bool {
        !self.paused
            && self.roster.len() + self.half_open < self.config.peers_max
            && session.half_open < session.half_open_max
            && session.connections + session.half_open < session.connections_max
    }

    pub(super) fn connect_more(&mut self, now: Micros, session: &mut Session) {
        while self.can_connect(session) {
            let Some(endpoint) = self.candidates.next(now) else { return };
            if session.bans.is_banned(endpoint.ip()) {
                self.candidates.left(endpoint, false, now);
                continue;
            }
            self.half_open += 1;
            session.half_open += 1;
            self.out.connect(endpoint);
        }
    }

    pub(super) fn connect_failed(&mut self, endpoint: Endpoint, now: Micros, session: &mut Session) {
        self.dialed(session);
        self.candidates.failed(endpoint, now);
        self.connect_more(now, session);
    }

    pub(super) fn admit(
        &mut self,
        link: &Link,
        now: Micros,
        session: &mut Session,
    ) -> Result<PeerKey, Reason> {
        if link.dialed.is_some() {
            self.dialed(session);
        }
        if let Err(reason) = self.check(link, now, session) {
            if let Some(endpoint) = link.dialed {
                self.candidates.left(endpoint, matches!(reason, Reason::Paused | Reason::Full), now);
            }
            return Err(reason);
        }
        let pieces = self.content.as_ref().map_or(0, |content| content.layout.pieces());
        let key = self.roster.next_key();
        session.connections += 1;
        if let Some(endpoint) = link.dialed {
            self.candidates.connected(endpoint);
        }
        self.roster.insert(Peer::new(key, link, pieces, now));
        if self.roster.len() == 1 {
            self.next_round = now + crate::choker::ROUND;
        }
        if link.extended {
            self.shake_hands(key);
        }
        self.introduce(key);
        if self.spread.is_some() {
            self.fill_slots(now);
        }
        Ok(key)
    }

    /// Closes a connection.
    pub(super) fn disconnect(&mut self, key: PeerKey, reason: Reason, now: Micros, session: &mut Session) {
        if self.roster.get(key).is_some() {
            self.out.disconnect(key, reason);
            let again = matches!(reason, Reason::Silent | Reason::Paused);
            self.gone(key, again, now, session);
        }
    }

    /// Takes in that a connection is closed.
    pub(super) fn gone(&mut self, key: PeerKey, again: bool, now: Micros, session: &mut Session) {
        let Some(mut peer) = self.roster.remove(key) else { return };
        session.connections = session.connections.saturating_sub(1);
        if let Some(endpoint) = peer.listens {
            self.candidates.left(endpoint, again, now);
        }
        if let Some(picker) = self.content.as_mut().and_then(|content| content.picker.as_mut()) {
            for request in peer.requests.drain(..) {
                self.wake_all = true;
                picker.release(request.piece, request.index);
            }
            picker.disown(key);
            picker.peer_went(&peer.has);
        }
        if let Some(spread) = &mut self.spread {
            peer.offered.drain(..).for_each(|piece| spread.unclaim(piece));
        }
        self.fetch.released(key);
        if !peer.choked {
            self.fill_slots(now);
        }
        self.connect_more(now, session);
    }

    pub(super) fn pause(&mut self, now: Micros, session: &mut Session) {
        self.paused = true;
        for slot in 0..self.roster.slots() {
            if let Some(key) = self.roster.key_at(slot) {
                self.disconnect(key, Reason::Paused, now, session);
            }
        }
    }

    pub(super) fn is_private(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.private)
    }

    fn dialed(&mut self, session: &mut Session) {
        self.half_open = self.half_open.saturating_sub(1);
        session.half_open = session.half_open.saturating_sub(1);
    }

    fn check(&mut self, link: &Link, now: Micros, session: &mut Session) -> Result<(), Reason> {
        if link.peer_id == self.identity.peer_id {
            return Err(Reason::Ourselves);
        }
        if self.paused {
            return Err(Reason::Paused);
        }
        if session.bans.is_banned(link.ip) {
            return Err(Reason::Banned);
        }
        let same = self.roster.iter().find(|peer| peer.id == link.peer_id);
        if let Some((key, was_dialed)) = same.map(|peer| (peer.key, peer.dialed)) {
            // Both sides may have connected at once. Both keep the connection that the higher id has made.
            let keep_dialed = self.identity.peer_id > link.peer_id;
            if was_dialed == link.dialed.is_some() || was_dialed == keep_dialed {
                return Err(Reason::Duplicate);
            }
            self.disconnect(key, Reason::Duplicate, now, session);
        }
        if self.roster.len() >= self.config.peers_max || session.connections >= session.connections_max {
            return Err(Reason::Full);
        }
        Ok(())
    }

    fn shake_hands(&mut self, key: PeerKey) {
        let private = self.is_private();
        // Who wants nothing and shows nothing is left at once by libtorrent and others.
        let content = self.content.as_ref().filter(|_| self.spread.is_none());
        let upload_only = content.and_then(|content| content.upload_only());
        let Some(peer) = self.roster.get(key) else { return };
        let hello = ExtensionHandshake {
            metadata_id: Some(METADATA_ID),
            pex_id: (!private).then_some(PEX_ID),
            metadata_bytes: self
                .content
                .as_ref()
                .map(|content| content.metadata_bytes)
                .filter(|&len| len > 0),
            port: self.identity.port,
            requests_max: Some(REQUESTS_MAX),
            upload_only,
            client: Some(self.identity.client.into()),
            your_ip: Some(peer.ip),
        };
        self.out.send_with(key, |bytes| encode_extended(0, bytes, |payload| hello.encode(payload)));
    }

    /// Says what we have.
    pub(super) fn introduce(&mut self, key: PeerKey) {
        let Some(peer) = self.roster.get(key) else { return };
        let Some(content) = &self.content else {
            if peer.fast {
                self.out.send(key, &Message::HaveNone);
            }
            return;
        };
        if self.spread.is_some() {
            peer.shown = Some(Bits::none(content.layout.pieces()));
        }
        let have = &content.have;
        let message = match (peer.fast, have.is_empty() || self.spread.is_some(), have.is_full()) {
            (true, true, _) => Message::HaveNone,
            (true, _, true) => Message::HaveAll,
            (false, true, _) => return,
            _ => return self.out.send(key, &Message::Bitfield(&have.to_bitfield())),
        };
        self.out.send(key, &message);
    }

    /// A block that was named for sending cannot be read.
    pub(super) fn unreadable(&mut self, key: PeerKey, block: Block) {
        let Some(peer) = self.roster.get(key) else { return };
        peer.in_hand = peer.in_hand.saturating_sub(block.length);
        if peer.fast {
            self.out.send(key, &Message::Reject(block));
        }
    }
}
