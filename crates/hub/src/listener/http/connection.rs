//! One connection as a state machine: bytes in; bytes out, and what to do next. It owns no socket and no clock.

use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::answer::{Call, Caller, Desk, Outcome};
use super::forwarded::client_ip;
use super::head::{Fault, Front, HEADERS_MAX, Head, Persistence, parse};
use super::reply::{Date, write_error, write_head};
use crate::config::Config;
use crate::tracker::Tracker;

/// Bytes of answers after which no further request is read until they are sent. One answer may go beyond.
pub const OUTPUT_BYTES_MAX: usize = 32 << 10;

/// What a connection knows between two reads.
#[derive(Debug, Default)]
pub struct Connection {
    /// What has been read and not been answered: the beginning of a head, or requests that wait for room.
    input: Vec<u8>,
    /// How much of `input` has no end of a head in it.
    searched: usize,
}

/// What all connections of a thread are served with.
pub struct Service {
    pub(super) desk: Desk,
    /// Whether each answer shall be its connection's last.
    pub(super) stopping: bool,
    pub(super) date: Date,
    /// A body on its way into an answer.
    body: Vec<u8>,
    trusted_proxies: Vec<IpNet>,
    head_bytes_max: usize,
}

/// What comes after what was written is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// More is read.
    Read,
    /// What is in hand is gone on with: [`Connection::receive`] without bytes.
    GoOn,
    /// The connection, with what it has [`Connection::take_input`], goes to those who answer everything else.
    HandOver,
    /// The connection is closed; the client knows.
    Close,
    /// The connection is closed, and the client may still be sending: what comes is thrown away, so that it does not
    /// throw away the answer.
    Refuse,
}

impl Connection {
    /// Takes in bytes and appends answers to `out`.
    pub fn receive(&mut self, bytes: &[u8], peer: IpAddr, service: &mut Service, out: &mut Vec<u8>) -> Then {
        if self.input.is_empty() {
            let (used, then) = self.work(bytes, peer, service, out);
            if !matches!(then, Then::Close | Then::Refuse) {
                self.input.extend_from_slice(&bytes[used..]);
            }
            return then;
        }
        self.input.extend_from_slice(bytes);
        if self.awaits_end() {
            let too_long = self.input.len() >= service.head_bytes_max;
            return if too_long { refuse(Fault::TooLong, &service.date, out) } else { Then::Read };
        }
        let mut input = std::mem::take(&mut self.input);
        let (used, then) = self.work(&input, peer, service, out);
        if used < input.len() && !matches!(then, Then::Close | Then::Refuse) {
            input.drain(..used);
            self.input = input;
        }
        then
    }

    /// Whether the beginning of a request is there, and not all of it.
    #[must_use]
    pub fn is_within_head(&self) -> bool {
        !self.input.is_empty()
    }

    /// What has been read and not been answered.
    #[must_use]
    pub fn take_input(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.input)
    }

    /// Whether nothing in `input` can end a head. A client that sends byte by byte would otherwise have its head
    /// parsed as often.
    fn awaits_end(&mut self) -> bool {
        if self.searched == 0 {
            return false;
        }
        let news = &self.input[self.searched.saturating_sub(2)..];
        let found =
            news.windows(2).any(|pair| pair == b"\n\n") || news.windows(3).any(|three| three == b"\n\r\n");
        self.searched = if found { 0 } else { self.input.len() };
        !found
    }

    /// Answers what it can of `input`: how many of its bytes, and what comes then.
    fn work(
        &mut self,
        input: &[u8],
        peer: IpAddr,
        service: &mut Service,
        out: &mut Vec<u8>,
    ) -> (usize, Then) {
        self.searched = 0;
        let mut used = 0;
        while used < input.len() {
            if out.len() >= OUTPUT_BYTES_MAX {
                return (used, Then::GoOn);
            }
            let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
            match parse(&input[used..], &mut room, service.head_bytes_max) {
                Front::Head(head) => match service.answer(&head, peer, out) {
                    Some(Persistence::Closes) => {
                        used += head.bytes;
                        let unread = used < input.len();
                        return (used, if unread { Then::Refuse } else { Then::Close });
                    }
                    Some(_) => used += head.bytes,
                    None if head.body && Call::of(head.target).is_some() && is_get(&head) => {
                        return (used, bad_request("a GET has no body", &service.date, out));
                    }
                    None => return (used, Then::HandOver),
                },
                Front::Beginning => {
                    self.searched = input.len() - used;
                    return (used, Then::Read);
                }
                Front::Fault(fault) => return (used, refuse(fault, &service.date, out)),
            }
        }
        (used, Then::Read)
    }
}

