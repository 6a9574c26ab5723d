//! `cargo xtask bench …`: Skep and its peers in turn, in one run, on the same two cores.
//!
//! Benchmarks are programs, not tests: they print what they measured, and nobody fails by it. Each server runs on
//! one core with one worker, the load generator (`skep load`) on another. Rounds alternate between the servers, so that
//! what the machine does beside hits all alike, and a floor runs among them: a server that does nothing but answer.

mod classic;
mod echo;
mod example;
mod figures;
mod http;
mod latency;
mod load;
mod machine;
mod memory;
mod options;
mod process;
mod replay;
mod server;
mod servers;
mod tools;
mod tracker;
mod transfer;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use options::Options;

pub(crate) const USAGE: &str = "\
  cargo xtask bench tracker [OPTIONS]       what a UDP announce costs: Skep, aquatic_udp, opentracker, a bare echo
  cargo xtask bench http [OPTIONS]          what an HTTP announce costs: Skep, opentracker, aquatic_http, a bare echo
  cargo xtask bench latency [OPTIONS]       how long an announce waits while the hub does everything else, too
  cargo xtask bench memory [OPTIONS]        what a peer costs in memory, over IPv4 and IPv6
  cargo xtask bench accounts [OPTIONS]      what members cost: announces, credit, a start with a million of them
  cargo xtask bench reload [OPTIONS]        what announces notice of an access list of a million torrents read anew
  cargo xtask bench expiry [OPTIONS]        what announces notice of a million peers that come and are forgotten
  cargo xtask bench replay [OPTIONS]        an announce without sockets: time and instructions, at every size
  cargo xtask bench scaling [OPTIONS]       what a second core is worth to announces without sockets
  cargo xtask bench snapshot [OPTIONS]      ten million peers written down while others announce, and read back in
  cargo xtask bench classic [OPTIONS]       what a question of the classic dialects takes: Skep, Python
  cargo xtask bench transfer [OPTIONS]      what moving a file costs: Skep, libtorrent, aria2, a bare TCP connection
      --rounds N      alternating rounds [5]
      --quick         small populations and files, short rounds, to see that it runs
      --only A,B      of the programs only these
      --scenario A,B  of the populations of `tracker` only these: spread, dense, hot; of the transfers:
                      one-to-one, one-to-three, capped, idle, simulation
      --skep PATH     this Skep, instead of building one
";

/// Runs the benchmark that `arguments` name, and prints its results as Markdown.
pub(crate) fn main(root: &Path, arguments: &[&str]) -> ExitCode {
    let result = match arguments {
        ["tracker", rest @ ..] => {
            Options::read(root, rest, &tracker::names()).and_then(|options| tracker::run(&options))
        }
        ["http", rest @ ..] => Options::read(root, rest, &[]).and_then(|options| http::run(&options)),
        [name @ ("accounts" | "reload"), rest @ ..] => {
            Options::read(root, rest, &[]).and_then(|options| example::run(name, None, &options))
        }
        [part @ ("expiry" | "scaling" | "snapshot"), rest @ ..] => {
            Options::read(root, rest, &[]).and_then(|options| example::run("announces", Some(part), &options))
        }
        ["latency", rest @ ..] => Options::read(root, rest, &[]).and_then(|options| latency::run(&options)),
        ["replay", rest @ ..] => Options::read(root, rest, &[]).and_then(|options| replay::run(&options)),
        ["classic", rest @ ..] => Options::read(root, rest, &[]).and_then(|options| classic::run(&options)),
        ["memory", rest @ ..] => Options::read(root, rest, &[]).and_then(|options| memory::run(&options)),
        ["transfer", rest @ ..] => {
            Options::read(root, rest, &transfer::names()).and_then(|options| transfer::run(&options))
        }
        // What the benchmarks start as their floor and as their limit.
        ["echo", transport, listen, reply_bytes] => {
            serve_echo(transport, listen, reply_bytes).map(|()| String::new())
        }
        ["pipe", rest @ ..] => transfer::pipe::main(rest).map(|()| String::new()),
        _ => Err(Stop::Misuse(format!("no such benchmark\n\n{USAGE}"))),
    };
    match result {
        Ok(report) => {
            // Whoever does not read on has seen enough.
            let _ = std::io::stdout().write_all(report.as_bytes());
            ExitCode::SUCCESS
        }
        Err(Stop::Misuse(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
        Err(Stop::Failed(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Why there are no results.
#[derive(Debug)]
enum Stop {
    /// Something was asked wrongly.
    Misuse(String),
    /// Something did not work.
    Failed(String),
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

fn serve_echo(transport: &str, listen: &str, reply_bytes: &str) -> Result<(), Stop> {
    let address = listen.parse().map_err(|_| Stop::Misuse(format!("`{listen}` is no ADDR:PORT")))?;
    let bytes =
        reply_bytes.parse().map_err(|_| Stop::Misuse(format!("`{reply_bytes}` is no number of bytes")))?;
    match transport {
        "udp" => echo::udp(address, bytes),
        "udp-ring" => echo::ring::udp(address, bytes),
        "http" => echo::http(address, bytes),
        other => return Err(Stop::Misuse(format!("`{other}` is neither udp nor http"))),
    }
    .map_err(|error| Stop::Failed(format!("the echo on {listen} ended: {error}")))
}
