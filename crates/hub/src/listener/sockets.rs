//! Bound sockets: one a thread and address, so that the system spreads clients over the threads.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

/// Where the addresses of HTTP and UDP are chosen.
pub(super) const FLAG: &str = "--listen";

/// What goes over a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

/// Binds `address` with one socket for each of `threads`, all on the same port. Port 0 is any free port. `flag` is where
/// a person chooses another address.
///
/// # Errors
///
/// What the system says, with the address and, where it is known, what to do.
pub(super) fn bind(
    address: SocketAddr,
    transport: Transport,
    threads: usize,
    flag: &str,
) -> io::Result<Vec<Socket>> {
    bind_all(address, transport, threads).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("; another program listens there: stop it, or choose another port with {flag}")
            }
            io::ErrorKind::PermissionDenied => {
                format!("; choose a port from 1024 on with {flag}, or grant the right to bind below")
            }
            io::ErrorKind::AddrNotAvailable => "; this machine does not have that address".to_owned(),
            _ => String::new(),
        };
        let over = transport.name();
        io::Error::new(error.kind(), format!("cannot listen on {address} over {over}: {error}{advice}"))
    })
}

/// The addresses of `listen` that this machine can have: that of all IPv6 interfaces is left out where there is no
/// IPv6, if there are others.
pub(super) fn possible(listen: &[SocketAddr]) -> impl Iterator<Item = SocketAddr> {
    listen.iter().copied().filter(|address| {
        let dispensable = listen.len() > 1 && address.is_ipv6() && address.ip().is_unspecified();
        let possible = !dispensable || Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).is_ok();
        if !possible {
            tracing::warn!(%address, "this machine has no IPv6; not listening there");
        }
        possible
    })
}

/// The address that a socket is bound to.
pub(super) fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn bind_all(address: SocketAddr, transport: Transport, threads: usize) -> io::Result<Vec<Socket>> {
    if address.port() != 0 {
        // Sockets that share their port let in those of any other process of this user, too. One that does not share
        // finds out whether another is there.
        open(address, transport)?.bind(&address.into())?;
    }
    let mut sockets: Vec<Socket> = Vec::with_capacity(threads);
    for _ in 0..threads.max(1) {
        let address = sockets.first().map_or(Ok(address), local_address)?;
        let socket = open(address, transport)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Where sockets that share a port do not share its clients, the threads share a socket.
#[cfg(not(target_os = "linux"))]
fn bind_all(address: SocketAddr, transport: Transport, threads: usize) -> io::Result<Vec<Socket>> {
    let socket = open(address, transport)?;
    socket.bind(&address.into())?;
    (0..threads.max(1)).map(|_| socket.try_clone()).collect()
}

fn open(address: SocketAddr, transport: Transport) -> io::Result<Socket> {
    let (kind, protocol) = match transport {
        Transport::Tcp => (Type::STREAM, Protocol::TCP),
        Transport::Udp => (Type::DGRAM, Protocol::UDP),
    };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // Each family has sockets of its own.
        socket.set_only_v6(true)?;
    }
    // A restarted hub must not wait for its last connections to be forgotten. Elsewhere the option means another thing.
    #[cfg(unix)]
    if transport == Transport::Tcp {
        socket.set_reuse_address(true)?;
    }
    Ok(socket)
}

impl Transport {
    const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_the_port_that_the_system_chose() {
        for transport in [Transport::Tcp, Transport::Udp] {
            let sockets = bind("127.0.0.1:0".parse().unwrap(), transport, 3, FLAG).unwrap();
            let ports: Vec<u16> =
                sockets.iter().map(|socket| local_address(socket).unwrap().port()).collect();
            assert_eq!(ports.len(), 3);
            assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
        }
    }

    #[test]
    fn a_port_in_use_is_an_error_even_to_ourselves() {
        for transport in [Transport::Tcp, Transport::Udp] {
            let first = bind("127.0.0.1:0".parse().unwrap(), transport, 2, FLAG).unwrap();
            if transport == Transport::Tcp {
                first[0].listen(1).unwrap();
            }
            let address = local_address(&first[0]).unwrap();
            let error = bind(address, transport, 2, FLAG).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            let expected = format!("cannot listen on {address} over {}: ", transport.name());
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn an_address_of_another_machine_is_an_error() {
        let error = bind("192.0.2.1:0".parse().unwrap(), Transport::Udp, 1, FLAG).unwrap_err();
        assert!(error.to_string().contains("does not have that address"), "{error}");
    }
}
