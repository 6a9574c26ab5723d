//! Servers for tests: they answer as they are told, on a free port of this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use swarm::{Counts, Endpoint, PeerId, Port, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::{Identity, Patience, Trackers};

/// Long enough for anything that is to happen at all.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A server that lives as long as this does.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

/// An HTTP server: `answer` makes the whole response from the request's head, or `None` to be silent.
pub(crate) async fn http(
    ip: &str,
    answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> std::io::Result<Server> {
    let listener = TcpListener::bind((ip, 0)).await?;
    let address = listener.local_addr()?;
    let answer = Arc::new(answer);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            connections.spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                match answer(&String::from_utf8_lossy(&head)) {
                    Some(response) => drop(stream.write_all(&response).await),
                    None => std::future::pending().await,
                }
            });
        }
    });
    Ok(Server { address, _tasks: tasks })
}

/// A response of `status` with `headers`, each ended by `\r\n`, and `body`; the connection is closed after it.
pub(crate) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// A UDP server: `answer` is told each datagram, and of what it returns each is sent to the asker.
pub(crate) async fn udp(
    ip: &str,
    mut answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> std::io::Result<Server> {
    let socket = UdpSocket::bind((ip, 0)).await?;
    let address = socket.local_addr()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            for datagram in answer(&buffer[..len]) {
                let _ = socket.send_to(&datagram, from).await;
            }
        }
    });
    Ok(Server { address, _tasks: tasks })
}

/// A swarm of one seeder and two leechers, of which two are named.
pub(crate) fn swarm_reply() -> Reply {
    let counts = Counts { complete: 1, incomplete: 2, downloaders: 2, completed: 0 };
    let mut reply = Reply { counts, ..Reply::default() };
    reply.push(endpoint("10.0.0.5", 6881));
    reply.push(endpoint("fd00::5", 6882));
    reply
}

pub(crate) fn endpoint(ip: &str, port: u16) -> Endpoint {
    Endpoint::new(ip.parse().unwrap(), Port::new(port).unwrap())
}

/// Trackers that are waited for `patience`: the time of one HTTP exchange, or of the first UDP one.
pub(crate) fn trackers(patience: Duration) -> Arc<Trackers> {
    let identity =
        Identity { peer_id: PeerId(*b"-SK0100-abcdefghijkl"), port: Port::new(6881).unwrap(), key: 0xab };
    Arc::new(Trackers::new(identity, Patience { udp: patience, http: patience }, None).unwrap())
}
