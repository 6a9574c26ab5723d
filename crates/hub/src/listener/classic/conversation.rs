//! Requests out of a TCP connection's bytes, and replies to them; no sockets.

use std::net::IpAddr;

use swarm::directory::Dialect;
use wire::Malformed;
use wire::classic::{Scanner, index, token};

use crate::classic::{Count, Registrar};

/// Replies are handed on before there are more bytes of them than this.
const REPLIES_BYTES_MAX: usize = 64 << 10;

/// The dialects spoken over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// One request a connection.
    Token,
    /// Any number.
    Index,
}

/// What is to be done next on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Replies are to be sent, and there is more to answer already: [`Conversation::go_on`].
    GoOn,
    /// Replies are to be sent, if there are any, and bytes to be read.
    Read,
    /// Replies are to be sent, and the connection to be closed.
    Close,
}

/// What has come over a connection and is not yet answered.
#[derive(Debug)]
pub struct Conversation {
    speaks: Speaks,
    source: IpAddr,
    /// What is left of what came. Nothing between two requests, so that who waits takes no memory.
    held: Vec<u8>,
    scanner: Scanner,
}

impl Conversation {
    /// One with somebody at `source`.
    #[must_use]
    pub fn new(speaks: Speaks, source: IpAddr) -> Self {
        Self { speaks, source, held: Vec::new(), scanner: Scanner::default() }
    }

    /// Takes what came, and appends replies to `out`.
    pub fn take(&mut self, bytes: &[u8], registrar: &Registrar, out: &mut Vec<u8>) -> Next {
        if !self.held.is_empty() {
            self.held.extend_from_slice(bytes);
            return self.go_on(registrar, out);
        }
        let (answered, next) = self.answer(bytes, registrar, out);
        self.held.extend_from_slice(&bytes[answered..]);
        next
    }

    /// Goes on with what came before.
    pub fn go_on(&mut self, registrar: &Registrar, out: &mut Vec<u8>) -> Next {
        let held = std::mem::take(&mut self.held);
        let (answered, next) = self.answer(&held, registrar, out);
        if answered < held.len() {
            self.held = held;
            self.held.drain(..answered);
        }
        next
    }

    /// Whether a request has begun that is not there as a whole.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.scanner.has_begun()
    }

    /// Bytes that are held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Answers the requests in `bytes`; how many of these are done with.
    fn answer(&mut self, bytes: &[u8], registrar: &Registrar, out: &mut Vec<u8>) -> (usize, Next) {
        let mut at = 0;
        while out.len() < REPLIES_BYTES_MAX {
            match self.scanner.scan(&bytes[at..]) {
                Ok(Some(len)) => {
                    let request = &bytes[at..at + len];
                    at += len;
                    match self.speaks {
                        Speaks::Token => {
                            token::encode(&answer_token(request, self.source, registrar), out);
                            return (bytes.len(), Next::Close);
                        }
                        Speaks::Index => index::encode(&answer_index(request, self.source, registrar), out),
                    }
                }
                Ok(None) => {
                    // White space in front of nothing is not kept.
                    let at = if self.scanner.has_begun() { at } else { bytes.len() };
                    if at == bytes.len() {
                        self.scanner = Scanner::default();
                    }
                    return (at, Next::Read);
                }
                Err(fault) => {
                    self.refuse(&fault, registrar, out);
                    return (bytes.len(), Next::Close);
                }
            }
        }
        (at, if at < bytes.len() { Next::GoOn } else { Next::Read })
    }

    /// What comes is no message, so that nobody can tell where the next one would begin.
    fn refuse(&self, fault: &Malformed, registrar: &Registrar, out: &mut Vec<u8>) {
        let reason = fault.to_string();
        match self.speaks {
            Speaks::Token => {
                registrar.note(Dialect::Token, Count::Malformed);
                token::encode(&token::Reply::Fail { reason }, out);
            }
            Speaks::Index => {
                registrar.note(Dialect::Index, Count::Malformed);
                index::encode(&index::Reply::Error { reason }, out);
            }
        }
    }
}

impl Speaks {
    /// The dialect.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Token => Dialect::Token,
            Self::Index => Dialect::Index,
        }
    }
}

fn answer_token(request: &[u8], source: IpAddr, registrar: &Registrar) -> token::Reply {
    match token::decode(request) {
        Ok(request) => registrar.token(&request, source),
        Err(fault) => {
            registrar.note(Dialect::Token, Count::Malformed);
            token::Reply::Fail { reason: fault.to_string() }
        }
    }
}

fn answer_index(request: &[u8], source: IpAddr, registrar: &Registrar) -> index::Reply {
    match index::decode(request) {
        Ok(request) => registrar.index(&request, source),
        Err(fault) => {
            registrar.note(Dialect::Index, Count::Malformed);
            index::Reply::Error { reason: fault.to_string() }
        }
    }
}
