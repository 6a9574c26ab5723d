//! What is read from files, and anew while the hub runs.

use std::sync::Arc;

use crate::access::Access;
use crate::listener::tls::Tls;

/// The certificate and the access lists.
pub(super) struct Sources {
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) access: Access,
}

impl Sources {
    /// Reads anew what has changed. To be called every second or so. Blocking.
    pub(super) fn look(&self) {
        self.tls.iter().for_each(|tls| tls.look());
        self.access.look();
    }

    /// Reads everything anew, and one of them though the other has a mistake. Blocking.
    ///
    /// # Errors
    ///
    /// In words, what stays as it was, and why.
    pub(super) fn reload(&self) -> Result<(), String> {
        let tls = self.tls.as_ref().map_or(Ok(()), |tls| tls.reload());
        let wrong = [
            tls.err().map(|error| format!("the certificate stays as it was: {error}")),
            self.access.reload().err().map(|error| format!("the access lists stay as they were: {error}")),
        ];
        let wrong: Vec<String> = wrong.into_iter().flatten().collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}
