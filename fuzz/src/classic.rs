//! The four classic dialects.

use wire::classic::transfer::{self, Opening};
use wire::classic::{NAMES_MAX, Scanner, beacon, chunklist, index, literal, token};

/// What a holder takes in a reply at most: a name of which each byte may be escaped, an address, a port and a size.
const ROW_BYTES_MAX: usize = 6 * 255 + 150;

/// What is read is written so that it reads the same; what is complete is complete wherever it is cut.
///
/// # Panics
/// Where that does not hold.
pub fn classic_token(data: &[u8]) {
    scan(data);
    if let Ok(request) = token::decode(data) {
        if let token::Request::Register { files, .. } = &request {
            assert!(files.len() <= NAMES_MAX);
        }
        let mut out = Vec::new();
        token::encode_request(&request, &mut out);
        assert_eq!(token::decode(&out), Ok(request));
    }
    if let Ok(reply) = token::decode_reply(data) {
        let mut out = Vec::new();
        token::encode(&reply, &mut out);
        match (reply, token::decode_reply(&out)) {
            (
                token::Reply::Peers { rows, total_parts },
                Ok(token::Reply::Peers { rows: told, total_parts: of }),
            ) => {
                assert!(out.len() <= token::REPLY_BYTES_MAX);
                assert!(total_parts == of && told[..] == rows[..told.len()]);
                assert!(told.len() == rows.len() || out.len() > token::REPLY_BYTES_MAX - ROW_BYTES_MAX);
            }
            (reply, again) => assert_eq!(again, Ok(reply)),
        }
    }
}

/// What is read is written so that it reads the same.
///
/// # Panics
/// Where that does not hold.
pub fn classic_index(data: &[u8]) {
    scan(data);
    if let Ok(request) = index::decode(data) {
        let mut out = Vec::new();
        index::encode_request(&request, &mut out);
        assert_eq!(index::decode(&out), Ok(request));
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 1, "a request is a line");
    }
    if let Ok(reply) = index::decode_reply(data) {
        let mut out = Vec::new();
        index::encode(&reply, &mut out);
        match (reply, index::decode_reply(&out)) {
            (
                index::Reply::Found { filename, rows },
                Ok(index::Reply::Found { filename: of, rows: told }),
            ) => {
                assert!(out.len() <= index::REPLY_BYTES_MAX);
                assert!(filename == of && told[..] == rows[..told.len()]);
                assert!(told.len() == rows.len() || out.len() > index::REPLY_BYTES_MAX - ROW_BYTES_MAX);
            }
            (reply, again) => assert_eq!(again, Ok(reply)),
        }
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 1, "a reply is a line");
    }
}

/// What is read is written so that it reads the same.
///
/// # Panics
/// Where that does not hold.
pub fn classic_chunklist(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        // Whatever it says, it ends.
        let _ = literal(text);
    }
    if let Ok(request) = chunklist::decode(data) {
        let mut out = Vec::new();
        chunklist::encode_request(&request, &mut out);
        assert_eq!(chunklist::decode(&out), Ok(request));
    }
    if let Ok(seeders) = chunklist::decode_seeders(data) {
        let mut out = Vec::new();
        chunklist::encode_seeders(&seeders, &mut out);
        assert!(out.len() <= chunklist::REPLY_BYTES_MAX);
        let read = chunklist::decode_seeders(&out);
        assert!(read.is_ok_and(|read| read[..] == seeders[..read.len()]));
    }
    if let Ok(chunks) = chunklist::decode_chunks(data) {
        let mut out = Vec::new();
        chunklist::encode_chunks(&chunks, &mut out);
        assert_eq!(chunklist::decode_chunks(&out), Ok(chunks));
    }
    if let Ok(port) = chunklist::decode_call(data) {
        let mut out = Vec::new();
        chunklist::encode_call(port, &mut out);
        assert_eq!(chunklist::decode_call(&out), Ok(port));
    }
}

/// What is read is written so that it reads the same.
///
/// # Panics
/// Where that does not hold.
pub fn classic_beacon(data: &[u8]) {
    if let Ok(request) = beacon::decode(data) {
        let mut out = Vec::new();
        beacon::encode_request(&request, &mut out);
        assert_eq!(beacon::decode(&out), Ok(request));
    }
    if let Ok(holders) = beacon::decode_reply(data) {
        let mut out = Vec::new();
        beacon::encode(holders.iter().copied(), &mut out);
        assert!(out.len() <= beacon::REPLY_BYTES_MAX);
        let read = beacon::decode_reply(&out);
        assert!(read.is_ok_and(|read| read[..] == holders[..read.len()]));
    }
}

/// What is read is written so that it reads the same, and no name is a path.
///
/// # Panics
/// Where that does not hold.
pub fn classic_transfer(data: &[u8]) {
    if let Ok(Opening::Open(wanted) | Opening::Whole(wanted)) = transfer::decode(data) {
        if let transfer::Wanted::File(name)
        | transfer::Wanted::Part { name, .. }
        | transfer::Wanted::Download { name, .. } = &wanted
        {
            assert!(!name.contains(['/', '\\', '\0']) && name != "..");
        }
        let mut out = Vec::new();
        transfer::encode(&wanted, &mut out);
        match transfer::decode(&out) {
            Ok(Opening::Open(read) | Opening::Whole(read)) => assert_eq!(read, wanted),
            other => panic!("{wanted:?} is read as {other:?}"),
        }
    }
    if let Ok(Some((_, used))) = transfer::decode_size(data) {
        assert!(used <= data.len());
    }
    let coloured = [b"\x1b[91m", data].concat();
    if coloured.len() <= transfer::REFUSAL_BYTES_MAX {
        assert_eq!(transfer::is_refusal(data), transfer::is_refusal(&coloured), "colours do not matter");
    }
}

/// An object ends at the same byte whether it comes at once or byte by byte.
fn scan(data: &[u8]) {
    let whole = Scanner::default().scan(data);
    let mut scanner = Scanner::default();
    let pieces = (1..=data.len()).map(|end| scanner.scan(&data[..end])).find(|found| *found != Ok(None));
    match (whole, pieces) {
        (Ok(Some(whole)), Some(Ok(Some(end)))) => assert_eq!(whole, end),
        (Err(_), Some(Err(_))) | (Ok(None), None) => {}
        (whole, pieces) => panic!("{whole:?} at once, {pieces:?} in pieces"),
    }
}
