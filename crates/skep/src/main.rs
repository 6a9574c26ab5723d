//! The process around the commands: its arguments, streams, variables and directories.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use etcetera::BaseStrategy;
use rustix::process::{Resource, getrlimit, setrlimit};
use skep::env::{Env, Terminal};
use skep::exit::Exit;

fn main() -> ExitCode {
    raise_descriptor_limit();
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

/// Lets the process have as many sockets and files as the system grants it: the limit that programs begin with is low
/// for the sake of those that do not count them, and a hub of ten thousand connections is no such program.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With what there is, it works too; only for fewer.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn env() -> Env {
    let mut env =
        Env::new(io::stdout(), io::stderr(), std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")));
    env.terminal = Terminal {
        stdin: io::stdin().is_terminal(),
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
