//! What the tracker of `token` does.

use std::net::IpAddr;

use swarm::directory::{Ask, Dialect, Extent, FileName, Join, Key, Offer};
use swarm::{Endpoint, Families};
use wire::classic::token::{INVALID_TOKEN, REPLY_BYTES_MAX, Reply, Request, Row};

use super::{Count, Registrar, name_of};

/// Holders that are looked up for one reply: no row has fewer bytes.
const ROWS_MAX: usize = REPLY_BYTES_MAX / r#"{"peer_id":"a","ip":"1.1.1.1","port":1},"#.len();

impl Registrar {
    /// Answers a request that came from `source`.
    pub fn token(&self, request: &Request, source: IpAddr) -> Reply {
        match request {
            Request::Auth { peer_id } => {
                self.note(Dialect::Token, Count::Auths);
                Reply::Token(self.tokens.issue(peer_id, source.to_canonical(), self.clock.now()))
            }
            Request::Register { peer_id, token, .. } | Request::PeerList { peer_id, token, .. }
                if !self.knows(token.as_deref(), peer_id, source) =>
            {
                self.note(Dialect::Token, Count::Forbidden);
                Reply::Fail { reason: INVALID_TOKEN.to_owned() }
            }
            // Who offers nothing any more is gone.
            Request::Register { peer_id, files, .. } if files.is_empty() => {
                self.leave(&Key::token(peer_id, source));
                Reply::Registered
            }
            Request::Register { peer_id, port, files, .. } => {
                let offers: Result<Vec<_>, _> = files
                    .iter()
                    .map(|(name, parts)| {
                        Ok(Offer { name: FileName::new(name)?, extent: Extent::Parts(*parts) })
                    })
                    .collect();
                let joined = offers.map_err(|error: swarm::directory::FileNameError| error.to_string());
                let joined = joined.and_then(|offers| {
                    let join = Join::token(peer_id, Endpoint::new(source, *port), &offers);
                    self.join(&join, files.len()).map_err(|why| why.to_string())
                });
                match joined {
                    Ok(()) => Reply::Registered,
                    Err(reason) => Reply::Fail { reason },
                }
            }
            Request::PeerList { peer_id, file_name, .. } => self.peers(peer_id, file_name, source),
        }
    }

    fn peers(&self, peer_id: &str, file_name: &str, source: IpAddr) -> Reply {
        self.note(Dialect::Token, Count::LookUps);
        let ask = Ask {
            dialect: Dialect::Token,
            name: file_name,
            asker: Some(Key::token(peer_id, source)),
            families: Families::of(source),
            want: ROWS_MAX,
        };
        let shelves = &mut *self.shelves.lock();
        let answer = shelves.directory.look_up(&ask, &mut shelves.dice);
        // A client divides its work by the number of parts: where somebody has the file, there is one at least.
        let total_parts = answer.parts.unwrap_or(u32::from(!answer.rows.is_empty()));
        let row = |row: &swarm::directory::Row<'_>| Row {
            peer_id: name_of(&row.holder),
            ip: row.holder.endpoint().ip(),
            port: row.holder.endpoint().port(),
        };
        Reply::Peers { rows: answer.rows.iter().map(row).collect(), total_parts }
    }

    fn knows(&self, token: Option<&str>, peer_id: &str, source: IpAddr) -> bool {
        let now = self.clock.now();
        token.is_some_and(|token| self.tokens.is_valid(token, peer_id, source.to_canonical(), now))
    }
}
