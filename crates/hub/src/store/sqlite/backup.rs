use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::ledger::ACCOUNTS;
use super::open::{self, Database};
use super::{CATALOGUE, OpenError};

/// What a copy is called until it is whole.
const DRAFT_SUFFIX: &str = ".part";

/// What the copy of members' accounts is called beside the other.
const ACCOUNTS_SUFFIX: &str = ".accounts";

/// Writes a copy of the database in `state_dir` to `file`, which must not be there yet: all as it was at one moment,
/// whether a hub has it open or not, and without keeping that hub waiting. Members' accounts, if there are any, are in a
/// second file, `FILE.accounts`, as they were a moment later. Blocking.
///
/// # Errors
///
/// [`OpenError`] if there is no database, or the copy cannot be made; then it is not there.
pub fn back_up(state_dir: &Path, file: &Path) -> Result<(), OpenError> {
    copy_to(&open::reader(state_dir, &CATALOGUE)?, file)?;
    if state_dir.join(ACCOUNTS.file).exists() {
        copy_to(&open::reader(state_dir, &ACCOUNTS)?, &with_suffix(file, ACCOUNTS_SUFFIX))?;
    }
    Ok(())
}

/// Makes the copy `file` the database of `state_dir`, which must have none, and `FILE.accounts`, if it is there, its members'
/// accounts. They are checked as a hub does when it starts. Blocking.
///
/// # Errors
///
/// [`OpenError`] if there is a database, or `file` is none, or a damaged one; then `state_dir` has none.
pub fn restore(file: &Path, state_dir: &Path) -> Result<(), OpenError> {
    fs::create_dir_all(state_dir)
        .map_err(|error| OpenError::new(state_dir, error.to_string(), "name another state directory"))?;
    restore_one(file, state_dir, &CATALOGUE)?;
    let accounts = with_suffix(file, ACCOUNTS_SUFFIX);
    if accounts.exists() { restore_one(&accounts, state_dir, &ACCOUNTS) } else { Ok(()) }
}

fn restore_one(file: &Path, state_dir: &Path, database: &Database) -> Result<(), OpenError> {
    let source = open::copy(file, database)?;
    copy_to(&source, &state_dir.join(database.file))
}

fn copy_to(source: &Connection, file: &Path) -> Result<(), OpenError> {
    let wrong = |error: &dyn std::fmt::Display| {
        OpenError::new(file, error.to_string(), "see that there is room, and that it may be written to")
    };
    // A log that was left behind would be read into the database that comes beside it.
    for there in [file.to_owned(), with_suffix(file, "-wal")] {
        if there.exists() {
            return Err(OpenError::new(&there, "it is there already", "move it away, or name another place"));
        }
    }
    let draft = with_suffix(file, DRAFT_SUFFIX);
    let made = make(source, &draft).map_err(|error| wrong(&error));
    // A link, unlike a renaming, replaces nothing that came meanwhile.
    let placed = made.and_then(|()| fs::hard_link(&draft, file).map_err(|error| wrong(&error)));
    let removed = fs::remove_file(&draft);
    placed?;
    removed.and_then(|()| sync_folder(file)).map_err(|error| wrong(&error))
}

fn make(source: &Connection, draft: &Path) -> Result<(), Box<dyn std::error::Error>> {
    // What it holds is as secret as the database itself.
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    let mut target = Connection::open(draft)?;
    // All at one go: a hub that writes meanwhile would have smaller steps begin anew.
    let result = Backup::new(source, &mut target)?.step(-1)?;
    if result != StepResult::Done {
        return Err("the database is locked by another program".into());
    }
    // One file, which can be read where nothing can be written.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error)?;
    Ok(File::open(draft)?.sync_all()?)
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    file.with_file_name(name)
}

fn sync_folder(file: &Path) -> io::Result<()> {
    match file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}
