//! What `up`, `share` and `get` have in common: a node, whom it announces to, and what a person sees of it.

pub(super) mod name;
pub(super) mod sharing;
pub(super) mod tracker;
pub(super) mod watch;

use std::time::Duration;

use peer::node::{Node, Options};

use crate::cli::PeerArgs;
use crate::env::{Env, Listening};
use crate::exit::Failure;

/// How often what is shown is renewed.
const REFRESH: Duration = Duration::from_millis(200);

/// How long stopping may take before a person is told what is waited for.
const STOP_UNTOLD: Duration = Duration::from_millis(500);

/// Starts a node.
pub(super) fn start(args: &PeerArgs, limit_down: Option<u64>) -> Result<Node, Failure> {
    let options = Options {
        port: args.peer_port,
        upload_limit: args.limit_up,
        download_limit: limit_down,
        client: concat!("Skep ", env!("CARGO_PKG_VERSION")),
        ..Options::default()
    };
    Node::start(options).map_err(|error| match args.peer_port {
        0 => Failure::Failed(format!("cannot listen for peers: {error}")),
        port => Failure::Misuse(format!(
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
