use std::collections::HashMap;

use parking_lot::{Condvar, Mutex};
use swarm::InfoHash;

/// A name in a folder, which one torrent writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) name: String,
}

/// Who writes where in this process.
#[derive(Debug, Default)]
pub(super) struct Claims {
    holders: Mutex<HashMap<Claim, Holder>>,
    released: Condvar,
}

#[derive(Debug)]
struct Holder {
    info_hash: InfoHash,
    /// Nobody uses it any more, but the disk's threads are not done with what was asked before.
    closing: bool,
}

impl Claims {
    /// Takes a claim, or says who has it. It waits for one that is about to be released.
    pub(super) fn take(&self, claim: &Claim, info_hash: InfoHash) -> Result<(), InfoHash> {
        let mut holders = self.holders.lock();
        while let Some(holder) = holders.get(claim) {
            if !holder.closing {
                return Err(holder.info_hash);
            }
            self.released.wait(&mut holders);
        }
        holders.insert(claim.clone(), Holder { info_hash, closing: false });
        Ok(())
    }

    /// Notes that the claim is about to be released.
    pub(super) fn close(&self, claim: &Claim) {
        if let Some(holder) = self.holders.lock().get_mut(claim) {
            holder.closing = true;
        }
    }

    pub(super) fn release(&self, claim: &Claim) {
        self.holders.lock().remove(claim);
        self.released.notify_all();
    }
}
