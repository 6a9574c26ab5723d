//! Datagrams by the batch: as many as wait are received with one system call, and answered with one.

use std::net::IpAddr;

/// Bytes of a datagram that are looked at. The longest request, a scrape of 74 hashes, has 1,496.
const DATAGRAM_BYTES_MAX: usize = 2_048;

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(super) use many::Batch;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(super) use one::Batch;

/// `recvmmsg` and `sendmmsg`.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod many {
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::UdpSocket;
    use std::ops::Range;
    use std::os::fd::AsRawFd;

    use super::{DATAGRAM_BYTES_MAX, IpAddr};
    use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

    /// How many datagrams are received at a time.
    const DATAGRAMS_MAX: usize = 64;

    /// Room for one batch of requests and their answers.
    pub(in super::super) struct Batch {
        requests: Vec<[u8; DATAGRAM_BYTES_MAX]>,
        received: Vec<(usize, Option<SockaddrStorage>)>,
        receive_headers: MultiHeaders<SockaddrStorage>,
        answers: Vec<u8>,
        addressed: Vec<(Range<usize>, SockaddrStorage)>,
        send_headers: MultiHeaders<SockaddrStorage>,
    }

    impl Batch {
        pub(in super::super) fn new() -> Self {
            Self {
                requests: vec![[0; DATAGRAM_BYTES_MAX]; DATAGRAMS_MAX],
                received: Vec::with_capacity(DATAGRAMS_MAX),
                receive_headers: MultiHeaders::preallocate(DATAGRAMS_MAX, None),
                answers: Vec::new(),
                addressed: Vec::with_capacity(DATAGRAMS_MAX),
                send_headers: MultiHeaders::preallocate(DATAGRAMS_MAX, None),
            }
        }

        /// Waits for a datagram, and takes those that came with it.
        pub(in super::super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
            self.received.clear();
            let mut slices: Vec<[IoSliceMut<'_>; 1]> =
                self.requests.iter_mut().map(|request| [IoSliceMut::new(request)]).collect();
            let flags = MsgFlags::MSG_WAITFORONE;
            let results =
                recvmmsg(socket.as_raw_fd(), &mut self.receive_headers, slices.iter_mut(), flags, None)?;
            self.received.extend(results.map(|message| (message.bytes, message.address)));
            Ok(())
        }

        /// Lets `answer` append to its last argument what the sender of a datagram is to get.
        pub(in super::super) fn answer(&mut self, mut answer: impl FnMut(&[u8], IpAddr, &mut Vec<u8>)) {
            self.answers.clear();
            self.addressed.clear();
            for (request, (length, from)) in self.requests.iter().zip(&self.received) {
                let Some(from) = from else { continue };
                let Some(ip) = ip(from) else { continue };
                let start = self.answers.len();
                answer(&request[..*length], ip, &mut self.answers);
                if self.answers.len() > start {
                    self.addressed.push((start..self.answers.len(), *from));
                }
            }
        }

        /// Sends the answers; how many could not be.
        pub(in super::super) fn send(&mut self, socket: &UdpSocket) -> u64 {
            let mut unsent = 0;
            let mut left = &self.addressed[..];
            while !left.is_empty() {
                let slices: Vec<[IoSlice<'_>; 1]> =
                    left.iter().map(|(range, _)| [IoSlice::new(&self.answers[range.clone()])]).collect();
                let addresses: Vec<_> = left.iter().map(|(_, to)| Some(*to)).collect();
                let flags = MsgFlags::empty();
                let sent = sendmmsg(
                    socket.as_raw_fd(),
                    &mut self.send_headers,
                    slices.iter(),
                    &addresses,
                    [],
                    flags,
                )
                .map_or(0, Iterator::count);
                // An error is that of the first: nobody there, or no way to it. The others are tried again.
                let passed_over = usize::from(sent == 0);
                unsent += passed_over as u64;
                left = &left[sent + passed_over..];
            }
            unsent
        }
    }

    fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    }
}

/// One datagram at a time, where the system knows no other way.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android", target_os = "freebsd"))))]
mod one {
    use std::io;
    use std::net::{SocketAddr, UdpSocket};

    use super::{DATAGRAM_BYTES_MAX, IpAddr};

    /// Room for one request and its answer.
    pub(in super::super) struct Batch {
        request: Vec<u8>,
        received: Option<(usize, SocketAddr)>,
        answer: Vec<u8>,
    }

    impl Batch {
        pub(in super::super) fn new() -> Self {
            Self { request: vec![0; DATAGRAM_BYTES_MAX], received: None, answer: Vec::new() }
        }

        /// Waits for a datagram.
        pub(in super::super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
            self.received = None;
            self.received = Some(socket.recv_from(&mut self.request)?);
            Ok(())
        }

        /// Lets `answer` append to its last argument what the sender is to get.
        pub(in super::super) fn answer(&mut self, mut answer: impl FnMut(&[u8], IpAddr, &mut Vec<u8>)) {
            self.answer.clear();
            if let Some((length, from)) = self.received {
                answer(&self.request[..length], from.ip(), &mut self.answer);
            }
        }

        /// Sends the answer; 1 if it could not be.
        pub(in super::super) fn send(&mut self, socket: &UdpSocket) -> u64 {
            match self.received {
                Some((_, to)) if !self.answer.is_empty() => {
                    u64::from(socket.send_to(&self.answer, to).is_err())
                }
                _ => 0,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    /// Both kinds of batch, the same conversation.
    macro_rules! echoes {
        ($kind:ident) => {
            #[test]
            fn $kind() {
                let server = UdpSocket::bind("127.0.0.1:0").unwrap();
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.connect(server.local_addr().unwrap()).unwrap();
                let mut batch = super::$kind::Batch::new();
                let datagrams = ["first", "second", "", "silence", "last"];
                for datagram in datagrams {
                    client.send(datagram.as_bytes()).unwrap();
                }
                let mut answered = 0;
                while answered < datagrams.len() {
                    batch.receive(&server).unwrap();
                    batch.answer(|datagram, from, out| {
                        assert!(from.is_loopback());
                        answered += 1;
                        if datagram != b"silence" {
                            out.extend_from_slice(b"re: ");
                            out.extend_from_slice(datagram);
                        }
                    });
                    assert_eq!(batch.send(&server), 0);
                }
                for datagram in datagrams.into_iter().filter(|datagram| *datagram != "silence") {
                    let mut answer = [0; 64];
                    let length = client.recv(&mut answer).unwrap();
                    assert_eq!(answer[..length], *format!("re: {datagram}").as_bytes());
                }
            }
        };
    }

    echoes!(many);
    echoes!(one);
}
