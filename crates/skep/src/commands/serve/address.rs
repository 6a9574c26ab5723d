use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// The most addresses that a person is told.
const ADDRESSES_MAX: usize = 12;

/// How the names of interfaces begin behind which there are only this machine's own containers and virtual machines.
const INSIDE: [&str; 9] = ["docker", "br-", "veth", "virbr", "podman", "cni", "lxc", "lxd", "vmnet"];

/// The addresses of `bound` as URLs that others can use: the best first, each once. "All addresses" stands for each
/// that this machine has; loopback and what leads to its own containers are told only where there is nothing else.
pub(in crate::commands) fn urls(scheme: &str, bound: &[SocketAddr], path: &str) -> Vec<String> {
    written(scheme, path, &reachable(bound, &interfaces(), outward))
}

/// The same for a peer of this machine to announce itself at: of one family, so that it is counted once where all
/// networks are one. IPv4 if there is any, as everybody has it.
pub(in crate::commands) fn urls_to_announce(scheme: &str, bound: &[SocketAddr], path: &str) -> Vec<String> {
    written(scheme, path, &of_one_family(reachable(bound, &interfaces(), outward)))
}

/// The addresses of this machine to which [`urls_to_announce`] leads where all are bound.
pub(in crate::commands) fn own() -> Vec<IpAddr> {
    let all = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
    let all = all.map(|ip| SocketAddr::new(ip, 0));
    of_one_family(reachable(&all, &interfaces(), outward)).into_iter().map(|address| address.ip()).collect()
}

fn written(scheme: &str, path: &str, addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().map(|address| format!("{scheme}://{address}{path}")).collect()
}

fn of_one_family(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let any_v4 = addresses.iter().any(SocketAddr::is_ipv4);
    addresses.retain(|address| address.is_ipv4() == any_v4);
    addresses
}

/// An address of an interface that is up.
#[derive(Debug, Clone)]
struct Interface {
    name: String,
    ip: IpAddr,
}

/// Who is reached at an address; the first is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// Others on a network, or nobody knows.
    Others,
    /// Containers and virtual machines of this machine.
    Inside,
    /// This machine alone.
    Itself,
}

impl Interface {
    /// Who reaches this machine here; `None` if nobody can without naming the interface too (RFC 3927, RFC 4291 §2.5.6).
    fn reach(&self) -> Option<Reach> {
        let bound_to_link = match self.ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        if bound_to_link || self.ip.is_unspecified() || self.ip.is_multicast() {
            return None;
        }
        if self.ip.is_loopback() {
            return Some(Reach::Itself);
        }
        let inside = INSIDE.iter().any(|prefix| self.name.starts_with(prefix));
        Some(if inside { Reach::Inside } else { Reach::Others })
    }
}

/// What others can use of `bound`. `outward` tells from which address of a family this machine talks to the world.
fn reachable(
    bound: &[SocketAddr],
    interfaces: &[Interface],
    outward: impl Fn(IpAddr) -> Option<IpAddr>,
) -> Vec<SocketAddr> {
    let mut found: Vec<(Reach, SocketAddr)> = Vec::new();
    for address in bound {
        if !address.ip().is_unspecified() {
            // Somebody has chosen it.
            found.push((Reach::Others, *address));
            continue;
        }
        let mut own: Vec<&Interface> =
            interfaces.iter().filter(|own| own.ip.is_ipv4() == address.is_ipv4()).collect();
        let best = outward(address.ip());
        own.sort_by_key(|own| Some(own.ip) != best);
        let at = |own: &Interface| Some((own.reach()?, SocketAddr::new(own.ip, address.port())));
        found.extend(own.into_iter().filter_map(at));
    }
    let best = found.iter().map(|(reach, _)| *reach).min();
    let mut addresses = Vec::new();
    for (_, address) in found.into_iter().filter(|(reach, _)| Some(*reach) == best) {
        if !addresses.contains(&address) && addresses.len() < ADDRESSES_MAX {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        // The system did not tell, so nothing better is known.
        let loopback =
            |ip: IpAddr| if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        addresses.extend(bound.iter().map(|address| SocketAddr::new(loopback(address.ip()), address.port())));
    }
    addresses
}

/// The addresses of all interfaces that are up; none where the system does not tell.
fn interfaces() -> Vec<Interface> {
    let all = getifaddrs().into_iter().flatten();
    let up = all.filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP));
    up.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
        let ip = v4.or_else(|| Some(IpAddr::from(address.as_sockaddr_in6()?.ip())))?;
        Some(Interface { name: interface.interface_name, ip })
    })
    .collect()
}

