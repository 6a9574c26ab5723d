pub(super) mod address;
pub(super) mod ready;
pub(super) mod supervise;

use std::io;

use hub::Hub;

use crate::cli::Serve;
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::plain;
use crate::logs;
use crate::settings::{Flags, Settings};
use ready::ReadyFile;
use supervise::{STOP_MAX, supervise};

/// Runs a hub until it is told to stop.
pub(super) async fn run(args: &Serve, env: &mut Env) -> Outcome {
    let flags = Flags {
        config: args.config.config.clone(),
        state_dir: args.state.state_dir.clone(),
        admin_token: args.admin_token.clone(),
        listen: args.listen.clone(),
        classic: args.classic,
        classic_listen: args.classic_listen.clone(),
        tls: args.tls.clone(),
        ..Flags::default()
    };
    let settings = Settings::load(env, &flags)?;
    settings.check()?;
    logs::start(&settings.hub.log, env)?;
    let unheard = |error: io::Error| Failure::Failed(format!("cannot wait for signals: {error}"));
    let mut stop = env.stop.listen().map_err(unheard)?;
    let mut reload = env.reload.listen().map_err(unheard)?;
    let state_dir = settings.hub.state_dir.display().to_string();
    let hub = tokio::select! {
        hub = Hub::start(settings.hub) => hub.map_err(Failure::misuse)?,
        // Nobody has been served yet, so there is nothing to save.
        () = stop.next() => return Ok(()),
    };
    let ready =
        args.ready_file.as_ref().map(|path| ReadyFile::write(&env.path(path), hub.bound())).transpose();
    let ready = match ready {
        Ok(ready) => ready,
        Err(failure) => {
            // What it says of the unready hub matters less than why it is not ready.
            let _ = hub.shutdown().await;
            return Err(failure);
        }
    };
    // A hub serves on where nobody reads what it prints.
    let _ = announce(&hub, &state_dir, env);
    let outcome = supervise(hub, &mut stop, &mut reload, STOP_MAX).await;
    drop(ready);
    outcome
}

/// Tells a person where the hub is.
fn announce(hub: &Hub, state_dir: &str, env: &mut Env) -> io::Result<()> {
    let bound = hub.bound();
    let out = &mut env.stdout;
    writeln!(out, "Skep {} keeps its state in {}", env!("CARGO_PKG_VERSION"), plain(state_dir))?;
    let web = [("http", &bound.http), ("https", &bound.https)];
    let web = web.into_iter().filter(|(_, bound)| !bound.is_empty());
    for url in web.clone().flat_map(|(scheme, bound)| address::urls(scheme, bound, "/")) {
        writeln!(out, "page      {url}")?;
    }
    for url in web.flat_map(|(scheme, bound)| address::urls(scheme, bound, "/announce")) {
        writeln!(out, "announce  {url}")?;
    }
    for url in address::urls("udp", &bound.udp, "") {
        writeln!(out, "announce  {url}")?;
    }
    for (dialect, address) in &bound.classic {
        writeln!(out, "classic   {dialect} at {address}")?;
    }
    if let Some(fingerprint) = hub.fingerprint() {
        writeln!(out, "SHA-256   {fingerprint}")?;
    }
    out.flush()
}
