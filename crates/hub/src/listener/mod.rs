//! Sockets. A listener decodes, asks the tracker, and encodes; it knows no policy.

pub mod http;
pub mod udp;
