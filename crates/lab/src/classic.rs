//! Trackers of the classic dialects as people write them, in Python; and a peer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::thread;

use crate::lan::Host;
use crate::program::Program;
use crate::wait::{self, SOON};
use crate::{PYTHON, port, skip};

/// Starts the tracker of a dialect on this machine, at a port that is free; `None` if there is no Python here.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn original(dialect: &str) -> Option<(Program, SocketAddr)> {
    if !Path::new(PYTHON).exists() {
        skip(format_args!("no {PYTHON} for the original `{dialect}` tracker"));
        return None;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/src/bench/classic");
    let script = folder.join(format!("{dialect}_tracker.py"));
    // These programs do not tell which port they were given, so one is named; and for the lists of `chunklist` its clients
    // need the next one. If another test takes it first, it is tried again with another.
    Some(wait::until("a tracker that has its port", SOON, || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port::free_pair()));
        let mut command = Host::loopback().command(PYTHON);
        command.arg(&script).arg(address.ip().to_string()).arg(address.port().to_string());
        let mut program = Program::start(&format!("{dialect} tracker"), command);
        let is_ready = wait::until("the tracker", SOON, || {
            if program.stdout().contains("ready") { Some(true) } else { program.ended().map(|_| false) }
        });
        is_ready.then_some((program, address))
    }))
}

/// Another address of this machine than everybody else's: peers of one address are told apart by their ports alone.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A peer of `beacon` that gives one file away for as long as the test runs, and is known to the tracker.
///
/// # Panics
/// If there is no socket to be had.
pub fn beacon_peer(tracker: SocketAddr, name: &str, content: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind((ELSEWHERE, 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // Who only looks whether somebody is here asks for nothing.
            if matches!(stream.read(&mut [0; 1024]), Ok(1..)) {
                let _ = content.chunks(1024).try_for_each(|chunk| stream.write_all(chunk));
            }
        }
    });
    let register = format!(r#"{{"action":"REGISTER","filename":"{name}","port":{}}}"#, address.port());
    let socket = UdpSocket::bind((ELSEWHERE, 0)).expect("a socket");
    socket.send_to(register.as_bytes(), tracker).expect("a way to the tracker");
    address
}
