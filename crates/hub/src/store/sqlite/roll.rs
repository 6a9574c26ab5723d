use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use swarm::UserId;

use crate::policy::lists::List;
use crate::store::roll::{
    Act, AuditEntry, Deed, Done, Invite, Limits, Member, MemberPatch, NewMember, Pass, Role, Rule, Scope,
    SecretHash, Span, Token,
};

const MEMBER_COLUMNS: &str = "id, name, role, disabled, until, passkey, invited_by, created_at, version, \
                              torrents_max, clients_per_torrent_max, addresses_max";

const REMOVE_RULE: &str = "DELETE FROM rules WHERE id = ?1";

/// Does what is to be done and records it, within the caller's transaction.
pub(super) fn apply(connection: &Connection, act: &Act) -> rusqlite::Result<Done> {
    let now = act.record.at;
    let done = match &act.deed {
        Deed::Record => Done::Yes,
        Deed::AddMember(new, code) => add_member(connection, new, *code, now)?,
        Deed::ChangeMember { name, version, patch } => change_member(connection, name, *version, patch)?,
        Deed::RemoveMember { name, version } => remove_member(connection, name, *version)?,
        Deed::AddInvite(invite, code) => add_invite(connection, invite, *code)?,
        Deed::RemoveInvite(id) => {
            affected(connection.prepare_cached("DELETE FROM invites WHERE id = ?1")?.execute([id])?)
        }
        Deed::AddToken(token) => add_token(connection, token)?,
        Deed::RemoveToken(name) => {
            affected(connection.prepare_cached("DELETE FROM tokens WHERE name = ?1")?.execute([name])?)
        }
        Deed::AddRule(rule, over) => add_rule(connection, rule, over)?,
        Deed::RemoveRule(id) => affected(connection.prepare_cached(REMOVE_RULE)?.execute([id])?),
    };
    if done.is_effect() {
        record(connection, &act.record)?;
    }
    Ok(done)
}

fn add_member(
    connection: &Connection,
    new: &NewMember,
    code: Option<SecretHash>,
    now: i64,
) -> rusqlite::Result<Done> {
    if member(connection, &new.name)?.is_some() {
        return Ok(Done::Taken);
    }
    let invited_by: Option<String> = match code {
        None => None,
        Some(SecretHash(code)) => {
            let sql = "UPDATE invites SET uses_left = uses_left - 1 WHERE code = ?1 AND uses_left > 0 \
                       AND (until IS NULL OR until > ?2) RETURNING created_by";
            let by =
                connection.prepare_cached(sql)?.query_row(params![code, now], |row| row.get(0)).optional()?;
            if by.is_none() {
                return Ok(Done::NotInvited);
            }
            by
        }
    };
    let sql = "INSERT INTO members (name, role, disabled, until, passkey, invited_by, created_at, version) \
               VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, 1)";
    connection.prepare_cached(sql)?.execute(params![
        new.name,
        new.role as i64,
        new.until,
        new.passkey.0,
        invited_by,
        now
    ])?;
    Ok(member(connection, &new.name)?.map_or(Done::Unknown, |member| Done::Member(Box::new(member))))
}

fn change_member(
    connection: &Connection,
    name: &str,
    version: Option<u64>,
    patch: &MemberPatch,
) -> rusqlite::Result<Done> {
    let Some(before) = member(connection, name)? else { return Ok(Done::Unknown) };
    if version.is_some_and(|version| version != before.version) {
        return Ok(Done::Stale(before.version));
    }
    let after = before.patched(patch);
    let sql = "UPDATE members SET role = ?2, disabled = ?3, until = ?4, passkey = ?5, version = ?6, \
               torrents_max = ?7, clients_per_torrent_max = ?8, addresses_max = ?9 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![
        after.id.0,
        after.role as i64,
        after.disabled,
        after.until,
        after.passkey.map(|passkey| passkey.0),
        i64::try_from(after.version).unwrap_or(i64::MAX),
        after.limits.torrents,
        after.limits.clients_per_torrent,
        after.limits.addresses,
    ])?;
    Ok(Done::Member(Box::new(after)))
}

