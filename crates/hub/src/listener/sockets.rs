//! Setting sockets up, the same for every listener.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

/// A socket bound to `address`. An IPv6 one takes IPv6 only, so that each family has its own; several threads may
/// each bind one to the same port, and the kernel spreads the clients over them.
pub(super) fn bound(address: SocketAddr, kind: Type, protocol: Protocol, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    #[cfg(unix)]
    {
        if kind == Type::STREAM {
            socket.set_reuse_address(true)?;
        }
        socket.set_reuse_port(shared)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Binds `count` sockets to `address`; if it leaves the port open, all to the one that the first is given.
///
/// The first is bound alone, so that a port that another program has in use is an error and not shared with it.
pub(super) fn bound_group(
    address: SocketAddr,
    count: usize,
    kind: Type,
    protocol: Protocol,
) -> io::Result<(SocketAddr, Vec<Socket>)> {
    let alone = bound(address, kind, protocol, false)?;
    let chosen = alone.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
    if count <= 1 {
        return Ok((chosen, vec![alone]));
    }
    drop(alone);
    let sockets = (0..count).map(|_| bound(chosen, kind, protocol, true));
    Ok((chosen, sockets.collect::<io::Result<_>>()?))
}
