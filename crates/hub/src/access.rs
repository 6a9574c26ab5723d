//! Access lists: files in which those who run the hub say which torrents, clients and networks are welcome.
//!
//! A list is read whole, and anew when its file has changed; announces go on meanwhile by what held before. A list with a
//! mistake changes nothing.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::background::Turns;
use crate::config::AccessConfig;
use crate::policy::Policy;
use crate::policy::lists::{Builder, Layer, List, Place};
use crate::watched::Watched;

/// Bytes of a list.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// Bytes of a line, its remark included.
const LINE_BYTES_MAX: u64 = 4 << 10;

/// Bytes of a torrent's line.
const TORRENT_LINE_BYTES: u64 = 41;

/// Bytes read at a time.
const READ_BYTES: usize = 64 << 10;

/// What a remark begins with.
const REMARK: char = '#';

/// The files, and the policy that is told what they say.
pub struct Access {
    files: Vec<(List, PathBuf)>,
    watched: Watched,
    policy: Arc<Policy>,
    /// One reading after another, so that the last to be read is the last to be told.
    turn: Mutex<()>,
}

/// A list cannot be used. One line: where, and what is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {wrong}")]
pub struct AccessError {
    place: String,
    wrong: String,
}

impl Access {
    /// The lists that `config` names, told to `policy`. Blocking.
    ///
    /// # Errors
    ///
    /// [`AccessError`]: a hub whose lists cannot be read would let in whom it should not.
    pub fn open(config: &AccessConfig, policy: Arc<Policy>) -> Result<Self, AccessError> {
        let files: Vec<(List, PathBuf)> =
            List::ALL.into_iter().filter_map(|list| Some((list, config.file(list)?.to_owned()))).collect();
        let watched = Watched::new(files.iter().map(|(_, path)| path.clone()).collect());
        let access = Self { files, watched, policy, turn: Mutex::default() };
        access.read_anew()?;
        Ok(access)
    }

    /// Reads all of them anew, whether they seem to have changed or not. Blocking.
    ///
    /// # Errors
    ///
    /// [`AccessError`]; then all is as it was.
    pub fn reload(&self) -> Result<(), AccessError> {
        self.watched.mark();
        self.read_anew()
    }

    /// Reads them anew if one has changed, and has not changed since the last look; lets go of what held before. To be
    /// called every second or so. Blocking.
    pub fn look(&self) {
        if self.watched.look()
            && let Err(error) = self.read_anew()
        {
            tracing::error!("the access lists stay as they were: {error}");
        }
        self.policy.tidy();
    }

    fn read_anew(&self) -> Result<(), AccessError> {
        if self.files.is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock();
        let (layer, entries) = self.read()?;
        self.policy.publish(Place::Files, layer);
        tracing::info!(entries, "the access lists are read");
        Ok(())
    }

    fn read(&self) -> Result<(Layer, usize), AccessError> {
        let (mut builder, mut entries) = (Builder::default(), 0);
        let mut turns = Turns::of(32);
        for (list, path) in &self.files {
            let wrong = |wrong: String| AccessError { place: path.display().to_string(), wrong };
            let (mut file, bytes) = open(path).map_err(wrong)?;
            builder.begin(*list, usize::try_from(bytes / TORRENT_LINE_BYTES).unwrap_or(0));
            let mut line = String::new();
            for at in 1_usize.. {
                turns.step();
                let wrong_here =
                    |wrong: String| AccessError { place: format!("{}: line {at}", path.display()), wrong };
                line.clear();
                let read = file.by_ref().take(LINE_BYTES_MAX).read_line(&mut line);
                if read.map_err(|error| wrong_here(error.to_string()))? == 0 {
                    break;
                }
                if line.len() as u64 == LINE_BYTES_MAX {
                    return Err(wrong_here(format!("a line has less than {LINE_BYTES_MAX} bytes")));
                }
                let said = line.split_once(REMARK).map_or(&*line, |(said, _)| said).trim();
                if !said.is_empty() {
                    builder.add(*list, list.read(said).map_err(|error| wrong_here(error.to_string()))?);
                    entries += 1;
                }
            }
        }
        Ok((builder.build(), entries))
    }
}

