//! What can be typed: one struct a subcommand. The texts here are the manual.

mod access;
mod classic;
mod load;
mod members;
mod peer;
mod torrent;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Effects};
use clap::{Args, Parser, Subcommand, ValueHint};
use swarm::directory::Dialect;
use wire::Fingerprint;

pub(crate) use access::{Access, AccessAction, Ban, BanAction, Terms};
pub(crate) use classic::{Classic, ClassicAction, ClassicFetch, ClassicRegister, ClassicTracker, DialectArg};
pub(crate) use load::Load;
pub(crate) use members::{
    AdminHub, Audit, Hub, HubAction, Invite, InviteAction, Listing, RoleArg, ScopeArg, Token, TokenAction,
    User, UserAction,
};
pub(crate) use peer::{Get, Peer, PeerArgs, Share, Up};
pub(crate) use torrent::{Make, MakeContent, Show};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

/// One binary that keeps a swarm: a BitTorrent hub (tracker, catalogue and web page) and the tools around it.
#[derive(Debug, Parser)]
#[command(
    name = "skep",
    version,
    styles = STYLES,
    after_help = "\
Share a folder with `skep up FOLDER`, get it elsewhere with `skep get NAME -t HOST:6969`.",
    after_long_help = "\
Examples:
  skep up ./dataset                  a hub on port 6969 that shares the folder
  skep get dataset -t host:6969      the folder, on another machine
  skep serve                         a hub on port 6969, over HTTP and UDP
  skep make ./dataset                dataset.torrent, to be shared by any client
  skep add dataset.torrent           the hub now lists it
  skep ls -t hub.example:6969        what another hub lists

Configuration:
  Each setting has a default. A file skep.toml overrides it, then environment variables (SKEP_ and
  the key in capitals, levels joined by two underscores: SKEP_TRACKER__INTERVAL_SECS=900), then
  flags. `skep config show` lists all settings, what they mean and who set them.

Exit codes:
  0  what was asked is done
  1  it failed, or part of it did
  2  it was asked wrongly: a flag, an argument or the configuration; nothing was done",
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(Box<Up>),
    Share(Share),
    Get(Get),
    Peer(Box<Peer>),
    Serve(Serve),
    Make(Make),
    Show(Show),
    Add(Add),
    Ls(Ls),
    Find(Find),
    User(Box<User>),
    Invite(Box<Invite>),
    Token(Box<Token>),
    Access(Box<Access>),
    Ban(Box<Ban>),
    Audit(Audit),
    Hub(Hub),
    Config(Config),
    Import(Import),
    Export(Export),
    Check(Check),
    Load(Box<Load>),
    Classic(Box<Classic>),
    Completions(Completions),
    Man(Man),
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Verbosity {
    /// Tell more: once for details, twice for everything
    #[arg(short, long, global = true, display_order = 900, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,

    /// Tell less: no progress and no remarks; twice leaves errors only
    #[arg(short, long, global = true, display_order = 900, action = clap::ArgAction::Count)]
    pub(crate) quiet: u8,
}

impl Verbosity {
    /// One number: 0 is usual, above is more.
    #[must_use]
    pub(crate) fn level(self) -> i8 {
        let count = |n: u8| i8::try_from(n).unwrap_or(i8::MAX);
        count(self.verbose) - count(self.quiet)
    }
}

/// Where the configuration is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct ConfigArgs {
    /// Configuration file [env: SKEP_CONFIG] [default: skep.toml here, or in the platform's configuration directory]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

/// Where the hub and the peers of this machine keep their state, and with it the admin token.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct StateArgs {
    /// Where to keep what must last [env: SKEP_STATE_DIR] [default: skep in the platform's data directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) state_dir: Option<PathBuf>,
}

/// Which hub to talk to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Hub")]
pub(crate) struct HubArgs {
    /// The hub's address: http://HOST:PORT, https://HOST:PORT or HOST:PORT [env: SKEP_TRACKER]
    /// [default: http://localhost:6969]
    #[arg(short, long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) tracker: Option<String>,

    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// Who asks a hub that is for members.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Hub")]
pub(crate) struct MemberArgs {
    /// Your passkey, where the hub is for members [env: SKEP_PASSKEY]
    #[arg(long, value_name = "PASSKEY")]
    pub(crate) passkey: Option<String>,
}

/// By what the certificate of a hub is known.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Hub")]
pub(crate) struct TrustArgs {
    /// PEM file of the authority, or of the certificate itself, by which a hub at https:// is known in place of the
    /// system's authorities [env: SKEP_TRACKER_CA]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tracker_ca: Option<PathBuf>,

    /// SHA-256 fingerprint of the certificate of a hub at https://, as `skep serve` prints it [env:
    /// SKEP_TRACKER_FINGERPRINT]
    #[arg(long, value_name = "SHA256")]
    pub(crate) tracker_fingerprint: Option<Fingerprint>,
}

/// The right to change what a hub has.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Hub")]
pub(crate) struct AdminArgs {
    /// The hub's admin token; on the hub's machine it is found by itself [env: SKEP_ADMIN_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) admin_token: Option<String>,
}

/// How a hub serves HTTPS.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TlsArgs {
    /// Address and port for HTTPS; repeat it for several. One that --listen names too speaks both there [env:
    /// SKEP_TLS__LISTEN]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) tls_listen: Vec<SocketAddr>,

