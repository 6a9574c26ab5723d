//! The log: remarks of a running program on the process's standard error, one line each.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use hub::config::{LogConfig, LogFormat};
use parking_lot::Mutex;
use tracing_subscriber::EnvFilter;

use crate::env::Env;
use crate::exit::Failure;

/// Lines that are kept while nobody reads them; older ones give way.
const REMARKS_MAX: usize = 50;

/// What a program remarks while something else has the terminal: each line once, for who asks for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remarks(Arc<Mutex<VecDeque<String>>>);

impl Remarks {
    /// The lines that have come since this was last asked.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock()).into()
    }
}

impl io::Write for Remarks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = self.0.lock();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if lines.len() == REMARKS_MAX {
                lines.pop_front();
            }
            lines.push_back(line.to_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts a log of what goes wrong, for a terminal that something else has.
pub(crate) fn start_aside() -> Remarks {
    let remarks = Remarks::default();
    let writer = remarks.clone();
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("warn")).with_ansi(false);
    let log = log.without_time().with_target(false).with_level(false);
    // Fails only where there is a log already, as there is one in a process.
    let _ = log.with_writer(move || writer.clone()).try_init();
    remarks
}

/// Starts the log as it is configured; `-v` and `-q` stand above the configured level. There is one log in a process:
/// where it has been started already, this changes nothing.
///
/// # Errors
/// [`Failure::Misuse`] if the level is none.
pub(crate) fn start(config: &LogConfig, env: &Env) -> Result<(), Failure> {
    let level = match env.verbosity {
        ..=-2 => "error",
        -1 => "warn",
        0 => &config.level,
        1 => "info,skep=debug,hub=debug",
        2.. => "trace",
    };
    let filter = EnvFilter::try_new(level).map_err(|error| {
        Failure::Misuse(format!("`log.level` is \"{level}\": a level such as \"info\" is expected ({error})"))
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(env.colors_stderr());
    let _ = match config.format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    Ok(())
}
