use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode, OpenFlags, TransactionBehavior};

use super::OpenError;

/// One of the databases in the state directory.
pub(super) struct Database {
    /// Its name there.
    pub(super) file: &'static str,
    /// The steps from an empty database to the present one. Each is made once, in a transaction, and never edited after
    /// it was released; how many are done is the database's `user_version`.
    pub(super) migrations: &'static [&'static str],
}

/// `application_id` of our databases: "skep" in ASCII. Other programs number their tables too.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"skep");

/// How long a statement waits for another process that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The write-ahead log is cut back to this many bytes after it has been longer.
const WAL_BYTES_KEPT: i64 = 64 << 20;

/// Statements that stay compiled.
const STATEMENTS_KEPT: usize = 64;

const RESTORE: &str =
    "move it away and bring a backup in with `skep import --db FILE`, or move it away to start empty";
const CLOSE: &str = "stop the other program that has it open";
const RIGHTS: &str =
    "see that the hub may read and write it and its directory, or name another state directory";

/// Opens to read and write: creates and migrates. Whether the file is whole is for [`check`] to say.
pub(super) fn writer(state_dir: &Path, database: &Database) -> Result<Connection, OpenError> {
    std::fs::create_dir_all(state_dir).map_err(|e| OpenError::new(state_dir, e.to_string(), RIGHTS))?;
    let path = &state_dir.join(database.file);
    let explain = |error| explain(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connect(path, flags).map_err(explain)?;
    check_origin(path, database, &connection)?;
    // What is damaged is not to be changed any further.
    if version(&connection).map_err(explain)? < database.migrations.len() {
        check_whole(path, &connection)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(explain)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(explain)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT).map_err(explain)?;
    migrate(database, &mut connection).map_err(explain)?;
    Ok(connection)
}

/// Opens what [`writer`] has opened, to read only.
pub(super) fn reader(state_dir: &Path, database: &Database) -> Result<Connection, OpenError> {
    let path = &state_dir.join(database.file);
    let connection =
        connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| explain(path, &error))?;
    connection.pragma_update(None, "query_only", true).map_err(|error| explain(path, &error))?;
    check_origin(path, database, &connection)?;
    if version(&connection).map_err(|error| explain(path, &error))? < database.migrations.len() {
        let wrong = "its tables are of an older version";
        return Err(OpenError::new(path, wrong, "start the hub once, which brings them up to date"));
    }
    Ok(connection)
}

/// Reads the whole file to see that it is not damaged.
pub(super) fn check(state_dir: &Path, database: &Database) -> Result<(), OpenError> {
    check_whole(&state_dir.join(database.file), &reader(state_dir, database)?)
}

/// Opens a copy of such a database, whole and of a version that is known, to read only.
pub(super) fn copy(path: &Path, database: &Database) -> Result<Connection, OpenError> {
    let connection =
        connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| explain(path, &error))?;
    check_origin(path, database, &connection)?;
    let application: i32 = pragma(&connection, "application_id").map_err(|error| explain(path, &error))?;
    if application != APPLICATION_ID {
        return Err(OpenError::new(path, "this is no backup of a hub's database", "name another"));
    }
    check_whole(path, &connection)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Refuses what another program made, or a newer one of ours.
fn check_origin(path: &Path, database: &Database, connection: &Connection) -> Result<(), OpenError> {
    let read = || -> rusqlite::Result<(i32, usize, i64)> {
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((pragma(connection, "application_id")?, version(connection)?, tables))
    };
    let (application, version, tables) = read().map_err(|error| explain(path, &error))?;
    if application != APPLICATION_ID && tables > 0 {
        let wrong = "this is another program's database";
        return Err(OpenError::new(path, wrong, "move it away, or name another state directory"));
    }
    if version > database.migrations.len() {
        let wrong = format!(
            "its tables are of version {version}, and this program knows versions up to {}",
            database.migrations.len()
        );
        return Err(OpenError::new(
            path,
            wrong,
            "run the newer skep that wrote it, or name another state directory",
        ));
    }
    Ok(())
}

fn check_whole(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let check = || connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match check() {
        Ok(report) if report == "ok" => Ok(()),
        Ok(report) => Err(OpenError::new(path, damaged(&report), RESTORE)),
        Err(error) => Err(explain(path, &error)),
    }
}

fn migrate(database: &Database, connection: &mut Connection) -> rusqlite::Result<()> {
    // The transaction is begun even when nothing is to be done: it fails now, and not at the first addition, if the
    // file cannot be written.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = version(&transaction)?;
    for (number, step) in (1_i64..).zip(database.migrations).skip(done) {
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number)?;
    }
    if done == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    transaction.commit()
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = pragma(connection, "user_version")?;
    // A negative number is none of ours.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn explain(path: &Path, error: &Error) -> OpenError {
    let (wrong, advice) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => (damaged(&error.to_string()), RESTORE),
        Some(ErrorCode::NotADatabase) => (error.to_string(), RESTORE),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (error.to_string(), CLOSE),
        Some(ErrorCode::DiskFull) => (error.to_string(), "make room on the disk"),
        _ => (error.to_string(), RIGHTS),
    };
    OpenError::new(path, wrong, advice)
}

fn damaged(report: &str) -> String {
    format!("the database is damaged ({report})")
}
