//! The command line: what a person types, what is configured, and what is printed.
//!
//! [`run`] does everything in an [`Env`], so that a test can run a command and read what it wrote; the
//! process's own streams and variables appear in `main.rs` alone.

mod atomic;
pub mod check;
mod cli;
mod client;
mod commands;
pub mod env;
pub mod exit;
pub mod format;
pub mod load;
mod logs;
pub mod make;
mod settings;
pub mod show;
mod when;

use std::ffi::OsString;
use std::io::Write;

use clap::{CommandFactory, FromArgMatches};

use cli::Cli;
use env::Env;
use exit::Exit;

/// Columns beyond which help is harder to read.
const HELP_WIDTH_MAX: usize = 100;

/// Runs what `args` say; the first of them is the program's name.
pub async fn run<A, T>(args: A, env: &mut Env) -> Exit
where
    A: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let cli = match parse(args, env) {
        Ok(cli) => cli,
        Err(error) => return tell(&error, env),
    };
    env.verbosity = cli.verbosity.level();
    match commands::run(cli.command, env).await.and_then(|()| Ok(env.stdout.flush()?)) {
        Ok(()) => Exit::Success,
        Err(failure) => {
            for line in failure.message().unwrap_or_default().lines() {
                env.error(line);
            }
            failure.exit()
        }
    }
}

fn parse<A, T>(args: A, env: &Env) -> Result<Cli, clap::Error>
where
    A: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let command = Cli::command().term_width(env.width().min(HELP_WIDTH_MAX));
    Cli::from_arg_matches(&command.try_get_matches_from(args)?)
}

/// Prints help where help was asked for, and what is wrong otherwise.
fn tell(error: &clap::Error, env: &mut Env) -> Exit {
    let (out, colors): (&mut dyn Write, bool) = match error.use_stderr() {
        true => (&mut env.stderr, env.terminal.stderr),
        false => (&mut env.stdout, env.terminal.stdout),
    };
    let text = error.render();
    let colors = colors && env.vars.get("NO_COLOR").is_none_or(|value| value.is_empty());
    // Nobody can be told that nobody can be told.
    let _ = if colors { write!(out, "{}", text.ansi()) } else { write!(out, "{text}") };
    let _ = out.flush();
    if error.use_stderr() { Exit::Misuse } else { Exit::Success }
}
