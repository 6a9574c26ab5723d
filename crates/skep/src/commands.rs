//! The commands, a file each.

mod add;
mod completions;
mod config;
mod export;
mod import;
mod list;
mod man;

use crate::cli::{Command, HubArgs};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::settings::Settings;

/// Runs one command.
pub(crate) async fn run(command: Command, env: &mut Env) -> Outcome {
    match command {
        Command::Add(args) => add::run(&args, env).await,
        Command::Ls(args) => list::run(None, &args.list, env).await,
        Command::Find(args) => list::run(Some(&args.text.join(" ")), &args.list, env).await,
        Command::Config(args) => config::run(&args.command, env),
        Command::Import(args) => import::run(&args, env).await,
        Command::Export(args) => export::run(&args, env).await,
        Command::Completions(args) => completions::run(&args, env),
        Command::Man(args) => man::run(&args, env),
    }
}

/// What is configured for a command that talks to a hub.
fn settings(env: &Env, args: &HubArgs) -> Result<Settings, Failure> {
    let flags =
        [("--tracker", "client.tracker", &args.tracker), ("--admin-token", "admin_token", &args.admin_token)];
    let overrides = flags.into_iter().filter_map(|(flag, key, value)| Some((flag, key, value.clone()?)));
    Settings::load(env, &args.config, overrides.collect())
}
