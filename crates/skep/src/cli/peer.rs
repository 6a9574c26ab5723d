use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use glob::Pattern;

use super::{AdminArgs, ConfigArgs, MemberArgs, StateArgs, TrustArgs};

/// How this machine takes part in swarms.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Peer")]
pub(crate) struct PeerArgs {
    /// Port where other peers connect; 0 is any free port [default: the first free one from 6881 on]
    #[arg(long, value_name = "PORT")]
    pub(crate) peer_port: Option<u16>,

    /// Upload at most this much a second: bytes, or with K, M or G (of 1024)
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) limit_up: Option<u64>,
}

/// Whom to announce to, and where names are looked up.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Hub")]
pub(crate) struct TrackerArgs {
    /// The hub's address, HOST:PORT, http://HOST:PORT or https://HOST:PORT, or any tracker's: udp://HOST:PORT or its announce URL
    /// [env: SKEP_TRACKER] [default: http://localhost:6969]
    #[arg(short, long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) tracker: Option<String>,

    #[command(flatten)]
    pub(crate) member: MemberArgs,

    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// Share files and folders: hub and peer in one
///
/// Starts a hub, hashes each path, puts it into the hub's catalogue and shares it until Ctrl-C. Any BitTorrent client
/// can fetch it; `skep get NAME -t HOST:PORT` does on other machines.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep up ./dataset
  skep up ./dataset ./models --limit-up 50M
  skep up ./dataset --listen 0.0.0.0:7000 --state-dir ./hub

Exit codes:
  0  it was shared until Ctrl-C
  1  something could not be shared, or no longer
  2  there is nothing to share at a path, or the port or the state directory is another's;
     nothing was done")]
pub(crate) struct Up {
    /// Files and folders to share, each as a torrent of its own
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Address and port of the hub for HTTP and UDP; repeat it for several. Port 0 is any free port
    /// [env: SKEP_LISTEN] [default: 0.0.0.0:6969 and [::]:6969]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Vec<SocketAddr>,

    /// Write a JSON file with the process's id and the bound addresses once everything is shared; it is removed when
    /// the sharing stops
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ready_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    #[command(flatten)]
    pub(crate) admin: AdminArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Share files and folders through a hub that runs already
///
/// Hashes each path, puts it into the hub's catalogue and shares it until Ctrl-C. Any other tracker does as well; it has
/// no catalogue, so others need the magnet link that is printed.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep share ./dataset
  skep share ./dataset -t hub.example:6969 --limit-up 20M
  skep share ./dataset -t udp://tracker.example:1337

Exit codes:
  0  it was shared until Ctrl-C
  1  something could not be shared, or no longer
  2  there is nothing to share at a path; nothing was done")]
pub(crate) struct Share {
    /// Files and folders to share, each as a torrent of its own
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Let clients learn of peers from the hub only (BEP 27); so it is where a passkey is shown
    #[arg(short, long)]
    pub(crate) private: bool,

    /// Write a JSON file with the process's id once everything is shared; it is removed when the sharing stops
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ready_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    #[command(flatten)]
    pub(crate) tracker: TrackerArgs,

    #[command(flatten)]
    pub(crate) admin: AdminArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Fetch torrents, by name or otherwise
///
/// Each WHAT is a name in the hub's catalogue, an info hash, a magnet link, or the path or address of a .torrent file.
/// What comes is verified piece by piece; what is there from before is kept, and hashed if it has changed. When something
/// is complete its path is printed, and it is shared until Ctrl-C unless told otherwise. A torrent's own trackers are
/// asked for peers, and the one that --tracker names before them.
///
/// A name that the catalogue does not have is looked up in the classic dialects that the hub serves. A file that comes
/// from their peers is verified if `chunklist` has its hashes, which is said; then it is put into the catalogue, so that
/// from then on everybody gets it verified.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep get dataset -t hub.example:6969
  skep get dataset -o ~/data --no-seed
  skep get dataset --files '*.csv' --files images
  skep get 'magnet:?xt=urn:btih:…' --seed-ratio 2
  skep get dataset.torrent -t udp://tracker.example:1337 --seed-for 2h
  skep get dataset --no-seed --json | jq -r .path

Exit codes:
  0  everything is there
  1  something could not be fetched, or Ctrl-C came before everything was there;
     the same command goes on from there
  2  it was asked wrongly; nothing was done")]
pub(crate) struct Get {
    /// Names, info hashes, magnet links, .torrent files or their addresses
    #[arg(required = true, value_name = "WHAT")]
    pub(crate) what: Vec<String>,

    /// Folder to put everything into [default: the working directory]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) output: Option<PathBuf>,

    /// Fetch only files whose path in the torrent, or a folder of it, matches: `*` is any text, `?` any letter, [abc] one
    /// of these. Repeat it for several; without it a later `get` fetches the rest
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    pub(crate) files: Vec<Pattern>,

    /// Put no file that came from classic peers into the hub's catalogue, and share none
    #[arg(long)]
    pub(crate) no_publish: bool,