    /// PEM file of the certificate, with those that lead from it to a known authority after it [env:
    /// SKEP_TLS__CERTIFICATE]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// PEM file of the certificate's private key [env: SKEP_TLS__KEY]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tls_key: Option<PathBuf>,

    /// Make a certificate for this machine's names and addresses at the first start, and keep it with the state
    #[arg(long, conflicts_with_all = ["tls_certificate", "tls_key"])]
    pub(crate) tls_self_signed: bool,
}

/// Run a hub: tracker over HTTP and UDP, catalogue and web page
///
/// Listens on port 6969 of all addresses unless told otherwise, and answers until it gets SIGINT or SIGTERM; then it
/// answers what is in hand, saves its state and exits within 5 seconds. A second signal ends it at once. SIGHUP has it
/// read its certificate and its access lists anew, without dropping a connection.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep serve
  skep serve --listen 127.0.0.1:7000 --state-dir ./hub
  skep serve --classic-listen token=0.0.0.0:9000
  skep serve --tls-listen 0.0.0.0:6970 --tls-self-signed
  SKEP_TRACKER__INTERVAL_SECS=600 skep serve")]
pub(crate) struct Serve {
    /// Address and port for HTTP and UDP; repeat it for several. Port 0 is any free port
    /// [env: SKEP_LISTEN] [default: 0.0.0.0:6969 and [::]:6969]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Vec<SocketAddr>,

    /// Serve the four classic dialects too, on their usual ports of all addresses: token on 9000 and index on 5000 over
    /// TCP, chunklist on 5555 and beacon on 5000 over UDP
    #[arg(long)]
    pub(crate) classic: bool,

    /// Serve one classic dialect there: token, index, chunklist or beacon; repeat it for several. Port 0 is any free port
    #[arg(long, value_name = "NAME=ADDR:PORT", value_parser = classic_listen)]
    pub(crate) classic_listen: Vec<(Dialect, SocketAddr)>,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,

    /// Write a JSON file with the process's id and the bound addresses once all sockets are bound; it is removed when
    /// the hub stops
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ready_file: Option<PathBuf>,

    /// Admin token, instead of the one that is made at first start; a flag is seen by all users of the machine, so the
    /// variable is the better place [env: SKEP_ADMIN_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) admin_token: Option<String>,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Register .torrent files with a hub
///
/// A directory stands for all .torrent files in it and below. Each file is sent up to --tries times if the hub is
/// silent or overloaded. Exits with 1 if any file could not be registered.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep add dataset.torrent
  skep add ./torrents -t hub.example:6969")]
pub(crate) struct Add {
    /// .torrent files, and directories of them
    #[arg(required = true, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Times to try each file
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) tries: u32,

    /// Seconds between two tries
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub(crate) retry_delay: Duration,

    /// Seconds that the hub has for an answer
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds_not_zero)]
    pub(crate) timeout: Duration,

    /// Who made the torrent, where the file does not say; only told to hubs that do not take .torrent files
    #[arg(long, value_name = "TEXT", default_value = "Skep")]
    pub(crate) created_by: String,

    /// Print an array with an object for each file: {file, outcome, info_hash, name, error}
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) hub: HubArgs,

    #[command(flatten)]
    pub(crate) member: MemberArgs,

    #[command(flatten)]
    pub(crate) admin: AdminArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// List the hub's catalogue, with seeders and leechers
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep ls
  skep ls --classic
  skep ls --json | jq -r '.[] | select(.seeders == 0).name'")]
pub(crate) struct Ls {
    /// List what is offered in the classic dialects instead: names, and how many peers hold each. With --json an array of
    /// {name, size, parts, holders}
    #[arg(long, conflicts_with = "long")]
    pub(crate) classic: bool,

    #[command(flatten)]
    pub(crate) list: ListArgs,
}

/// Search the hub's catalogue for words in names and file names
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep find climate 2024
  skep find --json dataset | jq -r '.[0].magnet'")]
pub(crate) struct Find {
    /// Words that must all occur
    #[arg(required = true, value_name = "TEXT")]
    pub(crate) text: Vec<String>,

    #[command(flatten)]
    pub(crate) list: ListArgs,
}

