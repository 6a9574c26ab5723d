//! What a person means by a WHAT.

use std::path::Path;
use std::sync::Arc;

use peer::classic::directory::{self, Directory};
use reqwest::Url;
use swarm::{Endpoint, InfoHash, Port};
use wire::magnet::Magnet;
use wire::metainfo::Metainfo;

use crate::client::{Client, ClientError, Torrent, download};
use crate::commands::peering::classics;
use crate::commands::peering::name::{self, Choice};
use crate::commands::peering::tracker::Tracker;
use crate::exit::Failure;
use crate::format::{plain, plural, size};
use crate::show;

/// Torrents among which a name like the one that is not there is looked for.
const SUGGESTED_FROM: usize = 500;

/// Names that are suggested.
const SUGGESTIONS_MAX: usize = 3;

/// How alike a name must be to be suggested, from 0 to 1.
const LIKENESS_MIN: f64 = 0.75;

/// Hexadecimal digits of a hash.
const HASH_DIGITS: usize = 2 * InfoHash::LEN;

/// What may be typed where names cannot be looked up.
const OTHER_WAYS: &str = "an info hash, a magnet link or a .torrent file";

/// A torrent to fetch.
pub(in crate::commands) struct Found {
    pub(in crate::commands) source: Source,
    /// What it is called until more is known.
    pub(in crate::commands) name: String,
    /// Its trackers.
    pub(in crate::commands) tiers: Vec<Vec<String>>,
    /// Peers that a link named.
    pub(in crate::commands) peers: Vec<Endpoint>,
    /// What the person should know of how it was found.
    pub(in crate::commands) remark: Option<String>,
}

pub(in crate::commands) enum Source {
    Torrent(Arc<Metainfo>),
    Hash(InfoHash),
}

/// What a name stands for.
pub(in crate::commands) enum Meant {
    /// A torrent.
    Torrent(Box<Found>),
    /// A file that no torrent is named as, and classic peers have.
    Classic(directory::Found),
}

impl Found {
    pub(in crate::commands) fn hash(&self) -> InfoHash {
        match &self.source {
            Source::Torrent(torrent) => torrent.info_hash(),
            Source::Hash(hash) => *hash,
        }
    }
}

/// Where to look.
pub(in crate::commands) struct Finder<'a> {
    pub(in crate::commands) tracker: &'a Tracker,
    /// A person named the tracker, so that it is asked for peers of any torrent.
    pub(in crate::commands) is_named: bool,
}

