//! `chunklist`: text over UDP, fields separated by semicolons, and a TCP side channel for lists of chunks.

use std::net::IpAddr;

use swarm::Port;

use super::literal::{Literal, literal, write_text};
use super::token::{address, file_name};
use crate::Malformed;

/// Bytes of a chunk; a file's last one may have fewer.
pub const CHUNK_BYTES: u64 = 512 << 10;

/// The longest datagram, in bytes.
pub const DATAGRAM_BYTES_MAX: usize = 65_507;

/// What a client says to the tracker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// It seeds a file, and will write its chunk list when the tracker connects.
    Register {
        /// The seeder's name.
        name: String,
        /// The address that it states: it may not be the one it has for others.
        ip: Option<IpAddr>,
        /// Where it gives chunks away.
        port: Port,
        /// How many bytes it believes its list to have.
        size: u64,
    },
    /// It would like to know who seeds.
    ListSeeder,
    /// It will connect for a seeder's chunk list.
    GetChunkList {
        /// The seeder's name.
        name: String,
    },
    /// It is still there.
    Heartbeat {
        /// The seeder's name.
        name: String,
    },
}

/// A seeder, as the tracker lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeder {
    /// Its name.
    pub name: String,
    /// Its address.
    pub ip: IpAddr,
    /// Where it gives chunks away.
    pub port: Port,
    /// Where the tracker gives its chunk list away.
    pub chunk_list_port: Port,
    /// How many bytes its list is said to have.
    pub size: u64,
}

/// Reads a datagram. Blanks around fields do not matter.
///
/// # Errors
/// It is none of this dialect, or a field is missing or out of range. Such a datagram is not answered.
pub fn decode(bytes: &[u8]) -> Result<Request, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::found("the datagram", bytes, "UTF-8"))?;
    let mut fields = text.split(';').map(str::trim);
    let verb = fields.next().unwrap_or_default();
    let mut field = |what: &str| {
        fields.next().ok_or_else(|| Malformed::new(format!("`{verb}` has no {what} behind its semicolons")))
    };
    match verb {
        "register" => {
            let name = file_name(field("name")?)?;
            // Programs behind a network's edge state what they see: a host's name, or nothing.
            let ip = field("address")?.parse().ok();
            let port = field("port")?;
            let size = field("size")?;
            Ok(Request::Register {
                name,
                ip,
                port: read_port(port)?,
                size: size
                    .parse()
                    .map_err(|_| Malformed::found("the size", size.as_bytes(), "a number from 0"))?,
            })
        }
        "list_seeder" => Ok(Request::ListSeeder),
        "get_chunk_list" => Ok(Request::GetChunkList { name: field("name")?.to_owned() }),
        "heartbeat" => Ok(Request::Heartbeat { name: field("name")?.to_owned() }),
        other => {
            let expected = "register, list_seeder, get_chunk_list or heartbeat";
            Err(Malformed::found("the verb", other.as_bytes(), expected))
        }
    }
}

/// Appends a datagram.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) {
    let text = match request {
        Request::Register { name, ip, port, size } => {
            let ip = ip.map_or_else(String::new, |ip| ip.to_string());
            format!("register; {name}; {ip}; {}; {size}", port.get())
        }
        Request::ListSeeder => "list_seeder".to_owned(),
        Request::GetChunkList { name } => format!("get_chunk_list;{name}"),
        Request::Heartbeat { name } => format!("heartbeat;{name}"),
    };
    out.extend_from_slice(text.as_bytes());
}

/// Appends the answer to [`Request::Register`]: the seeder is to write its chunk list to whoever connects to `port`.
pub fn encode_call(port: Port, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("get_chunk_list; {}", port.get()).as_bytes());
}

/// Reads the answer to [`Request::Register`].
///
/// # Errors
/// It is another one.
pub fn decode_call(bytes: &[u8]) -> Result<Port, Malformed> {
    let wrong = || Malformed::found("the answer", bytes, "`get_chunk_list; <port>`");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    let (verb, port) = text.split_once(';').ok_or_else(wrong)?;
    if verb.trim() != "get_chunk_list" {
        return Err(wrong());
    }
    read_port(port.trim())
}