/// How to list torrents.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// Show at most this many torrents [default: all]
    #[arg(short = 'n', long, value_name = "N", value_parser = positive)]
    pub(crate) limit: Option<usize>,

    /// Show info hashes too
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) long: bool,

    /// Print an array of {info_hash, name, size, seeders, leechers, completed, magnet, torrent_url}
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) hub: HubArgs,

    #[command(flatten)]
    pub(crate) member: MemberArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// Show or check the configuration
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "\
Examples:
  skep config show > skep.toml
  skep config check --config /etc/skep.toml",
    arg_required_else_help = true
)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print all settings as a skep.toml: what each means, its value, and who set it
    ///
    /// The output is itself a configuration file. The admin token is left out.
    #[command(after_help = "Example:\n  skep config show > skep.toml")]
    Show(ConfigShow),
    /// Say what is wrong with the configuration, if anything
    ///
    /// Exits with 0 if nothing is, with 2 and a line for each fault otherwise.
    #[command(after_help = "Example:\n  skep config check --config /etc/skep.toml")]
    Check(ConfigCheck),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigShow {
    /// Print one JSON object instead, without remarks
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigCheck {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Bring in the state file of an older tracker, or a copy of a hub's database
///
/// The state file is the JSON that older hubs keep: torrents by info hash, with their peers and counts. A running hub takes
/// it in; what is there already stays. Needs the admin token.
///
/// With --db it is a copy that `skep export --db` made: it becomes the database of the state directory, which must have
/// none, before a hub is started there.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep import tracker_state.json
  skep import --db backup.db --state-dir ./hub")]
pub(crate) struct Import {
    /// The state file
    #[arg(value_hint = ValueHint::FilePath, required_unless_present = "db")]
    pub(crate) file: Option<PathBuf>,

    /// The copy of a database
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["file", "json"])]
    pub(crate) db: Option<PathBuf>,

    /// Print what was brought in as JSON: {torrents, peers, skipped}
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) hub: HubArgs,

    #[command(flatten)]
    pub(crate) admin: AdminArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Write the hub's whole catalogue to standard output, or a copy of its database to a file
///
/// Every torrent, with all that the hub tells of it, as JSON: one array, or with --lines an object a line, which a
/// program can read as it comes.
///
/// With --db it is a copy of the database of a hub on this machine, which may be running: all that must last, members and
/// tokens too, as it was at one moment. `skep import --db` brings it back.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep export --json > catalogue.json
  skep export --lines | gzip > catalogue.jsonl.gz
  skep export --db backup.db")]
#[group(id = "form", required = true, multiple = false, args = ["json", "lines", "db"])]
pub(crate) struct Export {
    /// One JSON array
    #[arg(long)]
    pub(crate) json: bool,

    /// A JSON object a line
    #[arg(long)]
    pub(crate) lines: bool,

    /// A copy of the database, in a file that is not there yet
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) db: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) hub: HubArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Test any tracker, over UDP or HTTP, and say what is wrong with it
///
/// Speaks as three made-up peers about made-up torrents, compares the answers with the specifications, and then sends
/// what no client should send. The peers say goodbye at the end. Exits with 1 if anything does not hold.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep check udp://tracker.example:6969
  skep check http://localhost:6969/announce --json | jq '.checks[] | select(.outcome == \"fail\")'")]
pub(crate) struct Check {
    /// The tracker: udp://HOST:PORT, or an http:// or https:// announce URL
    #[arg(value_hint = ValueHint::Url)]
    pub(crate) url: String,

    /// PEM file of the authority, or of the certificate itself, by which a tracker at https:// is known in place of the
    /// system's authorities
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tracker_ca: Option<PathBuf>,

    /// SHA-256 fingerprint of the certificate of a tracker at https://
    #[arg(long, value_name = "SHA256")]
    pub(crate) tracker_fingerprint: Option<Fingerprint>,

    /// Seconds that one answer may take
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds_not_zero)]
    pub(crate) timeout: Duration,

    /// Times that a datagram is sent if it is not answered
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) tries: u32,

    /// Print a JSON object: {url, address, checks: [{name, bep, outcome, detail}]}
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print a completion script for a shell
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep completions bash > ~/.local/share/bash-completion/completions/skep
  skep completions fish > ~/.config/fish/completions/skep.fish
  skep completions zsh > ~/.zfunc/_skep")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page, or write those of all commands to a directory
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep man | man -l -
  skep man --dir ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Write skep.1, skep-serve.1 and so on here; the directory is made if need be
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}

/// The longest span a flag in seconds may name: a day.
const SECONDS_MAX: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| format!("a number of seconds from 0 to {SECONDS_MAX} is expected"))
}

fn seconds_not_zero(text: &str) -> Result<Duration, String> {
    let duration = seconds(text)?;
    if duration.is_zero() { Err("more than 0 seconds are expected".to_owned()) } else { Ok(duration) }
}

fn classic_listen(text: &str) -> Result<(Dialect, SocketAddr), String> {
    let (name, address) = text.split_once('=').unwrap_or((text, ""));
    let dialect = Dialect::ALL.into_iter().find(|dialect| dialect.name() == name);
    let dialect = dialect.ok_or_else(|| {
        format!("`{name}` is not token, index, chunklist or beacon; NAME=ADDR:PORT is expected")
    })?;
    let example = SocketAddr::from(([0; 4], usual_port(dialect)));
    let address = address
        .parse()
        .map_err(|_| format!("`{address}` is not an address and port; {name}={example} would be right"))?;
    Ok((dialect, address))
}

/// Where the trackers of a dialect usually are.
pub(crate) const fn usual_port(dialect: Dialect) -> u16 {
    match dialect {
        Dialect::Token => 9000,
        Dialect::Index | Dialect::Beacon => 5000,
        Dialect::Chunklist => 5555,
    }
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "a whole number from 1 is expected".to_owned())
}
