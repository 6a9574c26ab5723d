//! Who has a file, asked of the trackers of several dialects at once, and how it can be got from them.

use std::net::SocketAddr;

use swarm::directory::Dialect;
use tokio::task::JoinSet;

use super::chunklist::Seeder;
use super::fetch::{self, FetchError, Fetched, Order};
use super::{Error, beacon, chunklist, index, token};

/// Seeders of other names whose chunk lists are looked at, whether theirs is the same file.
const OTHERS_MAX: usize = 16;

/// The ways to a file, the best first: verified chunks, then parts from several holders at once, then one stream of a
/// known length, then one of which nothing is known.
const PREFERENCE: [Dialect; 4] = [Dialect::Chunklist, Dialect::Token, Dialect::Index, Dialect::Beacon];

/// The trackers that are asked.
#[derive(Debug, Clone)]
pub struct Directory {
    trackers: Vec<(Dialect, SocketAddr)>,
    user: String,
}

/// Who offers a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What it calls itself, where it does.
    pub name: Option<String>,
    /// Where it gives the file away.
    pub address: SocketAddr,
}

/// A way to get a file: from whom, in which dialect.
#[derive(Debug, Clone)]
pub struct Way {
    /// The dialect.
    pub dialect: Dialect,
    /// Those who offer it there.
    pub holders: Vec<Holder>,
    /// How large it is, where that is said.
    pub bytes: Option<u64>,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    Chunks(Vec<[u8; 32]>),
    Parts(u32),
    Download,
    Whole,
}

/// What the trackers said of a name.
#[derive(Debug, Default)]
pub struct Found {
    /// The ways to it, the best first; none if nobody offers it.
    pub ways: Vec<Way>,
    /// The trackers that did not say.
    pub silent: Vec<Error>,
}

impl Directory {
    /// One that asks these trackers. Where who asks has a name, it is made of `user`'s, and another one than that by
    /// which `user` offers files: nobody is told of himself.
    #[must_use]
    pub fn new(trackers: Vec<(Dialect, SocketAddr)>, user: &str) -> Self {
        Self { trackers, user: format!("{user} asks") }
    }

    /// The trackers.
    #[must_use]
    pub fn trackers(&self) -> &[(Dialect, SocketAddr)] {
        &self.trackers
    }

    /// Asks all trackers at once how the file of that name can be got.
    pub async fn look_up(&self, name: &str) -> Found {
        let mut asking = JoinSet::new();
        for &(dialect, tracker) in &self.trackers {
            let (name, user) = (name.to_owned(), self.user.clone());
            asking.spawn(async move { ask(dialect, tracker, &name, user).await });
        }
        let mut found = Found::default();
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok(Ok(Some(way))) => found.ways.push(way),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => found.silent.push(error),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        found.ways.sort_by_key(|way| PREFERENCE.iter().position(|dialect| *dialect == way.dialect));
        found
    }

    /// All that seeders offer in `chunklist`, the only dialect that lists anything, in the order of their names.
    ///
    /// # Errors
    /// If its tracker does not answer.
    pub async fn list(&self) -> Result<Vec<Seeder>, Error> {
        let mut all = Vec::new();
        for (_, tracker) in self.trackers.iter().filter(|(dialect, _)| *dialect == Dialect::Chunklist) {
            all.append(&mut chunklist::Client::new(*tracker).list().await?);
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }
}

impl Found {
    /// Gets the file the best way; where that fails for its holders' sake, the next one.
    ///
    /// # Errors
    /// If nobody gives it, each with the reason, or the disk does not take it.
    pub async fn fetch(&self, order: &Order<'_>) -> Result<Fetched, FetchError> {
        let mut all_reasons = Vec::new();
        for way in &self.ways {
            match way.fetch(order).await {
                Err(FetchError::Failed { reasons, .. }) => all_reasons.extend(reasons),
                Err(FetchError::Nobody(_) | FetchError::TooManyParts { .. }) => {}
                done => return done,
            }
        }
        match all_reasons.is_empty() {
            true => Err(FetchError::Nobody(order.name().to_owned())),
            false => Err(FetchError::Failed { name: order.name().to_owned(), reasons: all_reasons }),
        }
    }
}

impl Way {
    /// Gets the file this way.
    ///
    /// # Errors
    /// If none of the holders gives it, or the disk does not take it.
    pub async fn fetch(&self, order: &Order<'_>) -> Result<Fetched, FetchError> {
        let holders: Vec<SocketAddr> = self.holders.iter().map(|holder| holder.address).collect();
        match &self.how {
            How::Chunks(chunks) => fetch::chunks(order, chunks, &holders).await,
            How::Parts(parts) => fetch::parts(order, *parts, &holders).await,
            How::Download => fetch::download(order, &holders).await,
            How::Whole => fetch::whole(order, &holders).await,
        }
    }

    /// Whether what comes this way is verified.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        matches!(self.how, How::Chunks(_))
    }
}

async fn ask(dialect: Dialect, tracker: SocketAddr, name: &str, user: String) -> Result<Option<Way>, Error> {
    let (holders, bytes, how) = match dialect {
        Dialect::Token => {
            let found = token::Client::new(tracker, user).look_up(name).await?;
            let holder = |row: token::Row| Holder {
                name: Some(row.peer_id),
                address: SocketAddr::new(row.ip, row.port.get()),
            };
            (found.rows.into_iter().map(holder).collect(), None, How::Parts(found.total_parts))
        }
        Dialect::Index => {
            let rows = index::Client::new(tracker, user).search(name).await?;
            // Who does not know it says 0.
            let bytes = rows.iter().map(|row| row.size).find(|size| *size > 0);
            let holder = |row: index::Row| Holder {
                name: Some(row.username),
                address: SocketAddr::new(row.ip, row.port.get()),
            };
            (rows.into_iter().map(holder).collect(), bytes, How::Download)
        }
        Dialect::Chunklist => return chunks(&chunklist::Client::new(tracker), name).await,
        Dialect::Beacon => {
            let endpoints = beacon::Client::new(tracker).request(name).await?;
            let holder = |endpoint: swarm::Endpoint| Holder { name: None, address: endpoint.into() };
            (endpoints.into_iter().map(holder).collect::<Vec<_>>(), None, How::Whole)
        }
    };
    Ok((!holders.is_empty()).then_some(Way { dialect, holders, bytes, how }))
}

/// Seeders have names of their own: those with the same chunk list have the same file.
async fn chunks(client: &chunklist::Client, name: &str) -> Result<Option<Way>, Error> {
    let seeders = client.list().await?;
    let (mut same, others): (Vec<Seeder>, Vec<Seeder>) =
        seeders.into_iter().partition(|seeder| seeder.name == name);
    let Some(first) = same.first().cloned() else { return Ok(None) };
    let chunks = client.chunks(&first).await?;
    // Lists of one size only can be the same.
    for other in others.into_iter().filter(|other| other.size == first.size).take(OTHERS_MAX) {
        if client.chunks(&other).await.is_ok_and(|others| others == chunks) {
            same.push(other);
        }
    }
    let holder = |seeder: Seeder| Holder {
        name: Some(seeder.name),
        address: SocketAddr::new(seeder.ip, seeder.port.get()),
    };
    let holders = same.into_iter().map(holder).collect();
    Ok(Some(Way { dialect: Dialect::Chunklist, holders, bytes: None, how: How::Chunks(chunks) }))
}
