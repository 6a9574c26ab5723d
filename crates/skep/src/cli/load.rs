use std::net::IpAddr;
use std::time::Duration;

use clap::Args;

use super::{seconds, seconds_not_zero};
use crate::load::{Mix, Options};

/// Ask a tracker as fast as one core can, and say how it bears up
///
/// Announces T torrents of P peers each, all of them computed from --seed: with --fill every peer once, then random
/// ones among them until --count or --for is reached. Without --rate the next request is sent when one is answered,
/// which finds the tracker's capacity; with --rate requests are sent when they are due, which finds its latency.
/// Over UDP use --sockets and --window, over HTTP --connections and --close.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  skep load udp://127.0.0.1:6969 --fill --verify
  skep load udp://127.0.0.1:6969 --torrents 1000000 --peers 2 --fill --for 30 --zipf 0.9
  skep load http://127.0.0.1:6969/announce --connections 200 --rate 5000
  skep load --torrents 1000 --print-hashes > whitelist.txt

Exits with 1 if the tracker answers nothing, or with --verify if a reply was wrong, refused or lost.")]
pub(crate) struct Load {
    /// The tracker: udp://HOST:PORT or http://HOST:PORT/announce, or a member's own address of either kind
    #[arg(required_unless_present = "print_hashes")]
    pub(crate) url: Option<String>,

    /// Torrents in the population
    #[arg(long, value_name = "T", default_value_t = 1000)]
    torrents: u32,

    /// Peers of each torrent
    #[arg(long, value_name = "P", default_value_t = 10)]
    peers: u32,

    /// Part of the peers that are seeders, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    seeders: f64,

    /// Choose torrents by a Zipf law with this exponent instead of all alike
    #[arg(long, value_name = "S")]
    zipf: Option<f64>,

    /// What the population and all chance are derived from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Announce each peer once before anything is measured
    #[arg(long)]
    fill: bool,

    /// Measure this many requests at most; 0 measures nothing
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// Measure for this many seconds at most
    #[arg(long = "for", value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    time: Duration,

    /// Send so many requests a second, answered or not, instead of the next one when one is answered
    #[arg(long, value_name = "N")]
    rate: Option<f64>,

    /// Share of scrapes among the requests, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    scrapes: f64,

    /// Share of requests for a fresh connection id, 0 to 1 (UDP)
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    connects: f64,

    /// Share of peers that leave, 0 to 1; they are back when next chosen
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    stops: f64,

    /// Peers to ask for in an announce [default: up to the tracker]
    #[arg(long, value_name = "N")]
    want: Option<u32>,

    /// UDP sockets to send from; on IPv4 loopback each has an address of its own
    #[arg(long, value_name = "N", default_value_t = 4)]
    sockets: u16,

    /// Requests in flight on one UDP socket, without --rate
    #[arg(long, value_name = "N", default_value_t = 32)]
    window: u16,

    /// HTTP connections, each with one request under way
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: u16,

    /// Close an HTTP connection after each reply
    #[arg(long)]
    close: bool,

    /// Address to send from; repeat it for several
    #[arg(long, value_name = "IP")]
    from: Vec<IpAddr>,

    /// Let each peer state an address of its own, for trackers that honor it
    #[arg(long)]
    stated_ip: bool,

    /// Address that the tracker lists us under, where it is not that which we send from: behind NAT, or over loopback
    /// to a tracker that lists such peers at its machine's own address, as Skep does. Only --verify needs to know
    #[arg(long, value_name = "IP")]
    seen_as: Option<IpAddr>,

    /// Hold each reply against what the population allows: counts, peers, lengths, intervals. Nobody else may announce
    /// its torrents meanwhile
    #[arg(long)]
    verify: bool,

    /// Seconds after which an unanswered request counts as lost
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds_not_zero)]
    timeout: Duration,

    /// Never sleep while waiting for replies: steadier figures where a core is the generator's own
    #[arg(long)]
    busy: bool,

    /// Allow a target outside loopback and private networks. To load somebody else's tracker is an attack
    #[arg(long)]
    i_run_this_tracker: bool,

    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Print the info hashes that would be announced, one a line, and do nothing else
    #[arg(long, conflicts_with = "json")]
    pub(crate) print_hashes: bool,
}

impl Load {
    pub(crate) fn options(&self) -> Options {
        Options {
            target: self.url.clone().unwrap_or_default(),
            torrents: self.torrents,
            peers: self.peers,
            seeders: self.seeders,
            fill: self.fill,
            count: self.count,
            time: self.time,
            sockets: self.sockets,
            window: self.window,
            from: self.from.clone(),
            rate: self.rate,
            mix: Mix { scrape: self.scrapes, connect: self.connects, stop: self.stops },
            zipf: self.zipf,
            want: self.want,
            seed: self.seed,
            stated_ip: self.stated_ip,
            seen_as: self.seen_as,
            verify: self.verify,
            timeout: self.timeout,
            busy: self.busy,
            connections: self.connections,
            close: self.close,
            i_run_this_tracker: self.i_run_this_tracker,
        }
    }
}
