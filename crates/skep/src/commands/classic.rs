//! `skep classic`: each role of a client of the four classic dialects.

mod client;
mod fetch;
mod register;

use serde::Serialize;
use swarm::Port;

use crate::cli::{Classic, ClassicAction, DialectArg};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::{plain, plural, size};
use client::{Client, Holder, Role};

/// Does one thing.
pub(super) async fn run(args: &Classic, env: &mut Env) -> Outcome {
    let dialect = args.dialect;
    match &args.action {
        ClassicAction::Register(register) => register::run(dialect, register, env).await,
        ClassicAction::Fetch(fetch) => fetch::run(dialect, fetch, env).await,
        ClassicAction::Lookup(lookup) => {
            let holders =
                Client::new(dialect, Role::Asker, &lookup.tracker, env).await?.look_up(&lookup.file).await?;
            print(&holders, lookup.json, env)?;
            match holders.is_empty() {
                true if lookup.json => Err(Failure::Told),
                true => Err(nobody(&lookup.file)),
                false => Ok(()),
            }
        }
        ClassicAction::List(list) => {
            let Client::Chunklist { client, .. } =
                Client::new(dialect, Role::Asker, &list.tracker, env).await?
            else {
                return Err(no_words(dialect, "lists everything; `lookup FILE` asks for one"));
            };
            let holders: Vec<Holder> =
                client::failing(client.list().await)?.iter().map(Holder::from).collect();
            print(&holders, list.json, env)
        }
        ClassicAction::Beat(beat) => {
            Client::new(dialect, Role::Holder, &beat.tracker, env).await?.beat(port(beat.peer_port)).await
        }
        ClassicAction::Exit(exit) => {
            Client::new(dialect, Role::Holder, &exit.tracker, env).await?.exit(port(exit.peer_port)).await
        }
    }
}

fn port(port: Option<u16>) -> Option<Port> {
    port.and_then(Port::new)
}

fn nobody(file: &str) -> Failure {
    Failure::Failed(format!("nobody offers \"{}\"", plain(file)))
}

/// A misuse: no program of that dialect does that.
fn no_words(dialect: DialectArg, what: &str) -> Failure {
    Failure::Misuse(format!("nothing in `{}` {what}", name(dialect)))
}

const fn name(dialect: DialectArg) -> &'static str {
    match dialect {
        DialectArg::Token => "token",
        DialectArg::Index => "index",
        DialectArg::Chunklist => "chunklist",
        DialectArg::Beacon => "beacon",
    }
}

fn print(holders: &[Holder], json: bool, env: &mut Env) -> Outcome {
    if json {
        return print_json(&holders, env);
    }
    for Holder { name, address, bytes, parts } in holders {
        write!(env.stdout, "{address}")?;
        if let Some(name) = name {
            write!(env.stdout, "  {}", plain(name))?;
        }
        match (bytes, parts) {
            (Some(bytes), _) => write!(env.stdout, "  {}", size(*bytes))?,
            (None, Some(parts)) => write!(env.stdout, "  {}", plural((*parts).into(), "part"))?,
            (None, None) => {}
        }
        writeln!(env.stdout)?;
    }
    Ok(())
}

fn print_json(value: &impl Serialize, env: &mut Env) -> Outcome {
    let text = serde_json::to_string(value).map_err(Failure::failed)?;
    Ok(writeln!(env.stdout, "{text}")?)
}
