use rusqlite::{Connection, OptionalExtension, Row};
use swarm::InfoHash;

use crate::store::{Torrent, TorrentFile};

/// The columns that [`from_row`] reads, of table `t`.
pub(super) const COLUMNS: &str = "t.id, t.info_hash, t.name, t.size, t.piece_length, t.private, t.comment, \
     t.created_by, t.created_at, t.added_at, t.completed, t.has_metainfo";

/// A torrent with its number and its files.
pub(super) fn torrent(connection: &Connection, hash: &InfoHash) -> rusqlite::Result<Option<(i64, Torrent)>> {
    let sql = format!("SELECT {COLUMNS} FROM torrents t WHERE t.info_hash = ?1");
    let row = connection.prepare_cached(&sql)?.query_row([hash.as_bytes()], from_row).optional()?;
    let Some((id, mut torrent)) = row else { return Ok(None) };
    torrent.files = files(connection, id)?;
    Ok(Some((id, torrent)))
}

/// The files of a torrent, in its order.
pub(super) fn files(connection: &Connection, id: i64) -> rusqlite::Result<Vec<TorrentFile>> {
    let mut statement =
        connection.prepare_cached("SELECT path, length FROM files WHERE torrent = ?1 ORDER BY position")?;
    let rows =
        statement.query_map([id], |row| Ok(TorrentFile { path: row.get(0)?, length: unsigned(row, 1)? }))?;
    rows.collect()
}

pub(super) fn metainfo(connection: &Connection, hash: &InfoHash) -> rusqlite::Result<Option<Vec<u8>>> {
    let sql = "SELECT m.bytes FROM metainfo m JOIN torrents t ON t.id = m.torrent WHERE t.info_hash = ?1";
    connection.prepare_cached(sql)?.query_row([hash.as_bytes()], |row| row.get(0)).optional()
}

pub(super) fn completed(connection: &Connection) -> rusqlite::Result<Vec<(InfoHash, u64)>> {
    let mut statement = connection.prepare_cached("SELECT info_hash, completed FROM torrents ORDER BY id")?;
    statement.query_map([], |row| Ok((InfoHash(row.get(0)?), unsigned(row, 1)?)))?.collect()
}

/// A torrent with its number, and without its files.
pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<(i64, Torrent)> {
    let torrent = Torrent {
        info_hash: InfoHash(row.get(1)?),
        name: row.get(2)?,
        size: unsigned_or_none(row, 3)?,
        piece_length: unsigned_or_none(row, 4)?,
        files: Vec::new(),
        private: row.get(5)?,
        comment: row.get(6)?,
        created_by: row.get(7)?,
        created_at: row.get(8)?,
        added_at: row.get(9)?,
        completed: unsigned(row, 10)?,
        has_metainfo: row.get(11)?,
    };
    Ok((row.get(0)?, torrent))
}

// SQLite's integers are signed. What is written is at most `i64::MAX`; what somebody else wrote below 0 counts as 0.

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

fn unsigned_or_none(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|value| u64::try_from(value).unwrap_or(0)))
}
