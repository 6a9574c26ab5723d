use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::read::{COLUMNS, files, from_row};
use crate::store::{Cursor, PAGE_FILE_BYTES_MAX, Page, Select, Torrent, TorrentFile, Words};

/// A page of a listing, in the order that [`Store::list`](crate::store::Store::list) promises.
///
/// That order depends on nothing but the row and the text, unlike the usual measures of relevance, which change for
/// all rows whenever one is added: so a cursor stays good. And it is the order in which the index is stored, so that
/// a page of a million matches reads a page of rows.
pub(super) fn page(connection: &Connection, select: &Select) -> rusqlite::Result<Page> {
    let mut gathered = Gathered::default();
    let after = select.after.unwrap_or(Cursor { tier: 0, id: i64::MAX });
    let tiers = select.words.as_ref().map_or(&[Tier::All][..], tiers);
    for (number, tier) in (0_u8..).zip(tiers).skip(usize::from(after.tier)) {
        let below = if number == after.tier { after.id } else { i64::MAX };
        tier.read(connection, select, number, below, &mut gathered)?;
        if gathered.more {
            break;
        }
    }
    let next = gathered.last.filter(|_| gathered.more);
    Ok(Page { torrents: gathered.torrents, next: next.map(|cursor| cursor.to_string()) })
}

/// The part of a listing that one statement reads. Parts do not overlap.
pub(super) enum Tier {
    /// All torrents.
    All,
    /// The name is the text.
    Named,
    /// All words are in the name.
    InName,
    /// All words are there, not all of them in the name.
    InFiles,
}

fn tiers(words: &Words) -> &'static [Tier] {
    if words.words().is_empty() { &[Tier::Named] } else { &[Tier::Named, Tier::InName, Tier::InFiles] }
}

impl Tier {
    fn read(
        &self,
        connection: &Connection,
        select: &Select,
        tier: u8,
        id_below: i64,
        gathered: &mut Gathered,
    ) -> rusqlite::Result<()> {
        let (sql, parameters) = self.statement(select.words.as_ref(), id_below);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            if !gathered.has_room(select.limit) {
                gathered.more = true;
                break;
            }
            let (id, torrent) = from_row(row)?;
            let files = files(connection, id)?;
            gathered.push(Cursor { tier, id }, Torrent { files, ..torrent });
        }
        Ok(())
    }

    /// The statement that reads this part, and its parameters.
    pub(super) fn statement(&self, words: Option<&Words>, id_below: i64) -> (String, Vec<Value>) {
        // CROSS JOIN keeps the index outside: its rows come in the order wanted, and only those of the page are read.
        let (tables, conditions, id) = match self {
            Self::All => ("torrents t", "t.id < ?1", "t.id"),
            Self::Named => ("torrents t", "t.id < ?1 AND lower(t.name) = lower(?2)", "t.id"),
            Self::InName | Self::InFiles => (
                "search CROSS JOIN torrents t ON t.id = search.rowid",
                "search.rowid < ?1 AND lower(t.name) <> lower(?2) AND search MATCH ?3",
                "search.rowid",
            ),
        };
        let sql = format!("SELECT {COLUMNS} FROM {tables} WHERE {conditions} ORDER BY {id} DESC");
        let mut parameters = vec![Value::from(id_below)];
        parameters.extend(words.map(|words| Value::from(words.text().to_owned())));
        if let (Some(words), Self::InName | Self::InFiles) = (words, self) {
            parameters.push(Value::from(self.expression(words)));
        }
        (sql, parameters)
    }

    /// The words in the index's own language: each quoted, so that none is an operator of it, the last as a prefix.
    fn expression(&self, words: &Words) -> String {
        let quoted: Vec<String> = words.words().iter().map(|word| format!("\"{word}\"")).collect();
        let all = quoted.join(" ") + " *";
        if matches!(self, Self::InFiles) {
            format!("({all}) NOT name : ({all})")
        } else {
            format!("name : ({all})")
        }
    }
}

/// What a page holds so far.
#[derive(Default)]
struct Gathered {
    torrents: Vec<Torrent>,
    file_bytes: usize,
    last: Option<Cursor>,
    /// Whether a row was met that the page has no room for.
    more: bool,
}

impl Gathered {
    fn has_room(&self, limit: usize) -> bool {
        self.torrents.len() < limit && self.file_bytes < PAGE_FILE_BYTES_MAX
    }

    fn push(&mut self, place: Cursor, torrent: Torrent) {
        let bytes = |file: &TorrentFile| file.path.len() + size_of::<TorrentFile>();
        self.file_bytes += torrent.files.iter().map(bytes).sum::<usize>();
        self.torrents.push(torrent);
        self.last = Some(place);
    }
}
