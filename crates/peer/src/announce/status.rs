//! What a person is told of a tracker.

use std::fmt;
use std::time::Duration;

/// How things stand with one tracker, both address families together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackerStatus {
    /// Its whole address, which may hold a member's secret.
    pub url: String,
    /// Its address without what may be secret.
    pub name: String,
    /// The tier that it stands in, from 0.
    pub tier: usize,
    /// What came of the last announce.
    pub state: State,
    /// Whether an announce is on its way.
    pub asking: bool,
    /// Peers that have everything, by its last answer.
    pub seeders: Option<u32>,
    /// Peers that do not, by its last answer.
    pub leechers: Option<u32>,
    /// When it will be asked next; `None` if it is being asked, is only in reserve, or will not be asked again.
    pub next_in: Option<Duration>,
}

/// What came of an announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There was none yet.
    Unasked,
    /// It was heard.
    Answered {
        /// What the tracker would like a person to know.
        warning: Option<String>,
    },
    /// The tracker said no, in these words; it will be asked again.
    Refused(String),
    /// It could not be reached, or answered in no tracker's words; it will be asked again.
    Failed(String),
    /// It will not be asked again: so it demanded (BEP 31), or its address is none.
    GivenUp(String),
}

impl State {
    /// Of two families' states, the one to show is the heavier.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::Unasked => 0,
            Self::Failed(_) => 1,
            Self::GivenUp(_) => 2,
            Self::Refused(_) => 3,
            Self::Answered { .. } => 4,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unasked => f.write_str("not asked yet"),
            Self::Answered { warning: None } => f.write_str("tracker answered"),
            Self::Answered { warning: Some(warning) } => write!(f, "tracker warns: {warning}"),
            Self::Refused(reason) => write!(f, "tracker refused: {reason}"),
            Self::Failed(reason) => write!(f, "tracker does not answer: {reason}"),
            Self::GivenUp(reason) => write!(f, "tracker given up: {reason}"),
        }
    }
}

impl fmt::Display for TrackerStatus {
    /// One line, as `http://10.0.0.1:6969: tracker refused: unregistered torrent; next announce in 15 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.state)?;
        if let Some(seeders) = self.seeders {
            write!(f, ", {seeders} {}", if seeders == 1 { "seeder" } else { "seeders" })?;
        }
        if let Some(leechers) = self.leechers {
            write!(f, ", {leechers} {}", if leechers == 1 { "leecher" } else { "leechers" })?;
        }
        match self.next_in.map(|wait| wait.as_secs()) {
            _ if self.asking => f.write_str("; announcing"),
            None => Ok(()),
            Some(secs @ ..120) => write!(f, "; next announce in {secs} s"),
            Some(secs) => write!(f, "; next announce in {} min", secs / 60),
        }
    }
}
