//! A long-running peer over a folder.

mod catalogue;
mod classics;
mod desk;
mod fetches;
mod menu;
mod offers;
mod records;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use peer::announce::State;
use peer::api::{Api, Hooks, Token};
use peer::classic::{Presence, Stock};
use peer::folder::Folder;
use peer::node::Node;
use swarm::{InfoHash, Port};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::peering;
use super::peering::tracker::Tracker;
use super::serve::ready::ReadyFile;
use crate::cli;
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::plain;
use crate::logs::{self, Remarks};
use crate::settings::{Flags, Settings};
use catalogue::Catalogue;
use classics::Classics;
use desk::PeerDesk;
use menu::terminal::Screen;
use records::Records;

/// Entries that are hashed at a time: so many long ones do not keep a short one waiting.
const OFFERS_MAX: usize = 4;

/// How often it is looked whether trackers have heard of everything.
const LOOK: Duration = Duration::from_millis(100);

/// What all that goes on at a time has in common.
struct Peer {
    node: Node,
    folder: Folder,
    tracker: Tracker,
    /// A person named the tracker, so that it is asked for peers of any torrent.
    is_named: bool,
    /// Where to announce, the best first; this machine is found at each.
    announce: Vec<String>,
    /// Where what is known of files is kept.
    state_dir: PathBuf,
    catalogue: Catalogue,
    classics: Arc<Classics>,
    records: Records,
    /// What is shared of the folder's entries.
    shared: Mutex<Vec<InfoHash>>,
}

