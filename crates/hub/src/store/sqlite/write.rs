use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension, params};
use swarm::InfoHash;

use super::{read, roll};
use crate::store::merge::{first, merge};
use crate::store::{Addition, Change, Effect, NewTorrent, Outcome, Torrent, TorrentFile, counted_as_one};

/// Completed downloads stay below this, so that no sum of them overflows.
const COMPLETED_MAX: u64 = 1 << 62;

/// Makes one change, within the caller's transaction.
pub(super) fn apply(connection: &Connection, change: &Change) -> rusqlite::Result<Effect> {
    match change {
        Change::Add(addition) => add(connection, addition),
        Change::Remove(hash) => remove(connection, hash).map(Effect::Removed),
        Change::Completed(hash, count) => count_completed(connection, hash, *count).map(Effect::Counted),
        Change::Act(act) => roll::apply(connection, act).map(Effect::Acted),
    }
}

fn add(connection: &Connection, addition: &Addition) -> rusqlite::Result<Effect> {
    let new = &addition.torrent;
    let Some((id, old)) = read::torrent(connection, &new.info_hash)? else {
        if let (Some(ip), Some(max)) = (new.added_from, addition.per_address_max)
            && added_from(connection, ip, max)? >= u64::from(max)
        {
            return Ok(Effect::TooMany);
        }
        return insert(connection, addition);
    };
    let (mut torrent, mut outcome) = merge(old.clone(), new);
    let completed = old.completed.max(addition.completed.min(COMPLETED_MAX));
    if completed > torrent.completed {
        torrent.completed = completed;
        outcome = Outcome::Updated;
    }
    if outcome == Outcome::Updated {
        update(connection, id, &old, &torrent)?;
        if torrent.has_metainfo && !old.has_metainfo {
            insert_metainfo(connection, id, new)?;
        }
    }
    Ok(Effect::Added(Box::new(torrent), outcome))
}

fn insert(connection: &Connection, addition: &Addition) -> rusqlite::Result<Effect> {
    let new = &addition.torrent;
    let torrent = Torrent { completed: addition.completed.min(COMPLETED_MAX), ..first(new, addition.now) };
    let sql = "INSERT INTO torrents (info_hash, name, size, piece_length, private, comment, created_by, created_at, \
         added_at, added_from, completed, has_metainfo) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    connection.prepare_cached(sql)?.execute(params![
        torrent.info_hash.as_bytes(),
        torrent.name,
        torrent.size.map(signed),
        torrent.piece_length.map(signed),
        torrent.private,
        torrent.comment,
        torrent.created_by,
        torrent.created_at,
        torrent.added_at,
        new.added_from.map(octets),
        signed(torrent.completed),
        torrent.has_metainfo,
    ])?;
    let id = connection.last_insert_rowid();
    insert_files(connection, id, &torrent.files)?;
    insert_words(connection, id, &torrent)?;
    insert_metainfo(connection, id, new)?;
    Ok(Effect::Added(Box::new(torrent), Outcome::Created))
}

fn update(connection: &Connection, id: i64, old: &Torrent, new: &Torrent) -> rusqlite::Result<()> {
    let sql = "UPDATE torrents SET name = ?2, size = ?3, piece_length = ?4, private = ?5, comment = ?6, \
         created_by = ?7, created_at = ?8, completed = ?9, has_metainfo = ?10 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![
        id,
        new.name,
        new.size.map(signed),
        new.piece_length.map(signed),
        new.private,
        new.comment,
        new.created_by,
        new.created_at,
        signed(new.completed),
        new.has_metainfo,
    ])?;
    if old.files != new.files {
        connection.prepare_cached("DELETE FROM files WHERE torrent = ?1")?.execute([id])?;
        insert_files(connection, id, &new.files)?;
    }
    if old.files != new.files || old.name != new.name {
        delete_words(connection, id)?;
        insert_words(connection, id, new)?;
    }
    Ok(())
}

fn remove(connection: &Connection, hash: &InfoHash) -> rusqlite::Result<bool> {
    let mut statement =
        connection.prepare_cached("DELETE FROM torrents WHERE info_hash = ?1 RETURNING id")?;
    let id = statement.query_row([hash.as_bytes()], |row| row.get(0)).optional()?;
    id.map_or(Ok(false), |id| delete_words(connection, id).map(|()| true))
}

fn count_completed(connection: &Connection, hash: &InfoHash, count: u32) -> rusqlite::Result<bool> {
    let sql = "UPDATE torrents SET completed = min(completed, ?3) + ?2 WHERE info_hash = ?1";
    let rows =
        connection.prepare_cached(sql)?.execute(params![hash.as_bytes(), count, signed(COMPLETED_MAX)])?;
    Ok(rows > 0)
}

/// How many torrents came from `ip` and what counts with it; no more than `max` are counted.
fn added_from(connection: &Connection, ip: IpAddr, max: u32) -> rusqlite::Result<u64> {
    let (low, high) = counted_as_one(ip);
    let sql = "SELECT count(*) FROM (SELECT 1 FROM torrents WHERE added_from BETWEEN ?1 AND ?2 LIMIT ?3)";
    let count: i64 = connection.prepare_cached(sql)?.query_row(params![low, high, max], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

fn insert_files(connection: &Connection, id: i64, files: &[TorrentFile]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO files (torrent, position, path, length) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    for (position, file) in (0_i64..).zip(files) {
        statement.execute(params![id, position, file.path, signed(file.length)])?;
    }
    Ok(())
}

fn insert_words(connection: &Connection, id: i64, torrent: &Torrent) -> rusqlite::Result<()> {
    let paths: Vec<&str> = torrent.files.iter().map(|file| file.path.as_str()).collect();
    let mut statement =
        connection.prepare_cached("INSERT INTO search (rowid, name, files) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![id, torrent.name, paths.join("\n")])?;
    Ok(())
}

fn delete_words(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([id])?;
    Ok(())
}

fn insert_metainfo(connection: &Connection, id: i64, new: &NewTorrent) -> rusqlite::Result<()> {
    if let Some(bytes) = &new.metainfo {
        let sql = "INSERT INTO metainfo (torrent, bytes) VALUES (?1, ?2)";
        connection.prepare_cached(sql)?.execute(params![id, bytes])?;
    }
    Ok(())
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// SQLite's integers are signed; the catalogue's limits keep all numbers within.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
