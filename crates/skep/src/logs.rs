//! The log: remarks of a running program on the process's standard error, one line each.

use hub::config::{LogConfig, LogFormat};
use tracing_subscriber::EnvFilter;

use crate::env::Env;
use crate::exit::Failure;

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
