//! `chunklist`: text over UDP, fields separated by semicolons, and a TCP side channel for lists of chunks.

use std::net::IpAddr;

use swarm::Port;
use swarm::directory::CHUNK_LIST_BYTES_MAX;

use super::literal::{Literal, literal, write_text};
use super::{address, digits, file_name, usable};
use crate::Malformed;

/// Bytes of a chunk; a file's last one may have fewer.
pub const CHUNK_BYTES: u64 = 512 << 10;

/// What is written in one answer at most. How much clients ask of one `recv` is nowhere said; but a literal that is cut
/// is lost as a whole, while seeders that are left out come another time.
pub const REPLY_BYTES_MAX: usize = 8_192;

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
    /// It is gone. Only Skep's own peers say so: the dialect has no such word, and its other trackers do not know it.
    Exit {
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

/// Reads a datagram. Blanks around fields do not matter. A name may have semicolons in it: it is what the verb in front
/// and the fields behind leave.
///
/// # Errors
/// It is none of this dialect, or a field is missing or out of range. Such a datagram is not answered.
pub fn decode(bytes: &[u8]) -> Result<Request, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::found("the datagram", bytes, "UTF-8"))?;
    let (verb, rest) = text.split_once(';').unwrap_or((text, ""));
    let (verb, rest) = (verb.trim(), rest.trim());
    match verb {
        "register" => {
            let mut fields = rest.rsplitn(4, ';').map(str::trim);
            let (Some(size), Some(port), Some(ip), Some(name)) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                let expected = "`register; <name>; <ip>; <port>; <size>`";
                return Err(Malformed::found("the datagram", bytes, expected));
            };
            let wrong_size = || Malformed::found("the size", size.as_bytes(), "a number from 0");
            Ok(Request::Register {
                name: file_name(name)?,
                // Programs behind a network's edge state what they see: a host's name, or nothing.
                ip: ip.parse().ok(),
                port: read_port(port)?,
                size: digits(size).ok_or_else(wrong_size)?,
            })
        }
        "list_seeder" => Ok(Request::ListSeeder),
        "get_chunk_list" => Ok(Request::GetChunkList { name: file_name(rest)? }),
        "heartbeat" => Ok(Request::Heartbeat { name: file_name(rest)? }),
        "exit" => Ok(Request::Exit { name: file_name(rest)? }),
        other => {
            let expected = "register, list_seeder, get_chunk_list, heartbeat or exit";
            Err(Malformed::found("the verb", other.as_bytes(), expected))
        }
    }
}