    /// Exit as soon as everything is there. Nothing that came from classic peers is put into the catalogue then: nobody
    /// would share it
    #[arg(long, conflicts_with_all = ["seed_for", "seed_ratio"])]
    pub(crate) no_seed: bool,

    /// Share for so long after everything is there: seconds, or with s, m, h or d
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) seed_for: Option<Duration>,

    /// Share until so many times the size has been uploaded
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(crate) seed_ratio: Option<f64>,

    /// Print a JSON object a line for each torrent that is complete: {what, info_hash, name, size, path}
    #[arg(long)]
    pub(crate) json: bool,

    /// Download at most this much a second: bytes, or with K, M or G (of 1024)
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Peer")]
    pub(crate) limit_down: Option<u64>,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    #[command(flatten)]
    pub(crate) tracker: TrackerArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Share a folder for as long as this runs, and fetch into it on request
///
/// Each file and each folder at its top is a torrent of its own in the hub's catalogue. What comes, changes or goes is
/// noticed; what is still being written is waited for. In a terminal there is a menu: search and download, who has a
/// file, what is coming, what is shared, seed another file. Elsewhere it logs. Programs on this machine fetch into it,
/// pause and stop through a local API.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep peer -t hub.example:6969
  skep peer --dir ~/shared --limit-up 20M --ready-file peer.json

Exit codes:
  0  it shared until Ctrl-C, or until it was told to stop by its menu or its API
  1  it could not go on
  2  the folder is another peer's, or it, the state directory or a port cannot be used;
     nothing was done")]
pub(crate) struct Peer {
    /// Folder to share, which is made if it is not there [default: shared_files/<user>]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,

    /// User whose folder it is, and who is known to peers of the classic dialects [default: who is logged in]
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// Offer downloads from `beacon` peers there under their own names, and not as `[download]NAME`
    #[arg(long)]
    pub(crate) plain_names: bool,

    /// Show no menu, but the log, in a terminal too
    #[arg(long)]
    pub(crate) no_menu: bool,

    /// Address and port of the API, on loopback; port 0 is any free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub(crate) api: SocketAddr,

    /// Write a JSON file with the process's id and the API's address once everything that is in the folder at the start
    /// is hashed, in the catalogue and announced; it is removed when the sharing stops
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ready_file: Option<PathBuf>,

    /// Download at most this much a second: bytes, or with K, M or G (of 1024)
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Peer")]
    pub(crate) limit_down: Option<u64>,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    #[command(flatten)]
    pub(crate) tracker: TrackerArgs,

    #[command(flatten)]
    pub(crate) admin: AdminArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// `500`, `64K`, `20M` or `1.5G` bytes a second.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let expected = || "bytes a second are expected, as 500000, 500K, 20M or 1G".to_owned();
    let digits = text.trim_end_matches(['K', 'M', 'G', 'k', 'm', 'g']);
    let unit: u32 = match text.get(digits.len()..).unwrap_or_default().to_ascii_uppercase().as_str() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return Err(expected()),
    };
    let bytes = digits.parse::<f64>().map_err(|_| expected())? * f64::from(unit);
    if !(1.0..=RATE_MAX).contains(&bytes) {
        return Err(expected());
    }
    Duration::try_from_secs_f64(bytes).map(|whole| whole.as_secs()).map_err(|_| expected())
}

/// `90`, `90s`, `15m`, `2h` or `7d`.
fn span(text: &str) -> Result<Duration, String> {
    let expected = || "seconds are expected, as 90, or another unit, as 15m, 2h or 7d".to_owned();
    let (digits, unit) = match text.strip_suffix(|c: char| c.is_ascii_alphabetic()) {
        Some(digits) => (digits, &text[digits.len()..]),
        None => (text, "s"),
    };
    let unit: f64 = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(expected()),
    };
    let seconds = digits.parse::<f64>().map_err(|_| expected())? * unit;
    if !(0.0..=SPAN_SECS_MAX).contains(&seconds) {
        return Err(expected());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| expected())
}

/// The longest span that may be named, in seconds: ten years.
const SPAN_SECS_MAX: f64 = 3650.0 * 86_400.0;

/// The highest rate that may be named, in bytes a second: a terabyte, above which there is no limit.
const RATE_MAX: f64 = 1e12;

fn glob(text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|error| format!("{} at letter {}", error.msg, error.pos + 1))
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse::<f64>().ok().filter(|ratio| (0.0..=1e6).contains(ratio));
    ratio.ok_or_else(|| "a number from 0 is expected, as 1.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        let read = |text| span(text).ok().map(|span| span.as_millis());
        for (text, millis) in [
            ("0", 0),
            ("90", 90_000),
            ("1.5s", 1500),
            ("15m", 900_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(read(text), Some(millis), "{text}");
        }
        for wrong in ["", "s", "-1", "1w", "1hh", "nan", "inf", "5000d", "1 h"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn rates_have_units() {
        let read = |text| rate(text).ok();
        assert_eq!(read("500"), Some(500));
        assert_eq!(read("64K"), Some(64 << 10));
        assert_eq!(read("1.5m"), Some(3 << 19));
        for wrong in ["", "K", "0", "-1", "1KK", "1T", "nan", "inf"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
