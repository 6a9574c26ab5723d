//! Listening sockets: one a thread and address, so that the system spreads connections over the threads.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 4096;

/// Listens on `address` with one socket for each of `threads`, all on the same port. Port 0 is any free port.
///
/// # Errors
///
/// What the system says, with the address and, where it is known, what to do.
pub(super) fn listen(address: SocketAddr, threads: usize) -> io::Result<Vec<TcpListener>> {
    open_all(address, threads).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "; another program listens there, stop it or choose another port",
            io::ErrorKind::PermissionDenied => {
                "; choose a port from 1024 on, or grant the right to bind below"
            }
            io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
            _ => "",
        };
        io::Error::new(error.kind(), format!("cannot listen on {address} over TCP: {error}{advice}"))
    })
}

/// Whether this machine can have addresses like `address`; one may do without IPv6.
pub(super) fn has_family(address: SocketAddr) -> bool {
    Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).is_ok()
}

#[cfg(target_os = "linux")]
fn open_all(address: SocketAddr, threads: usize) -> io::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        // Sockets that share their port let in those of any other process of this user, too. One that does not share
        // finds out whether another is there.
        socket(address)?.bind(&address.into())?;
    }
    let mut sockets: Vec<TcpListener> = Vec::with_capacity(threads);
    for _ in 0..threads.max(1) {
        let address = sockets.first().map_or(Ok(address), TcpListener::local_addr)?;
        let socket = socket(address)?;
        socket.set_reuse_port(true)?;
        sockets.push(start(socket, address)?);
    }
    Ok(sockets)
}

/// Where sockets that share a port do not share connections, the threads share a socket.
#[cfg(not(target_os = "linux"))]
fn open_all(address: SocketAddr, threads: usize) -> io::Result<Vec<TcpListener>> {
    let socket = start(socket(address)?, address)?;
    (0..threads.max(1)).map(|_| socket.try_clone()).collect()
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restarted hub must not wait for its last connections to be forgotten. Elsewhere the option means another thing.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn start(socket: Socket, address: SocketAddr) -> io::Result<TcpListener> {
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    // Linux hands it on to the accepted connections; elsewhere it is set on each.
    socket.set_tcp_nodelay(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_the_port_that_the_system_chose() {
        let sockets = listen("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let ports: Vec<u16> = sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), 3);
        assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    }

    #[test]
    fn a_port_in_use_is_an_error_even_to_ourselves() {
        let first = listen("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let address = first[0].local_addr().unwrap();
        let error = listen(address, 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("cannot listen on {address} over TCP: ")), "{error}");
    }

    #[test]
    fn an_address_of_another_machine_is_an_error() {
        let error = listen("192.0.2.1:0".parse().unwrap(), 1).unwrap_err();
        assert!(error.to_string().contains("does not have that address"), "{error}");
    }
}