/// Appends a datagram. A name's outer blanks are lost with those around it.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) {
    let text = match request {
        Request::Register { name, ip, port, size } => {
            let ip = ip.map_or_else(String::new, |ip| ip.to_string());
            format!("register; {name}; {ip}; {}; {size}", port.get())
        }
        Request::ListSeeder => "list_seeder".to_owned(),
        Request::GetChunkList { name } => format!("get_chunk_list;{name}"),
        Request::Heartbeat { name } => format!("heartbeat;{name}"),
        Request::Exit { name } => format!("exit;{name}"),
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

/// Appends the answer to [`Request::ListSeeder`]: as many of `seeders` as fit [`REPLY_BYTES_MAX`] bytes.
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
        if text.len() >= REPLY_BYTES_MAX {
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
    // Whoever kept the fields of a datagram as they came lists its numbers as strings.
    let number = |literal: &Literal| match literal {
        Literal::Integer(number) => u64::try_from(*number).map_err(|_| wrong()),
        Literal::Text(text) => digits(text).ok_or_else(wrong),
        _ => Err(wrong()),
    };
    let port = |literal: &Literal| read_port(&number(literal)?.to_string());
    let seeder = |row| match row {
        Literal::List(fields) => match &fields[..] {
            [Literal::Text(name), Literal::Text(ip), at, list, size] => Ok(Seeder {
                name: file_name(name)?,
                ip: address(ip)?,
                port: port(at)?,
                chunk_list_port: port(list)?,
                size: number(size)?,
            }),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    };
    usable(rows.into_iter().map(seeder))
}

/// Reads a chunk list: the SHA-256 of each chunk in order, out of a list or out of a dict from 0 on.
///
/// # Errors
/// It is none, is longer than [`CHUNK_LIST_BYTES_MAX`], a chunk is missing, or a hash has not 64 hexadecimal digits.
pub fn decode_chunks(bytes: &[u8]) -> Result<Vec<[u8; 32]>, Malformed> {
    if bytes.len() > CHUNK_LIST_BYTES_MAX {
        let expected = format!("at most {CHUNK_LIST_BYTES_MAX} bytes long");
        return Err(Malformed::found("the chunk list", bytes, &expected));
    }
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
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(hash)
}

fn read_port(text: &str) -> Result<Port, Malformed> {
    let port = digits(text).and_then(|port| u16::try_from(port).ok()).and_then(Port::new);
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
    fn what_we_send_is_as_the_dialect_has_it() {
        let register = Request::Register {
            name: "a;b".into(),
            ip: Some([10, 0, 0, 5].into()),
            port: port(6001),
            size: 4_096,
        };
        for (request, bytes) in [
            (register, "register; a;b; 10.0.0.5; 6001; 4096"),
            (Request::ListSeeder, "list_seeder"),
            (Request::GetChunkList { name: "a;b".into() }, "get_chunk_list;a;b"),
            (Request::Exit { name: "a;b".into() }, "exit;a;b"),
            (Request::Heartbeat { name: "a;b".into() }, "heartbeat;a;b"),
        ] {
            let mut out = Vec::new();
            encode_request(&request, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), bytes);
            assert_eq!(decode(&out), Ok(request), "a semicolon in a name is no new field");
        }
    }

    #[test]
    fn a_stated_address_may_be_no_address() {
        for bytes in ["register; a; localhost; 1; 2", "register; a; ; 1; 2"] {
            let expected = Request::Register { name: "a".into(), ip: None, port: port(1), size: 2 };
            assert_eq!(decode(bytes.as_bytes()), Ok(expected));
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
        assert!((REPLY_BYTES_MAX - 60..=REPLY_BYTES_MAX).contains(&out.len()), "{}", out.len());
        let told = decode_seeders(&out).unwrap();
        assert!(told.len() > 100 && told[..] == many[..told.len()]);
    }

    #[test]
    fn another_trackers_list_is_read_as_far_as_it_can_be_used() {
        let answer = "[('a', 'nowhere', 6001, 5557, 1), ('b', '10.0.0.5', '6001', '5557', '9'), ('c', '10.0.0.5', 0, 1, 1)]";
        let b = Seeder {
            name: "b".into(),
            ip: [10, 0, 0, 5].into(),
            port: port(6001),
            chunk_list_port: port(5557),
            size: 9,
        };
        assert_eq!(decode_seeders(answer.as_bytes()), Ok(vec![b]));
        for (answer, expected) in [
            ("[('a', 'nowhere', 1, 1, 1)]", "the address `nowhere` is not an IP address"),
            ("[('a', '10.0.0.5', 70000, 1, 1)]", "the port `70000` is not a number from 1 to 65535"),
            (
                "[('../a', '10.0.0.5', 1, 1, 1)]",
                "the file name `../a` is a path: give the name of a file alone",
            ),
            ("[1]", "the answer `[1]` is not a list of seeders"),
            ("{}", "the answer `{}` is not a list of seeders"),
        ] {
            assert_eq!(decode_seeders(answer.as_bytes()).unwrap_err().reason(), expected);
        }
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
        let signs = format!("['{}']", "+f".repeat(32));
        assert!(
            decode_chunks(signs.as_bytes()).unwrap_err().reason().ends_with("is not 64 hexadecimal digits")
        );
        let long = [b"[".to_vec(), vec![b' '; CHUNK_LIST_BYTES_MAX]].concat();
        let fault = decode_chunks(&long).unwrap_err();
        assert!(fault.reason().ends_with("…` is not at most 1048576 bytes long"), "{fault}");
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (bytes, expected) in [
            (
                "hello; you",
                "the verb `hello` is not register, list_seeder, get_chunk_list, heartbeat or exit",
            ),
            ("heartbeat", "the file name `` has no characters"),
            ("get_chunk_list;../a", "the file name `../a` is a path: give the name of a file alone"),
            ("heartbeat;a\0", r"the file name `a\0` has control characters"),
            (
                "register; a; 10.0.0.1; 1",
                "the datagram `register; a; 10.0.0.1; 1` is not `register; <name>; <ip>; <port>; <size>`",
            ),
            ("register; a; 10.0.0.1; +1; 1", "the port `+1` is not a number from 1 to 65535"),
            ("register; a; 10.0.0.1; 70000; 1", "the port `70000` is not a number from 1 to 65535"),
            ("register; a; 10.0.0.1; 1; -1", "the size `-1` is not a number from 0"),
            ("register; a/b; x; 1; 1", "the file name `a/b` is a path: give the name of a file alone"),
        ] {
            assert_eq!(decode(bytes.as_bytes()).unwrap_err().reason(), expected);
        }
    }
}
