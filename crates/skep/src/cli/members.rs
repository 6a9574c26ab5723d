use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use super::{AdminArgs, ConfigArgs, HubArgs, StateArgs};
use crate::when::When;

/// Which hub is administered, and with what right.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AdminHub {
    #[command(flatten)]
    pub(crate) hub: HubArgs,

    #[command(flatten)]
    pub(crate) admin: AdminArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Members of a hub that is for members, and their passkeys
///
/// A hub is for members with `mode = "members"` in its skep.toml. Each member announces with a passkey of its own, which is
/// in the address that its clients announce to; it is told once, here.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep user add ann --role uploader
  skep user add guest --until 30d
  skep user list
  skep user disable ann
  skep user rotate ann                the passkey before is worth nothing any more")]
pub(crate) struct User {
    #[command(subcommand)]
    pub(crate) action: UserAction,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum UserAction {
    /// Make a member, and print its passkey: it is told this once
    Add(UserAdd),
    /// List the members
    List(Listing),
    /// Show a member
    Show(Named),
    /// Change a member's role, or when its membership ends
    Set(UserSet),
    /// Let a member announce no more, until it is enabled
    Disable(Named),
    /// Let a member announce again
    Enable(Named),
    /// Give a member another passkey, and print it: it is told this once
    Rotate(Named),
    /// Take a member's passkey away
    Revoke(Named),
    /// Remove a member
    Remove(Named),
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep user add ann
  skep user add guest --until 30d --json | jq -r .passkey")]
pub(crate) struct UserAdd {
    /// Its name: letters, digits, `.`, `-` and `_`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// What it may do beside announcing
    #[arg(long, value_enum, default_value_t = RoleArg::Member)]
    pub(crate) role: RoleArg,

    /// When the membership ends: a date as 2027-01-31, or a time from now as 30d or 12h
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<When>,

    /// Print what the hub answers, in JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

#[derive(Debug, Clone, Args)]
#[group(id = "changes", required = true, multiple = true,
        args = ["role", "until", "torrents_max", "clients_per_torrent_max", "addresses_max"])]
#[command(after_help = "\
Examples:
  skep user set ann --role uploader
  skep user set guest --until never
  skep user set seedbox --torrents-max 2000 --addresses-max 3")]
pub(crate) struct UserSet {
    /// Its name, in any letter case
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// What it may do beside announcing
    #[arg(long, value_enum)]
    pub(crate) role: Option<RoleArg>,

    /// When the membership ends: a date as 2027-01-31, a time from now as 30d or 12h, or `never`
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<When>,

    /// How many torrents it may take part in at a time; `default` for as many as all may
    #[arg(long, value_name = "N")]
    pub(crate) torrents_max: Option<Most>,

    /// How many clients it may have in one torrent; `default` for as many as all may
    #[arg(long, value_name = "N")]
    pub(crate) clients_per_torrent_max: Option<Most>,

    /// From how many addresses it may announce at a time; `default` for as many as all may
    #[arg(long, value_name = "N")]
    pub(crate) addresses_max: Option<Most>,

    /// Print what the hub answers, in JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

/// How much of something a member may have at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Most {
    /// As much as all may.
    Default,
    /// So much.
    Of(u32),
}

impl Most {
    /// The number, if it is one.
    pub(crate) const fn number(self) -> Option<u32> {
        match self {
            Self::Default => None,
            Self::Of(number) => Some(number),
        }
    }
}

impl FromStr for Most {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            _ if text == "default" => Ok(Self::Default),
            Ok(number) if number > 0 => Ok(Self::Of(number)),
            _ => Err("a number from 1, or `default`, is expected"),
        }
    }
}

/// One of a kind, by its name.
#[derive(Debug, Clone, Args)]
pub(crate) struct Named {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Print what the hub answers, in JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

/// All of a kind.
#[derive(Debug, Clone, Args)]
pub(crate) struct Listing {
    /// Show so many at most
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,

    /// Print a JSON array
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

/// What a member may do beside announcing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// Nothing
    Member,
    /// Add torrents, where `publish` is for uploaders
    Uploader,
    /// The same, and is told to be one who administers
    Admin,
}

/// Invitations: codes with which people make themselves members
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep invite create --note 'the lab' --uses 20 --until 7d
  skep invite list
  skep invite use 6f1c…b2 ann -t hub.example:6969")]
pub(crate) struct Invite {
    #[command(subcommand)]
    pub(crate) action: InviteAction,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum InviteAction {
    /// Make an invitation, and print its code: it is told this once
    Create(InviteCreate),
    /// List the invitations
    List(Listing),
    /// Take an invitation back
    Revoke(InviteRevoke),
    /// Join a hub with a code, and print your passkey: it is told this once
    Use(InviteUse),
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  skep invite create --note 'the lab' --uses 20 --until 7d")]
pub(crate) struct InviteCreate {
    /// For whom it is, in your words
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) note: String,

    /// How many may come by it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) uses: u32,

    /// When it ends: a date as 2027-01-31, or a time from now as 30d or 12h
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<When>,

    /// Print what the hub answers, in JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct InviteRevoke {
    /// Its number, as `skep invite list` shows it
    #[arg(value_name = "NUMBER")]
    pub(crate) id: i64,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  skep invite use 0123456789abcdef0123456789abcdef ann -t hub.example:6969")]
pub(crate) struct InviteUse {
    /// The code
    #[arg(value_name = "CODE")]
    pub(crate) code: String,

    /// The name that you take: letters, digits, `.`, `-` and `_`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Print what the hub answers, in JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

/// Tokens: secrets with which programs use a hub's API
///
/// The admin token opens everything; these open what their scope says, and can be taken back one by one.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep token create prometheus --scope read
  skep token create ci --scope torrents --until 2027-01-31
  skep token list
  skep token revoke ci")]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) action: TokenAction,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TokenAction {
    /// Make a token, and print it: it is told this once
    Create(TokenCreate),
    /// List the tokens
    List(Listing),
    /// Take a token back
    Revoke(Named),
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  skep token create prometheus --scope read")]
pub(crate) struct TokenCreate {
    /// What it is called: letters, digits, `.`, `-` and `_`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// What it opens
    #[arg(long, value_enum)]
    pub(crate) scope: ScopeArg,

    /// When it ends: a date as 2027-01-31, or a time from now as 30d or 12h
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<When>,

    /// Print what the hub answers, in JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeArg {
    /// To see everything
    Read,
    /// That, and to add and remove torrents
    Torrents,
    /// To see everything, and to administer members and invitations
    Users,
    /// Everything
    Admin,
}

/// Who changed what, when and from where: every administrative act of a hub
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep audit
  skep audit -n 1000 --json")]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) listing: Listing,
}

/// Ask a running hub to read its files anew, to save what it knows, or to stop
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep hub reload                     after a change to an access list, to be told of mistakes
  skep hub stop -t hub.example:6969")]
pub(crate) struct Hub {
    #[command(subcommand)]
    pub(crate) action: HubAction,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum HubAction {
    /// Have it read its certificate and its access lists anew
    Reload(AdminHub),
    /// Have it write the swarms and all counts to disk
    Save(AdminHub),
    /// Have it stop, as Ctrl-C does
    Stop(AdminHub),
}
