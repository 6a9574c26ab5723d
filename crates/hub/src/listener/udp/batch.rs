//! Datagrams by the batch: as many as wait are received with one system call, and answered with one.

use std::net::IpAddr;

/// Bytes of a datagram that are looked at. The longest request, a scrape of 74 hashes, has 1,496. An odd number of the
/// cache's lines, so that the beginnings of a batch do not all want to be in the same few places of it.
const DATAGRAM_BYTES_MAX: usize = 1_600;

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(super) use many::Batch;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(super) use one::Batch;

/// `recvmmsg` and `sendmmsg`.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod many {
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::{SocketAddr, UdpSocket};
    use std::ops::Range;
    use std::os::fd::AsRawFd;

    use super::{DATAGRAM_BYTES_MAX, IpAddr};
    use nix::sys::socket::{
        MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg, sendmmsg,
    };

    /// How many datagrams are received at a time.
    const DATAGRAMS_MAX: usize = 64;

    /// Room for one batch of requests and their answers, on a socket of one family.
    pub(in super::super) enum Batch {
        V4(Room<SockaddrIn>),
        V6(Room<SockaddrIn6>),
    }

    impl Batch {
        /// For a socket that is bound to `address`.
        pub(in super::super) fn new(address: SocketAddr) -> Self {
            if address.is_ipv4() { Self::V4(Room::new()) } else { Self::V6(Room::new()) }
        }

        /// Waits for a datagram, and takes those that came with it.
        pub(in super::super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
            match self {
                Self::V4(room) => room.receive(socket),
                Self::V6(room) => room.receive(socket),
            }
        }

        /// What was received.
        pub(in super::super) fn requests(&self) -> impl Iterator<Item = &[u8]> + Clone {
            let (requests, lengths) = match self {
                Self::V4(room) => (&room.requests, &room.lengths),
                Self::V6(room) => (&room.requests, &room.lengths),
            };
            requests.iter().zip(lengths).map(|(request, length)| &request[..*length])
        }

        /// Lets `answer` append to its last argument what the sender of a datagram is to get.
        pub(in super::super) fn answer(&mut self, answer: impl FnMut(&[u8], IpAddr, &mut Vec<u8>)) {
            match self {
                Self::V4(room) => room.answer(answer),
                Self::V6(room) => room.answer(answer),
            }
        }

        /// Sends the answers; how many could not be.
        pub(in super::super) fn send(&mut self, socket: &UdpSocket) -> u64 {
            match self {
                Self::V4(room) => room.send(socket),
                Self::V6(room) => room.send(socket),
            }
        }
    }

    /// An address as the system knows it.
    pub(in super::super) trait Address: SockaddrLike + Copy {
        fn ip(&self) -> IpAddr;
    }

    impl Address for SockaddrIn {
        fn ip(&self) -> IpAddr {
            IpAddr::V4(Self::ip(self))
        }
    }

    impl Address for SockaddrIn6 {
        fn ip(&self) -> IpAddr {
            IpAddr::V6(Self::ip(self))
        }
    }

    /// The same for one kind of address.
    pub(in super::super) struct Room<A> {
        requests: Vec<[u8; DATAGRAM_BYTES_MAX]>,
        lengths: Vec<usize>,
        senders: Vec<Option<A>>,
        receive_headers: MultiHeaders<A>,
        answers: Vec<u8>,
        /// Where in `answers` each is, and for whom.
        ranges: Vec<Range<usize>>,
        addresses: Vec<Option<A>>,
        send_headers: MultiHeaders<A>,
    }

    impl<A: Address> Room<A> {
        fn new() -> Self {
            Self {
                requests: vec![[0; DATAGRAM_BYTES_MAX]; DATAGRAMS_MAX],
                lengths: Vec::with_capacity(DATAGRAMS_MAX),
                senders: Vec::with_capacity(DATAGRAMS_MAX),
                receive_headers: MultiHeaders::preallocate(DATAGRAMS_MAX, None),
                answers: Vec::new(),
                ranges: Vec::with_capacity(DATAGRAMS_MAX),
                addresses: Vec::with_capacity(DATAGRAMS_MAX),
                send_headers: MultiHeaders::preallocate(DATAGRAMS_MAX, None),
            }
        }

        fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
            self.lengths.clear();
            self.senders.clear();
            let mut requests = self.requests.iter_mut();
            let mut slices: [[IoSliceMut<'_>; 1]; DATAGRAMS_MAX] = std::array::from_fn(|_| {
                [IoSliceMut::new(requests.next().map(|request| &mut request[..]).unwrap_or_default())]
            });
            let flags = MsgFlags::MSG_WAITFORONE;
            let results = recvmmsg(socket.as_raw_fd(), &mut self.receive_headers, &mut slices, flags, None)?;
            for message in results {
                self.lengths.push(message.bytes);
                self.senders.push(message.address);
            }
            Ok(())
        }

        fn answer(&mut self, mut answer: impl FnMut(&[u8], IpAddr, &mut Vec<u8>)) {
            self.answers.clear();
            self.ranges.clear();
            self.addresses.clear();
            for ((request, length), from) in self.requests.iter().zip(&self.lengths).zip(&self.senders) {
                let Some(address) = from else { continue };
                let start = self.answers.len();
                answer(&request[..*length], address.ip(), &mut self.answers);
                if self.answers.len() > start {
                    self.ranges.push(start..self.answers.len());
                    self.addresses.push(*from);
                }
            }
        }

        fn send(&mut self, socket: &UdpSocket) -> u64 {
            let (mut unsent, mut done) = (0, 0);
            while done < self.ranges.len() {
                let mut ranges = self.ranges[done..].iter();
                let slices: [[IoSlice<'_>; 1]; DATAGRAMS_MAX] = std::array::from_fn(|_| {
                    [IoSlice::new(
                        ranges.next().map(|range| &self.answers[range.clone()]).unwrap_or_default(),
                    )]
                });
                let addresses = &self.addresses[done..];
                let sent = sendmmsg(
                    socket.as_raw_fd(),
                    &mut self.send_headers,
                    slices[..addresses.len()].iter(),
                    addresses,
                    [],
                    MsgFlags::empty(),
                )
                .map_or(0, Iterator::count);
                // An error is that of the first: nobody there, or no way to it. The others are tried again.
                let passed_over = usize::from(sent == 0);
                unsent += passed_over as u64;
                done += sent + passed_over;
            }
            unsent
        }
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
        pub(in super::super) fn new(_: SocketAddr) -> Self {
            Self { request: vec![0; DATAGRAM_BYTES_MAX], received: None, answer: Vec::new() }
        }

        /// Waits for a datagram.
        pub(in super::super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
            self.received = None;
            self.received = Some(socket.recv_from(&mut self.request)?);
            Ok(())
        }

        /// What was received.
        pub(in super::super) fn requests(&self) -> impl Iterator<Item = &[u8]> + Clone {
            self.received.iter().map(|(length, _)| &self.request[..*length])
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
                let mut batch = super::$kind::Batch::new(server.local_addr().unwrap());
                let datagrams = ["first", "second", "", "silence", "last"];
                for datagram in datagrams {
                    client.send(datagram.as_bytes()).unwrap();
                }
                let mut answered = 0;
                while answered < datagrams.len() {
                    batch.receive(&server).unwrap();
                    let received = datagrams[answered..].iter().map(|datagram| datagram.as_bytes());
                    assert!(batch.requests().eq(received.take(batch.requests().count())));
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
