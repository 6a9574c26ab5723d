//! From a path to something that others can get.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use peer::announce::{State, TrackerStatus};
use peer::disk::Place;
use peer::node::Node;
use swarm::InfoHash;
use wire::magnet::Magnet;
use wire::metainfo::Metainfo;

use super::tracker::Tracker;
use super::{REFRESH, name};
use crate::client::{ClientError, TIMEOUT_DEFAULT};
use crate::commands::add::send::{Sender, Tries};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::{plain, size};
use crate::make::{self, Progress};

/// How long a tracker is waited for before the waiting is told.
const SILENCE: Duration = Duration::from_secs(2);

/// What is shared, and how.
pub(in crate::commands) struct Sharing<'a> {
    pub(in crate::commands) node: &'a Node,
    pub(in crate::commands) tracker: &'a Tracker,
    pub(in crate::commands) private: bool,
    /// Where to announce, the best first; this machine is found at each.
    pub(in crate::commands) announce: Vec<String>,
    /// Where what is known of files is kept, if anywhere.
    pub(in crate::commands) state_dir: Option<PathBuf>,
}

/// Something that is shared.
pub(in crate::commands) struct Shared {
    pub(in crate::commands) hash: InfoHash,
    pub(in crate::commands) name: String,
}

/// Something that is being announced.
struct Begun {
    torrent: Arc<Metainfo>,
    /// It is in the hub's catalogue.
    listed: bool,
}

/// A torrent that was made of a path.
pub(in crate::commands) struct Hashed {
    pub(in crate::commands) bytes: Vec<u8>,
    pub(in crate::commands) torrent: Arc<Metainfo>,
    pub(in crate::commands) left_out: Vec<make::LeftOut>,
    /// Whether it was hashed just now, and not before.
    pub(in crate::commands) hashed: bool,
}

/// Makes a torrent of a path, whose files a node need not hash again then. Waits for the disk.
pub(in crate::commands) fn hash(
    path: &Path,
    options: &make::Options,
    progress: &dyn Progress,
) -> Result<Hashed, make::MakeError> {
    let made = make::build(&[path.to_owned()], options, progress)?;
    let torrent = Arc::new(made.torrent);
    if let Some(folder) = &options.state_dir {
        let place = Place::Source(path.to_owned());
        if let Err(problem) = peer::disk::remember(folder, &torrent, &place, &made.files) {
            tracing::warn!(%problem, "what was hashed is hashed again");
        }
    }
    Ok(Hashed { bytes: made.bytes, torrent, left_out: made.left_out, hashed: made.hashed })
}

/// Sees that there is something to share at each of `paths`, before anything is begun.
///
/// # Errors
/// [`Failure::Misuse`] that quotes the first path that cannot be shared.
pub(in crate::commands) fn survey(paths: &[PathBuf], env: &Env) -> Outcome {
    for path in paths {
        make::survey(&env.path(path)).map_err(Failure::misuse)?;
    }
    Ok(())
}

