//! Many datagrams a system call, where the system has such calls.

use std::io;
use std::net::UdpSocket;

/// Most datagrams a system call.
const BATCH: usize = 64;
/// Room for one reply; a longer one is cut, and found too short by whoever checks it.
const REPLY_BYTES_MAX: usize = 4096;

/// Datagrams on their way out, one after the other in one buffer.
#[derive(Debug)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// How many of `ends` were sent.
    sent: usize,
    calls: imp::Calls,
}

/// Datagrams that came in.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Box<[u8]>,
    lengths: [usize; BATCH],
    count: usize,
    calls: imp::Calls,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new(), sent: 0, calls: imp::Calls::new() }
    }

    /// Adds a datagram that `write` appends to the buffer.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Sends what the socket takes, and keeps the rest. Returns how many were sent.
    pub(super) fn send(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let before = self.sent;
        while self.sent < self.ends.len() {
            let start = self.sent.checked_sub(1).map_or(0, |last| self.ends[last]);
            let ends = &self.ends[self.sent..self.ends.len().min(self.sent + BATCH)];
            // Datagram i is the bytes up to `ends[i]`; both count from the start of the buffer.
            match self.calls.send(socket, &self.bytes[start..], start, ends) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(self.sent - before),
                Err(error) => return Err(error),
            }
        }
        let count = self.sent - before;
        self.bytes.clear();
        self.ends.clear();
        self.sent = 0;
        Ok(count)
    }
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BATCH * REPLY_BYTES_MAX].into_boxed_slice(),
            lengths: [0; BATCH],
            count: 0,
            calls: imp::Calls::new(),
        }
    }

    /// Takes what waits at the socket, up to a batch. Returns whether there may be more.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<bool> {
        self.count = 0;
        match self.calls.receive(socket, &mut self.bytes, &mut self.lengths) {
            Ok(count) => {
                self.count = count;
                Ok(count == BATCH)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let lengths = &self.lengths[..self.count];
        self.bytes.chunks(REPLY_BYTES_MAX).zip(lengths).map(|(room, length)| &room[..*length])
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;

    use nix::errno::Errno;
    use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, recvmmsg, sendmmsg, sendmsg};

    use super::{BATCH, REPLY_BYTES_MAX};

    /// From so many equal datagrams on, the kernel is handed one block to cut up (UDP_SEGMENT, Linux 4.18): its way
    /// down the network stack is then walked once, which saves a sixth of what a request costs.
    const CUT_MIN: usize = 4;

    /// The headers that the kernel wants beside the datagrams.
    #[derive(Debug)]
    pub(super) struct Calls {
        headers: MultiHeaders<()>,
        /// Whether the way to the tracker can cut blocks; tried until it says that it cannot.
        cuts: bool,
    }

    impl Calls {
        pub(super) fn new() -> Self {
            Self { headers: MultiHeaders::preallocate(BATCH, None), cuts: true }
        }

        pub(super) fn send(
            &mut self,
            socket: &UdpSocket,
            bytes: &[u8],
            start: usize,
            ends: &[usize],
        ) -> io::Result<usize> {
            let fd = socket.as_raw_fd();
            let length = ends.first().map_or(0, |end| end - start);
            let equal =
                ends.iter().zip(1..).take_while(|(end, count)| **end - start == length * count).count();
            if self.cuts && equal >= CUT_MIN {
                let block = [IoSlice::new(&bytes[..length * equal])];
                let length = u16::try_from(length).unwrap_or(u16::MAX);
                let cut = [ControlMessage::UdpGsoSegments(&length)];
                match sendmsg::<()>(fd, &block, &cut, MsgFlags::MSG_DONTWAIT, None) {
                    Ok(_) => return Ok(equal),
                    Err(Errno::EINVAL | Errno::EIO | Errno::EMSGSIZE | Errno::EOPNOTSUPP) => {
                        self.cuts = false;
                    }
                    Err(errno) => return Err(errno.into()),
                }
            }
            let slices: [_; BATCH] = std::array::from_fn(|i| {
                let from = i.checked_sub(1).and_then(|before| ends.get(before)).unwrap_or(&start);
                [IoSlice::new(ends.get(i).map_or(&[], |end| &bytes[from - start..end - start]))]
            });
            let none: [ControlMessage<'_>; 0] = [];
            let flags = MsgFlags::MSG_DONTWAIT;
            let sent =
                sendmmsg(fd, &mut self.headers, slices.iter().take(ends.len()), [None; BATCH], none, flags)?;
            Ok(sent.count())
        }

        pub(super) fn receive(
            &mut self,
            socket: &UdpSocket,
            bytes: &mut [u8],
            lengths: &mut [usize; BATCH],
        ) -> io::Result<usize> {
            let mut rooms = bytes.chunks_exact_mut(REPLY_BYTES_MAX);
            let mut slices: [_; BATCH] =
                std::array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
            let received =
                recvmmsg(socket.as_raw_fd(), &mut self.headers, &mut slices, MsgFlags::MSG_DONTWAIT, None)?;
            let mut count = 0;
            for (length, message) in lengths.iter_mut().zip(received) {
                *length = message.bytes;
                count += 1;
            }
            Ok(count)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;
    use std::net::UdpSocket;

    use super::{BATCH, REPLY_BYTES_MAX};

    /// Nothing to keep: each datagram is a call.
    #[derive(Debug)]
    pub(super) struct Calls;

    impl Calls {
        pub(super) fn new() -> Self {
            Self
        }

        pub(super) fn send(
            &mut self,
            socket: &UdpSocket,
            bytes: &[u8],
            start: usize,
            ends: &[usize],
        ) -> io::Result<usize> {
            let Some(end) = ends.first() else { return Ok(0) };
            socket.send(&bytes[..end - start]).map(|_| 1)
        }

        pub(super) fn receive(
            &mut self,
            socket: &UdpSocket,
            bytes: &mut [u8],
            lengths: &mut [usize; BATCH],
        ) -> io::Result<usize> {
            let mut count = 0;
            for (room, length) in bytes.chunks_exact_mut(REPLY_BYTES_MAX).zip(lengths) {
                match socket.recv(room) {
                    Ok(bytes) => *length = bytes,
                    Err(_) if count > 0 => break,
                    Err(error) => return Err(error),
                }
                count += 1;
            }
            Ok(count)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_batch_goes_through_whole_and_in_order() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        receiver.set_nonblocking(true).unwrap();
        let mut outbox = Outbox::new();
        let mut inbox = Inbox::new();
        // Equal ones that may be cut from a block, then all sorts.
        let lengths = || (0..150_usize).map(|i| if i < 80 { 98 } else { 16 + i * 7 % 100 });
        for length in lengths() {
            outbox.push(|out| out.extend(std::iter::repeat_n(u8::try_from(length).unwrap(), length)));
        }
        assert_eq!(outbox.send(&sender).unwrap(), 150);
        assert!(outbox.is_empty());
        let mut seen = Vec::new();
        while seen.len() < 150 {
            inbox.receive(&receiver).unwrap();
            for datagram in inbox.datagrams() {
                assert!(datagram.iter().all(|byte| usize::from(*byte) == datagram.len()));
                seen.push(datagram.len());
            }
        }
        assert!(lengths().eq(seen));
        assert!(!inbox.receive(&receiver).unwrap());
    }

    #[test]
    fn a_closed_port_is_an_error_not_a_wait() {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        sender.connect(closed).unwrap();
        let mut outbox = Outbox::new();
        outbox.push(|out| out.push(0));
        let mut refused = false;
        for _ in 0..100 {
            outbox.push(|out| out.push(0));
            refused |= outbox.send(&sender).is_err();
        }
        assert!(refused);
    }
}
