//! The echo over UDP by way of io_uring: whether that is a shorter way to a socket than system calls for many datagrams.
//!
//! One standing receive, for which the system takes buffers from a ring, a socket it knows beforehand, a send for each
//! answer, and one system call for all that is there.

#![expect(unsafe_code, reason = "what the system reads and writes later, the compiler cannot see")]

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::squeue::Entry;
use io_uring::types::{BufRingEntry, Fixed, RecvMsgOut};
use io_uring::{IoUring, cqueue, opcode};
use nix::libc;

use super::{announce_answer, answer, udp_socket};

/// Requests and answers under way; a power of two.
const SLOTS: u16 = 1024;
/// An odd number of the cache's lines, as in the other echo; a request has less than 200 bytes, all told.
const SLOT_BYTES: u16 = 9 * 64;
/// Of a sender: a `sockaddr_in`.
const NAME_BYTES: u8 = 16;
const PAGE_BYTES: usize = 4096;

/// The one group of buffers.
const GROUP: u16 = 0;
/// The one registered socket.
const SOCKET: Fixed = Fixed(0);
/// What names the receive; sends are named by their places.
const RECEIVE: u64 = u64::MAX;

/// Answers announces with `reply_bytes` bytes each, for ever.
pub(in super::super) fn udp(listen: SocketAddr, reply_bytes: usize) -> io::Result<()> {
    serve(&udp_socket(listen)?, reply_bytes)
}

fn serve(socket: &UdpSocket, reply_bytes: usize) -> io::Result<()> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_cqsize(4 * u32::from(SLOTS));
    let mut ring: IoUring = builder.build(SLOTS.into())?;
    ring.submitter().register_files(&[socket.as_raw_fd()])?;
    let mut buffers = Buffers::registered(&ring)?;
    // SAFETY: zero is a valid value of each of its fields.
    let mut head: libc::msghdr = unsafe { std::mem::zeroed() };
    head.msg_namelen = NAME_BYTES.into();
    let mut answers =
        vec![Answer { to: [0; NAME_BYTES as usize], bytes: announce_answer(reply_bytes) }; SLOTS.into()];
    let mut free: Vec<u16> = (0..SLOTS).collect();
    let mut done = Vec::new();
    let receive = || opcode::RecvMsgMulti::new(SOCKET, &raw const head, GROUP).build().user_data(RECEIVE);
    push(&mut ring, &receive())?;
    loop {
        ring.submit_and_wait(1)?;
        done.clear();
        done.extend(ring.completion());
        for event in &done {
            if event.user_data() != RECEIVE {
                free.extend(u16::try_from(event.user_data()));
                continue;
            }
            if !cqueue::more(event.flags()) {
                // It ends when it finds no buffer, and then it may begin again.
                if event.result() < 0 && event.result() != -libc::ENOBUFS {
                    return Err(io::Error::from_raw_os_error(-event.result()));
                }
                push(&mut ring, &receive())?;
            }
            let (Ok(length), Some(buffer)) =
                (usize::try_from(event.result()), cqueue::buffer_select(event.flags()))
            else {
                continue;
            };
            // What finds no place is the generator's to count.
            if let (Ok(request), Some(at)) =
                (RecvMsgOut::parse(buffers.of(buffer, length), &head), free.pop())
            {
                let sent = answers[usize::from(at)].turn_to(&request).map(|send| send.user_data(at.into()));
                match sent {
                    Some(send) => push(&mut ring, &send)?,
                    None => free.push(at),
                }
            }
            buffers.give(buffer);
        }
        buffers.publish();
    }
}

fn push(ring: &mut IoUring, entry: &Entry) -> io::Result<()> {
    // SAFETY: what an entry points to is neither dropped nor moved while the ring is there, and an answer's bytes are not
    // written before the system has said that they are sent.
    while unsafe { ring.submission().push(entry) }.is_err() {
        ring.submit()?;
    }
    Ok(())
}

#[derive(Clone)]
struct Answer {
    to: [u8; NAME_BYTES as usize],
    bytes: Vec<u8>,
}

impl Answer {
    /// Makes it the answer to `request`: how to send it, if it is one.
    fn turn_to(&mut self, request: &RecvMsgOut<'_>) -> Option<Entry> {
        self.to = request.name_data().try_into().ok()?;
        let length = u32::try_from(answer(request.payload_data(), &mut self.bytes)).ok()?;
        let send = opcode::Send::new(SOCKET, self.bytes.as_ptr(), length);
        let to = self.to.as_ptr().cast();
        (length > 0).then(|| send.dest_addr(to).dest_addr_len(NAME_BYTES.into()).build())
    }
}

/// Buffers that the system fills, and the ring by which it is given them.
struct Buffers {
    ring: Box<[Page]>,
    bytes: Vec<u8>,
    tail: u16,
}

#[derive(Clone)]
#[repr(C, align(4096))]
struct Page([u8; PAGE_BYTES]);

impl Buffers {
    fn registered(ring: &IoUring) -> io::Result<Self> {
        let pages = usize::from(SLOTS) * size_of::<BufRingEntry>() / PAGE_BYTES;
        let mut buffers = Self {
            ring: vec![Page([0; PAGE_BYTES]); pages].into(),
            bytes: vec![0; usize::from(SLOTS) * usize::from(SLOT_BYTES)],
            tail: 0,
        };
        let at = buffers.ring.as_ptr() as u64;
        // SAFETY: there are as many entries, and they are there as long as the ring is.
        unsafe { ring.submitter().register_buf_ring_with_flags(at, SLOTS, GROUP, 0)? };
        (0..SLOTS).for_each(|buffer| buffers.give(buffer));
        buffers.publish();
        Ok(buffers)
    }

    fn of(&self, buffer: u16, length: usize) -> &[u8] {
        &self.bytes[usize::from(buffer) * usize::from(SLOT_BYTES)..][..length]
    }

    /// Gives a buffer back, which the system sees when that is published.
    fn give(&mut self, buffer: u16) {
        let bytes = &raw mut self.bytes[usize::from(buffer) * usize::from(SLOT_BYTES)];
        let entries: *mut BufRingEntry = self.ring.as_mut_ptr().cast();
        // SAFETY: there are as many entries, all zero at first, and the system reads this one when it is published.
        let entry = unsafe { &mut *entries.add(usize::from(self.tail % SLOTS)) };
        entry.set_addr(bytes as u64);
        entry.set_len(SLOT_BYTES.into());
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&mut self) {
        // SAFETY: it is the first entry of the ring, and its tail is a number that the system reads at any time.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.ring.as_ptr().cast()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_answers_as_the_other_does() {
        if let Err(error) = IoUring::new(8) {
            eprintln!("skipped: the echo over io_uring: {error}");
            return;
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = socket.local_addr().unwrap();
        std::thread::spawn(move || serve(&socket, 200).unwrap());
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut request = [0_u8; 98];
        request[8..16].copy_from_slice(&[0, 0, 0, 1, 9, 8, 7, 6]);
        let mut reply = [0; 300];
        let mut ask = || {
            client.send_to(&request, server).unwrap();
            client.recv(&mut reply).is_ok_and(|length| length == 200 && reply[..8] == request[8..16])
        };
        // More than there are buffers, so that each is given back.
        assert_eq!((0..2 * SLOTS).position(|_| !ask()), None);
    }
}