impl Service {
    /// Answers from `tracker`, within the limits of `config.http`.
    #[must_use]
    pub fn new(config: &Config, tracker: &Arc<Tracker>) -> Self {
        let desk = Desk::new(tracker.clone(), &config.tracker);
        Self {
            date: Date::of(desk.now_unix()),
            desk,
            body: Vec::new(),
            trusted_proxies: config.http.trusted_proxies.clone(),
            head_bytes_max: config.http.head_bytes_max,
            stopping: false,
        }
    }

    /// Looks at the clock; once for each batch of requests.
    pub(super) fn tick(&mut self) {
        self.desk.tick();
        self.date.tick(self.desk.now_unix());
    }

    /// Answers a request, if that is done here.
    fn answer(&mut self, head: &Head<'_, '_>, peer: IpAddr, out: &mut Vec<u8>) -> Option<Persistence> {
        if head.body || !is_get(head) {
            return None;
        }
        let call = Call::of(head.target)?;
        self.body.clear();
        match self.ip_of(head, peer) {
            Ok(ip) => {
                let caller = Caller { ip, user_agent: head.user_agent, accepts_json: head.accepts_json };
                match self.desk.answer(&call, &caller, &mut self.body) {
                    Outcome::Answered => {}
                    Outcome::WantsJson | Outcome::WantsAll => return None,
                }
            }
            Err(fault) => self.desk.refuse(&fault, &mut self.body),
        }
        let persistence = if self.stopping { Persistence::Closes } else { head.persistence };
        let body = (head.method != "HEAD").then_some(&self.body[..]);
        write_head("200 OK", &self.date, self.body.len(), persistence, out);
        out.extend_from_slice(body.unwrap_or_default());
        Some(persistence)
    }

    fn ip_of(&self, head: &Head<'_, '_>, peer: IpAddr) -> Result<IpAddr, wire::Malformed> {
        let lists = self.desk.lists();
        if self.trusted_proxies.is_empty() && !lists.has_proxies() {
            return Ok(peer);
        }
        let trusts = |ip| self.trusted_proxies.iter().any(|net| net.contains(&ip)) || lists.is_proxy(ip);
        client_ip(peer, &trusts, head.values("forwarded"), head.values("x-forwarded-for"))
    }
}

fn is_get(head: &Head<'_, '_>) -> bool {
    matches!(head.method, "GET" | "HEAD")
}

/// Answers what is no request, and gives the connection up.
fn refuse(fault: Fault, date: &Date, out: &mut Vec<u8>) -> Then {
    match fault {
        Fault::NoHttp => return bad_request("this is no HTTP/1.1 request", date, out),
        Fault::Version => {
            write_error("505 HTTP Version Not Supported", date, "HTTP/1.1 and HTTP/1.0 are spoken here", out);
        }
        Fault::TooLong => {
            write_error("431 Request Header Fields Too Large", date, "the request's head is too long", out);
        }
        Fault::TooManyHeaders => {
            write_error("431 Request Header Fields Too Large", date, "the request has too many headers", out);
        }
    }
    Then::Refuse
}

fn bad_request(reason: &str, date: &Date, out: &mut Vec<u8>) -> Then {
    write_error("400 Bad Request", date, reason, out);
    Then::Refuse
}

#[cfg(test)]
mod tests;