fn remove_member(connection: &Connection, name: &str, version: Option<u64>) -> rusqlite::Result<Done> {
    let Some(before) = member(connection, name)? else { return Ok(Done::Unknown) };
    if version.is_some_and(|version| version != before.version) {
        return Ok(Done::Stale(before.version));
    }
    connection.prepare_cached("DELETE FROM members WHERE id = ?1")?.execute([before.id.0])?;
    Ok(Done::Member(Box::new(before)))
}

fn add_invite(connection: &Connection, invite: &Invite, code: SecretHash) -> rusqlite::Result<Done> {
    let sql = "INSERT INTO invites (code, note, uses_left, until, created_by, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Invite { note, uses_left, until, created_by, created_at, .. } = invite;
    connection
        .prepare_cached(sql)?
        .execute(params![code.0, note, uses_left, until, created_by, created_at])?;
    Ok(Done::Invite(Box::new(Invite { id: connection.last_insert_rowid(), ..invite.clone() })))
}

fn add_token(connection: &Connection, token: &Token) -> rusqlite::Result<Done> {
    let sql = "INSERT INTO tokens (name, secret, scope, until, created_at) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (name) DO NOTHING";
    let Token { name, secret, scope, until, created_at } = token;
    let rows =
        connection.prepare_cached(sql)?.execute(params![name, secret.0, *scope as i64, until, created_at])?;
    Ok(if rows > 0 { Done::Yes } else { Done::Taken })
}

fn add_rule(connection: &Connection, rule: &Rule, over: &[i64]) -> rusqlite::Result<Done> {
    let mut forget = connection.prepare_cached(REMOVE_RULE)?;
    over.iter().try_for_each(|id| forget.execute([id]).map(drop))?;
    let Rule { list, entry, until, note, created_by, created_at, .. } = rule;
    let row = params![list.name(), entry, until, note, created_by, created_at];
    // Not ON CONFLICT, which uses a number up.
    let change = "UPDATE rules SET until = ?3, note = ?4, created_by = ?5, created_at = ?6 \
                  WHERE list = ?1 AND entry = ?2 RETURNING id";
    let insert = "INSERT INTO rules (list, entry, until, note, created_by, created_at) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
    let id = |sql| connection.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional();
    let id: i64 = match id(change)? {
        Some(id) => id,
        None => id(insert)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?,
    };
    Ok(Done::Rule(Box::new(Rule { id, ..rule.clone() })))
}

fn record(connection: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    let sql = "INSERT INTO audit (at, who, address, act, object) VALUES (?1, ?2, ?3, ?4, ?5)";
    let AuditEntry { at, who, address, act, object } = entry;
    connection.prepare_cached(sql)?.execute(params![at, who, address, act, object]).map(drop)
}

fn affected(rows: usize) -> Done {
    if rows > 0 { Done::Yes } else { Done::Unknown }
}

/// The member of a name, in any letter case.
pub(super) fn member(connection: &Connection, name: &str) -> rusqlite::Result<Option<Member>> {
    let sql = format!("SELECT {MEMBER_COLUMNS} FROM members WHERE lower(name) = lower(?1)");
    connection.prepare_cached(&sql)?.query_row([name], read_member).optional()
}

pub(super) fn members(connection: &Connection, span: Span) -> rusqlite::Result<Vec<Member>> {
    let sql = format!("SELECT {MEMBER_COLUMNS} FROM members WHERE id > ?1 ORDER BY id LIMIT ?2");
    connection.prepare_cached(&sql)?.query_map(params![span.after, limit(span)], read_member)?.collect()
}

pub(super) fn passes(connection: &Connection) -> rusqlite::Result<Vec<Pass>> {
    let sql = "SELECT id, passkey, disabled, until, role, torrents_max, clients_per_torrent_max, addresses_max \
               FROM members WHERE passkey IS NOT NULL";
    let pass = |row: &Row<'_>| {
        Ok(Pass {
            user: user(row, 0)?,
            passkey: SecretHash(row.get(1)?),
            disabled: row.get(2)?,
            until: row.get(3)?,
            role: role(row, 4)?,
            limits: limits(row, 5)?,
        })
    };
    connection.prepare_cached(sql)?.query_map([], pass)?.collect()
}

