//! What is sent: a JSON text, and the headers that say whose it is (Standard Webhooks 1.0).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;
use swarm::InfoHash;

/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// Random bytes of a secret that is made here.
const SECRET_BYTES: usize = 24;

/// Bytes that a secret must have at least.
const SECRET_BYTES_MIN: usize = 16;

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// A torrent is in the catalogue that was not.
    #[serde(rename = "torrent.added")]
    TorrentAdded(Torrent),
    /// A torrent of the catalogue was downloaded completely by somebody for the first time.
    #[serde(rename = "torrent.completed")]
    TorrentCompleted(Torrent),
    /// Somebody is a member who was not.
    #[serde(rename = "user.created")]
    UserCreated(User),
}

/// The torrent that something happened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Torrent {
    /// 40 hexadecimal digits.
    #[serde(serialize_with = "as_text")]
    pub info_hash: InfoHash,
    /// What it is called.
    pub name: String,
    /// Bytes, if they are known.
    pub size: Option<u64>,
}

/// The member that something happened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub role: &'static str,
    /// Whose invitation it came by.
    pub invited_by: Option<String>,
}

/// An event on its way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The same in every attempt: by it a receiver knows what it has had.
    pub(super) id: String,
    pub(super) body: String,
}

/// What signs messages: the sender and the receiver know it.
#[derive(Clone)]
pub(super) struct Key(Vec<u8>);

#[derive(Serialize)]
struct Body<'a> {
    /// Unix seconds.
    timestamp: i64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Message {
    /// Of what happened at `at`, in Unix seconds.
    pub(super) fn new(event: &Event, at: i64) -> Self {
        let id: u128 = rand::random();
        // Texts and numbers can always be written.
        let body = serde_json::to_string(&Body { timestamp: at, event }).unwrap_or_default();
        Self { id: format!("msg_{id:032x}"), body }
    }
}

impl Key {
    /// A text from which a key can be read.
    pub(super) fn random() -> String {
        let random: [u8; SECRET_BYTES] = rand::random();
        format!("{SECRET_PREFIX}{}", BASE64.encode(random))
    }

    /// The key that a text says.
    pub(super) fn read(text: &str) -> Option<Self> {
        let key = BASE64.decode(text.strip_prefix(SECRET_PREFIX)?).ok()?;
        (key.len() >= SECRET_BYTES_MIN).then_some(Self(key))
    }

    /// The signature of a message that is sent at `now`, in Unix seconds.
    pub(super) fn sign(&self, message: &Message, now: i64) -> String {
        let Message { id, body } = message;
        // A key may have any length (RFC 2104 §2).
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{now}.{body}").as_bytes());
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

fn as_text<S: serde::Serializer>(hash: &InfoHash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Standard Webhooks' own libraries.
    #[test]
    fn a_signature_is_what_the_specification_says() {
        let key = Key::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let message =
            Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(), body: r#"{"test": 2432232314}"#.into() };
        assert_eq!(key.sign(&message, 1_614_265_330), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_is_a_text_of_its_form() {
        assert!(Key::read(&Key::random()).is_some());
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!"] {
            assert!(Key::read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_body_says_what_happened_and_when() {
        let torrent = Torrent { info_hash: InfoHash([1; 20]), name: "a \"b\"".into(), size: Some(5) };
        let hash = "01".repeat(20);
        let message = Message::new(&Event::TorrentAdded(torrent), 7);
        let expected = format!(
            r#"{{"timestamp":7,"type":"torrent.added","data":{{"info_hash":"{hash}","name":"a \"b\"","size":5}}}}"#
        );
        assert_eq!(message.body, expected);
        let user = User { name: "ann".into(), role: "member", invited_by: None };
        assert_eq!(
            Message::new(&Event::UserCreated(user), 7).body,
            r#"{"timestamp":7,"type":"user.created","data":{"name":"ann","role":"member","invited_by":null}}"#
        );
    }
}
