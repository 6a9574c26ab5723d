use hub::Hub;
use peer::node::Node;

use super::peering::{self, Sharing};
use super::serve::address;
use super::serve::ready::ReadyFile;
use super::serve::supervise::STOP_MAX;
use crate::cli::Up;
use crate::client::{Client, TIMEOUT_DEFAULT};
use crate::env::{Env, Listening};
use crate::exit::{Failure, Outcome};
use crate::logs;
use crate::settings::{Flags, Settings};

/// Runs a hub and shares through it, until it is told to stop.
pub(super) async fn run(args: &Up, env: &mut Env) -> Outcome {
    let flags = Flags {
        config: args.config.config.clone(),
        state_dir: args.state.state_dir.clone(),
        admin_token: args.admin.admin_token.clone(),
        listen: args.listen.clone(),
        ..Flags::default()
    };
    let settings = Settings::load(env, &flags)?;
    settings.check()?;
    if env.verbosity > 0 {
        logs::start(&settings.hub.log, env)?;
    }
    let mut stop =
        env.stop.listen().map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let hub = tokio::select! {
        hub = Hub::start(settings.hub) => hub.map_err(Failure::misuse)?,
        // Nobody has been served yet, so there is nothing to save.
        () = stop.next() => return Ok(()),
    };
    let outcome = match share(args, &flags, &hub, &mut stop, env).await {
        Ok(Some((node, ready))) => {
            tokio::select! {
                () = stop.next() => {}
                () = hub.wait_shutdown_requested() => {}
            }
            // The hub still listens, so that it hears that we leave.
            node.stop().await;
            drop(ready);
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(failure) => Err(failure),
    };
    let stopped = tokio::select! {
        stopped = tokio::time::timeout(STOP_MAX, hub.shutdown()) => stopped,
        () = stop.next() => return outcome,
    };
    match stopped {
        Ok(Ok(())) => outcome,
        Ok(Err(fault)) => Err(Failure::Failed(format!("the hub stopped, but not cleanly: {fault}"))),
        Err(_) => Err(Failure::Failed(format!("the hub did not stop within {} s", STOP_MAX.as_secs()))),
    }
}

/// Shares everything; `None` if it was told to stop before that was done.
async fn share(
    args: &Up,
    flags: &Flags,
    hub: &Hub,
    stop: &mut Listening,
    env: &mut Env,
) -> Result<Option<(Node, Option<ReadyFile>)>, Failure> {
    let urls = address::urls("http", &hub.bound().http, "");
    let url =
        urls.first().cloned().ok_or_else(|| Failure::Misuse("the hub does not speak HTTP".to_owned()))?;
    let flags = Flags { tracker: Some(url.clone()), ..flags.clone() };
    let settings = Settings::load(env, &flags)?;
    let client = Client::new(&settings, TIMEOUT_DEFAULT)?;
    let state_dir = peering::state_dir(&settings, env);
    let node = peering::start(&args.peer, None, state_dir.clone())?;
    let announce = format!("{url}/announce");
    let sharing = Sharing { node: &node, client: &client, private: false, announce, hub: url, state_dir };
    let shared = tokio::select! {
        shared = sharing.share(&args.paths, env) => shared.map(|()| true),
        () = stop.next() => Ok(false),
    };
    if !matches!(shared, Ok(true)) {
        node.stop().await;
        return shared.map(|_| None);
    }
    let bound = hub.bound();
    let ready = args.ready_file.as_ref().map(|path| ReadyFile::write(&env.path(path), bound)).transpose()?;
    for url in urls {
        writeln!(env.stdout, "page       {url}/")?;
    }
    env.stdout.flush()?;
    env.note("sharing until Ctrl-C");
    Ok(Some((node, ready)))
}
