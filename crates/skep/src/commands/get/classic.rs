//! Files that only classic peers have: fetched, made a torrent of, and put into the catalogue.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use peer::classic::directory;
use peer::classic::fetch::{Fetched, Order, Progress};
use wire::metainfo::Metainfo;

use super::find::{Found, Source};
use crate::client::{Client, TIMEOUT_DEFAULT};
use crate::commands::add::send::{Sender, Tries};
use crate::commands::peering::sharing;
use crate::env::{Env, Listening};
use crate::exit::{Failure, Outcome};
use crate::format::plain;
use crate::make;

/// Where a file goes, and what becomes of it.
pub(super) struct Fetch<'a> {
    pub(super) folder: &'a Path,
    pub(super) state_dir: Option<PathBuf>,
    /// The hub whose catalogue it is put into, if it is.
    pub(super) publish: Option<&'a Client>,
    /// Where to announce it then.
    pub(super) announce: Vec<String>,
    /// The same addresses for others.
    pub(super) told: Vec<String>,
    /// Whether its peers may be had from the hub alone (BEP 27).
    pub(super) private: bool,
}

impl Fetch<'_> {
    /// Fetches the file of that name, and makes a torrent of it, all of which is there.
    pub(super) async fn run(
        &self,
        name: &str,
        ways: &directory::Found,
        stop: &mut Listening,
        env: &mut Env,
    ) -> Result<Found, Failure> {
        let fetched = tokio::select! {
            fetched = self.fetch(name, ways, env) => fetched?,
            () = stop.next() => {
                return Err(Failure::Failed("interrupted before everything was there".to_owned()));
            }
        };
        env.note(format_args!("{}: {}", plain(name), fetched.check));
        let torrent = self.make(fetched.path).await?;
        let published = self.publish(&torrent, env).await;
        if let Err(failure) = published {
            env.error(failure.message().unwrap_or_default());
        }
        let tiers = self.announce.iter().map(|url| vec![url.clone()]).collect();
        let (name, torrent) = (name.to_owned(), torrent.1);
        Ok(Found { source: Source::Torrent(torrent), name, tiers, peers: Vec::new(), remark: None })
    }

    async fn fetch(&self, name: &str, ways: &directory::Found, env: &Env) -> Result<Fetched, Failure> {
        let bar = env.bar(0, "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}  {wide_msg}");
        bar.set_message(plain(name).into_owned());
        let progress = |Progress { bytes, bytes_max }: Progress| {
            bar.set_length(bytes_max.unwrap_or(bytes));
            bar.set_position(bytes);
        };
        let words =
            |error: peer::classic::fetch::FetchError| Failure::Failed(plain(&error.to_string()).into_owned());
        let order = Order::new(name, self.folder, name, &progress).map_err(words)?;
        let fetched = ways.fetch(&order).await.map_err(words);
        bar.finish_and_clear();
        fetched
    }

    async fn make(&self, path: PathBuf) -> Result<(Vec<u8>, Arc<Metainfo>), Failure> {
        let options = make::Options {
            private: self.private,
            trackers: Some(self.told.clone()).filter(|tier| !tier.is_empty()).into_iter().collect(),
            created_by: Some(concat!("Skep ", env!("CARGO_PKG_VERSION")).to_owned()),
            state_dir: self.state_dir.clone(),
            ..make::Options::default()
        };
        let hashing = tokio::task::spawn_blocking(move || sharing::hash(&path, &options, &()));
        let hashed = hashing.await.map_err(Failure::failed)?.map_err(Failure::failed)?;
        Ok((hashed.bytes, hashed.torrent))
    }

    /// Puts it into the catalogue, so that from now on everybody gets it verified.
    async fn publish(&self, (bytes, torrent): &(Vec<u8>, Arc<Metainfo>), env: &mut Env) -> Outcome {
        let Some(client) = self.publish else { return Ok(()) };
        let tries = Tries {
            count: 3,
            delay: std::time::Duration::from_secs(2),
            timeout: TIMEOUT_DEFAULT,
            created_by: "Skep".to_owned(),
        };
        Sender::new(client, tries).send(bytes.clone(), torrent).await?;
        let name = plain(torrent.name()).into_owned();
        env.note(format_args!("{name}: now in the catalogue as {}", torrent.info_hash()));
        Ok(())
    }
}
