use hub::Bound;

use super::peering::{self, Sharing};
use super::serve::ready::ReadyFile;
use crate::cli::Share;
use crate::client::{Client, TIMEOUT_DEFAULT};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::settings::{Flags, Settings};

/// Shares until it is told to stop.
pub(super) async fn run(args: &Share, env: &mut Env) -> Outcome {
    let flags = Flags {
        config: args.config.config.clone(),
        state_dir: args.state.state_dir.clone(),
        tracker: args.hub.tracker.clone(),
        admin_token: args.admin.admin_token.clone(),
        ..Flags::default()
    };
    let settings = Settings::load(env, &flags)?;
    let client = Client::new(&settings, TIMEOUT_DEFAULT)?;
    let mut stop =
        env.stop.listen().map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let state_dir = peering::state_dir(&settings, env);
    let node = peering::start(&args.peer, None, state_dir.clone())?;
    let work = async {
        let announce = peering::announce_url(&client).await;
        let hub = announce.trim_end_matches("/announce").to_owned();
        let sharing =
            Sharing { node: &node, client: &client, private: args.private, announce, hub, state_dir };
        sharing.share(&args.paths, env).await?;
        let bound = Bound { http: Vec::new(), udp: Vec::new(), ws: Vec::new() };
        let ready = args.ready_file.as_ref().map(|path| ReadyFile::write(&env.path(path), &bound));
        let _ready = ready.transpose()?;
        env.note("sharing until Ctrl-C");
        std::future::pending().await
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = stop.next() => Ok(()),
    };
    tokio::select! {
        () = node.stop() => {}
        () = stop.next() => {}
    }
    outcome
}
