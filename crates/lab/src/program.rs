//! Programs that run beside a test and never outlive it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use tempfile::TempDir;

use crate::wait;

/// How much of its output is shown of a program whose test failed.
const SHOWN_LINES_MAX: usize = 60;

/// A running program. It is killed when this is dropped, and if a test is failing just then, its last lines are
/// printed.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    /// Where its standard output and its standard error go.
    streams: [PathBuf; 2],
    /// Holds them.
    _folder: TempDir,
}

impl Program {
    /// Starts `command`, its output going to files.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(name: &str, mut command: Command) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the output");
        let streams = ["stdout", "stderr"].map(|name| folder.path().join(name));
        let [stdout, stderr] =
            streams.each_ref().map(|path| File::create(path).expect("a file for the output"));
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { name: name.to_owned(), child, streams, _folder: folder }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far, to standard output and then to standard error.
    #[must_use]
    pub fn output(&self) -> String {
        self.stdout() + &self.stderr()
    }

    /// What it has written to standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.streams[0])
    }

    /// What it has written to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.streams[1])
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// If the operating system does not say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it is still running after `patience`.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait::until(&what, patience, || self.ended())
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("a child that may be killed");
        self.child.wait().expect("the end of a killed child");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        if ended.is_none() {
            // It may end between the question and the kill; either way it is gone.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let last = &lines[lines.len().saturating_sub(SHOWN_LINES_MAX)..];
            let state = ended.map_or("was running".to_owned(), |status| status.to_string());
            eprintln!("--- {} ({state}), the last of {} lines:\n{}", self.name, lines.len(), last.join("\n"));
        }
    }
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::SOON;

    fn shell(script: &str) -> Program {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Program::start("shell", command)
    }

    #[test]
    fn output_and_exit_code_are_kept() {
        let mut program = shell("echo out; echo err >&2; exit 3");
        assert_eq!(program.wait(SOON).code(), Some(3));
        assert_eq!(program.output(), "out\nerr\n");
        assert_eq!((program.stdout().as_str(), program.stderr().as_str()), ("out\n", "err\n"));
    }

    #[test]
    fn a_dropped_program_is_gone() {
        let program = shell("exec sleep 600");
        let id = i32::try_from(program.id()).ok().and_then(Pid::from_raw).unwrap();
        drop(program);
        assert!(rustix::process::test_kill_process(id).is_err());
    }
}
