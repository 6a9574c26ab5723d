//! Sockets. A listener decodes, asks the tracker, and encodes; it knows no policy.

pub mod classic;
pub mod http;
mod sockets;
pub mod tls;
pub mod udp;
