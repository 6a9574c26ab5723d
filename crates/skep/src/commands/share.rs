use hub::Bound;
use tokio::sync::mpsc;

use super::peering;
use super::peering::sharing::{self, Sharing};
use super::peering::tracker::Tracker;
use super::peering::watch::{Until, Watch};
use super::serve::ready::ReadyFile;
use crate::cli::Share;
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::settings::{Flags, Settings};

/// Shares until it is told to stop.
pub(super) async fn run(args: &Share, env: &mut Env) -> Outcome {
    let flags = Flags {
        config: args.config.config.clone(),
        state_dir: args.state.state_dir.clone(),
        tracker: args.tracker.tracker.clone(),
        passkey: args.tracker.member.passkey.clone(),
        trust: args.tracker.trust.clone(),
        admin_token: args.admin.admin_token.clone(),
        ..Flags::default()
    };
    let settings = Settings::load(env, &flags)?;
    let tracker = Tracker::new(&settings)?;
    sharing::survey(&args.paths, env)?;
    let mut stop =
        env.stop.listen().map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let state_dir = peering::state_dir(&settings, env);
    let node = peering::start(&args.peer, None, state_dir.clone(), tracker.trust_to_announce(), None)?;
    let work = async {
        let announce = tracker.announce_urls().await;
        let sharing = Sharing { node: &node, tracker: &tracker, private: args.private, announce, state_dir };
        sharing.share(&args.paths, env).await
    };
    let shared = tokio::select! {
        shared = work => shared.map(Some),
        () = stop.next() => Ok(None),
    };
    let outcome = match shared {
        Ok(Some(shared)) => {
            let bound = Bound::default();
            let ready = args.ready_file.as_ref().map(|path| ReadyFile::write(&env.path(path), &bound));
            match ready.transpose() {
                Ok(_ready) => {
                    env.note("sharing until Ctrl-C");
                    let mut watch = Watch::new(&node, Until::Stopped, false, env);
                    watch.add_shared(&shared);
                    let (_, no_openings) = mpsc::channel(1);
                    let watched = tokio::select! {
                        watched = watch.run(no_openings, env) => watched,
                        () = stop.next() => Ok(()),
                    };
                    watched.and(watch.end(true, env))
                }
                Err(failure) => Err(failure),
            }
        }
        Ok(None) => Err(Failure::Failed("interrupted before everything was shared".to_owned())),
        Err(failure) => Err(failure),
    };
    peering::stop(&node, &mut stop, env).await;
    outcome
}
