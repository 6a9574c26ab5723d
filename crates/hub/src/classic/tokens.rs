//! Tokens that nobody can forge: they say who they are for, and carry a code that only this hub can make.

use std::fmt::Write;
use std::net::IpAddr;

use subtle::ConstantTimeEq;
use swarm::Seconds;

/// How every token begins: what clients of `token` may look for.
const PREFIX: &str = "token_";

/// Bytes of the code.
const CODE_BYTES: usize = 16;

/// Makes and checks tokens. The key is another one after each start, so that tokens end with the process at the latest.
pub(super) struct Tokens {
    key: [u8; blake3::KEY_LEN],
    lifetime_secs: u32,
}

impl Tokens {
    pub(super) fn new(lifetime_secs: u32) -> Self {
        Self { key: rand::random(), lifetime_secs }
    }

    /// A token for whoever calls itself `peer_id` at `source`: `token_<peer id>.<expiry>.<code>`.
    pub(super) fn issue(&self, peer_id: &str, source: IpAddr, now: Seconds) -> String {
        let expiry = now.saturating_add(self.lifetime_secs);
        let mut token = format!("{PREFIX}{peer_id}.{expiry:08x}.");
        for byte in self.code(peer_id, source, expiry) {
            let _ = write!(token, "{byte:02x}");
        }
        token
    }

    /// Whether the token was made here, for that peer id at that address, and not too long ago.
    pub(super) fn is_valid(&self, token: &str, peer_id: &str, source: IpAddr, now: Seconds) -> bool {
        // The peer id may have dots in it.
        let mut parts = token.rsplitn(3, '.');
        let (Some(code), Some(expiry), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        let Ok(expiry) = u32::from_str_radix(expiry, 16) else { return false };
        let mut shown = [0; CODE_BYTES];
        if code.len() != 2 * CODE_BYTES || !code.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return false;
        }
        for (byte, at) in shown.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&code[at..at + 2], 16).unwrap_or(0);
        }
        now < expiry && bool::from(self.code(peer_id, source, expiry).ct_eq(&shown))
    }

    fn code(&self, peer_id: &str, source: IpAddr, expiry: Seconds) -> [u8; CODE_BYTES] {
        let address = match source {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        // Both have a fixed length, so that the peer id is the rest.
        hasher.update(&address).update(&expiry.to_be_bytes()).update(peer_id.as_bytes());
        let mut code = [0; CODE_BYTES];
        code.copy_from_slice(&hasher.finalize().as_bytes()[..CODE_BYTES]);
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_peer_at_one_address_for_its_time() {
        let tokens = Tokens::new(100);
        let (here, elsewhere) = (IpAddr::from([10, 0, 0, 5]), IpAddr::from([10, 0, 0, 6]));
        for id in ["p1", "a.b.c", "Größe", ""] {
            let token = tokens.issue(id, here, 50);
            assert!(token.starts_with(&format!("token_{id}")), "{token}");
            assert!(tokens.is_valid(&token, id, here, 50) && tokens.is_valid(&token, id, here, 149));
            assert!(!tokens.is_valid(&token, id, here, 150), "it has expired");
            assert!(!tokens.is_valid(&token, id, elsewhere, 50));
            assert!(!tokens.is_valid(&token, "p2", here, 50));
            assert!(!Tokens::new(100).is_valid(&token, id, here, 50), "another hub's");
            let later = token.replace(".00000096.", ".00000097.");
            assert_ne!(later, token);
            assert!(!tokens.is_valid(&later, id, here, 50), "its expiry is part of what is signed");
        }
    }

    #[test]
    fn what_is_no_token_is_not_valid() {
        let tokens = Tokens::new(100);
        let here = IpAddr::from([10, 0, 0, 5]);
        let code = "é".repeat(16);
        for token in ["", "token_p1", "token_p1..", "token_p1.1.zz", &format!("token_p1.00000096.{code}")] {
            assert!(!tokens.is_valid(token, "p1", here, 0), "{token}");
        }
    }
}
