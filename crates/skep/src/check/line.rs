//! One tracker, whichever protocol it speaks: announces and scrapes, and what came of them.

use std::fmt;

use swarm::{Counts, Endpoint, InfoHash};
use wire::Announce;
use wire::http::Shape;

use super::{http, udp};

/// A tracker that can be asked.
pub(super) enum Line {
    Udp(udp::Line),
    Http(http::Line),
}

/// What a question brought.
pub(super) type Got<T> = Result<T, Miss>;

/// What an announce brought.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) interval: Option<u32>,
    pub(super) min_interval: Option<u32>,
    pub(super) complete: Option<u32>,
    pub(super) incomplete: Option<u32>,
    pub(super) peers: Vec<Endpoint>,
    /// How the peers were written, where that is a question.
    pub(super) shape: Shape,
    /// Why the answer is not canonical bencode, if it is not.
    pub(super) disorder: Option<String>,
}

/// Counts by swarm, in the order in which they were asked for; `None` for a swarm that the tracker does not know.
pub(super) type Scraped = Vec<Option<Counts>>;

/// Why a question brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Miss {
    /// The tracker said no, in these words.
    Refused(String),
    /// It said nothing that could be taken for an answer.
    Silent(String),
    /// It said what cannot be understood.
    Garbled(String),
    /// It was not asked, since it did not answer before.
    NotAsked,
    /// It cannot be asked.
    Impossible(&'static str),
}

impl Line {
    pub(super) async fn announce(&mut self, announce: &Announce<'_>, shape: Shape) -> Got<Heard> {
        match self {
            Self::Udp(line) => line.announce(announce).await,
            Self::Http(line) => line.announce(announce, shape).await,
        }
    }

    pub(super) async fn scrape(&mut self, hashes: &[InfoHash]) -> Got<Scraped> {
        match self {
            Self::Udp(line) => line.scrape(hashes).await,
            Self::Http(line) => line.scrape(hashes).await,
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Silent(reason) => f.write_str(reason),
            Self::Garbled(reason) => write!(f, "not understood: {reason}"),
            Self::NotAsked => f.write_str("not asked, since what came before was not answered"),
            Self::Impossible(reason) => f.write_str(reason),
        }
    }
}
