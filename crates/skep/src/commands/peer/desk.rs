//! What the menu asks, of a peer that runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use peer::api::Wish;
use peer::classic::fetch::Progress;
use peer::node::{Phase, Status};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

use super::Peer;
use super::menu::{Desk, Download, FOUND_MAX, Offer, Shared, Stage, Way};
use crate::client::{Client, ClientError, OfferedName, Torrent};
use crate::format::{plain, plural, rate, size};
use crate::logs::Remarks;

/// How often it is looked how far a torrent is.
const LOOK: Duration = Duration::from_millis(200);

/// Pages of the directory that a search asks for; a hub looks at a hundred thousand names for each.
const DIRECTORY_PAGES_MAX: usize = 100;

/// The name of a copy that is not whole. What begins with a dot is not shared.
const COPY_PREFIX: &str = ".skep-seed-";

/// A peer, for a person at its terminal. Not for the runtime's own threads: it blocks.
pub(super) struct PeerDesk {
    peer: Arc<Peer>,
    runtime: Handle,
    /// Where the person's relative paths begin.
    cwd: PathBuf,
    remarks: Remarks,
}

impl PeerDesk {
    /// To be called inside the runtime that the peer runs on.
    pub(super) fn new(peer: Arc<Peer>, cwd: PathBuf, remarks: Remarks) -> Self {
        Self { peer, runtime: Handle::current(), cwd, remarks }
    }

    fn hub(&self) -> Result<&Client, String> {
        self.peer
            .tracker
            .client()
            .ok_or_else(|| "the tracker is no hub: it has no catalogue to search".to_owned())
    }
}

impl Desk for PeerDesk {
    fn search(&self, text: &str) -> Result<Vec<Offer>, String> {
        let client = self.hub()?;
        let asked = async {
            let torrents = client.torrents::<Torrent>(Some(text), FOUND_MAX, None).await?;
            Ok::<_, ClientError>((torrents.torrents, offered_names(client, text).await?))
        };
        let asked = self.runtime.block_on(asked);
        let (torrents, names) = asked.map_err(|error| plain(&error.to_string()).into_owned())?;
        let ours: Vec<String> = self.peer.given().into_iter().map(|item| item.name).collect();
        let mut offers: Vec<Offer> = torrents.into_iter().map(by_torrent).collect();
        // What the catalogue has comes verified; what is here need not come.
        let others = names
            .into_iter()
            .filter(|name| !ours.contains(&name.name))
            .filter_map(|name| by_name(name, &self.peer.classic_dialects()))
            .filter(|offer| !offers.iter().any(|torrent| torrent.name == offer.name && torrent.holders > 0))
            .collect::<Vec<_>>();
        offers.extend(others);
        offers.truncate(FOUND_MAX);
        Ok(offers)
    }

    fn who_has(&self, name: &str) -> Result<Vec<String>, String> {
        let client = self.hub()?;
        let (named, found) =
            self.runtime.block_on(async { tokio::join!(client.named(name), self.peer.who_has(name)) });
        let named = named.map_err(|error| plain(&error.to_string()).into_owned())?;
        let mut lines: Vec<String> = named
            .iter()
            .map(|torrent| {
                let (seeders, leechers) =
                    (plural(torrent.seeders, "seeder"), plural(torrent.leechers, "leecher"));
                format!("torrent {}: {seeders}, {leechers}", plain(&torrent.info_hash))
            })
            .collect();
        for way in &found.ways {
            lines.extend(way.holders.iter().map(|holder| {
                let name =
                    holder.name.as_deref().map_or_else(String::new, |name| format!("{}, ", plain(name)));
                format!("{name}{} in {}", holder.address, way.dialect.name())
            }));
        }
        lines.extend(found.silent.iter().map(|error| format!("no answer: {}", plain(&error.to_string()))));
        Ok(lines)
    }

    fn download(&self, offer: &Offer) -> watch::Receiver<Stage> {
        let begun = Stage::Coming { bytes: 0, bytes_max: offer.bytes, doing: String::new() };
        let (stage, seen) = watch::channel(begun);
        let (peer, offer) = (self.peer.clone(), offer.clone());
        self.runtime.spawn(async move {
            let ended = match &offer.way {
                Way::Torrent(hash) => peer.download_torrent(hash, &stage).await,
                Way::Classic(_) => peer.download_classic(&offer.name, &stage).await,
            };
            stage.send_replace(match ended {
                Ok(how) => Stage::Here(how),
                Err(why) => Stage::Failed(why),
            });
        });
        seen
    }

    fn downloads(&self) -> Vec<Download> {
        let torrents = self.peer.node.torrents().into_iter().filter_map(|listed| {
            let status = listed.status;
            let name = status.name.clone().unwrap_or_else(|| listed.hash.to_string());
            match coming(&status)? {
                Stage::Coming { bytes, bytes_max, doing } => Some(Download { name, bytes, bytes_max, doing }),
                Stage::Here(_) | Stage::Failed(_) => None,
            }
        });
        let classic = self.peer.coming().into_iter().map(|download| Download {
            name: download.name,
            bytes: download.progress.bytes,
            bytes_max: download.progress.bytes_max,
            doing: "from classic peers".to_owned(),
        });
        torrents.chain(classic).collect()
    }