/// A list, and how many bytes it has.
fn open(path: &Path) -> Result<(BufReader<File>, u64), String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    // Anything else may have no end, or wait for one.
    if !about.is_file() {
        return Err("a file is expected".to_owned());
    }
    if about.len() > FILE_BYTES_MAX {
        return Err(format!("it has {} bytes, and {FILE_BYTES_MAX} are read at most", about.len()));
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    Ok((BufReader::with_capacity(READ_BYTES, file), about.len()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use swarm::InfoHash;

    use super::*;
    use crate::config::{MembersConfig, Mode};

    struct Folder {
        dir: tempfile::TempDir,
        config: AccessConfig,
    }

    impl Folder {
        fn new(denied: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("denied");
            fs::write(&path, denied).unwrap();
            Self { dir, config: AccessConfig { torrents_denied: Some(path), ..AccessConfig::default() } }
        }

        fn write(&self, denied: &str) {
            fs::write(self.dir.path().join("denied"), denied).unwrap();
        }

        fn open(&self) -> Result<(Access, Arc<Policy>), AccessError> {
            let policy = Arc::new(Policy::new(Mode::Open, &MembersConfig::default(), 4_000));
            Ok((Access::open(&self.config, policy.clone())?, policy))
        }
    }

    fn admitted(policy: &Policy) -> [bool; 2] {
        let current = policy.current();
        [1, 2].map(|byte| current.lists().admit_torrent(&InfoHash([byte; 20])))
    }

    #[test]
    fn a_list_is_lines_with_remarks() {
        let one = InfoHash([1; 20]);
        let folder = Folder::new(&format!("# not here\n\n  {one} # nor there\r\n"));
        let (_access, policy) = folder.open().unwrap();
        assert_eq!(admitted(&policy), [false, true]);
    }

    #[test]
    fn what_is_no_text_is_told_with_its_line() {
        let folder = Folder::new(&"x".repeat(10_000));
        assert!(
            folder
                .open()
                .err()
                .unwrap()
                .to_string()
                .ends_with("denied: line 1: a line has less than 4096 bytes")
        );
        fs::write(folder.dir.path().join("denied"), b"# fine\n\xff\n").unwrap();
        assert!(folder.open().err().unwrap().to_string().contains("denied: line 2: "));
    }

    #[test]
    fn what_has_changed_holds_and_a_mistake_changes_nothing() {
        let folder = Folder::new("");
        let (access, policy) = folder.open().unwrap();
        assert_eq!(admitted(&policy), [true, true]);
        folder.write(&format!("{}\n", InfoHash([2; 20])));
        access.reload().unwrap();
        assert_eq!(admitted(&policy), [true, false]);
        folder.write(&format!("{}\nnonsense\n", InfoHash([1; 20])));
        let told = access.reload().unwrap_err().to_string();
        assert!(
            told.ends_with("denied: line 2: `nonsense` is not an info hash: 40 hexadecimal digits"),
            "{told}"
        );
        assert_eq!(admitted(&policy), [true, false]);
        folder.write(&format!("{}\n", InfoHash([1; 20])));
        access.look();
        assert_eq!(admitted(&policy), [true, false], "it may be still changing, or it was the mistake");
        access.look();
        access.look();
        assert_eq!(admitted(&policy), [false, true]);
    }

    #[test]
    fn a_list_that_is_not_there_lets_nothing_begin() {
        let mut folder = Folder::new("");
        let missing = folder.dir.path().join("missing");
        folder.config.api_allowed = Some(missing.clone());
        let told = folder.open().err().unwrap().to_string();
        assert!(told.starts_with(&missing.display().to_string()), "{told}");
        folder.config.api_allowed = Some(folder.dir.path().to_owned());
        assert!(folder.open().err().unwrap().to_string().ends_with("a file is expected"));
    }
}
