//! The limit: what two hosts can do that only read, send, hash and write.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use sha1::{Digest, Sha1};

use crate::bench::Stop;

const CHUNK_BYTES: usize = 256 << 10;

/// `send ADDR:PORT FILE`, or `receive ADDR:PORT FILE PIECE_LENGTH`.
pub(in crate::bench) fn main(arguments: &[&str]) -> Result<(), Stop> {
    let wrong = |text: &str, kind: &str| Stop::Misuse(format!("`{text}` is no {kind}"));
    let address = |text: &str| text.parse().map_err(|_| wrong(text, "ADDR:PORT"));
    match arguments {
        ["send", to, file] => send(address(to)?, Path::new(file)),
        ["receive", at, file, length] => {
            let length = length.parse().ok().filter(|length| *length > 0);
            let length = length.ok_or_else(|| wrong(arguments[3], "length of a piece"))?;
            receive(address(at)?, Path::new(file), length)
        }
        _ => return Err(Stop::Misuse("the ends of a pipe are `send` and `receive`".to_owned())),
    }
    .map_err(|error| Stop::Failed(format!("the pipe broke: {error}")))
}

/// Sends a file to whoever listens, and stays until it is ended, so that it can be looked at.
fn send(to: SocketAddr, path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut stream = TcpStream::connect(to)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        stream.write_all(&chunk[..read])?;
    }
    drop(stream);
    stay()
}

/// Writes what one connection sends into a file, hashes it piece by piece, says `complete`, and stays likewise.
fn receive(at: SocketAddr, path: &Path, piece_length: usize) -> io::Result<()> {
    let listener = TcpListener::bind(at)?;
    let mut file = File::create(path)?;
    say("ready")?;
    let (mut stream, _) = listener.accept()?;
    let mut piece = vec![0; piece_length];
    loop {
        let length = fill(&mut stream, &mut piece)?;
        // As a peer would have to, to see whether it is the right piece.
        std::hint::black_box(Sha1::digest(&piece[..length]));
        file.write_all(&piece[..length])?;
        if length < piece_length {
            break;
        }
    }
    say("complete")?;
    stay()
}

/// Reads until `buffer` is full or the connection ends: the bytes read.
fn fill(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match stream.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

fn say(word: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{word}")?;
    out.flush()
}

fn stay() -> ! {
    loop {
        thread::park();
    }
}
