//! What the tracker of `index` does.

use std::net::IpAddr;

use swarm::directory::{Ask, Dialect, Extent, FileName, FileNameError, Join, Key, Offer};
use swarm::{Endpoint, Families};
use wire::classic::index::{REPLY_BYTES_MAX, Reply, Request, Row};

use super::{Count, Registrar, name_of};

/// Holders that are looked up for one reply: no row has fewer bytes.
const ROWS_MAX: usize = REPLY_BYTES_MAX / r#"{"username":"a","ip":"1.1.1.1","port":1,"size":0},"#.len();

impl Registrar {
    /// Answers a request that came from `source`.
    pub fn index(&self, request: &Request, source: IpAddr) -> Reply {
        match request {
            Request::Register { username, port, files } => {
                let offers: Result<Vec<_>, FileNameError> = files
                    .iter()
                    .map(|(name, size)| {
                        let extent = size.map_or(Extent::Unknown, Extent::Bytes);
                        Ok(Offer { name: FileName::new(name)?, extent })
                    })
                    .collect();
                let joined = offers.map_err(|error| error.to_string()).and_then(|offers| {
                    let join = Join::index(username, Endpoint::new(source, *port), &offers);
                    self.join(&join, files.len()).map_err(|why| why.to_string())
                });
                match joined {
                    Ok(()) => Reply::Ok,
                    Err(reason) => Reply::Error { reason },
                }
            }
            Request::Search { username, filename } => self.search(username.as_deref(), filename, source),
            Request::KeepAlive { username } => match self.beat(&Key::index(username, source)) {
                true => Reply::Ok,
                false => Reply::Error {
                    reason: format!("nobody at {source} is registered as `{username}`: register first"),
                },
            },
            Request::Exit { username } => {
                self.leave(&Key::index(username, source));
                Reply::Ok
            }
        }
    }

    /// Who has a file. Somebody who asks is there: it counts as a heartbeat.
    fn search(&self, username: Option<&str>, filename: &str, source: IpAddr) -> Reply {
        self.note(Dialect::Index, Count::LookUps);
        let asker = username.map(|username| Key::index(username, source));
        let ask = Ask {
            dialect: Dialect::Index,
            name: filename,
            asker,
            families: Families::of(source),
            want: ROWS_MAX,
        };
        let now = self.clock.now();
        let shelves = &mut *self.shelves.lock();
        if let Some(asker) = asker {
            shelves.directory.beat(&asker, now);
        }
        let answer = shelves.directory.look_up(&ask, &mut shelves.dice);
        let row = |row: &swarm::directory::Row<'_>| Row {
            username: name_of(&row.holder),
            ip: row.holder.endpoint().ip(),
            port: row.holder.endpoint().port(),
            size: row.extent.bytes().unwrap_or(0),
        };
        Reply::Found { filename: filename.to_owned(), rows: answer.rows.iter().map(row).collect() }
    }
}
