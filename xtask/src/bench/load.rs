use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::process::{cpu_seconds, resident_bytes};
use super::server::{LOAD_CPU, Server, spawn_on};

/// Who is announced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Population {
    pub(super) torrents: u32,
    pub(super) peers: u32,
}

/// What one measured phase showed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// Replies a second.
    pub(super) rate: f64,
    /// The server's processor seconds for a million replies.
    pub(super) cost: f64,
    /// Microseconds from request to reply, half of them below.
    pub(super) p50: f64,
    /// Likewise, 99 of 100 below.
    pub(super) p99: f64,
    /// Requests not answered, or answered with an error.
    pub(super) failed: f64,
    /// Mean bytes of a reply.
    pub(super) reply_bytes: f64,
}

/// Peers that every announce asks for: the most that aquatic gives.
const WANT: &str = "30";
/// Peers of one swarm that the generator has addresses for. More have to state theirs.
const ENDPOINTS_MAX: u32 = 50_000;
/// Seconds until an unanswered request counts as lost: more than any pause that is not a failure.
const TIMEOUT_SECONDS: &str = "3";

impl Population {
    pub(super) fn size(self) -> u64 {
        u64::from(self.torrents) * u64::from(self.peers)
    }

    pub(super) fn name(self) -> String {
        format!("{} torrents × {} peers", short(self.torrents), self.peers)
    }

    /// The generator's flags for it.
    pub(super) fn flags(self) -> [String; 4] {
        ["--torrents".into(), self.torrents.to_string(), "--peers".into(), self.peers.to_string()]
    }
}

/// Announces everybody once. Returns the server's growth in resident bytes for each peer.
pub(super) fn fill(skep: &Path, url: &str, population: Population, server: &Server) -> Result<f64, String> {
    let before = resident_bytes(server.id())?;
    let flags = ["--fill", "--count", "0"];
    let summary = generate(skep, url, population, &flags)?;
    let announced = number(&summary, &["fill", "replies"])?;
    if announced < population.size() as f64 {
        return Err(format!(
            "{url} took only {announced} of {} peers: {}",
            population.size(),
            summary["fill"]
        ));
    }
    let growth = resident_bytes(server.id())? as f64 - before as f64;
    Ok(growth / population.size() as f64)
}

/// Asks as fast as the replies come, `count` times, and tells what that cost the server.
pub(super) fn measure(
    skep: &Path,
    url: &str,
    population: Population,
    count: u64,
    more: &[&str],
    server: &Server,
) -> Result<Figures, String> {
    let count = count.to_string();
    let flags = [&["--count", &count, "--for", "60", "--busy"], more].concat();
    let before = cpu_seconds(server.id())?;
    let summary = generate(skep, url, population, &flags)?;
    let cpu = cpu_seconds(server.id())? - before;
    let read = |name: &str| number(&summary, &["measured", name]);
    let replies = read("replies")?;
    if replies == 0.0 {
        return Err(format!("{url} gave no replies: {}", summary["measured"]));
    }
    Ok(Figures {
        rate: read("rate")?,
        cost: cpu / replies * 1e6,
        p50: number(&summary, &["measured", "latency", "p50"])?,
        p99: number(&summary, &["measured", "latency", "p99"])?,
        failed: read("lost")? + read("errors")?,
        reply_bytes: read("reply_bytes")?,
    })
}

/// Runs the generator; what it tells.
pub(super) fn generate(
    skep: &Path,
    url: &str,
    population: Population,
    flags: &[&str],
) -> Result<Value, String> {
    let mut command = Command::new(skep);
    command.args(["load", url, "--json", "--want", WANT, "--timeout", TIMEOUT_SECONDS]);
    if population.peers > ENDPOINTS_MAX {
        command.arg("--stated-ip");
    }
    command
        .args(population.flags())
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = spawn_on(LOAD_CPU, &mut command)?;
    let output = child.wait_with_output().map_err(|error| format!("cannot wait for skep load: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{command:?} printed no JSON: {error}"))
}

/// A figure of what the generator tells.
pub(super) fn number(summary: &Value, path: &[&str]) -> Result<f64, String> {
    let found = path.iter().try_fold(summary, |value, name| value.get(name)).and_then(Value::as_f64);
    found.ok_or_else(|| format!("skep load tells no {}", path.join(".")))
}

fn short(number: u32) -> String {
    match number {
        1_000_000.. if number.is_multiple_of(1_000_000) => format!("{} M", number / 1_000_000),
        1_000.. if number.is_multiple_of(1_000) => format!("{} k", number / 1_000),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn populations_have_names() {
        let name = |torrents, peers| Population { torrents, peers }.name();
        assert_eq!(name(1_000_000, 2), "1 M torrents × 2 peers");
        assert_eq!(name(10_000, 100), "10 k torrents × 100 peers");
        assert_eq!(name(1_500, 1), "1500 torrents × 1 peers");
    }

    #[test]
    fn missing_figures_are_named() {
        let summary = serde_json::json!({"measured": {"rate": 7.0}});
        assert_eq!(number(&summary, &["measured", "rate"]), Ok(7.0));
        assert_eq!(number(&summary, &["measured", "lost"]), Err("skep load tells no measured.lost".into()));
    }
}
