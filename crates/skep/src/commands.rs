//! The commands, a file each.

mod access;
mod add;
mod admin;
mod check;
mod classic;
mod completions;
mod config;
mod directory;
mod export;
mod get;
mod import;
mod list;
mod load;
mod make;
mod man;
mod members;
mod peer;
mod peering;
mod serve;
mod share;
mod show;
mod up;

use hub::config::LogConfig;

use crate::cli::Command;
use crate::env::Env;
use crate::exit::Outcome;
use crate::logs;

/// Runs one command.
pub(crate) async fn run(command: Command, env: &mut Env) -> Outcome {
    if env.verbosity > 0 && !matches!(command, Command::Peer(_) | Command::Serve(_) | Command::Up(_)) {
        logs::start(&LogConfig::default(), env)?;
    }
    match command {
        Command::Up(args) => up::run(&args, env).await,
        Command::Share(args) => share::run(&args, env).await,
        Command::Get(args) => get::run(&args, env).await,
        Command::Peer(args) => peer::run(&args, env).await,
        Command::Serve(args) => serve::run(&args, env).await,
        Command::Make(args) => make::run(&args, env).await,
        Command::Show(args) => show::run(&args, env),
        Command::Add(args) => add::run(&args, env).await,
        Command::Ls(args) if args.classic => directory::run(&args.list, env).await,
        Command::Ls(args) => list::run(None, &args.list, env).await,
        Command::Find(args) => list::run(Some(&args.text.join(" ")), &args.list, env).await,
        Command::User(args) => members::user(&args, env).await,
        Command::Invite(args) => members::invite(&args, env).await,
        Command::Token(args) => members::token(&args, env).await,
        Command::Access(args) => access::access(&args, env).await,
        Command::Ban(args) => access::ban(&args, env).await,
        Command::Audit(args) => members::audit(&args, env).await,
        Command::Hub(args) => members::hub(&args, env).await,
        Command::Config(args) => config::run(&args.command, env),
        Command::Import(args) => import::run(&args, env).await,
        Command::Export(args) => export::run(&args, env).await,
        Command::Check(args) => check::run(&args, env).await,
        Command::Load(args) => load::run(&args, env).await,
        Command::Classic(args) => classic::run(&args, env).await,
        Command::Completions(args) => completions::run(&args, env),
        Command::Man(args) => man::run(&args, env),
    }
}
