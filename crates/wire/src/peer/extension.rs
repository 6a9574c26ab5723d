use std::borrow::Cow;
use std::net::IpAddr;

use swarm::Port;

use super::message::put_extended_head;
use super::{METADATA_BYTES_MAX, PREFIX_BYTES};
use crate::Malformed;
use crate::bencode::{Dict, Rules, Tree, Value, put_dict};

/// The id of the extensions' handshake in an [`Extended`](super::Message::Extended) message.
pub const EXTENSION_HANDSHAKE: u8 = 0;

/// How much of a client's name is kept, in characters.
pub const CLIENT_CHARS_MAX: usize = 64;

/// What a peer says of itself and its extensions (BEP 10). It may say so again, and then means what has changed.
///
/// All of it is optional. What makes no sense counts as not said, as it does elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtensionHandshake<'a> {
    /// The id by which it wants to be sent [`Metadata`](super::Metadata) (`ut_metadata` in `m`); 0: no longer.
    pub metadata_id: Option<u8>,
    /// The id by which it wants to be sent [`Pex`](super::Pex) (`ut_pex` in `m`); 0: no longer.
    pub pex_id: Option<u8>,
    /// The length of the torrent's info dictionary, in bytes, if it has it (`metadata_size`, BEP 9):
    /// 1 to [`METADATA_BYTES_MAX`].
    pub metadata_bytes: Option<u32>,
    /// Where it listens (`p`).
    pub port: Option<Port>,
    /// How many unanswered requests it keeps, 1 or more (`reqq`).
    pub requests_max: Option<u32>,
    /// That it wants nothing more, whether or not it has everything (`upload_only`, BEP 21).
    pub upload_only: Option<bool>,
    /// Its program and version (`v`), made fit to print: no control characters, [`CLIENT_CHARS_MAX`] at most.
    pub client: Option<Cow<'a, str>>,
    /// The address it sees the receiver at (`yourip`).
    pub your_ip: Option<IpAddr>,
}

impl<'a> ExtensionHandshake<'a> {
    /// Reads the payload of a message with id [`EXTENSION_HANDSHAKE`].
    ///
    /// # Errors
    /// It is no bencoded dictionary.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Malformed> {
        let tree = Tree::parse(payload, &Rules::LENIENT)?;
        let root = dictionary(&tree, "an extension handshake")?;
        let ids = root.get("m").and_then(Value::as_dict);
        let id = |name| ids.and_then(|ids| number(ids, name));
        Ok(Self {
            metadata_id: id(UT_METADATA),
            pex_id: id(UT_PEX),
            metadata_bytes: number(root, "metadata_size")
                .filter(|bytes| (1..=METADATA_BYTES_MAX).contains(bytes)),
            port: number(root, "p").and_then(Port::new),
            requests_max: number(root, "reqq").filter(|&requests| requests > 0),
            upload_only: root.get("upload_only").and_then(Value::as_int).map(|int| int != 0),
            client: root.get("v").and_then(Value::as_bytes).map(printable),
            your_ip: root.get("yourip").and_then(Value::as_bytes).and_then(compact_ip),
        })
    }

    /// Appends the payload of a message with id [`EXTENSION_HANDSHAKE`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_dict(out, |root| {
            root.dict("m", |ids| {
                for (name, id) in [(UT_METADATA, self.metadata_id), (UT_PEX, self.pex_id)] {
                    id.into_iter().for_each(|id| ids.uint(name, id.into()));
                }
            });
            if let Some(bytes) = self.metadata_bytes {
                root.uint("metadata_size", bytes.into());
            }
            if let Some(port) = self.port {
                root.uint("p", port.get().into());
            }
            if let Some(requests) = self.requests_max {
                root.uint("reqq", requests.into());
            }
            if let Some(upload_only) = self.upload_only {
                root.uint("upload_only", upload_only.into());
            }
            if let Some(client) = &self.client {
                root.bytes("v", client.as_bytes());
            }
            match self.your_ip {
                Some(IpAddr::V4(ip)) => root.bytes("yourip", &ip.octets()),
                Some(IpAddr::V6(ip)) => root.bytes("yourip", &ip.octets()),
                None => {}
            }
        });
    }
}

/// Appends an extended message with its length prefix, whose payload `fill` appends: what
/// [`encode`](super::encode) does, for a payload that is not there yet.
pub fn encode_extended(id: u8, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put_extended_head(out, id, 0);
    fill(out);
    let length = u32::try_from(out.len() - start - PREFIX_BYTES).unwrap_or(u32::MAX);
    out[start..start + PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
}

/// Names of extensions in `m`.
const UT_METADATA: &str = "ut_metadata";
const UT_PEX: &str = "ut_pex";

/// The dictionary that `part`, a payload, must be.
pub(super) fn dictionary<'t, 'a>(tree: &'t Tree<'a>, part: &str) -> Result<Dict<'t, 'a>, Malformed> {
    tree.root().as_dict().ok_or_else(|| tree.root().fault(part, "a dictionary"))
}

/// The integer at `key`, if there is one and it fits.
fn number<T: TryFrom<i64>>(dict: Dict<'_, '_>, key: &str) -> Option<T> {
    dict.get(key)?.as_int()?.try_into().ok()
}

fn compact_ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4().or_else(|_| v6()).ok().map(|ip| ip.to_canonical())
}

fn printable(bytes: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes);
    if text.chars().count() <= CLIENT_CHARS_MAX && !text.contains(char::is_control) {
        return text;
    }
    text.chars().filter(|char| !char.is_control()).take(CLIENT_CHARS_MAX).collect()
}
