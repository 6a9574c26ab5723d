use super::extension::dictionary;
use crate::Malformed;
use crate::bencode::{Dict, Rules, Tree, put_dict};
use crate::metainfo::METAINFO_BYTES_MAX;

/// The length of a block of metadata, in bytes; only the last one is shorter (BEP 9).
pub const METADATA_BLOCK_BYTES: u32 = 16 * 1024;

/// The longest info dictionary that is asked for or believed in, in bytes.
pub const METADATA_BYTES_MAX: u32 = 128 << 20;

const _: () = assert!(METADATA_BYTES_MAX as usize == METAINFO_BYTES_MAX);

/// What peers say to get a torrent's info dictionary from each other (`ut_metadata`, BEP 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata<'a> {
    /// It asks for this block of the metadata.
    Request(u32),
    /// A block of the metadata. Its length is right for its place.
    Data {
        /// Which block.
        block: u32,
        /// The length of the whole metadata, in bytes: 1 to [`METADATA_BYTES_MAX`].
        total_bytes: u32,
        /// The block's bytes.
        data: &'a [u8],
    },
    /// It will not send this block.
    Reject(u32),
    /// A message of a kind that is not known here, to be ignored.
    Unknown,
}

/// Kinds of messages by `msg_type`.
const REQUEST: i64 = 0;
const DATA: i64 = 1;
const REJECT: i64 = 2;

/// The longest dictionary before the data, in bytes; an honest one has about 50.
const HEAD_BYTES_MAX: usize = 1024;

impl<'a> Metadata<'a> {
    /// Reads the payload of a message with the id that the receiver has given to `ut_metadata`.
    ///
    /// # Errors
    /// It is no such message, names a block that there cannot be, or has not the bytes that the block should have.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Malformed> {
        let most = HEAD_BYTES_MAX + METADATA_BLOCK_BYTES as usize;
        if payload.len() > most {
            let found = payload.len();
            return Err(Malformed::new(format!(
                "a metadata message of {found} bytes is too long: {most} are allowed at most"
            )));
        }
        let tree = Tree::parse(payload, &Rules::LENIENT)?;
        let root = dictionary(&tree, "a metadata message")?;
        let kind = number(root, "msg_type")?;
        if !(REQUEST..=REJECT).contains(&kind) {
            return Ok(Self::Unknown);
        }
        let block = bounded(
            number(root, "piece")?,
            "piece",
            0,
            METADATA_BYTES_MAX.div_ceil(METADATA_BLOCK_BYTES) - 1,
        )?;
        match kind {
            REQUEST => Ok(Self::Request(block)),
            REJECT => Ok(Self::Reject(block)),
            _ => {
                let total_bytes = bounded(number(root, "total_size")?, "total_size", 1, METADATA_BYTES_MAX)?;
                let data = &payload[tree.end()..];
                let expected = metadata_block_bytes(total_bytes, block);
                if data.is_empty() || expected as usize != data.len() {
                    let found = data.len();
                    return Err(Malformed::new(format!(
                        "block {block} of {total_bytes} bytes of metadata has {found} bytes: {expected} are expected"
                    )));
                }
                Ok(Self::Data { block, total_bytes, data })
            }
        }
    }

    /// Appends the payload of a message with the id that the other side has given to `ut_metadata`. Of
    /// [`Unknown`](Self::Unknown) that is an empty dictionary, which says nothing.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, block, total) = match *self {
            Self::Request(block) => (REQUEST, block, None),
            Self::Data { block, total_bytes, .. } => (DATA, block, Some(total_bytes)),
            Self::Reject(block) => (REJECT, block, None),
            Self::Unknown => return put_dict(out, |_| {}),
        };
        put_dict(out, |root| {
            root.int("msg_type", kind);
            root.uint("piece", block.into());
            if let Some(total) = total {
                root.uint("total_size", total.into());
            }
        });
        if let Self::Data { data, .. } = self {
            out.extend_from_slice(data);
        }
    }
}

/// The length of a block of metadata that has `total_bytes` in all; 0 if there is no such block.
#[must_use]
pub const fn metadata_block_bytes(total_bytes: u32, block: u32) -> u32 {
    let left = total_bytes.saturating_sub(block.saturating_mul(METADATA_BLOCK_BYTES));
    if left < METADATA_BLOCK_BYTES { left } else { METADATA_BLOCK_BYTES }
}

fn number(root: Dict<'_, '_>, key: &str) -> Result<i64, Malformed> {
    root.int(key)?.ok_or_else(|| root.value().fault("a metadata message", &format!("one with `{key}`")))
}

fn bounded(found: i64, key: &str, least: u32, most: u32) -> Result<u32, Malformed> {
    let fits = u32::try_from(found).ok().filter(|number| (least..=most).contains(number));
    fits.ok_or_else(|| Malformed::new(format!("`{key}` {found} is not between {least} and {most}")))
}
