//! Tries any tracker, over UDP or HTTP, and says what holds and what does not.
//!
//! The check speaks as three made-up peers about made-up torrents, compares what the tracker tells them with what the
//! specifications say, then sends it things that no client should send and looks whether it still answers. The peers
//! say `stopped` at the end. It talks to one address of the tracker, and shortly to one of the other family if the
//! name has both.

mod conversation;
mod http;
mod judge;
mod line;
mod malformed;
mod report;
mod target;
#[cfg(test)]
mod tests;
mod udp;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use peer::trust::Trust;
use tokio::net::lookup_host;
use tokio::time::timeout;

use conversation::Cast;
use line::Line;
use target::{Scheme, Target};

pub use report::{Check, Outcome, Report};

/// How long to wait for what.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long one answer may take.
    pub timeout: Duration,
    /// How often a datagram that is not answered is sent in all. HTTP requests are sent once.
    pub tries: u32,
    /// How long nothing must come back for it to count as silence, where silence is a right answer.
    pub silence: Duration,
    /// By what the tracker's certificate is known, if not by the system's authorities.
    pub trust: Option<Trust>,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3), tries: 3, silence: Duration::from_secs(1), trust: None }
    }
}

/// Why nothing could be checked.
#[derive(Debug)]
pub enum CheckError {
    /// The address is none of a tracker.
    Url {
        /// What was given.
        url: String,
        /// What would be right.
        expected: String,
    },
    /// This machine could not begin.
    Local(String),
}

/// Checks the tracker at `url`: `udp://HOST:PORT`, with or without a path, or an `http://` or `https://` announce URL
/// (its path is `/announce` if it has none).
///
/// A tracker that cannot be reached gives a report that says so.
///
/// # Errors
///
/// [`CheckError`] if `url` is not the address of a tracker, or this machine cannot open a socket.
pub async fn run(url: &str, options: &Options) -> Result<Report, CheckError> {
    let target = Target::parse(url)?;
    let mut report = Report::new(url);
    let addresses = match resolve(&target, options).await {
        Ok(addresses) => addresses,
        Err(detail) => {
            report.fail("the name resolves", None, detail);
            return Ok(report);
        }
    };
    let texts: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    report.pass("the name resolves", None, texts.join(", "));

    let mut talked = false;
    for (at, &address) in addresses.iter().enumerate() {
        if let Err(error) = udp::socket(address).await {
            report.skip(
                "answers at every address",
                None,
                format!("{address}: no way there from here: {error}"),
            );
            continue;
        }
        let mut line = open(&target, address, options).await?;
        let cast = Cast::random();
        if talked {
            let meeting = conversation::meet(&mut line, &cast).await;
            report.push(judge::other_family(&meeting, &cast, address));
            continue;
        }
        let transcript = conversation::play(&mut line, &cast).await;
        if !transcript.was_heard() && at + 1 < addresses.len() {
            report.push(judge::unheard(&transcript, address));
            continue;
        }
        talked = true;
        report.address = Some(address);
        report.extend(judge::all(&transcript, &cast, target.scheme));
        if transcript.was_heard() {
            report.extend(malformed::all(&mut line, &cast, transcript.refusal()).await);
        }
    }
    if !talked {
        return Err(CheckError::Local(format!("this machine has no way to {}", texts.join(" or "))));
    }
    Ok(report)
}

/// One address of each family, IPv4 first; or what went wrong.
async fn resolve(target: &Target, options: &Options) -> Result<Vec<SocketAddr>, String> {
    let host = &target.host;
    let found = match timeout(options.timeout, lookup_host((host.as_str(), target.port))).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(format!("`{host}`: {error}")),
        Err(_) => return Err(format!("`{host}`: no answer within {:?}", options.timeout)),
    };
    let found: Vec<_> = found.collect();
    let v4 = found.iter().find(|address| address.is_ipv4());
    let v6 = found.iter().find(|address| address.is_ipv6());
    let addresses: Vec<_> = v4.into_iter().chain(v6).copied().collect();
    if addresses.is_empty() { Err(format!("`{host}` has no address")) } else { Ok(addresses) }
}

async fn open(target: &Target, address: SocketAddr, options: &Options) -> Result<Line, CheckError> {
    match target.scheme {
        Scheme::Udp => match udp::Line::open(target, address, options).await {
            Ok(line) => Ok(Line::Udp(line)),
            Err(error) => Err(CheckError::Local(format!("no UDP socket to {address}: {error}"))),
        },
        Scheme::Http => http::Line::open(target, address, options).map(Line::Http),
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { url, expected } => write!(f, "`{url}` is not the address of a tracker: {expected}"),
            Self::Local(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for CheckError {}
