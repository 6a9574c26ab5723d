//! Trackers and peers that are told what to expect and what to say.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

/// How long anything may take here, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Waits, but not for ever.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap()
}

/// What is asked and what is answered on a connection.
pub(crate) type Dialogue = &'static [(&'static str, &'static str)];

/// A tracker over TCP: each connection is a dialogue, at whose end it closes.
pub(crate) async fn tcp_tracker(connections: &'static [Dialogue]) -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listener().await;
    let told = tokio::spawn(async move {
        for dialogue in connections {
            let (mut stream, _) = listener.accept().await.unwrap();
            for (question, answer) in *dialogue {
                assert_eq!(read(&mut stream, question.len()).await, question.as_bytes());
                // In two pieces, as it may come.
                let (first, second) = answer.as_bytes().split_at(answer.len() / 2);
                stream.write_all(first).await.unwrap();
                tokio::task::yield_now().await;
                stream.write_all(second).await.unwrap();
            }
        }
    });
    (address, told)
}

pub(crate) async fn read(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut read = vec![0; bytes];
    stream.read_exact(&mut read).await.unwrap();
    read
}

/// A tracker over UDP: what it hears, and what it says to it, if anything.
pub(crate) async fn udp_tracker(dialogue: Dialogue) -> (SocketAddr, JoinHandle<()>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    let told = tokio::spawn(async move {
        for (question, answer) in dialogue {
            let (heard, from) = hear(&socket).await;
            assert_eq!(heard, *question);
            if !answer.is_empty() {
                socket.send_to(answer.as_bytes(), from).await.unwrap();
            }
        }
    });
    (address, told)
}

pub(crate) async fn hear(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut datagram = vec![0; 2048];
    let (bytes, from) = socket.recv_from(&mut datagram).await.unwrap();
    datagram.truncate(bytes);
    (String::from_utf8(datagram).unwrap(), from)
}

/// What a peer does with what it is asked.
pub(crate) enum Reply {
    /// Sends it, and closes.
    Send(Vec<u8>),
    /// Sends it, and resets the connection.
    Break(Vec<u8>),
    /// Says nothing for as long as the other waits.
    Stall,
}

/// A peer over TCP that reads once, as small programs do, and answers.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Peer {
    pub(crate) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let (listener, address) = listener().await;
        let (asked, reply) = (Arc::new(Mutex::new(Vec::new())), Arc::new(reply));
        let heard = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (reply, heard) = (Arc::clone(&reply), Arc::clone(&heard));
                tokio::spawn(async move {
                    let mut request = vec![0; 2048];
                    let bytes = stream.read(&mut request).await.unwrap();
                    let request = String::from_utf8_lossy(&request[..bytes]).into_owned();
                    heard.lock().push(request.clone());
                    match reply(&request) {
                        // The other side may have seen enough before all is written.
                        Reply::Send(bytes) => drop(stream.write_all(&bytes).await),
                        Reply::Break(bytes) => {
                            stream.write_all(&bytes).await.unwrap();
                            stream.set_zero_linger().unwrap();
                        }
                        Reply::Stall => drop(stream.read(&mut [0]).await),
                    }
                });
            }
        });
        Self { address, asked, serving }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
