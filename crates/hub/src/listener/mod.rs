//! Sockets. A listener decodes, asks the tracker, and encodes; it knows no policy.

mod sockets;
pub mod udp;