    fn shared(&self) -> Vec<Shared> {
        let also: BTreeMap<String, String> = self
            .peer
            .given()
            .into_iter()
            .filter(|item| item.beacon_name != item.name)
            .map(|item| (item.name, item.beacon_name))
            .collect();
        let whole = self.peer.node.torrents().into_iter().filter_map(|listed| {
            let status = listed.status;
            let is_whole = matches!(status.phase, Phase::Whole(_));
            let name = status.name.filter(|_| is_whole)?;
            let also = also.get(&name).cloned();
            Some(Shared { name, bytes: status.bytes.unwrap_or(0), uploaded: status.stats.uploaded, also })
        });
        let mut shared: Vec<Shared> = whole.collect();
        shared.sort_by(|a, b| a.name.cmp(&b.name));
        shared
    }

    fn seed(&self, path: &str) -> Result<String, String> {
        put(&self.cwd.join(path), self.peer.folder.path())
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.take()
    }
}

impl Peer {
    /// Fetches a torrent of the catalogue, and says what came of it.
    async fn download_torrent(
        self: &Arc<Self>,
        hash: &str,
        stage: &watch::Sender<Stage>,
    ) -> Result<String, String> {
        let words = |problem: peer::api::Problem| plain(problem.detail()).into_owned();
        let (hash, _) = self.fetch(Wish::Named(hash.to_owned())).await.map_err(words)?;
        loop {
            let Some(status) = self.node.status(hash) else { return Err("it was taken down".to_owned()) };
            match &status.phase {
                Phase::Whole(path) => {
                    let path = path.to_string_lossy();
                    return Ok(format!("every piece is verified: {}", plain(&path)));
                }
                Phase::Paused(pause) => return Err(plain(&pause.to_string()).into_owned()),
                Phase::Describing | Phase::Checking | Phase::Fetching => {}
            }
            if let Some(now) = coming(&status) {
                stage.send_replace(now);
            }
            sleep(LOOK).await;
        }
    }

    /// Fetches a file from classic peers, and says what it was checked by.
    async fn download_classic(&self, name: &str, stage: &watch::Sender<Stage>) -> Result<String, String> {
        let progress = |Progress { bytes, bytes_max }: Progress| {
            stage.send_replace(Stage::Coming { bytes, bytes_max, doing: "from classic peers".to_owned() });
        };
        let fetched = self.fetch_classic(name, &progress).await?;
        Ok(format!("{}, {}", size(fetched.bytes), fetched.check))
    }
}

