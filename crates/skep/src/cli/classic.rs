use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::peer::rate;

/// Talk to trackers and peers of the four classic dialects, for scripts
///
/// Each is the home-grown protocol of small file-sharing programs. Whatever answers is spoken to in its dialect: a hub
/// of Skep or the original. What a dialect has no words for is refused.
#[derive(Debug, Clone, Args)]
#[command(
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  skep classic token register ./video.mp4 --tracker 10.0.0.1:9000
  skep classic beacon lookup video.mp4 --tracker 10.0.0.1:5000 --json
  skep classic chunklist list --tracker 10.0.0.1:5555
  skep classic index fetch video.mp4 --tracker 10.0.0.1:5000 -o ~/videos

Exit codes:
  0  what was asked is done
  1  it failed, or nobody offers the file
  2  it was asked wrongly, or the dialect has no words for it; nothing was done"
)]
pub(crate) struct Classic {
    /// The dialect that the tracker speaks
    #[arg(value_name = "DIALECT")]
    pub(crate) dialect: DialectArg,

    #[command(subcommand)]
    pub(crate) action: ClassicAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectArg {
    /// JSON over TCP, usually on port 9000
    Token,
    /// JSON over TCP, usually on port 5000
    Index,
    /// Text over UDP, usually on port 5555, with SHA-256 hashes
    Chunklist,
    /// JSON over UDP, usually on port 5000
    Beacon,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ClassicAction {
    Register(ClassicRegister),
    Lookup(ClassicLookup),
    List(ClassicList),
    Beat(ClassicBeat),
    Exit(ClassicExit),
    Fetch(ClassicFetch),
}

/// Where the tracker is, and what it is told.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Tracker")]
pub(crate) struct ClassicTracker {
    /// The tracker's address, HOST or HOST:PORT [default: localhost and the dialect's usual port]
    #[arg(short, long, value_name = "HOST:PORT")]
    pub(crate) tracker: Option<String>,

    /// What to call oneself: the peer's id in `token`, the user in `index`, the seeder in `chunklist`
    /// [default: user@machine; in `chunklist` the file's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Offer files, and give them away until Ctrl-C
///
/// Heartbeats are sent as the dialect wants them, and at the end the tracker is told where it can be. In `chunklist` it
/// is one file, whose chunks are hashed first. The tracker takes the sender's address for that of the peer.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep classic token register ./video.mp4 ./document.pdf --tracker 10.0.0.1
  skep classic beacon register ./video.mp4 --peer-port 6001 --limit-up 5M
  skep classic index register ./video.mp4 --peer-port 6001 --once")]
pub(crate) struct ClassicRegister {
    /// The files
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,

    /// Register and exit: who gives the files away, and beats, is another program at --peer-port
    #[arg(long)]
    pub(crate) once: bool,

    /// Print a JSON object when the tracker knows it: {dialect, tracker, port, files}
    #[arg(long)]
    pub(crate) json: bool,

    /// Port where other peers connect; 0 is any free port
    #[arg(long, value_name = "PORT", default_value_t = 0, help_heading = "Peer")]
    pub(crate) peer_port: u16,

    /// Upload at most this much a second: bytes, or with K, M or G (of 1024)
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Peer")]
    pub(crate) limit_up: Option<u64>,

    #[command(flatten)]
    pub(crate) tracker: ClassicTracker,
}

/// Print who offers a file
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep classic token lookup video.mp4 --tracker 10.0.0.1:9000
  skep classic beacon lookup video.mp4 --json | jq -r '.[].address'")]
pub(crate) struct ClassicLookup {
    /// The file's name; in `chunklist` the seeder's
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    /// Print a JSON array: [{name, address, bytes, parts}]
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) tracker: ClassicTracker,
}

/// Print all seeders (`chunklist`)
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep classic chunklist list --tracker 10.0.0.1:5555")]
pub(crate) struct ClassicList {
    /// Print a JSON array: [{name, address, bytes, parts}]
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) tracker: ClassicTracker,
}

/// Send one heartbeat (`index`, `chunklist`, `beacon`)
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep classic index beat --name ann
  skep classic beacon beat --peer-port 6001")]
pub(crate) struct ClassicBeat {
    /// Port that was registered (`beacon`)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) peer_port: Option<u16>,

    #[command(flatten)]
    pub(crate) tracker: ClassicTracker,
}

/// Take back everything that is offered
///
/// In `chunklist` only a hub of Skep's knows the word; other trackers forget a seeder after a while.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep classic index exit --name ann
  skep classic chunklist exit --name video.mp4
  skep classic beacon exit --peer-port 6001")]
pub(crate) struct ClassicExit {
    /// Port that was registered (`beacon`)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) peer_port: Option<u16>,

    #[command(flatten)]
    pub(crate) tracker: ClassicTracker,
}

/// Get a file from those who offer it
///
/// `token` and `chunklist` ask several at once; all but `beacon` go on where an earlier try has ended. The path is
/// printed when all is there. Only `chunklist` has hashes: whether what came is what was meant is told.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep classic token fetch video.mp4 --tracker 10.0.0.1:9000
  skep classic chunklist fetch video.mp4 -o ~/videos --as film.mp4 --json | jq .verified")]
pub(crate) struct ClassicFetch {
    /// The file's name; in `chunklist` the seeder's
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    /// Folder to put it into [default: the working directory]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) output: Option<PathBuf>,

    /// What to call it here [default: as it is called there]
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) own_name: Option<String>,

    /// Print a JSON object: {name, path, bytes, verified}
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) tracker: ClassicTracker,
}