impl Finder<'_> {
    /// Finds out what `what` is, be it a file that classic peers have. `path`: where the file would be, if it is one.
    pub(in crate::commands) async fn find_anywhere(&self, what: &str, path: &Path) -> Result<Meant, Failure> {
        let unknown = match self.find(what, path).await {
            Ok(found) => return Ok(Meant::Torrent(Box::new(found))),
            Err(failure) => failure,
        };
        let (Some(client), Failure::Unknown(message)) = (self.tracker.client(), &unknown) else {
            return Err(unknown);
        };
        let seen_at = self.tracker.announce_urls().await;
        let trackers = classics::trackers(client, seen_at.first().map(String::as_str)).await?;
        if trackers.is_empty() {
            return Err(unknown);
        }
        let ways = Directory::new(trackers, "skep").look_up(what).await;
        if ways.ways.is_empty() {
            let silent = ways.silent.iter().map(|error| format!("; {}", plain(&error.to_string())));
            let silent: String = silent.collect();
            return Err(Failure::Unknown(format!("{message}; no classic peer offers it{silent}")));
        }
        Ok(Meant::Classic(ways))
    }

    /// Finds out what `what` is. `path`: where the file would be, if it is one.
    pub(in crate::commands) async fn find(&self, what: &str, path: &Path) -> Result<Found, Failure> {
        if what.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:")) {
            return self.by_magnet(&Magnet::decode(what).map_err(Failure::misuse)?).await;
        }
        if let Some((scheme, _)) = what.split_once("://") {
            let url = Url::parse(what).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            let url = url.ok_or_else(|| {
                Failure::Misuse(format!(
                    "`{}` is no address of a .torrent file: http:// or https:// is expected, not {}://",
                    plain(what),
                    plain(scheme)
                ))
            })?;
            let bytes = download(url, self.tracker.trust()).await?;
            let torrent = Metainfo::decode(&bytes)
                .map_err(|error| Failure::Failed(format!("{} is no torrent: {error}", plain(what))))?;
            return self.by_torrent(torrent).await;
        }
        if let Ok(hash) = what.parse::<InfoHash>() {
            return self.by_hash(hash).await;
        }
        if what.contains('/') || what.ends_with(".torrent") {
            return self.by_torrent(show::load(path).map_err(Failure::failed)?).await;
        }
        self.by_name(what).await
    }

    async fn by_magnet(&self, magnet: &Magnet) -> Result<Found, Failure> {
        let own = magnet.trackers.iter().map(|url| vec![url.clone()]).collect();
        let peers = endpoints(magnet);
        Ok(Found {
            source: Source::Hash(magnet.info_hash),
            name: magnet.name.clone().unwrap_or_else(|| magnet.info_hash.to_string()),
            tiers: self.tiers(own).await,
            peers,
            remark: None,
        })
    }

    /// From the torrent itself.
    pub(in crate::commands) async fn by_torrent(&self, torrent: Metainfo) -> Result<Found, Failure> {
        let tiers = self.tiers(torrent.trackers().to_vec()).await;
        Ok(found(torrent, tiers))
    }

    /// By the hub, which may have the .torrent file, or else by a tracker that may know who has the torrent.
    async fn by_hash(&self, hash: InfoHash) -> Result<Found, Failure> {
        let file = match self.tracker.client() {
            None => None,
            Some(client) => match client.torrent_file(&hash.to_string()).await {
                Ok(file) => file,
                Err(error) if error.is_silence() => return Err(error.into()),
                Err(_) => None,
            },
        };
        let tiers = self.tracker_tiers().await;
        let Some(file) = file else {
            let (source, name) = (Source::Hash(hash), hash.to_string());
            return Ok(Found { source, name, tiers, peers: Vec::new(), remark: None });
        };
        let torrent = Metainfo::decode(&file)
            .map_err(|error| Failure::Failed(format!("the hub's file of {hash} is no torrent: {error}")))?;
        if torrent.info_hash() != hash {
            return Err(Failure::Failed(format!("the hub's file of {hash} is another torrent's")));
        }
        Ok(found(torrent, tiers))
    }

    async fn by_name(&self, name: &str) -> Result<Found, Failure> {
        let Some(client) = self.tracker.client() else {
            return Err(Failure::Failed(format!(
                "\"{}\" cannot be looked up: a tracker over UDP has no catalogue; give the hub's http:// address with \
                 -t, or {OTHER_WAYS}",
                plain(name)
            )));
        };
        let named = client.named(name).await.map_err(|error| unfound(name, client, &error))?;
        let count = named.len();
        let one = match name::choose(named) {
            Choice::None => return Err(self.unknown(name, client).await),
            Choice::One(one) => one,
            Choice::Several(several) => return Err(ambiguous(name, &several)),
        };
        let hash = one.info_hash.parse().map_err(|_| {
            Failure::Failed(format!("the hub names no info hash: `{}`", plain(&one.info_hash)))
        })?;
        let mut found = self.by_hash(hash).await?;
        if count > 1 {
            let name = plain(name);
            found.remark =
                Some(format!("{count} torrents are named \"{name}\"; this is {hash}, which somebody has"));
        }
        Ok(found)
    }

    async fn unknown(&self, name: &str, client: &Client) -> Failure {
        let digits = name.len();
        let advice = if name.bytes().all(|byte| byte.is_ascii_hexdigit()) && digits.abs_diff(HASH_DIGITS) <= 4
        {
            format!("an info hash has {HASH_DIGITS} digits, and this has {digits}")
        } else {
            let all = client.torrents::<Torrent>(None, SUGGESTED_FROM, None).await;
            let names = all.map(|page| page.torrents.into_iter().map(|torrent| torrent.name).collect());
            match &alike(name, names.unwrap_or_default())[..] {
                [] => format!("`skep ls -t {}` shows what there is", client.hub()),
                near => format!("did you mean {}?", near.join(" or ")),
            }
        };
        Failure::Unknown(format!("no torrent is named \"{}\" at {}; {advice}", plain(name), client.hub()))
    }

    /// A torrent's own trackers, and the one that was named before them; where there are none at all, the usual one.
    async fn tiers(&self, own: Vec<Vec<String>>) -> Vec<Vec<String>> {
        if !self.is_named && !own.is_empty() {
            return own;
        }
        let mut tiers = self.tracker_tiers().await;
        let named: Vec<String> = tiers.concat();
        let others = own
            .into_iter()
            .map(|tier| tier.into_iter().filter(|url| !named.contains(url)).collect::<Vec<_>>());
        tiers.extend(others.filter(|tier| !tier.is_empty()));
        tiers
    }

    async fn tracker_tiers(&self) -> Vec<Vec<String>> {
        self.tracker.announce_urls().await.into_iter().map(|url| vec![url]).collect()
    }
}