/// The address from which this machine would talk to others, of the family of `any`.
fn outward(any: IpAddr) -> Option<IpAddr> {
    // Addresses for documentation (RFC 5737, RFC 3849). Connecting a datagram socket sends nothing.
    let elsewhere: IpAddr = match any {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((elsewhere, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces_of(list: &[(&str, &str)]) -> Vec<Interface> {
        let interface =
            |(name, ip): &(&str, &str)| Interface { name: (*name).into(), ip: ip.parse().unwrap() };
        list.iter().map(interface).collect()
    }

    /// What is told of all addresses of both families at port 6969.
    fn told(interfaces: &[(&str, &str)], outward: &str) -> Vec<String> {
        let outward: IpAddr = outward.parse().unwrap();
        let all = ["0.0.0.0:6969", "[::]:6969"].map(|address| address.parse().unwrap());
        let found = reachable(&all, &interfaces_of(interfaces), |any| {
            (any.is_ipv4() == outward.is_ipv4()).then_some(outward)
        });
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_address_on_a_network_is_told_and_the_usual_one_first() {
        let machine = [
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("eth0", "10.0.0.5"),
            ("eth0", "fe80::5"),
            ("eth0", "2001:db8::5"),
            ("wlan0", "192.168.1.7"),
            ("wlan0", "169.254.3.3"),
            ("docker0", "172.17.0.1"),
            ("br-0a1b2c3d4e5f", "172.18.0.1"),
            ("br0", "10.9.0.1"),
        ];
        assert_eq!(
            told(&machine, "192.168.1.7"),
            ["192.168.1.7:6969", "10.0.0.5:6969", "10.9.0.1:6969", "[2001:db8::5]:6969"]
        );
    }

    #[test]
    fn what_only_this_machine_reaches_is_told_where_there_is_nothing_else() {
        let alone = [("lo", "127.0.0.1"), ("lo", "::1"), ("docker0", "172.17.0.1"), ("eth0", "fe80::1")];
        assert_eq!(told(&alone, "0.0.0.0"), ["172.17.0.1:6969"]);
        assert_eq!(told(&alone[..2], "0.0.0.0"), ["127.0.0.1:6969", "[::1]:6969"]);
        assert_eq!(told(&[], "0.0.0.0"), ["127.0.0.1:6969", "[::1]:6969"]);
    }

    #[test]
    fn a_chosen_address_is_told_as_it_is() {
        let chosen: Vec<SocketAddr> =
            ["127.0.0.1:7000", "[::1]:7001", "127.0.0.1:7000"].map(|address| address.parse().unwrap()).into();
        let others = interfaces_of(&[("eth0", "10.0.0.5")]);
        assert_eq!(reachable(&chosen, &others, |_| None), chosen[..2]);
    }

    #[test]
    fn urls_are_ones_that_work() {
        let bound = ["127.0.0.1:7000", "[::1]:7000"].map(|address| address.parse().unwrap());
        assert_eq!(
            urls("http", &bound, "/announce"),
            ["http://127.0.0.1:7000/announce", "http://[::1]:7000/announce"]
        );
    }

    #[test]
    fn this_machine_has_addresses_that_are_its_own() {
        let own = own();
        assert!(!own.is_empty());
        for ip in own {
            assert!(!ip.is_unspecified() && UdpSocket::bind((ip, 0)).is_ok(), "{ip}");
        }
    }
}
