//! The process around the commands: its arguments, streams, variables and directories.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use etcetera::BaseStrategy;
use skep::env::{Env, Terminal};
use skep::exit::Exit;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start threads: {error}");
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(skep::run(std::env::args_os(), &mut env()));
    // What still runs in the background after a command has ended is not waited for.
    runtime.shutdown_background();
    exit.into()
}

fn env() -> Env {
    let mut env =
        Env::new(io::stdout(), io::stderr(), std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")));
    env.terminal = Terminal {
        stdout: io::stdout().is_terminal(),
        stderr: io::stderr().is_terminal(),
        width: terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)),
    };
    let text = |(name, value): (std::ffi::OsString, _)| Some((name.into_string().ok()?, value));
    env.vars = std::env::vars_os().filter_map(text).collect::<BTreeMap<_, _>>();
    if let Ok(directories) = etcetera::choose_base_strategy() {
        env.data_dir = Some(directories.data_dir());
        env.config_dir = Some(directories.config_dir());
    }
    env
}
