mod classic;
mod files;
pub(super) mod find;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use peer::node::{Files, Node};
use tokio::sync::mpsc;

use super::peering;
use super::peering::tracker::Tracker;
use super::peering::watch::{Opening, Until, Watch};
use crate::cli::Get;
use crate::env::{Env, Listening};
use crate::exit::{Failure, Outcome};
use crate::settings::{Flags, Settings};
use find::{Finder, Found, Meant, Source};

/// Fetches everything that is named, and goes on sharing it.
pub(super) async fn run(args: &Get, env: &mut Env) -> Outcome {
    let flags = Flags {
        config: args.config.config.clone(),
        state_dir: args.state.state_dir.clone(),
        tracker: args.tracker.tracker.clone(),
        passkey: args.tracker.member.passkey.clone(),
        trust: args.tracker.trust.clone(),
        ..Flags::default()
    };
    let settings = Settings::load(env, &flags)?;
    let tracker = Tracker::new(&settings)?;
    let mut stop =
        env.stop.listen().map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let finder = Finder { tracker: &tracker, is_named: args.tracker.tracker.is_some() };
    let (meant, mut all_found) = find_all(&args.what, &finder, &mut stop, env).await?;
    let folder = args.output.as_ref().map_or_else(|| env.cwd.clone(), |folder| env.path(folder));
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::Misuse(format!("cannot make the folder {}: {error}", folder.display())))?;
    let state_dir = peering::state_dir(&settings, env);
    let (mut found, mut from_torrents) = (Vec::new(), false);
    for (what, meant) in meant {
        match meant {
            Meant::Torrent(one) => {
                from_torrents = true;
                found.push((what, *one));
            }
            Meant::Classic(ways) => {
                let publish = (!args.no_publish && !args.no_seed).then(|| tracker.client()).flatten();
                let announce = if publish.is_some() { tracker.announce_urls().await } else { Vec::new() };
                let fetch = classic::Fetch {
                    folder: &folder,
                    state_dir: state_dir.clone(),
                    publish,
                    told: tracker.told(&announce),
                    announce,
                    private: tracker.is_for_members(),
                };
                match fetch.run(&what, &ways, &mut stop, env).await {
                    Ok(one) => found.push((what, one)),
                    Err(failure) => {
                        env.error(failure.message().unwrap_or_default());
                        all_found = false;
                    }
                }
            }
        }
    }
    if found.is_empty() {
        return Err(Failure::Told);
    }
    let node = peering::start(&args.peer, args.limit_down, state_dir, tracker.trust_to_announce(), None)?;

    // What is in no catalogue is asked for by nobody.
    let is_private = args.no_publish && !from_torrents;
    let until = match (args.no_seed || is_private, args.seed_for, args.seed_ratio) {
        (true, _, _) => Until::Whole,
        (false, None, None) => Until::Stopped,
        (false, span, ratio) => Until::Enough { span, ratio },
    };
    let mut watch = Watch::new(&node, until, args.json, env);
    found.iter().for_each(|(what, found)| watch.expect(what, &found.name));
    let (sender, openings) = mpsc::channel(1);
    let files = files::files(&args.files);
    let opening = tokio::spawn(open_all(node.clone(), found, folder, files, sender)).abort_handle();
    let (watched, interrupted) = tokio::select! {
        watched = watch.run(openings, env) => (watched, false),
        () = stop.next() => (Ok(()), true),
    };
    opening.abort();
    let outcome = watched.and(watch.end(interrupted, env));
    peering::stop(&node, &mut stop, env).await;
    if all_found { outcome } else { outcome.and(Err(Failure::Told)) }
}

/// Finds all that can be found, each once, and whether that is everything; what cannot be is told.
async fn find_all(
    all: &[String],
    finder: &Finder<'_>,
    stop: &mut Listening,
    env: &mut Env,
) -> Result<(Vec<(String, Meant)>, bool), Failure> {
    let (mut found, mut known, mut names, mut all_found) = (Vec::new(), HashSet::new(), HashSet::new(), true);
    for what in all {
        let path = env.path(Path::new(what));
        let one = tokio::select! {
            one = finder.find_anywhere(what, &path) => one,
            () = stop.next() => return Err(Failure::Failed("interrupted before anything was fetched".to_owned())),
        };
        match one {
            Ok(Meant::Torrent(one)) if known.insert(one.hash()) => {
                if let Some(remark) = &one.remark {
                    env.note(remark);
                }
                found.push((what.clone(), Meant::Torrent(one)));
            }
            Ok(classic @ Meant::Classic(_)) if names.insert(what) => found.push((what.clone(), classic)),
            Ok(_) => {}
            Err(failure) if all.len() == 1 => return Err(failure),
            Err(failure) => {
                failure.message().unwrap_or_default().lines().for_each(|line| env.error(line));
                all_found = false;
            }
        }
    }
    if found.is_empty() { Err(Failure::Told) } else { Ok((found, all_found)) }
}

/// Begins to fetch one after another: looking at what is there already is work for the disk.
async fn open_all(
    node: Node,
    all: Vec<(String, Found)>,
    folder: PathBuf,
    files: Files,
    openings: mpsc::Sender<Opening>,
) {
    for (at, (_, Found { source, tiers, peers, .. })) in all.into_iter().enumerate() {
        let opened = match source {
            Source::Torrent(torrent) => {
                node.fetch(torrent, &folder, files.clone()).await.map_err(|problem| problem.to_string())
            }
            Source::Hash(hash) => {
                node.fetch_described(hash, &folder, files.clone());
                Ok(hash)
            }
        };
        if let Ok(hash) = opened {
            node.announce(hash, tiers);
            node.add_peers(hash, engine::Source::Person, &peers);
        }
        if openings.send((at, opened)).await.is_err() {
            return;
        }
    }
}