impl Sharing<'_> {
    /// Hashes each path, registers it with the hub and shares it; returns when the tracker has heard of all. While one
    /// path is hashed, trackers hear of those before it.
    pub(in crate::commands) async fn share(
        &self,
        paths: &[PathBuf],
        env: &mut Env,
    ) -> Result<Vec<Shared>, Failure> {
        let (mut begun, mut known) = (Vec::new(), HashSet::new());
        for path in paths {
            let one = self.begin(&env.path(path), env).await?;
            if known.insert(one.torrent.info_hash()) {
                begun.push(one);
            }
        }
        let mut shared = Vec::new();
        for one in begun {
            self.announced(one.torrent.info_hash(), env).await?;
            shared.push(self.tell(&one, env).await?);
        }
        Ok(shared)
    }

    async fn begin(&self, path: &Path, env: &mut Env) -> Result<Begun, Failure> {
        // The name of `.` or `..` is that of the folder it stands for.
        let path = match path.file_name() {
            Some(_) => path.to_owned(),
            None => path
                .canonicalize()
                .map_err(|error| Failure::Failed(format!("cannot share {}: {error}", path.display())))?,
        };
        let options = make::Options {
            private: self.private || self.tracker.is_for_members(),
            trackers: vec![self.tracker.told(&self.announce)],
            created_by: Some(concat!("Skep ", env!("CARGO_PKG_VERSION")).to_owned()),
            state_dir: self.state_dir.clone(),
            ..make::Options::default()
        };
        let bar = Bar(env.bar(0, "hashing {bar:24} {bytes}/{total_bytes}, {eta} left  {wide_msg}"));
        bar.0.set_message(plain(&path.file_name().unwrap_or_default().to_string_lossy()).into_owned());
        let hashed = path.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            let hashed = hash(&hashed, &options, &bar);
            bar.0.finish_and_clear();
            hashed
        });
        let made = hashing.await.map_err(Failure::failed)?.map_err(Failure::failed)?;
        for left_out in &made.left_out {
            env.note(format_args!("left out: {}", plain(&left_out.to_string())));
        }
        if !made.hashed {
            env.note(format_args!("unchanged since it was hashed: {}", plain(&path.display().to_string())));
        }
        let torrent = made.torrent;
        let listed = self.register(made.bytes, &torrent, env).await?;
        let hash = self.node.share(torrent.clone(), path).await.map_err(Failure::failed)?;
        self.node.announce(hash, self.announce.iter().map(|url| vec![url.clone()]).collect());
        Ok(Begun { torrent, listed })
    }

    async fn tell(&self, Begun { torrent, listed }: &Begun, env: &mut Env) -> Result<Shared, Failure> {
        let (hash, name) = (torrent.info_hash(), plain(torrent.name()).into_owned());
        let magnet = Magnet::from(&**torrent).to_string();
        writeln!(env.stdout, "sharing    {name}, {}", size(torrent.size()))?;
        writeln!(env.stdout, "info hash  {hash}")?;
        writeln!(env.stdout, "magnet     {magnet}")?;
        match listed {
            true => writeln!(env.stdout, "get it     {}", self.way_to_get(torrent).await)?,
            false => writeln!(env.stdout, "get it     skep get '{magnet}'")?,
        }
        env.stdout.flush()?;
        Ok(Shared { hash, name })
    }

    /// Puts a torrent into the hub's catalogue; false if there is none, since the tracker is no hub.
    async fn register(&self, bytes: Vec<u8>, torrent: &Metainfo, env: &mut Env) -> Result<bool, Failure> {
        let Some(client) = self.tracker.client() else {
            let tracker = &self.announce[0];
            env.note(format_args!("{tracker} has no catalogue: others need the magnet link"));
            return Ok(false);
        };
        let tries = Tries {
            count: 3,
            delay: Duration::from_secs(2),
            timeout: TIMEOUT_DEFAULT,
            created_by: "Skep".to_owned(),
        };
        match Sender::new(client, tries).send(bytes, torrent).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_no_hub() => {
                env.note(format_args!(
                    "{} is no Skep hub and has no catalogue: others need the magnet link",
                    client.hub()
                ));
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What to type elsewhere: the name, unless `get` would take it for something else than this torrent.
    async fn way_to_get(&self, torrent: &Metainfo) -> String {
        let hash = torrent.info_hash();
        let named: Result<_, ClientError> = match self.tracker.client() {
            Some(client) if name::is_plain(torrent.name()) => client.named(torrent.name()).await,
            _ => Ok(Vec::new()),
        };
        let chosen = named.map(name::choose);
        let is_this = matches!(chosen, Ok(name::Choice::One(one)) if one.info_hash == hash.to_string());
        let what = if is_this { name::quoted(torrent.name()) } else { hash.to_string() };
        let told = self.tracker.told(&self.announce[..1]).concat();
        let hub = told.strip_suffix("/announce").unwrap_or(&told);
        format!("skep get {what} -t {hub}")
    }

    /// Waits until a tracker has heard of a torrent.
    async fn announced(&self, hash: InfoHash, env: &mut Env) -> Outcome {
        let mut silent = Some(tokio::time::Instant::now() + SILENCE);
        loop {
            let trackers = self.node.trackers(hash);
            if trackers.iter().any(|tracker| matches!(tracker.state, State::Answered { .. })) {
                return Ok(());
            }
            if trackers.iter().all(|tracker| tracker.state != State::Unasked) {
                let said = |tracker: &TrackerStatus| format!("{}: {}", tracker.name, tracker.state);
                return Err(Failure::Failed(trackers.iter().map(said).collect::<Vec<_>>().join("\n")));
            }
            if silent.is_some_and(|at| at <= tokio::time::Instant::now()) {
                silent = None;
                env.note(format_args!("waiting for {} to answer", self.announce[0]));
            }
            tokio::time::sleep(REFRESH / 4).await;
        }
    }
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
