use std::path::PathBuf;

use hub::Hub;
use peer::node::Node;
use tokio::sync::mpsc;

use super::peering;
use super::peering::sharing::{self, Sharing};
use super::peering::tracker::Tracker;
use super::peering::watch::{Until, Watch};
use super::serve::address;
use super::serve::ready::ReadyFile;
use super::serve::supervise::STOP_MAX;
use crate::cli::{TrustArgs, Up};
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
    sharing::survey(&args.paths, env)?;
    let mut stop =
        env.stop.listen().map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let state_dir = peering::state_dir(&settings, env);
    let redirects = settings.hub.tls.redirect;
    let hub = tokio::select! {
        hub = Hub::start(settings.hub) => hub.map_err(|error| match error.is_taken() {
            true => Failure::Misuse(format!("{error}; `skep share` shares through a hub that runs already")),
            false => Failure::misuse(error),
        })?,
        // Nobody has been served yet, so there is nothing to save.
        () = stop.next() => return Err(interrupted()),
    };
    let outcome = match peering::start(&args.peer, None, state_dir.clone(), None, None) {
        Ok(node) => {
            let flags = Flags { trust: own_certificate(&hub, redirects), ..flags };
            let outcome = share(args, &flags, &hub, &node, state_dir, &mut stop, env).await;
            // The hub still listens, so that it hears that we leave.
            node.stop().await;
            outcome
        }
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

/// Shares everything until it is told to stop.
async fn share(
    args: &Up,
    flags: &Flags,
    hub: &Hub,
    node: &Node,
    state_dir: Option<PathBuf>,
    stop: &mut Listening,
    env: &mut Env,
) -> Outcome {
    let urls = match flags.trust.tracker_fingerprint {
        Some(_) => address::urls("https", &hub.bound().https, ""),
        None => address::urls("http", &hub.bound().http, ""),
    };
    let url = urls.first().ok_or_else(|| Failure::Misuse("the hub does not speak HTTP".to_owned()))?;
    let flags = Flags { tracker: Some(url.clone()), ..flags.clone() };
    let tracker = Tracker::new(&Settings::load(env, &flags)?)?;
    let announce = address::urls_to_announce("http", &hub.bound().http, "/announce");
    let sharing = Sharing { node, tracker: &tracker, private: false, announce, state_dir };
    let shared = tokio::select! {
        shared = sharing.share(&args.paths, env) => shared?,
        () = stop.next() => return Err(interrupted()),
    };
    tell(&urls, env)?;
    let ready = args.ready_file.as_ref().map(|path| ReadyFile::write(&env.path(path), hub.bound()));
    let _ready = ready.transpose()?;
    env.note("sharing until Ctrl-C");
    let mut watch = Watch::new(node, Until::Stopped, false, env);
    watch.add_shared(&shared);
    let (_, no_openings) = mpsc::channel(1);
    let watched = tokio::select! {
        watched = async {
            watch.run(no_openings, env).await?;
            // Nothing is left to share, but others may go on through the hub.
            std::future::pending().await
        } => watched,
        () = stop.next() => Ok(()),
        () = hub.wait_shutdown_requested() => Ok(()),
    };
    watched.and(watch.end(true, env))
}

/// By what the hub's own certificate is known, where its API and page are had by HTTPS only.
fn own_certificate(hub: &Hub, redirects: bool) -> TrustArgs {
    TrustArgs { tracker_ca: None, tracker_fingerprint: hub.fingerprint().filter(|_| redirects) }
}

/// Says where the page is: at the first address, and at all others.
fn tell(urls: &[String], env: &mut Env) -> Outcome {
    for (at, url) in urls.iter().enumerate() {
        let label = if at == 0 { "page" } else { "also at" };
        writeln!(env.stdout, "{label:9}  {url}/")?;
    }
    Ok(env.stdout.flush()?)
}

fn interrupted() -> Failure {
    Failure::Failed("interrupted before everything was shared".to_owned())
}
