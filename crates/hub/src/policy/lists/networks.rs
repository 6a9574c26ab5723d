use std::net::IpAddr;

use ipnet::IpNet;

/// Networks, found in a number of steps that grows with the logarithm of theirs.
#[derive(Debug, Default)]
pub(super) struct Networks {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// Networks in any order.
#[derive(Debug, Default)]
pub(super) struct Builder {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

/// First and last addresses, none of which meet, in order.
#[derive(Debug, Default)]
struct Ranges<N>(Box<[(N, N)]>);

impl Builder {
    pub(super) fn add(&mut self, network: IpNet) {
        match network {
            IpNet::V4(network) => self.v4.push((network.network().into(), network.broadcast().into())),
            IpNet::V6(network) => self.v6.push((network.network().into(), network.broadcast().into())),
        }
    }

    pub(super) fn build(self) -> Networks {
        Networks { v4: Ranges::new(self.v4), v6: Ranges::new(self.v6) }
    }
}

impl Networks {
    pub(super) fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }

    /// Whether the address is in one of them. An IPv4-mapped IPv6 address is IPv4.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.v4.has(ip.into()),
            IpAddr::V6(ip) => self.v6.has(ip.into()),
        }
    }
}

impl<N: Ord + Copy> Ranges<N> {
    fn new(mut ranges: Vec<(N, N)>) -> Self {
        ranges.sort_unstable();
        // Two networks meet only where one is in the other, and then it begins no later.
        let mut end = None;
        ranges.retain(|(_, last)| {
            let is_new = end.is_none_or(|end| *last > end);
            end = end.max(Some(*last));
            is_new
        });
        // Of two that begin alike, the wider comes last.
        ranges.reverse();
        ranges.dedup_by_key(|(first, _)| *first);
        ranges.reverse();
        Self(ranges.into())
    }

    fn has(&self, address: N) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= address);
        behind.checked_sub(1).is_some_and(|at| address <= self.0[at].1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_has_what_one_of_them_contains(
            networks in prop::collection::vec((0_u32..1024, 20_u8..=32), 0..40),
            asked in prop::collection::vec(0_u32..1024, 1..50),
        ) {
            let networks: Vec<IpNet> = networks
                .into_iter()
                .map(|(address, bits)| IpNet::new(IpAddr::V4(address.into()), bits).unwrap())
                .collect();
            let wide = |network: &IpNet| match network {
                IpNet::V4(v4) => IpNet::new(v4.addr().to_ipv6_compatible().into(), v4.prefix_len() + 96).unwrap(),
                v6 @ IpNet::V6(_) => *v6,
            };
            let (mut four, mut six) = (Builder::default(), Builder::default());
            for network in &networks {
                four.add(*network);
                six.add(wide(network));
            }
            let (four, six) = (four.build(), six.build());
            for address in asked {
                let v4 = std::net::Ipv4Addr::from(address);
                let expected = networks.iter().any(|network| network.contains(&IpAddr::V4(v4)));
                prop_assert_eq!(four.has(v4.into()), expected);
                prop_assert_eq!(four.has(v4.to_ipv6_mapped().into()), expected);
                prop_assert_eq!(six.has(v4.to_ipv6_compatible().into()), expected);
            }
        }
    }
}
