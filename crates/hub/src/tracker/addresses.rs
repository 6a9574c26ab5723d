//! Which address a peer is listed with, so that others can use it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use swarm::Reply;

/// The hub's own addresses, as others see them.
pub(super) struct Addresses {
    external_v4: Option<Ipv4Addr>,
    external_v6: Option<Ipv6Addr>,
    lan_v4: Option<Ipv4Addr>,
    lan_v6: Option<Ipv6Addr>,
}

impl Addresses {
    pub(super) fn new(external_ips: &[IpAddr]) -> Self {
        // Addresses set aside for documentation (RFC 5737, RFC 3849): routed like any other outside address.
        let outward = |outside: IpAddr| own_address_towards(SocketAddr::new(outside, 9));
        Self {
            external_v4: external_ips
                .iter()
                .find_map(|ip| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None }),
            external_v6: external_ips
                .iter()
                .find_map(|ip| if let IpAddr::V6(ip) = ip { Some(*ip) } else { None }),
            lan_v4: match outward(Ipv4Addr::new(192, 0, 2, 1).into()) {
                Some(IpAddr::V4(ip)) => Some(ip),
                _ => None,
            },
            lan_v6: match outward(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()) {
                Some(IpAddr::V6(ip)) => Some(ip),
                _ => None,
            },
        }
    }

    /// The address to list for a peer seen at `ip`. One that comes over loopback runs on the hub's machine, and
    /// others reach it where they reach that.
    pub(super) fn listed(&self, ip: IpAddr) -> IpAddr {
        if !ip.is_loopback() {
            return ip;
        }
        let own = match ip {
            IpAddr::V4(_) => self.lan_v4.or(self.external_v4).map(IpAddr::V4),
            IpAddr::V6(_) => self.lan_v6.or(self.external_v6).map(IpAddr::V6),
        };
        own.unwrap_or(ip)
    }

    /// How an asker seen at `ip` is seen from outside (BEP 24).
    pub(super) fn external(&self, ip: IpAddr) -> IpAddr {
        if is_local(ip) { self.external_of(ip).unwrap_or_else(|| self.listed(ip)) } else { ip }
    }

    /// Makes the peers of `reply` ones that an asker at `asker` can reach: one from outside gets the hub's external
    /// address for peers of the hub's own network and machine. Their router must forward their ports, as for any peer behind one.
    pub(super) fn translate(&self, reply: &mut Reply, asker: IpAddr) {
        if is_local(asker) {
            return;
        }
        if let Some(external) = self.external_v4 {
            for [a, b, c, d, ..] in reply.v4.as_chunks_mut::<6>().0 {
                let ip = Ipv4Addr::new(*a, *b, *c, *d);
                if is_local(ip.into()) || self.lan_v4 == Some(ip) {
                    [*a, *b, *c, *d] = external.octets();
                }
            }
        }
        if let Some(external) = self.external_v6 {
            for peer in reply.v6.as_chunks_mut::<18>().0 {
                if let Some(ip) = peer.first_chunk_mut::<16>()
                    && (is_local(Ipv6Addr::from(*ip).into()) || self.lan_v6 == Some(Ipv6Addr::from(*ip)))
                {
                    *ip = external.octets();
                }
            }
        }
    }

    fn external_of(&self, ip: IpAddr) -> Option<IpAddr> {
        match ip {
            IpAddr::V4(_) => self.external_v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.external_v6.map(IpAddr::V6),
        }
    }
}

/// Whether `ip` means something on this machine or this network only.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The address from which this machine would speak to `to`. Nothing is sent.
fn own_address_towards(to: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(to).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_unspecified() && !own.is_loopback()).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            external_v4: Some(Ipv4Addr::new(203, 0, 113, 7)),
            external_v6: None,
            lan_v4: Some(Ipv4Addr::new(192, 168, 1, 4)),
            lan_v6: None,
        }
    }

    #[test]
    fn a_peer_on_the_hubs_machine_is_listed_where_others_reach_the_machine() {
        let [loopback, lan, outside] =
            ["127.0.0.1", "192.168.1.9", "198.51.100.3"].map(|ip| ip.parse().unwrap());
        let addresses = addresses();
        assert_eq!(addresses.listed(loopback).to_string(), "192.168.1.4");
        assert_eq!(addresses.listed(lan), lan);
        assert_eq!(addresses.listed(outside), outside);
        assert_eq!(addresses.listed("::1".parse().unwrap()).to_string(), "::1");
    }

    #[test]
    fn an_asker_from_outside_gets_the_external_address_of_local_peers() {
        let peers: Vec<u8> = [[192, 168, 1, 9, 26, 225], [198, 51, 100, 3, 26, 225]].concat();
        let mut reply = Reply { v4: peers.clone(), ..Reply::default() };
        addresses().translate(&mut reply, "192.168.1.10".parse().unwrap());
        assert_eq!(reply.v4, peers);
        addresses().translate(&mut reply, "198.51.100.8".parse().unwrap());
        let told: Vec<String> = reply.peers().map(|peer| peer.to_string()).collect();
        assert_eq!(told, ["203.0.113.7:6881", "198.51.100.3:6881"]);
    }

    #[test]
    fn a_local_asker_is_told_its_external_address() {
        let addresses = addresses();
        for (ip, external) in
            [("127.0.0.1", "203.0.113.7"), ("10.1.1.1", "203.0.113.7"), ("fe80::1", "fe80::1")]
        {
            assert_eq!(addresses.external(ip.parse().unwrap()).to_string(), external);
        }
    }
}
