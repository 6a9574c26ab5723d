//! The floor: servers that do nothing but answer, so that what a tracker adds to the kernel's work can be told.
//!
//! They speak just enough of the protocol for the load generator to take them for a tracker, know nobody, and answer
//! each announce with the same bytes.

pub(super) mod ring;

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

/// Datagrams a system call.
const BATCH: usize = 64;
/// An odd number of the cache's lines: the beginnings of a batch are not to contend for the same few places of it.
const REQUEST_BYTES_MAX: usize = 1600;
/// More than the system allows.
const BUFFER_BYTES: usize = 8 << 20;
/// Bytes of an announce's answer before its peers (BEP 15).
const ANSWER_BYTES_MIN: usize = 20;
const CONNECT_BYTES: usize = 16;

/// Answers announces over UDP with `reply_bytes` bytes each, for ever.
pub(super) fn udp(listen: SocketAddr, reply_bytes: usize) -> io::Result<()> {
    let socket = udp_socket(listen)?;
    let fd = socket.as_raw_fd();
    let mut requests = vec![[0_u8; REQUEST_BYTES_MAX]; BATCH];
    let mut replies = vec![announce_answer(reply_bytes); BATCH];
    let mut received = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut sent = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    loop {
        let mut lengths = [0; BATCH];
        let mut senders = [None; BATCH];
        let mut count = 0;
        {
            let mut rooms = requests.iter_mut();
            let mut slices: [_; BATCH] = std::array::from_fn(|_| {
                [IoSliceMut::new(rooms.next().map(|room| &mut room[..]).unwrap_or_default())]
            });
            let flags = MsgFlags::MSG_WAITFORONE;
            for message in recvmmsg(fd, &mut received, &mut slices, flags, None)? {
                (lengths[count], senders[count]) = (message.bytes, message.address);
                count += 1;
            }
        }
        for i in 0..count {
            lengths[i] = answer(&requests[i][..lengths[i]], &mut replies[i]);
        }
        let slices: [_; BATCH] = std::array::from_fn(|i| [IoSlice::new(&replies[i][..lengths[i]])]);
        let none: [ControlMessage<'_>; 0] = [];
        // A lost reply is the generator's to count.
        let _sent = sendmmsg(fd, &mut sent, slices.iter().take(count), senders, none, MsgFlags::empty());
    }
}

fn udp_socket(listen: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(listen)?;
    // As much as the system's limit allows, as the trackers ask for it: what waits in a pause is answered late, not lost.
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, BUFFER_BYTES)?;
    Ok(socket)
}

fn announce_answer(bytes: usize) -> Vec<u8> {
    let mut reply = Vec::new();
    for field in [1_u32, 0, 1800, 1, 1] {
        reply.extend_from_slice(&field.to_be_bytes());
    }
    reply.resize(bytes.max(ANSWER_BYTES_MIN), 0);
    reply
}

/// Turns a prepared answer into that of this request. Returns how much of it is to be sent.
fn answer(request: &[u8], reply: &mut [u8]) -> usize {
    let Some(head) = request.get(8..CONNECT_BYTES) else { return 0 };
    let is_connect = head[..4] == [0; 4];
    reply[..8].copy_from_slice(head);
    if is_connect { CONNECT_BYTES } else { reply.len() }
}

/// Answers HTTP requests with `reply_bytes` bytes each, for ever; closes where the client asks for it.
pub(super) fn http(listen: SocketAddr, reply_bytes: usize) -> io::Result<()> {
    const LISTENER: u64 = u64::MAX;
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let ready = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&ready, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let (keep, close) = (http_answer(reply_bytes, "keep-alive"), http_answer(reply_bytes, "close"));
    let mut connections: Vec<Option<TcpStream>> = Vec::new();
    let mut events = Vec::with_capacity(BATCH);
    let mut request = [0; REQUEST_BYTES_MAX];
    loop {
        events.clear();
        epoll::wait(&ready, spare_capacity(&mut events), None)?;
        for event in &events {
            let key = event.data.u64();
            if key == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let free = connections.iter().position(Option::is_none).unwrap_or(connections.len());
                    epoll::add(
                        &ready,
                        &stream,
                        epoll::EventData::new_u64(free as u64),
                        epoll::EventFlags::IN,
                    )?;
                    if free == connections.len() {
                        connections.push(None);
                    }
                    connections[free] = Some(stream);
                }
                continue;
            }
            let Some(place) = usize::try_from(key).ok().and_then(|key| connections.get_mut(key)) else {
                continue;
            };
            let Some(stream) = place else { continue };
            // The generator writes a request in one piece and waits for its answer.
            let asked = stream.read(&mut request).unwrap_or(0);
            let closes = request[..asked].windows(CLOSE.len()).any(|part| part == CLOSE);
            let done = asked == 0 || stream.write_all(if closes { &close } else { &keep }).is_err();
            if done || closes {
                *place = None;
            }
        }
    }
}

const CLOSE: &[u8] = b"Connection: close\r\n";

/// A whole answer of `bytes` bytes, head included.
fn http_answer(bytes: usize, connection: &str) -> Vec<u8> {
    let head = |body: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body}\r\nConnection: {connection}\r\n\r\n"
        )
    };
    let fixed = "d8:completei1e10:incompletei1e8:intervali1800e5:peers0:1:x";
    let room = bytes.saturating_sub(head(100).len() + fixed.len() + 5).max(1);
    let body = format!("{fixed}{room}:{}e", "x".repeat(room));
    format!("{}{body}", head(body.len())).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_carry_the_transaction_and_the_asked_size() {
        let mut reply = announce_answer(200);
        let mut request = [0_u8; 98];
        request[8..16].copy_from_slice(&[0, 0, 0, 1, 9, 8, 7, 6]);
        assert_eq!(answer(&request, &mut reply), 200);
        assert_eq!(reply[..12], [0, 0, 0, 1, 9, 8, 7, 6, 0, 0, 7, 8]);
        request[11] = 0;
        assert_eq!(answer(&request[..16], &mut reply), 16);
        assert_eq!(answer(&request[..15], &mut reply), 0);
    }

    #[test]
    fn http_answers_are_as_long_as_asked() {
        for bytes in [300, 450, 1500] {
            let answer = http_answer(bytes, "close");
            assert!(answer.len().abs_diff(bytes) <= 3, "{} for {bytes}", answer.len());
        }
    }
}
