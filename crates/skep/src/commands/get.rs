mod find;
mod watch;

use std::path::Path;

use peer::node::Files;

use crate::cli::Get;
use crate::client::{Client, TIMEOUT_DEFAULT};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::settings::{Flags, Settings};
use find::{Found, Source};
use watch::{Until, Watch};

use super::peering;

/// Fetches everything that is named, and goes on sharing it.
pub(super) async fn run(args: &Get, env: &mut Env) -> Outcome {
    let flags = Flags {
        config: args.config.config.clone(),
        state_dir: args.state.state_dir.clone(),
        tracker: args.hub.tracker.clone(),
        ..Flags::default()
    };
    let settings = Settings::load(env, &flags)?;
    let client = Client::new(&settings, TIMEOUT_DEFAULT)?;
    let mut stop =
        env.stop.listen().map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let folder = args.output.as_ref().map_or_else(|| env.cwd.clone(), |folder| env.path(folder));
    let mut found = Vec::new();
    for what in &args.what {
        let path = env.path(Path::new(what));
        tokio::select! {
            one = find::find(what, &path, &client, args.hub.tracker.is_some()) => found.push(one?),
            () = stop.next() => return Err(Failure::Failed("interrupted before anything was fetched".to_owned())),
        }
    }
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::Failed(format!("cannot make the folder {}: {error}", folder.display())))?;
    let state_dir = peering::state_dir(&settings, env);
    let node = peering::start(&args.peer, args.limit_down, state_dir)?;
    let until = match (args.no_seed, args.seed_for, args.seed_ratio) {
        (true, _, _) => Until::Whole,
        (false, None, None) => Until::Stopped,
        (false, span, ratio) => Until::Enough { span, ratio },
    };
    let work = async {
        let mut watch = Watch::new(&node, until);
        for Found { source, name, tiers, peers } in found {
            let hash = match source {
                Source::Torrent(torrent) => {
                    node.fetch(torrent, &folder, Files::All).await.map_err(Failure::failed)?
                }
                Source::Hash(hash) => {
                    node.fetch_described(hash, &folder, Files::All);
                    hash
                }
            };
            node.announce(hash, tiers);
            node.add_peers(hash, engine::Source::Person, &peers);
            watch.add(hash, &name, env);
        }
        watch.run(env).await
    };
    let outcome = tokio::select! {
        outcome = work => outcome.map(|()| true),
        () = stop.next() => Ok(false),
    };
    let whole = watch::all_whole(&node);
    tokio::select! {
        () = node.stop() => {}
        () = stop.next() => {}
    }
    match outcome {
        Ok(false) if !whole => Err(Failure::Failed(
            "interrupted; what was verified is kept, and the same command goes on from there".to_owned(),
        )),
        outcome => outcome.map(|_| ()),
    }
}
