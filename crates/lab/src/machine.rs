//! A machine on which a person types `skep share`, `skep get` and the rest.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::lan::Host;
use crate::program::Program;
use crate::terminal::{self, Terminal};
use crate::wait::{self, SOON};

/// A host with a home folder, where commands are typed. Nothing but that folder is written to.
#[derive(Debug)]
pub struct Machine {
    skep: PathBuf,
    host: Host,
    home: TempDir,
}

/// A `skep share` or `skep up` that shares what it should.
#[derive(Debug)]
pub struct Sharing {
    /// The process.
    pub program: Program,
    /// The magnet links that it has printed, one for each torrent in their order.
    pub magnets: Vec<String>,
    /// Its ready file.
    pub ready_file: PathBuf,
    /// Holds the ready file.
    _folder: TempDir,
}

/// A command that has come to its end.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Machine {
    /// One where the program `skep` runs on `host`.
    ///
    /// # Panics
    /// If there is no room for its home.
    #[must_use]
    pub fn new(skep: impl AsRef<Path>, host: &Host) -> Self {
        let home = tempfile::tempdir().expect("a home folder");
        Self { skep: skep.as_ref().to_path_buf(), host: host.clone(), home }
    }

    /// The folder where commands are typed.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Starts a command.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Program {
        let mut command = self.at_home(&self.skep);
        command.args(arguments);
        Program::start(&format!("skep {}", arguments.join(" ")), command)
    }

    /// Starts a command at a terminal.
    ///
    /// # Panics
    /// If there is no terminal to be had, or the program cannot be started.
    #[must_use]
    pub fn at_terminal(&self, arguments: &[&str]) -> Terminal {
        let [session, flag] = terminal::SESSION;
        let mut command = self.at_home(Path::new(session));
        command.arg(flag).arg(&self.skep).args(arguments);
        Terminal::start(command)
    }

    fn at_home(&self, program: &Path) -> Command {
        let mut command = command(&self.host, program);
        let home = self.home.path();
        command.current_dir(home).env("HOME", home);
        for folder in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(folder);
        }
        command
    }

    /// Starts a command that shares, and waits for its ready file.
    ///
    /// # Panics
    /// If it ends before.
    #[must_use]
    pub fn share(&self, arguments: &[&str]) -> Sharing {
        let folder = tempfile::tempdir().expect("a folder for the ready file");
        let ready_file = folder.path().join("ready.json");
        let mut program = self.start(&[arguments, &["--ready-file", &ready_file.to_string_lossy()]].concat());
        wait::until("the ready file", SOON, || {
            if let Some(status) = program.ended() {
                panic!("it ended ({status}) before it was ready");
            }
            ready_file.exists().then_some(())
        });
        let said = program.stdout();
        let magnets = said.split_whitespace().filter(|word| word.starts_with("magnet:?")).map(str::to_owned);
        Sharing { program, magnets: magnets.collect(), ready_file, _folder: folder }
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// If it takes longer than `patience`.
    #[must_use]
    pub fn run(&self, arguments: &[&str], patience: Duration) -> Ran {
        Ran::of(self.start(arguments), patience)
    }
}

impl Sharing {
    /// The info hash of its first torrent, in 40 hexadecimal digits.
    ///
    /// # Panics
    /// If it has named none.
    #[must_use]
    pub fn info_hash(&self) -> String {
        let hash = self.magnets.first().and_then(|magnet| magnet.split_once("urn:btih:")?.1.get(..40));
        hash.unwrap_or_else(|| panic!("no info hash in {}", self.program.output())).to_owned()
    }
}

impl Ran {
    /// Waits for a command's end.
    ///
    /// # Panics
    /// If it takes longer than `patience`.
    #[must_use]
    pub fn of(mut program: Program, patience: Duration) -> Self {
        let code = program.wait(patience).code();
        Self { code, stdout: program.stdout(), stderr: program.stderr() }
    }

    /// Asserts that it went well.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn went_well(&self) {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
    }

    /// Asserts that it failed, and said so in one line that holds all `words`.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn failed_with(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{}{}", self.stdout, self.stderr);
        let told = |line: &&str| words.iter().all(|word| line.contains(word));
        let lines: Vec<&str> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(lines.iter().any(told), "no line of an error with {words:?} in:\n{}", self.stderr);
    }
}

/// A program on `host`, `skep` for the most part, without the settings of whoever runs the tests.
pub(crate) fn command(host: &Host, program: &Path) -> Command {
    let mut command = host.command(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SKEP_")) {
        command.env_remove(name);
    }
    command
}
