//! What the tracker of `beacon` does.

use std::net::IpAddr;

use swarm::directory::{Ask, Dialect, Extent, FileName, Join, Key, Offer};
use swarm::{Endpoint, Families};
use wire::classic::beacon::{REPLY_BYTES_MAX, Request};

use super::{Count, Registrar};

/// Holders that are looked up for one reply: no row has fewer bytes.
const ROWS_MAX: usize = REPLY_BYTES_MAX / r#"["1.1.1.1", 1], "#.len();

impl Registrar {
    /// Does what a datagram from `source` asks for; who holds the file, if that is the question.
    pub fn beacon(&self, request: &Request, source: IpAddr) -> Option<Vec<Endpoint>> {
        let key = |port| Key::beacon(Endpoint::new(source, port));
        match request {
            Request::Register { filename, port } => {
                // The codec lets no other names through.
                let offer = Offer { name: FileName::new(filename).ok()?, extent: Extent::Unknown };
                // Why somebody is refused is counted and logged: nobody waits for an answer.
                let _ = self.join(&Join::beacon(Endpoint::new(source, *port), &[offer]), 1);
                None
            }
            Request::Request { filename } => Some(self.holders(filename, source)),
            Request::Heartbeat { port } => {
                self.beat(&key(*port));
                None
            }
            Request::Exit { port } => {
                self.leave(&key(*port));
                None
            }
        }
    }

    fn holders(&self, filename: &str, source: IpAddr) -> Vec<Endpoint> {
        self.note(Dialect::Beacon, Count::LookUps);
        let ask = Ask {
            dialect: Dialect::Beacon,
            name: filename,
            asker: None,
            families: Families::of(source),
            want: ROWS_MAX,
        };
        let shelves = &mut *self.shelves.lock();
        let answer = shelves.directory.look_up(&ask, &mut shelves.dice);
        answer.rows.iter().map(|row| row.holder.endpoint()).collect()
    }
}
