//! Who is on which shelf, and who has which chunk list.

use super::Directory;
use super::dialect::Transfer;
use super::holder::HolderId;
use super::offer::{ChunkList, Extent};
use super::shelf::Posting;

impl Directory {
    /// Puts a holder on a name's shelves as `extents` say, and takes it off the others. From that of the chunk lists it
    /// is taken with its list alone.
    pub(super) fn put_on(&mut self, id: HolderId, name: u32, extents: [Option<Extent>; Transfer::ALL.len()]) {
        for (transfer, extent) in Transfer::ALL.into_iter().zip(extents) {
            let Some(extent) = extent.map(Into::into) else {
                if transfer != Transfer::Chunks
                    && let Some(at) = self.held(id, name, transfer)
                {
                    self.names.change(name, transfer, |shelf| shelf.remove(at));
                }
                continue;
            };
            match self.search(id, name, transfer) {
                Ok(at) => self.names.change(name, transfer, |shelf| shelf.postings_mut()[at].extent = extent),
                Err(at) => {
                    let posting = Posting { holder: id, extent };
                    self.names.change(name, transfer, |shelf| shelf.insert(at, posting));
                }
            }
        }
    }

    /// Takes a holder off all shelves of a name.
    pub(super) fn take_off(&mut self, id: HolderId, name: u32) {
        for transfer in Transfer::ALL {
            if let Some(at) = self.held(id, name, transfer) {
                self.names.change(name, transfer, |shelf| shelf.remove(at));
            }
        }
    }

    /// Where a holder is on a shelf.
    pub(super) fn held(&self, id: HolderId, name: u32, transfer: Transfer) -> Option<usize> {
        self.search(id, name, transfer).ok()
    }

    /// Where a holder is on a shelf, or would be: holders stand by endpoint, and those at one endpoint by rank.
    fn search(&self, id: HolderId, name: u32, transfer: Transfer) -> Result<usize, usize> {
        let place = |id: HolderId| (self.holders.holder(id).endpoint, transfer.rank(id.dialect()), id);
        let mine = place(id);
        let postings = self.names.name(name).shelf(transfer).postings();
        postings.binary_search_by(|posting| place(posting.holder).cmp(&mine))
    }

    /// Gives a holder, which is on the shelf for it, its chunk list. `had` is the name of the one it had before: who only
    /// gives a name another list keeps its turn.
    pub(super) fn give_list(&mut self, id: HolderId, list: &ChunkList<'_>, had: Option<u32>) {
        let Some(name) = self.names.find(list.name.as_str(), &self.salt) else { return };
        let same = self.same_list(name, list);
        self.lists.give(&mut self.holders, id, name, list.bytes, same, &self.salt);
        if had != Some(name) {
            self.holders.holder_mut(id).list_turn = self.lists.next_turn();
        }
    }

    /// Takes a holder's chunk list from it, and the holder off the shelf for it.
    pub(super) fn take_list(&mut self, id: HolderId) {
        let Some(name) = self.lists.name(self.holders.holder(id).list) else { return };
        if let Some(at) = self.held(id, name, Transfer::Chunks) {
            self.names.change(name, Transfer::Chunks, |shelf| shelf.remove(at));
        }
        self.lists.take(&mut self.holders, id);
        self.lists.reseat(&self.names, &mut self.holders, name);
    }

    pub(super) fn has_list(&self, id: HolderId, list: &ChunkList<'_>) -> bool {
        let number = self.holders.holder(id).list;
        let name = self.lists.name(number).map(|name| self.names.name(name).text());
        name == Some(list.name.as_str())
            && self.lists.bytes(number).is_some_and(|bytes| **bytes == *list.bytes)
    }

    pub(super) fn same_list(&self, name: u32, list: &ChunkList<'_>) -> Option<u32> {
        self.lists.same(&self.names, &self.holders, name, list.bytes, &self.salt)
    }
}
