use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Make a .torrent of files and folders
///
/// The file is called after what it holds, such as dataset.torrent, and lies in the working directory unless --output
/// says otherwise. A folder's files come sorted, so that the same files and options give the same torrent, but for the
/// date, which --no-date leaves out.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep make ./dataset -t http://hub.example:6969/announce
  skep make ./dataset --private --comment 'spring release' -o spring.torrent
  skep make a.bin b.bin --name pair --no-date --json")]
pub(crate) struct Make {
    /// What to share: one file or folder, or several with --name
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Where to write the torrent; - is standard output [default: NAME.torrent]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(short, long)]
    pub(crate) force: bool,

    /// Print what `skep show --json` would, instead of a few lines
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) content: MakeContent,
}

/// What a new torrent says.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Content")]
pub(crate) struct MakeContent {
    /// Announce URL; repeat it for fallbacks, or join URLs that are to be tried in any order with commas
    #[arg(short, long = "tracker", value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) trackers: Vec<String>,

    /// Address that serves the same files over HTTP or FTP; repeat it for several
    #[arg(short, long = "web-seed", value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) web_seeds: Vec<String>,

    /// Name of the torrent [default: that of the file or folder]
    #[arg(short, long)]
    pub(crate) name: Option<String>,

    /// Let clients learn of peers from these trackers only (BEP 27)
    #[arg(short, long)]
    pub(crate) private: bool,

    /// Remark for people
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,

    /// Tell this copy of the files apart from others: another source is another info hash
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) source: Option<String>,

    /// Program or person that made it
    #[arg(long, value_name = "TEXT", default_value = concat!("Skep ", env!("CARGO_PKG_VERSION")))]
    pub(crate) created_by: String,

    /// Leave out the date
    #[arg(long)]
    pub(crate) no_date: bool,

    /// Bytes in a piece: a power of two from 16 KiB to 256 MiB [default: by size]
    #[arg(short = 'l', long, value_name = "SIZE", value_parser = hub::config::parse_size)]
    pub(crate) piece_length: Option<u64>,

    /// Take symbolic links inside a folder for what they point at, instead of leaving them out
    #[arg(long)]
    pub(crate) follow_links: bool,

    /// Threads that hash [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
}

/// Print what a .torrent says
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep show dataset.torrent
  skep show --json dataset.torrent | jq -r .magnet")]
pub(crate) struct Show {
    /// The .torrent file
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
