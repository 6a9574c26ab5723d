//! What `up`, `share` and `get` have in common: a node, whom it announces to, and what a person sees of it.

pub(super) mod classics;
pub(super) mod name;
pub(super) mod sharing;
pub(super) mod tracker;
pub(super) mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use peer::classic::Shelf;
use peer::node::{Limits, Node, Options};
use peer::trust::Trust;

use crate::cli::PeerArgs;
use crate::env::{Env, Listening};
use crate::exit::Failure;
use crate::format::plain;
use crate::settings::Settings;

/// How often what is shown is renewed.
const REFRESH: Duration = Duration::from_millis(200);

/// How long stopping may take before a person is told what is waited for.
const STOP_UNTOLD: Duration = Duration::from_millis(500);

/// Where the peers of this machine keep what they know of files, if it can be used.
pub(super) fn state_dir(settings: &Settings, env: &mut Env) -> Option<PathBuf> {
    let folder = settings.hub.state_dir.join("peer");
    match peer::disk::prepare_state_dir(&folder) {
        Ok(()) => Some(folder),
        Err(error) => {
            let folder = folder.display().to_string();
            env.note(format_args!(
                "cannot use {}: {error}; everything will be hashed again at the next start",
                plain(&folder)
            ));
            None
        }
    }
}

/// Starts a node. `trust` is that of the tracker it is to announce to; `classic`, what peers of the classic dialects are
/// given.
pub(super) fn start(
    args: &PeerArgs,
    limit_down: Option<u64>,
    state_dir: Option<PathBuf>,
    trust: Option<Trust>,
    classic: Option<Arc<dyn Shelf>>,
) -> Result<Node, Failure> {
    let options = Options {
        port: args.peer_port,
        limits: Limits { upload: args.limit_up, download: limit_down },
        state_dir,
        trust,
        client: concat!("Skep ", env!("CARGO_PKG_VERSION")),
        classic,
        ..Options::default()
    };
    Node::start(options).map_err(|error| match args.peer_port {
        None | Some(0) => Failure::Failed(format!("cannot listen for peers: {error}")),
        Some(port) => Failure::Misuse(format!(
            "cannot listen for peers on port {port}: {error}; choose another with --peer-port"
        )),
    })
}

/// Stops a node; a further request ends the waiting for trackers that are slow to hear of it.
pub(super) async fn stop(node: &Node, requests: &mut Listening, env: &mut Env) {
    let mut stopping = std::pin::pin!(node.stop());
    if tokio::time::timeout(STOP_UNTOLD, &mut stopping).await.is_ok() {
        return;
    }
    env.note("telling the trackers; Ctrl-C again ends it at once");
    tokio::select! {
        () = stopping => {}
        () = requests.next() => {}
    }
}
