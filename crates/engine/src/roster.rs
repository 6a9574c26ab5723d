use crate::peer::{Peer, PeerKey};

/// The connections, found by key in one step.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    slots: Vec<Option<Box<Peer>>>,
    free: Vec<u32>,
    len: usize,
    generation: u32,
}

impl Roster {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The key that the next peer must have.
    pub(crate) fn next_key(&mut self) -> PeerKey {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        PeerKey { slot, generation: self.generation }
    }

    pub(crate) fn insert(&mut self, peer: Peer) {
        let slot = peer.key.slot as usize;
        self.slots[slot] = Some(Box::new(peer));
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, key: PeerKey) -> Option<Box<Peer>> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        let peer = slot.take_if(|peer| peer.key == key)?;
        self.free.push(key.slot);
        self.len -= 1;
        Some(peer)
    }

    pub(crate) fn get(&mut self, key: PeerKey) -> Option<&mut Peer> {
        self.slots.get_mut(key.slot as usize)?.as_deref_mut().filter(|peer| peer.key == key)
    }

    /// The key of the peer in a slot: for loops that change the torrent as they go.
    pub(crate) fn key_at(&self, slot: usize) -> Option<PeerKey> {
        self.slots.get(slot)?.as_ref().map(|peer| peer.key)
    }

    pub(crate) const fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.slots.iter().flatten().map(|peer| &**peer)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.slots.iter_mut().flatten().map(|peer| &mut **peer)
    }
}
