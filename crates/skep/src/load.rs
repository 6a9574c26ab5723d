//! The load generator behind `skep load`: asks a tracker as fast as one core can, and checks what it answers.
//!
//! [`run`] announces a population whose every peer is computable (`population`), draws requests among it (`ask`,
//! `zipf`), sends them over UDP (`udp`) or HTTP (`http`), holds the replies against what the population allows
//! (`check`) and counts them (`tally`, `histogram`). Nothing here prints: results are a [`Summary`], and progress goes
//! to the caller.

mod announce;
mod ask;
mod check;
mod drive;
mod histogram;
mod http;
mod options;
mod pace;
mod population;
mod source;
mod tally;
mod target;
#[cfg(test)]
mod tests;
mod udp;
mod zipf;

use std::io;
use std::time::Duration;

pub use options::{Mix, Options};
pub use tally::{Latency, Noted, Phase, Summary};

use options::ADDRESSES_MAX;
use population::Population;
use tally::Tally;
use target::{Scheme, Target};

/// How far a load has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which part of it.
    pub stage: Stage,
    /// Requests answered in this stage.
    pub done: u64,
    /// Of how many; `None` if only the time bounds it.
    pub total: Option<u64>,
    /// Since the stage began.
    pub elapsed: Duration,
}

/// The parts of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Each peer announces itself once.
    Fill,
    /// What the figures are of.
    Measure,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The options make no sense.
    #[error("{0}")]
    Options(String),
    /// The target is none, or not to be loaded.
    #[error("{0}")]
    Target(String),
    /// The system did not give us what we need.
    #[error("{0}")]
    Socket(String),
    /// The tracker does not answer.
    #[error("{0}")]
    Silent(String),
}

impl LoadError {
    fn silent(target: &str, tally: &Tally) -> Self {
        match tally.complaint() {
            Some(text) => Self::Silent(format!("{target} answers only `{text}`")),
            None => Self::Silent(format!("{target} answers nothing")),
        }
    }
}

/// Runs a load to its end, telling `progress` some 50 times a second how far it is.
///
/// # Errors
///
/// [`LoadError`] if the options or the target make no sense, the system refuses a socket, or the tracker answers
/// nothing at all for five time-outs. Errors and losses of single requests are counted, not returned.
pub fn run(options: &Options, mut progress: impl FnMut(Progress)) -> Result<Summary, LoadError> {
    options.check()?;
    let target = Target::resolve(&options.target, options.i_run_this_tracker)?;
    match target.scheme {
        Scheme::Udp => udp::run(options, &target, &mut progress),
        Scheme::Http => http::run(options, &target, &mut progress),
    }
}

/// Writes the info hashes that a load announces, one in hexadecimal a line: what a tracker with an access list
/// wants to be told.
///
/// # Errors
///
/// [`LoadError::Options`] as for [`run`], and [`LoadError::Socket`] if `out` cannot be written.
pub fn write_hashes(options: &Options, out: &mut impl io::Write) -> Result<(), LoadError> {
    options.check()?;
    let population = Population::new(options, ADDRESSES_MAX)?;
    (0..options.torrents)
        .try_for_each(|torrent| writeln!(out, "{}", population.hash(torrent)))
        .map_err(|error| LoadError::Socket(format!("cannot write the info hashes: {error}")))
}
