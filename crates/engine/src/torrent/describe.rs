//! The description: from the caller, or from peers (BEP 9); and the extension handshake (BEP 10).

use wire::peer::{ExtensionHandshake, Message, Metadata, Pex, encode_extended};

use super::connect::{METADATA_ID, PEX_ID};
use super::{Described, Torrent};
use crate::bits::Bits;
use crate::candidates::Source;
use crate::event::{Content, Reason};
use crate::peer::PeerKey;
use crate::picker::Picker;
use crate::session::Session;
use crate::spread::Spread;
use crate::time::Micros;

impl Torrent {
    /// The info dictionary of [`Action::Metadata`](crate::Action::Metadata) is right, and this is what it says.
    pub fn described(&mut self, content: Content, now: Micros, session: &mut Session) {
        if self.content.is_some() {
            return;
        }
        self.describe(content);
        let have = self.content.as_ref().map(|content| content.have.clone()).unwrap_or_default();
        for slot in 0..self.roster.slots() {
            let Some(key) = self.roster.key_at(slot) else { continue };
            let Some(peer) = self.roster.get(key) else { continue };
            match std::mem::take(&mut peer.early).read(have.pieces()) {
                Some(has) => self.learn(key, has, now, session),
                None => {
                    self.disconnect(key, Reason::Violation("it has pieces that do not exist"), now, session);
                    continue;
                }
            }
            // It was told that we have nothing, which may have changed.
            have.iter().for_each(|piece| self.out.send(key, &Message::Have(piece)));
        }
        self.say_if_complete(now, session);
        self.go_on(now, session);
    }

    /// The info dictionary of [`Action::Metadata`](crate::Action::Metadata) is wrong: others are asked.
    pub fn misdescribed(&mut self, now: Micros) {
        self.fetch.restart();
        self.ask_for_metadata(now);
    }

    /// While the torrent was paused its files were looked at again: `have` is what is there. All pieces are wanted again.
    pub fn rechecked(&mut self, have: Bits) {
        let Some(Described { layout, private, metadata_bytes, .. }) = self.content.take() else { return };
        self.spread = None;
        self.describe(Content { layout, private, metadata_bytes, have });
    }

    pub(super) fn describe(&mut self, content: Content) {
        let Content { layout, private, metadata_bytes, have } = content;
        let picker = (!have.is_full()).then(|| Picker::new(layout, &have, self.config.unverified_bytes_max));
        self.completion_due = picker.is_some();
        if picker.is_none() && self.config.spread && layout.pieces() > 0 {
            self.spread = Some(Spread::new(layout.pieces(), &mut self.dice));
        }
        self.content = Some(Described { layout, private, metadata_bytes, have, picker });
    }

    pub(super) fn receive_extended(
        &mut self,
        key: PeerKey,
        id: u8,
        payload: &[u8],
        now: Micros,
        session: &mut Session,
    ) {
        match id {
            0 => match ExtensionHandshake::decode(payload) {
                Ok(hello) => self.greeted(key, &hello, now),
                Err(_) => self.disconnect(
                    key,
                    Reason::Violation("its extension handshake is malformed"),
                    now,
                    session,
                ),
            },
            METADATA_ID => match Metadata::decode(payload) {
                Ok(metadata) => self.receive_metadata(key, metadata, now),
                Err(_) => {
                    self.disconnect(
                        key,
                        Reason::Violation("its metadata message is malformed"),
                        now,
                        session,
                    );
                }
            },
            PEX_ID if !self.is_private() => {
                let may = self.roster.get(key).is_some_and(|peer| peer.pex.may_hear(now));
                if let (true, Ok(pex)) = (may, Pex::decode(payload)) {
                    let endpoints: Vec<_> = pex.added().map(|(endpoint, _)| endpoint).collect();
                    self.addresses(Source::Peer, &endpoints, now, session);
                }
            }
            _ => {}
        }
    }

    fn greeted(&mut self, key: PeerKey, hello: &ExtensionHandshake<'_>, now: Micros) {
        let Some(peer) = self.roster.get(key) else { return };
        let id = |new: Option<u8>, old| new.map_or(old, |id| (id != 0).then_some(id));
        peer.metadata_id = id(hello.metadata_id, peer.metadata_id);
        peer.pex_id = id(hello.pex_id, peer.pex_id);
        peer.metadata_bytes = hello.metadata_bytes.or(peer.metadata_bytes);
        peer.queue_max = hello.requests_max.unwrap_or(peer.queue_max);
        peer.upload_only = hello.upload_only.unwrap_or(peer.upload_only);
        if let (None, Some(port)) = (peer.listens, hello.port) {
            let endpoint = swarm::Endpoint::new(peer.ip, port);
            peer.listens = Some(endpoint);
            self.candidates.connected(endpoint);
        }
        self.ask_for_metadata(now);
    }

    fn receive_metadata(&mut self, key: PeerKey, metadata: Metadata<'_>, now: Micros) {
        let Some(id) = self.roster.get(key).and_then(|peer| peer.metadata_id) else { return };
        match metadata {
            Metadata::Request(block) => {
                let known = self.content.as_ref().map_or(0, |content| content.metadata_bytes);
                if wire::peer::metadata_block_bytes(known, block) > 0 {
                    self.out.send_metadata(key, id, block);
                } else {
                    self.out.send_with(key, |bytes| {
                        encode_extended(id, bytes, |payload| Metadata::Reject(block).encode(payload));
                    });
                }
            }
            Metadata::Data { block, total_bytes, data } if self.content.is_none() => {
                match self.fetch.receive(key, block, total_bytes, data, now) {
                    Some(whole) => self.out.metadata(&whole),
                    None => self.ask_for_metadata(now),
                }
            }
            Metadata::Reject(_) => {
                self.fetch.released(key);
                if let Some(peer) = self.roster.get(key) {
                    peer.metadata_bytes = None;
                }
                self.ask_for_metadata(now);
            }
            Metadata::Data { .. } | Metadata::Unknown => {}
        }
    }

    /// Asks each peer that has the info dictionary for one block more.
    pub(super) fn ask_for_metadata(&mut self, now: Micros) {
        if self.content.is_some() {
            return;
        }
        for slot in 0..self.roster.slots() {
            let Some(key) = self.roster.key_at(slot) else { continue };
            let Some(peer) = self.roster.get(key) else { continue };
            let (Some(id), Some(size)) = (peer.metadata_id, peer.metadata_bytes) else { continue };
            if let Some(block) = self.fetch.ask(key, size, now) {
                self.out.send_with(key, |bytes| {
                    encode_extended(id, bytes, |payload| Metadata::Request(block).encode(payload));
                });
            }
        }
    }

    /// Tells all peers of the extension protocol that we want nothing more (BEP 21).
    pub(super) fn say_upload_only(&mut self) {
        let hello = ExtensionHandshake { upload_only: Some(true), ..ExtensionHandshake::default() };
        let mut payload = Vec::new();
        hello.encode(&mut payload);
        for peer in self.roster.iter().filter(|peer| peer.extended) {
            self.out.send(peer.key, &Message::Extended { id: 0, payload: &payload });
        }
    }
}

impl Described {
    /// What to say of BEP 21: only partial seeds need it, but many clients read it of seeds too.
    pub(super) fn upload_only(&self) -> Option<bool> {
        self.lacking().is_none_or(Bits::is_empty).then_some(true)
    }
}
