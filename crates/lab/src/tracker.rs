//! A tracker that notes what it is told, over HTTP on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A running tracker. It answers one request at a time, names everybody to everybody, and wants to be asked again in
/// half an hour.
#[derive(Debug)]
pub struct Tracker {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Announce>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a peer said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Announce {
    /// Where it listens.
    pub port: u16,
    /// The event; empty if there was none.
    pub event: String,
    /// Bytes uploaded.
    pub uploaded: u64,
    /// Bytes downloaded.
    pub downloaded: u64,
    /// Bytes missing.
    pub left: u64,
}

impl Tracker {
    /// Starts one.
    ///
    /// # Panics
    /// If it cannot listen.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (notes, end) = (heard.clone(), over.clone());
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                // Whoever asks for something else gets no answer.
                let _ = answer(stream, &notes);
            }
        });
        Self { address, heard, over, thread: Some(thread) }
    }

    /// Where it is announced to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/announce", self.address)
    }

    /// What it has been told, in order.
    ///
    /// # Panics
    /// If its thread has.
    #[must_use]
    pub fn heard(&self) -> Vec<Announce> {
        self.heard.lock().expect("a tracker that works").clone()
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How long a request may take to come.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers one announce; `None` if there was none.
fn answer(mut stream: TcpStream, heard: &Mutex<Vec<Announce>>) -> Option<()> {
    stream.set_read_timeout(Some(REQUEST_TIMEOUT)).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while !lines.next()?.ok()?.is_empty() {}
    let announce = read(&request)?;
    let mut heard = heard.lock().ok()?;
    let mut ports: Vec<u16> =
        heard.iter().map(|one| one.port).filter(|port| *port != announce.port).collect();
    ports.sort_unstable();
    ports.dedup();
    heard.push(announce);
    let mut body = format!("d8:intervali1800e5:peers{}:", 6 * ports.len()).into_bytes();
    for port in ports {
        body.extend_from_slice(&Ipv4Addr::LOCALHOST.octets());
        body.extend_from_slice(&port.to_be_bytes());
    }
    body.push(b'e');
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // A peer that does not wait for the answer has told all the same.
    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
    Some(())
}

fn read(request: &str) -> Option<Announce> {
    let (_, query) = request.split(' ').nth(1)?.split_once('?')?;
    let mut announce = Announce::default();
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match key {
            "port" => announce.port = value.parse().ok()?,
            "event" => value.clone_into(&mut announce.event),
            "uploaded" => announce.uploaded = value.parse().ok()?,
            "downloaded" => announce.downloaded = value.parse().ok()?,
            "left" => announce.left = value.parse().ok()?,
            _ => {}
        }
    }
    Some(announce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Request;
    use crate::lan::Host;

    #[test]
    fn what_is_told_is_kept_and_others_are_named() {
        let tracker = Tracker::start();
        let ask = |port: u16| {
            let target =
                format!("/announce?info_hash=x&port={port}&left=5&uploaded=1&downloaded=2&event=started");
            Request::new("GET", &target).send(&Host::loopback(), tracker.address).unwrap().body
        };
        assert_eq!(ask(258), b"d8:intervali1800e5:peers0:e");
        assert_eq!(ask(259), b"d8:intervali1800e5:peers6:\x7f\0\0\x01\x01\x02e");
        let first = Announce { port: 258, event: "started".to_owned(), uploaded: 1, downloaded: 2, left: 5 };
        assert_eq!(tracker.heard(), [first.clone(), Announce { port: 259, ..first }]);
    }
}