/// Appends the answer to [`Request::ListSeeder`]: as many of `seeders` as fit a datagram.
pub fn encode_seeders<'a>(seeders: impl IntoIterator<Item = &'a Seeder>, out: &mut Vec<u8>) {
    let mut text = String::from("[");
    for seeder in seeders {
        let before = text.len();
        if before > 1 {
            text.push_str(", ");
        }
        text.push('(');
        write_text(&seeder.name, &mut text);
        let Seeder { ip, port, chunk_list_port, size, .. } = seeder;
        text.push_str(&format!(", '{ip}', {}, {}, {size})", port.get(), chunk_list_port.get()));
        if text.len() >= DATAGRAM_BYTES_MAX {
            text.truncate(before);
            break;
        }
    }
    text.push(']');
    out.extend_from_slice(text.as_bytes());
}

/// Reads the answer to [`Request::ListSeeder`].
///
/// # Errors
/// It is no list of seeders.
pub fn decode_seeders(bytes: &[u8]) -> Result<Vec<Seeder>, Malformed> {
    let wrong = || Malformed::found("the answer", bytes, "a list of seeders");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    let Literal::List(rows) = literal(text)? else { return Err(wrong()) };
    let port = |number: &i64| u16::try_from(*number).ok().and_then(Port::new).ok_or_else(wrong);
    let seeder = |row: Literal| match row {
        Literal::List(fields) => match &fields[..] {
            [
                Literal::Text(name),
                Literal::Text(ip),
                Literal::Integer(at),
                Literal::Integer(list),
                Literal::Integer(size),
            ] => Ok(Seeder {
                name: file_name(name)?,
                ip: address(ip)?,
                port: port(at)?,
                chunk_list_port: port(list)?,
                size: u64::try_from(*size).map_err(|_| wrong())?,
            }),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    };
    rows.into_iter().map(seeder).collect()
}

/// The most chunks of a file: half a terabyte.
pub const CHUNKS_MAX: usize = 1 << 20;

/// Reads a chunk list: the SHA-256 of each chunk in order, out of a list or out of a dict from 0 on.
///
/// # Errors
/// It is none, a chunk is missing, or a hash has not 64 hexadecimal digits.
pub fn decode_chunks(bytes: &[u8]) -> Result<Vec<[u8; 32]>, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::found("the chunk list", bytes, "UTF-8"))?;
    let hashes: Vec<Literal> = match literal(text)? {
        Literal::List(hashes) => hashes,
        Literal::Dict(mut entries) => {
            let number = |key: &Literal| if let Literal::Integer(number) = key { *number } else { -1 };
            entries.sort_by_key(|(key, _)| number(key));
            let gap = (0..).zip(&entries).find(|(expected, (key, _))| number(key) != *expected);
            if let Some((missing, _)) = gap {
                return Err(Malformed::new(format!(
                    "the chunk list has no chunk {missing}, or has another twice"
                )));
            }
            entries.into_iter().map(|(_, hash)| hash).collect()
        }
        _ => return Err(Malformed::found("the chunk list", bytes, "a list or a dict")),
    };
    if hashes.len() > CHUNKS_MAX {
        return Err(Malformed::new(format!("the chunk list has more than {CHUNKS_MAX} chunks")));
    }
    hashes.into_iter().map(|hash| hash_of(&hash)).collect()
}

/// Appends a chunk list as seeders write it.
pub fn encode_chunks(hashes: &[[u8; 32]], out: &mut Vec<u8>) {
    out.push(b'{');
    for (number, hash) in hashes.iter().enumerate() {
        let comma = if number > 0 { ", " } else { "" };
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        out.extend_from_slice(format!("{comma}{number}: '{hex}'").as_bytes());
    }
    out.push(b'}');
}

fn hash_of(literal: &Literal) -> Result<[u8; 32], Malformed> {
    let Literal::Text(hex) = literal else {
        return Err(Malformed::new("a chunk's hash is no string"));
    };
    let wrong = || Malformed::found("the hash", hex.as_bytes(), "64 hexadecimal digits");
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(hash)
}

