use std::collections::VecDeque;
use std::path::Path;

use super::{Fault, OpenError, PAGE_TORRENTS_MAX, Select, Torrent};
use crate::store::Cursor;
use crate::store::Store;
use crate::store::sqlite::Sqlite;

/// All torrents of a catalogue, newest first, a page at a time in memory. Ends after a fault.
pub struct Export {
    store: Box<dyn Store>,
    page: VecDeque<Torrent>,
    /// Where the next page begins; `None` after the last.
    rest: Option<Select>,
}

/// Reads the catalogue in `state_dir`, whether a hub has it open or not. Blocking.
///
/// What is added meanwhile may be missing; nothing comes twice.
pub fn export(state_dir: &Path) -> Result<Export, OpenError> {
    let store = Box::new(Sqlite::open_reader(state_dir)?);
    let rest = Some(Select { words: None, limit: PAGE_TORRENTS_MAX, after: None });
    Ok(Export { store, page: VecDeque::new(), rest })
}

impl Export {
    fn next_page(&mut self, select: Select) -> Result<(), Fault> {
        let page = self.store.list(&select)?;
        self.page = page.torrents.into();
        let after = page.next.as_deref().map(str::parse::<Cursor>).transpose();
        let after = after.map_err(|error| Fault::new("go on with the export", error))?;
        self.rest = after.map(|after| Select { after: Some(after), ..select });
        Ok(())
    }
}

impl Iterator for Export {
    type Item = Result<Torrent, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() {
            let select = self.rest.take()?;
            if let Err(fault) = self.next_page(select) {
                return Some(Err(fault));
            }
        }
        self.page.pop_front().map(Ok)
    }
}
