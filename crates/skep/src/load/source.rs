use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Options;
use super::options::ADDRESSES_MAX;

/// The addresses to send from, each once: those of the options, else on IPv4 loopback `count` of its many, else
/// whatever the system chooses.
pub(super) fn sources(options: &Options, target: IpAddr, count: u16) -> Vec<IpAddr> {
    if !options.from.is_empty() {
        return options.from.clone();
    }
    match target {
        // The whole of 127.0.0.0/8 is this machine's own on Linux alone.
        IpAddr::V4(ip) if ip.is_loopback() && cfg!(target_os = "linux") => {
            let count = u32::from(count).min(ADDRESSES_MAX);
            (0..count).map(|step| Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + step).into()).collect()
        }
        IpAddr::V4(_) => vec![Ipv4Addr::UNSPECIFIED.into()],
        IpAddr::V6(_) => vec![Ipv6Addr::UNSPECIFIED.into()],
    }
}