fn read_port(text: &str) -> Result<Port, Malformed> {
    let port = text.parse().ok().and_then(Port::new);
    port.ok_or_else(|| Malformed::found("the port", text.as_bytes(), "a number from 1 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(port: u16) -> Port {
        Port::new(port).unwrap()
    }

    #[test]
    fn datagrams_are_as_clients_write_them() {
        let register = Request::Register {
            name: "movie.mkv".into(),
            ip: Some([10, 0, 0, 5].into()),
            port: port(6001),
            size: 4_096,
        };
        for (bytes, request) in [
            ("register; movie.mkv; 10.0.0.5; 6001; 4096", register.clone()),
            ("register;movie.mkv;10.0.0.5;6001;4096", register),
            ("list_seeder", Request::ListSeeder),
            ("get_chunk_list;movie.mkv", Request::GetChunkList { name: "movie.mkv".into() }),
            ("heartbeat ; movie.mkv ", Request::Heartbeat { name: "movie.mkv".into() }),
        ] {
            assert_eq!(decode(bytes.as_bytes()).as_ref(), Ok(&request), "{bytes}");
            let mut out = Vec::new();
            encode_request(&request, &mut out);
            assert_eq!(decode(&out), Ok(request));
        }
    }

    #[test]
    fn answers_are_as_clients_read_them() {
        let mut out = Vec::new();
        encode_call(port(5556), &mut out);
        assert_eq!(out, b"get_chunk_list; 5556");
        assert_eq!(decode_call(&out), Ok(port(5556)));
        let seeder = |name: &str| Seeder {
            name: name.into(),
            ip: [10, 0, 0, 5].into(),
            port: port(6001),
            chunk_list_port: port(5557),
            size: 4_096,
        };
        for (seeders, bytes) in [
            (vec![], "[]"),
            (vec![seeder("movie.mkv")], "[('movie.mkv', '10.0.0.5', 6001, 5557, 4096)]"),
            (
                vec![seeder("it's"), seeder("b")],
                "[(\"it's\", '10.0.0.5', 6001, 5557, 4096), ('b', '10.0.0.5', 6001, 5557, 4096)]",
            ),
        ] {
            let mut out = Vec::new();
            encode_seeders(&seeders, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), bytes);
            assert_eq!(decode_seeders(&out), Ok(seeders));
        }
        let many: Vec<Seeder> = (0..5_000).map(|n| seeder(&format!("seeder {n}"))).collect();
        let mut out = Vec::new();
        encode_seeders(&many, &mut out);
        assert!(out.len() <= DATAGRAM_BYTES_MAX);
        let told = decode_seeders(&out).unwrap();
        assert!(told.len() > 1_000 && told[..] == many[..told.len()]);
    }

    #[test]
    fn chunk_lists_are_lists_or_dicts() {
        let hashes = [[0x0a; 32], [0xff; 32]];
        let (a, b) = ("0a".repeat(32), "ff".repeat(32));
        for text in [
            format!("{{0: '{a}', 1: '{b}'}}"),
            format!("{{1: '{b}', 0: '{a}'}}"),
            format!("['{a}', '{b}']"),
            format!("(\"{a}\",\n \"{b}\",)\n"),
        ] {
            assert_eq!(decode_chunks(text.as_bytes()).unwrap(), hashes, "{text}");
        }
        let mut out = Vec::new();
        encode_chunks(&hashes, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), format!("{{0: '{a}', 1: '{b}'}}"));
        for (text, expected) in [
            ("42", "the chunk list `42` is not a list or a dict"),
            ("{1: 'ff'}", "the chunk list has no chunk 0, or has another twice"),
            ("['ff']", "the hash `ff` is not 64 hexadecimal digits"),
            ("[7]", "a chunk's hash is no string"),
        ] {
            assert_eq!(decode_chunks(text.as_bytes()).unwrap_err().reason(), expected);
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (bytes, expected) in [
            ("hello; you", "the verb `hello` is not register, list_seeder, get_chunk_list or heartbeat"),
            ("heartbeat", "`heartbeat` has no name behind its semicolons"),
            ("register; a; 10.0.0.1; 70000; 1", "the port `70000` is not a number from 1 to 65535"),
            ("register; a; 10.0.0.1; 1; -1", "the size `-1` is not a number from 0"),
            ("register; a/b; x; 1; 1", "the file name `a/b` is a path: give the name of a file alone"),
        ] {
            assert_eq!(decode(bytes.as_bytes()).unwrap_err().reason(), expected);
        }
    }
}