/// Names of the directory that match. A page may be empty though there are more, and they are asked for.
async fn offered_names(client: &Client, text: &str) -> Result<Vec<OfferedName>, ClientError> {
    let (mut names, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..DIRECTORY_PAGES_MAX {
        let page = client.directory(Some(text), FOUND_MAX, cursor.as_deref()).await?;
        names.extend(page.names);
        cursor = page.next;
        if cursor.is_none() || names.len() >= FOUND_MAX {
            break;
        }
    }
    Ok(names)
}

fn by_torrent(torrent: Torrent) -> Offer {
    Offer {
        name: torrent.name,
        bytes: torrent.size,
        holders: torrent.seeders,
        way: Way::Torrent(torrent.info_hash),
    }
}

/// A name that somebody offers in one of these dialects.
fn by_name(name: OfferedName, served: &[&str]) -> Option<Offer> {
    let holders = name.holders.into_iter().filter(|(dialect, _)| served.contains(&dialect.as_str()));
    let holders: BTreeMap<String, u64> = holders.collect();
    // Who is in several is told of in each.
    let most = *holders.values().max()?;
    Some(Offer {
        name: name.name,
        bytes: name.size,
        way: Way::Classic(holders.into_keys().collect()),
        holders: most,
    })
}

/// How far a torrent is that is not here.
fn coming(status: &Status) -> Option<Stage> {
    let stats = &status.stats;
    let doing = match &status.phase {
        Phase::Whole(_) => return None,
        Phase::Describing => "asking peers what it is".to_owned(),
        Phase::Checking => "checking what is there".to_owned(),
        Phase::Fetching if stats.peers == 0 => "waiting for peers".to_owned(),
        Phase::Fetching => {
            format!("{} from {}", rate(stats.download_rate), plural(stats.peers as u64, "peer"))
        }
        Phase::Paused(pause) => plain(&pause.to_string()).into_owned(),
    };
    let bytes = status.bytes.map_or(0, |bytes| bytes.saturating_sub(stats.left));
    Some(Stage::Coming { bytes, bytes_max: status.bytes, doing })
}

/// Puts a file into a folder under its own name: a second link to it, or else a copy.
fn put(path: &Path, folder: &Path) -> Result<String, String> {
    let shown = plain(&path.to_string_lossy()).into_owned();
    let meta = fs::metadata(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    if !meta.is_file() {
        return Err(format!(
            "{shown} is no file; whole folders are shared by putting them into {}",
            folder.display()
        ));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| format!("{shown} has a name that is not UTF-8"))?;
    if !peer::folder::is_shared_name(name.as_ref()) {
        return Err(format!("what is called `{}` is not shared; give it another name", plain(name)));
    }
    let target = folder.join(name);
    let put = match fs::hard_link(path, &target) {
        // Another file system, or one without links.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => copy(path, folder, &target),
        linked => linked,
    };
    match put {
        Ok(()) => Ok(name.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(format!("`{}` is in the shared folder already", plain(name)))
        }
        Err(error) => Err(format!("cannot put {shown} into {}: {error}", folder.display())),
    }
}

/// Copies a file; the copy gets its name once it is whole, unless something has that name.
fn copy(path: &Path, folder: &Path, target: &Path) -> io::Result<()> {
    if target.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let half = folder.join(format!("{COPY_PREFIX}{}", std::process::id()));
    let copied = File::open(path)
        .and_then(|mut from| {
            let mut to = File::create_new(&half)?;
            io::copy(&mut from, &mut to)?;
            to.sync_all()
        })
        .and_then(|()| {
            rustix::fs::renameat_with(
                rustix::fs::CWD,
                &half,
                rustix::fs::CWD,
                target,
                rustix::fs::RenameFlags::NOREPLACE,
            )
            .map_err(io::Error::from)
        });
    if copied.is_err() {
        // What is left of it is nobody's.
        let _ = fs::remove_file(&half);
    }
    copied
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::settings::{Flags, Settings};

    #[test]
    fn a_file_is_put_into_the_folder_and_nothing_is_overwritten() {
        let (here, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = here.path().join("a.txt");
        fs::write(&path, "one").unwrap();
        assert_eq!(put(&path, folder.path()), Ok("a.txt".to_owned()));
        assert_eq!(fs::read_to_string(folder.path().join("a.txt")).unwrap(), "one");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "two").unwrap();
        assert_eq!(put(&path, folder.path()), Err("`a.txt` is in the shared folder already".to_owned()));
        assert_eq!(fs::read_to_string(folder.path().join("a.txt")).unwrap(), "one");
        assert!(put(here.path(), folder.path()).unwrap_err().contains("is no file"));
        assert!(put(&here.path().join("none"), folder.path()).unwrap_err().contains("cannot read"));
        let hidden = here.path().join(".hidden");
        fs::write(&hidden, "x").unwrap();
        assert!(put(&hidden, folder.path()).unwrap_err().contains("`.hidden` is not shared"));
    }

    #[test]
    fn a_copy_is_whole_or_not_there() {
        let (here, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (path, target) = (here.path().join("a.txt"), folder.path().join("a.txt"));
        assert!(copy(&path, folder.path(), &target).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(&path, "one").unwrap();
        copy(&path, folder.path(), &target).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "one");
        let taken = copy(&path, folder.path(), &target).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_search_goes_on_behind_an_empty_page() {
        use axum::extract::RawQuery;
        let pages = |RawQuery(query): RawQuery| async move {
            match query.unwrap_or_default().contains("cursor=7") {
                true => r#"{"names":[{"name":"video.mp4","holders":{"beacon":1}}],"next":null}"#,
                false => r#"{"names":[],"next":"7"}"#,
            }
        };
        let hub = axum::Router::new().route("/api/v1/directory", axum::routing::get(pages));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let flags = Flags { tracker: Some(listener.local_addr().unwrap().to_string()), ..Flags::default() };
        tokio::spawn(async move { axum::serve(listener, hub).await });
        let mut env = Env::new(Vec::new(), Vec::new(), "/work".into());
        env.data_dir = Some("/work/data".into());
        let settings = Settings::load(&env, &flags).unwrap();
        let client = Client::new(&settings, crate::client::TIMEOUT_DEFAULT).unwrap();
        let names = offered_names(&client, "video").await.unwrap();
        assert_eq!(names.iter().map(|name| &*name.name).collect::<Vec<_>>(), ["video.mp4"]);
    }

    #[test]
    fn a_name_counts_its_holders_in_dialects_that_are_served() {
        let name = |holders: &[(&str, u64)]| OfferedName {
            name: "a".to_owned(),
            size: Some(5),
            parts: None,
            holders: holders.iter().map(|(dialect, count)| ((*dialect).to_owned(), *count)).collect(),
        };
        let offer =
            by_name(name(&[("beacon", 2), ("token", 3), ("index", 9)]), &["beacon", "token"]).unwrap();
        assert_eq!((offer.holders, offer.way), (3, Way::Classic(vec!["beacon".into(), "token".into()])));
        assert_eq!(by_name(name(&[("index", 9)]), &["beacon"]), None);
    }
}