/// Shares a folder, and fetches into it, until it is told to stop.
pub(super) async fn run(args: &cli::Peer, env: &mut Env) -> Outcome {
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
    let has_menu = env.terminal.stdin && env.terminal.stdout && env.terminal.stderr && !args.no_menu;
    let remarks = if has_menu {
        logs::start_aside()
    } else {
        logs::start(&settings.hub.log, env)?;
        Remarks::default()
    };
    let tracker = Tracker::new(&settings)?;
    let mut stop =
        env.stop.listen().map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let folder = Folder::open(&env.path(&folder(args.dir.as_deref(), args.user.as_deref(), env)?))
        .map_err(Failure::misuse)?;
    let state_dir = settings.hub.state_dir.join("peer");
    peer::disk::prepare_state_dir(&state_dir).map_err(|error| {
        let dir = state_dir.display();
        Failure::Misuse(format!(
            "the state directory {dir} cannot be used: {error}; choose another with --state-dir"
        ))
    })?;
    let token = Token::load_or_create(&settings.hub.state_dir).map_err(Failure::misuse)?;
    let records = Records::open(&state_dir, folder.path()).map_err(Failure::misuse)?;
    let stock = Stock::open(folder.path()).map(Arc::new).map_err(Failure::misuse)?;
    let node = peering::start(
        &args.peer,
        args.limit_down,
        Some(state_dir.clone()),
        tracker.trust_to_announce(),
        Some(stock.clone()),
    )?;
    let user = user(args.user.as_deref(), env).unwrap_or_else(|| "skep".to_owned());
    let port = Port::new(node.port());
    let presence = port.map(|port| Presence::new(stock.clone(), user.clone(), port));
    let classics = Arc::new(Classics::new(stock, presence, user, args.plain_names));
    let (fetch, fetches) = mpsc::channel(1);
    let (remove, removals) = mpsc::channel(1);
    let (shutdown, mut shutdowns) = mpsc::channel(1);
    let hooks = Hooks { fetch, remove, shutdown };
    let api = Api::start(args.api, node.clone(), token, hooks)
        .map_err(|error| Failure::Misuse(format!("cannot serve the API at {}: {error}", args.api)))?;
    // It shares on where nobody reads what it prints.
    let _ = tell(&folder, &settings, &api, env);
    let (close, mut closed) = mpsc::channel::<()>(1);
    let (cwd, has_colors) = (env.cwd.clone(), env.colors_stdout());

    let work = async {
        let announce = tracker.announce_urls().await;
        let peer = Arc::new(Peer {
            node: node.clone(),
            folder,
            tracker,
            is_named: args.tracker.tracker.is_some(),
            announce,
            state_dir,
            catalogue: Catalogue::default(),
            classics: classics.clone(),
            records,
            shared: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        peer.go_on().await;
        for _ in 0..OFFERS_MAX {
            tasks.spawn(peer.clone().offer_all());
        }
        tasks.spawn(peer.clone().watch());
        tasks.spawn(peer.clone().withdraw_all());
        tasks.spawn(peer.clone().register_all());
        tasks.spawn(peer.clone().follow());
        tasks.spawn(peer.clone().attend_all());
        tasks.spawn(peer.clone().fetch_all(fetches));
        tasks.spawn(peer.clone().remove_all(removals));
        if has_menu {
            let desk = PeerDesk::new(peer.clone(), cwd, remarks.clone());
            // A person may never answer, so nobody waits for this thread: it ends with the process at the latest.
            std::thread::Builder::new()
                .name("menu".to_owned())
                .spawn(move || {
                    // When the screen goes, the menu is closed.
                    menu::run(&desk, &mut Screen::new(has_colors, close));
                })
                .map_err(Failure::failed)?;
        }
        peer.ready().await;
        tracing::info!("everything in the folder is shared");
        let ready = args.ready_file.as_ref();
        let ready = ready.map(|path| ReadyFile::write_for_peer(&env.path(path), api.address()));
        let _ready = ready.transpose()?;
        // None of them ends but by a panic, which would go unnoticed otherwise.
        match tasks.join_next().await {
            Some(Err(error)) => Err(Failure::failed(error)),
            _ => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = stop.next() => Ok(()),
        Some(()) = shutdowns.recv() => Ok(()),
        None = closed.recv(), if has_menu => Ok(()),
    };
    if has_menu {
        closed.close();
        menu::terminal::restore();
    }
    tracing::info!("stopping");
    let leaving = async {
        if let Some(presence) = &classics.presence {
            presence.leave().await;
        }
    };
    tokio::join!(peering::stop(&node, &mut stop, env), leaving);
    if has_menu {
        // A prompt that was just about to come.
        menu::terminal::restore();
        // Nobody else says what the menu has not said yet.
        for remark in remarks.take() {
            // It stops where nobody reads what it prints, too.
            let _ = writeln!(env.stderr, "{remark}");
        }
    }
    outcome
}

/// Tells a person what is shared, and where.
fn tell(folder: &Folder, settings: &Settings, api: &Api, env: &mut Env) -> std::io::Result<()> {
    let out = &mut env.stdout;
    let token = settings.hub.state_dir.join(peer::api::token::TOKEN_FILE);
    writeln!(out, "Skep {} shares {}", env!("CARGO_PKG_VERSION"), plain(&folder.path().to_string_lossy()))?;
    writeln!(out, "tracker  {}", plain(settings.client.tracker.trim()))?;
    writeln!(
        out,
        "API      http://{}/api/v1, with the token in {}",
        api.address(),
        plain(&token.to_string_lossy())
    )?;
    out.flush()
}

/// Who shares: the one who was named, or is logged in.
fn user(named: Option<&str>, env: &Env) -> Option<String> {
    let login = || ["USER", "LOGNAME"].iter().find_map(|name| env.var(name)?.to_str());
    named.or_else(login).map(str::to_owned)
}

/// The folder to share: the one that was named, or the user's own.
fn folder(dir: Option<&Path>, user: Option<&str>, env: &Env) -> Result<PathBuf, Failure> {
    if let Some(dir) = dir {
        return Ok(dir.to_owned());
    }
    let user = self::user(user, env).ok_or_else(|| {
        Failure::Misuse("nobody is logged in: name the folder with --dir, or a user with --user".to_owned())
    })?;
    let user = &*user;
    if user.is_empty() || user == "." || user == ".." || user.contains(['/', '\\', '\0']) {
        let user = plain(user);
        return Err(Failure::Misuse(format!(
            "`{user}` is no user's name: one that a folder can have is expected"
        )));
    }
    Ok(Path::new("shared_files").join(user))
}

impl Peer {
    async fn watch(self: Arc<Self>) {
        let Self { node, folder, .. } = &*self;
        folder.watch(|| node.fetched_into(folder.path())).await;
    }

    /// Waits until what was in the folder at the start is hashed, in the catalogue, and known to a tracker, so far as it
    /// can be.
    async fn ready(&self) {
        self.folder.settled().await;
        self.catalogue.is_done().await;
        let shared = self.shared.lock().clone();
        for hash in shared {
            while !self.is_announced(hash) {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Whether a tracker has heard of a torrent, or there is nobody who would.
    fn is_announced(&self, hash: InfoHash) -> bool {
        if self.node.status(hash).is_none() {
            return true;
        }
        let trackers = self.node.trackers(hash);
        let heard = |state: &State| match state {
            State::Answered { .. } | State::Refused(_) | State::GivenUp(_) => true,
            State::Unasked | State::Failed(_) => false,
        };
        trackers.iter().any(|tracker| heard(&tracker.state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_users_unless_it_is_named() {
        let mut env = Env::new(Vec::new(), Vec::new(), "/work".into());
        let nobody = folder(None, None, &env).unwrap_err();
        assert!(nobody.message().unwrap().contains("--dir"), "{nobody:?}");
        env.vars.insert("USER".to_owned(), "ann".into());
        let is = |dir: Option<&str>, user, path: &str| {
            assert_eq!(folder(dir.map(Path::new), user, &env).as_deref(), Ok(Path::new(path)));
        };
        is(None, None, "shared_files/ann");
        is(None, Some("bob"), "shared_files/bob");
        is(Some("x/y"), None, "x/y");
        for wrong in ["..", ".", "a/b", ""] {
            let failure = folder(None, Some(wrong), &env).unwrap_err();
            assert!(failure.message().unwrap().starts_with(&format!("`{wrong}` is no user's name")));
        }
    }
}