fn found(torrent: Metainfo, tiers: Vec<Vec<String>>) -> Found {
    let name = torrent.name().to_owned();
    Found { source: Source::Torrent(Arc::new(torrent)), name, tiers, peers: Vec::new(), remark: None }
}

/// Why a name could not be looked up, and what would be right.
fn unfound(name: &str, client: &Client, error: &ClientError) -> Failure {
    let (name, hub) = (plain(name), client.hub());
    Failure::Failed(match error {
        ClientError::NoHub { cause, .. } => format!(
            "no hub answers at {hub} ({cause}) to look up \"{name}\"; name the hub that lists it with -t HOST:PORT, or \
             give a magnet link or a .torrent file"
        ),
        error if error.is_no_hub() => format!(
            "\"{name}\" cannot be looked up: what answers at {hub} is no Skep hub; name one with -t, or give {OTHER_WAYS}"
        ),
        error => format!("\"{name}\" cannot be looked up: {error}"),
    })
}

fn ambiguous(name: &str, several: &[Torrent]) -> Failure {
    let mut lines = vec![format!("several torrents are named \"{}\"; choose by info hash:", plain(name))];
    lines.extend(several.iter().map(|torrent| {
        let bytes = torrent.size.map_or_else(|| "?".to_owned(), size);
        format!("{}  {bytes}, {}", plain(&torrent.info_hash), plural(torrent.seeders, "seeder"))
    }));
    Failure::Failed(lines.join("\n"))
}

/// The names that are most like `name`, quoted.
fn alike(name: &str, names: Vec<String>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let mut near: Vec<(f64, String)> = names
        .into_iter()
        .map(|name| {
            let is = name.to_lowercase();
            // A part of the name, as its beginning, is as good as a slip of the keys.
            let is_part = wanted.chars().count() >= 3 && is.contains(&wanted);
            (if is_part { 1.0 } else { strsim::jaro_winkler(&is, &wanted) }, name)
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.dedup_by(|a, b| a.1 == b.1);
    near.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| format!("\"{}\"", plain(&name))).collect()
}

/// The peers that a link names, so far as they are addresses.
pub(in crate::commands) fn endpoints(magnet: &Magnet) -> Vec<Endpoint> {
    let endpoint = |text: &String| {
        let address: std::net::SocketAddr = text.parse().ok()?;
        Some(Endpoint::new(address.ip(), Port::new(address.port())?))
    };
    magnet.peers.iter().filter_map(endpoint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_alike_are_suggested() {
        let names = || ["dataset", "Dataset 2", "models", "dataset"].map(str::to_owned).to_vec();
        assert_eq!(alike("datasett", names()), ["\"dataset\"", "\"Dataset 2\""]);
        assert_eq!(alike("set 2", names()), ["\"Dataset 2\""]);
        assert_eq!(alike("zzz", names()), Vec::<String>::new());
        assert_eq!(alike("evil", vec!["evi\x1b[2J".to_owned()]), [r#""evi\u{1b}[2J""#]);
    }
}