pub(super) fn invites(connection: &Connection, span: Span) -> rusqlite::Result<Vec<Invite>> {
    let sql = "SELECT id, note, uses_left, until, created_by, created_at FROM invites WHERE id > ?1 ORDER BY id LIMIT ?2";
    let invite = |row: &Row<'_>| {
        Ok(Invite {
            id: row.get(0)?,
            note: row.get(1)?,
            uses_left: row.get(2)?,
            until: row.get(3)?,
            created_by: row.get(4)?,
            created_at: row.get(5)?,
        })
    };
    connection.prepare_cached(sql)?.query_map(params![span.after, limit(span)], invite)?.collect()
}

pub(super) fn tokens(connection: &Connection) -> rusqlite::Result<Vec<Token>> {
    let sql = "SELECT name, secret, scope, until, created_at FROM tokens ORDER BY id";
    let token = |row: &Row<'_>| {
        let scope: u8 = row.get(2)?;
        Ok(Token {
            name: row.get(0)?,
            secret: SecretHash(row.get(1)?),
            // What a newer program wrote is good for the least.
            scope: Scope::ALL.get(usize::from(scope)).copied().unwrap_or(Scope::Read),
            until: row.get(3)?,
            created_at: row.get(4)?,
        })
    };
    connection.prepare_cached(sql)?.query_map([], token)?.collect()
}

pub(super) fn rules(connection: &Connection) -> rusqlite::Result<Vec<Rule>> {
    let sql = "SELECT id, list, entry, until, note, created_by, created_at FROM rules ORDER BY id";
    let rule = |row: &Row<'_>| {
        Ok(Rule {
            id: row.get(0)?,
            list: row.get(1)?,
            entry: row.get(2)?,
            until: row.get(3)?,
            note: row.get(4)?,
            created_by: row.get(5)?,
            created_at: row.get(6)?,
        })
    };
    connection.prepare_cached(sql)?.query_map([], rule)?.collect()
}

/// By its name. One of another name is none of ours.
impl FromSql for List {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::named(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// The newest first, before the number that `span` names; 0 for the newest of all.
pub(super) fn audit(connection: &Connection, span: Span) -> rusqlite::Result<Vec<(i64, AuditEntry)>> {
    let sql = "SELECT id, at, who, address, act, object FROM audit WHERE ?1 = 0 OR id < ?1 ORDER BY id DESC LIMIT ?2";
    let entry = |row: &Row<'_>| {
        let entry = AuditEntry {
            at: row.get(1)?,
            who: row.get(2)?,
            address: row.get(3)?,
            act: row.get(4)?,
            object: row.get(5)?,
        };
        Ok((row.get(0)?, entry))
    };
    connection.prepare_cached(sql)?.query_map(params![span.after, limit(span)], entry)?.collect()
}

fn read_member(row: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member {
        id: user(row, 0)?,
        name: row.get(1)?,
        role: role(row, 2)?,
        disabled: row.get(3)?,
        until: row.get(4)?,
        passkey: row.get::<_, Option<[u8; 32]>>(5)?.map(SecretHash),
        invited_by: row.get(6)?,
        created_at: row.get(7)?,
        version: u64::try_from(row.get::<_, i64>(8)?).unwrap_or(0),
        limits: limits(row, 9)?,
    })
}

/// From a column on.
fn limits(row: &Row<'_>, column: usize) -> rusqlite::Result<Limits> {
    Ok(Limits {
        torrents: row.get(column)?,
        clients_per_torrent: row.get(column + 1)?,
        addresses: row.get(column + 2)?,
    })
}

fn role(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    let role: u8 = row.get(column)?;
    // What a newer program wrote may do the least.
    Ok(Role::ALL.get(usize::from(role)).copied().unwrap_or_default())
}

fn user(row: &Row<'_>, column: usize) -> rusqlite::Result<UserId> {
    row.get(column).map(UserId)
}

fn limit(span: Span) -> i64 {
    i64::try_from(span.limit).unwrap_or(i64::MAX)
}
