//! Programs run with their output shown as it comes and read along the way.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

/// What the test runner said of its tests.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Tests that ran and held.
    pub(crate) passed: u64,
    /// Tests that ran and did not.
    pub(crate) failed: u64,
    /// Tests that the runner left out.
    pub(crate) ignored: u64,
    /// What tests said of why they ran nothing, a line each; the runner takes them for passed.
    pub(crate) skips: Vec<String>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether its exit code was 0.
    pub(crate) success: bool,
    /// The tests it reported, if it is a test runner.
    pub(crate) counts: Counts,
}

/// Runs `command` to its end, passes on its output, and reads the test counts in it.
pub(crate) fn run(command: &mut Command) -> Result<Outcome, String> {
    run_into(command, io::stdout(), io::stderr())
}

fn run_into(
    command: &mut Command,
    stdout: impl Write + Send + 'static,
    stderr: impl Write + Send + 'static,
) -> Result<Outcome, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let (lines, heard) = mpsc::channel();
    let outputs = [
        child.stdout.take().map(|out| pass_on(out, stdout, lines.clone())),
        child.stderr.take().map(|err| pass_on(err, stderr, lines.clone())),
    ];
    drop(lines);
    let mut counts = Counts::default();
    for line in heard {
        counts.hear(&line);
    }
    for output in outputs.into_iter().flatten() {
        output.join().map_err(|_| format!("the reader of {command:?} panicked"))?;
    }
    let status = child.wait().map_err(|error| format!("cannot wait for {command:?}: {error}"))?;
    Ok(Outcome { success: status.success(), counts })
}

/// Copies `from` to `to`, line by line, and each line to `lines`.
fn pass_on(
    from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    lines: mpsc::Sender<String>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
            // A reader that has gone (`| head`) must not stop the run.
            let _ = to.write_all(&line).and_then(|()| to.flush());
            let _ = lines.send(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    })
}

impl Counts {
    /// Reads one line of a test runner's output.
    fn hear(&mut self, line: &str) {
        if let Some((_, numbers)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        {
            for part in numbers.split("; ") {
                match part.split_once(' ') {
                    Some((n, "passed")) => self.passed += n.parse().unwrap_or(0),
                    Some((n, "failed")) => self.failed += n.parse().unwrap_or(0),
                    Some((n, "ignored")) => self.ignored += n.parse().unwrap_or(0),
                    _ => {}
                }
            }
        } else if let Some(reason) = line.strip_prefix("skipped: ") {
            self.skips.push(reason.to_owned());
        }
    }

    /// Adds what another run reported.
    pub(crate) fn add(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.skips.extend(other.skips);
    }

    /// The closing line: a test that ran nothing is skipped, not passed.
    pub(crate) fn line(&self) -> String {
        let skipped = self.skips.len() as u64;
        let passed = self.passed.saturating_sub(skipped);
        format!("{passed} passed, {} failed, {} skipped", self.failed, skipped + self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_lines_add_up() {
        let mut counts = Counts::default();
        for line in [
            "running 12 tests",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.12s",
            "test test result: ok. 5 passed ... ok",
            "skipped: seeds_over_http: needs root",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.00s",
        ] {
            counts.hear(line);
        }
        assert_eq!(counts.line(), "14 passed, 2 failed, 2 skipped");
    }

    #[test]
    fn output_is_read_from_both_streams_and_the_exit_code_kept() {
        let script = "echo 'test result: ok. 2 passed; 0 failed'; echo 'skipped: t: no ip' >&2; exit 3";
        // Into nothing, lest whoever counts this test's own output count these lines.
        let outcome = run_into(Command::new("sh").args(["-c", script]), io::sink(), io::sink()).unwrap();
        assert!(!outcome.success);
        assert_eq!(outcome.counts.line(), "1 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-program-anywhere")).unwrap_err();
        assert!(error.contains("no-such-program-anywhere"), "{error}");
    }
}
