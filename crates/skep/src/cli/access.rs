use clap::{Args, Subcommand, ValueEnum};
use hub::policy::lists::List;

use super::{AdminHub, Listing};
use crate::when::When;

/// Access rules: torrents, clients and networks that are let in or not
///
/// They hold beside the lists in files that `[access]` of skep.toml names, at once and without a restart. Where anything is on a
/// list of what is allowed, nothing else is; what is denied is so in any case.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep access add torrents-denied cb216c3bfa076a7396bfa7e54889d626c691fe2b --note 'its owner asked'
  skep access add clients-denied -XL
  skep access add api-allowed 192.0.2.0/24
  skep access list
  skep access remove clients-denied -XL")]
pub(crate) struct Access {
    #[command(subcommand)]
    pub(crate) action: AccessAction,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AccessAction {
    /// Put something on a list
    Add(AccessAdd),
    /// List the rules
    List(Listing),
    /// Take something off a list
    Remove(AccessRemove),
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep access add peers-denied 198.51.100.0/24 --until 7d
  skep access add clients-allowed 'agent:Transmission/'")]
pub(crate) struct AccessAdd {
    /// The list
    #[arg(value_name = "LIST", value_enum)]
    pub(crate) list: ListArg,

    /// An info hash; what a client's peer id begins with, or `agent:` and what its user agent does; an address or a network
    #[arg(value_name = "ENTRY", allow_hyphen_values = true)]
    pub(crate) entry: String,

    #[command(flatten)]
    pub(crate) terms: Terms,

    /// Print what the hub answers, in JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct AccessRemove {
    /// The list
    #[arg(value_name = "LIST", value_enum)]
    pub(crate) list: ListArg,

    /// What is on it
    #[arg(value_name = "ENTRY", allow_hyphen_values = true)]
    pub(crate) entry: String,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

/// Bans: addresses and networks that may neither announce nor use the API and the page
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep ban add 203.0.113.9 --until 7d --note 'a flood of announces'
  skep ban add 2001:db8::/32
  skep ban list
  skep ban lift 203.0.113.9")]
pub(crate) struct Ban {
    #[command(subcommand)]
    pub(crate) action: BanAction,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BanAction {
    /// Ban an address or a network
    Add(BanAdd),
    /// List the bans
    List(Listing),
    /// Lift a ban before its end
    Lift(BanLift),
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  skep ban add 203.0.113.0/24 --until 12h")]
pub(crate) struct BanAdd {
    /// The address or the network, as 203.0.113.9 or 2001:db8::/32
    #[arg(value_name = "NETWORK")]
    pub(crate) network: String,

    #[command(flatten)]
    pub(crate) terms: Terms,

    /// Print what the hub answers, in JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BanLift {
    /// The address or the network, as `skep ban list` shows it
    #[arg(value_name = "NETWORK")]
    pub(crate) network: String,

    #[command(flatten)]
    pub(crate) at: AdminHub,
}

/// Until when a rule holds, and why.
#[derive(Debug, Clone, Args)]
pub(crate) struct Terms {
    /// When it ends: a date as 2027-01-31, or a time from now as 30d or 12h
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<When>,

    /// Why it is there, in your words
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) note: String,
}

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListArg {
    /// The only torrents that may be announced and added
    TorrentsAllowed,
    /// Torrents that may be neither announced nor added
    TorrentsDenied,
    /// The only clients that may announce
    ClientsAllowed,
    /// Clients that may not announce
    ClientsDenied,
    /// The only networks from which peers may announce
    PeersAllowed,
    /// Networks from which peers may not announce
    PeersDenied,
    /// The only networks that the API and the page are for
    ApiAllowed,
    /// Networks that the API and the page are not for
    ApiDenied,
    /// Networks that nothing here is for
    Banned,
    /// Networks of reverse proxies that are believed, beside those in the configuration
    Proxies,
}

impl From<ListArg> for List {
    fn from(list: ListArg) -> Self {
        match list {
            ListArg::TorrentsAllowed => Self::TorrentsAllowed,
            ListArg::TorrentsDenied => Self::TorrentsDenied,
            ListArg::ClientsAllowed => Self::ClientsAllowed,
            ListArg::ClientsDenied => Self::ClientsDenied,
            ListArg::PeersAllowed => Self::PeersAllowed,
            ListArg::PeersDenied => Self::PeersDenied,
            ListArg::ApiAllowed => Self::ApiAllowed,
            ListArg::ApiDenied => Self::ApiDenied,
            ListArg::Banned => Self::Banned,
            ListArg::Proxies => Self::Proxies,
        }
    }
}
