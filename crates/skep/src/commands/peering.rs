//! What `up`, `share` and `get` have in common: a node, and sharing through it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use peer::announce::State;
use peer::disk::Place;
use peer::node::{Limits, Node, Options};
use swarm::InfoHash;
use wire::magnet::Magnet;

use super::add::send::{Sender, Tries};
use super::serve::address;
use crate::cli::PeerArgs;
use crate::client::{Client, HubUrl, TIMEOUT_DEFAULT};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::{plain, size};
use crate::make::{self, Progress};
use crate::settings::Settings;

/// How often what is shown is renewed.
pub(super) const REFRESH: Duration = Duration::from_millis(200);

/// How long a hub's other address is tried.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

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

/// Starts a node.
pub(super) fn start(
    args: &PeerArgs,
    limit_down: Option<u64>,
    state_dir: Option<PathBuf>,
) -> Result<Node, Failure> {
    // Fails only if a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options {
        port: args.peer_port,
        limits: Limits { upload: args.limit_up, download: limit_down },
        state_dir,
        client: concat!("Skep ", env!("CARGO_PKG_VERSION")),
        ..Options::default()
    };
    Node::start(options).map_err(|error| match args.peer_port {
        None | Some(0) => Failure::Failed(format!("cannot listen for peers: {error}")),
        Some(port) => Failure::Misuse(format!("cannot listen for peers on port {port}: {error}")),
    })
}

/// Where to announce to a hub. Of one on this machine it is an address that is not loopback, if the hub listens
/// there: it learns ours from where the announce comes, and others could not reach loopback.
pub(super) async fn announce_url(client: &Client) -> String {
    let hub = client.hub();
    let other = hub.at(address::reachable(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    if let Some(other) = other.filter(|other| hub.is_this_machine() && other != hub)
        && answers(&other).await
    {
        return other.join("announce").to_string();
    }
    hub.join("announce").to_string()
}

async fn answers(hub: &HubUrl) -> bool {
    let url = hub.join("health");
    let asked = async {
        let client = reqwest::Client::builder().no_proxy().build()?;
        client.get(url).send().await?.error_for_status()
    };
    matches!(tokio::time::timeout(PROBE_TIMEOUT, asked).await, Ok(Ok(_)))
}

/// What is shared, and how.
pub(super) struct Sharing<'a> {
    pub(super) node: &'a Node,
    pub(super) client: &'a Client,
    pub(super) private: bool,
    /// Where to announce.
    pub(super) announce: String,
    /// What others are told to use as the hub's address.
    pub(super) hub: String,
    /// Where what is known of files is kept, if anywhere.
    pub(super) state_dir: Option<PathBuf>,
}

impl Sharing<'_> {
    /// Hashes each path, registers it with the hub and shares it; returns when the hub has heard of all.
    pub(super) async fn share(&self, paths: &[PathBuf], env: &mut Env) -> Outcome {
        for path in paths {
            self.share_one(&env.path(path), env).await?;
        }
        Ok(())
    }

    async fn share_one(&self, path: &Path, env: &mut Env) -> Outcome {
        // The name of `.` or `..` is that of the folder it stands for.
        let path = match path.file_name() {
            Some(_) => path.to_owned(),
            None => path
                .canonicalize()
                .map_err(|error| Failure::Failed(format!("cannot share {}: {error}", path.display())))?,
        };
        let options = make::Options {
            private: self.private,
            trackers: vec![vec![self.announce.clone()]],
            created_by: Some(concat!("Skep ", env!("CARGO_PKG_VERSION")).to_owned()),
            state_dir: self.state_dir.clone(),
            ..make::Options::default()
        };
        let bar = Bar(env.bar(0, "hashing {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"));
        let paths = vec![path.clone()];
        let hashing = tokio::task::spawn_blocking(move || {
            let made = make::build(&paths, &options, &bar);
            bar.0.finish_and_clear();
            made
        });
        let made = hashing.await.map_err(Failure::failed)?.map_err(Failure::failed)?;
        for left_out in &made.left_out {
            env.note(format_args!("left out: {}", plain(&left_out.to_string())));
        }
        if !made.hashed {
            env.note(format_args!("unchanged since it was hashed: {}", plain(&path.display().to_string())));
        }
        let torrent = Arc::new(made.torrent);
        if let Some(folder) = &self.state_dir {
            let place = Place::Source(path.clone());
            if let Err(problem) = peer::disk::remember(folder, &torrent, &place, &made.files) {
                tracing::warn!(%problem, "what was hashed is hashed again");
            }
        }
        let tries = Tries {
            count: 3,
            delay: Duration::from_secs(2),
            timeout: TIMEOUT_DEFAULT,
            created_by: "Skep".to_owned(),
        };
        Sender::new(self.client, tries).send(made.bytes, &torrent).await?;
        let hash = self.node.share(torrent.clone(), path).await.map_err(Failure::failed)?;
        self.node.announce(hash, vec![vec![self.announce.clone()]]);
        announced(self.node, hash).await.map_err(Failure::Failed)?;

        let name = plain(torrent.name());
        writeln!(env.stdout, "sharing    {name}, {}", size(torrent.size()))?;
        writeln!(env.stdout, "info hash  {hash}")?;
        writeln!(env.stdout, "magnet     {}", Magnet::from(&*torrent))?;
        writeln!(env.stdout, "get it     skep get {} -t {}", quoted(&name), self.hub)?;
        Ok(env.stdout.flush()?)
    }
}

/// Waits until a tracker has heard of a torrent.
async fn announced(node: &Node, hash: InfoHash) -> Result<(), String> {
    loop {
        for tracker in node.trackers(hash) {
            match tracker.state {
                State::Answered { .. } => return Ok(()),
                State::Refused(_) | State::Failed(_) | State::GivenUp(_) => return Err(tracker.to_string()),
                State::Unasked => {}
            }
        }
        tokio::time::sleep(REFRESH / 4).await;
    }
}

/// A name as a shell takes it for one word.
fn quoted(name: &str) -> String {
    let bare = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '+' | '=' | ',');
    if name.chars().all(bare) && !name.starts_with('-') {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn found(&self, _: usize, bytes: u64) {
        self.0.set_length(bytes);
    }

    fn hashed(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_word() {
        assert_eq!(quoted("data-set_1.2"), "data-set_1.2");
        assert_eq!(quoted("größe"), "größe");
        assert_eq!(quoted("data set"), "'data set'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$(rm)"), "'$(rm)'");
    }
}
