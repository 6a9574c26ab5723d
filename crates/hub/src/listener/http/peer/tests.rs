use std::net::TcpListener;

use super::super::Connections;
use super::super::testing::tracker;
use super::*;

/// A client's end, the hub's end, and what the hub serves it with.
fn pair() -> (std::net::TcpStream, Peer, Tools) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, address) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let (slot, _) = Arc::new(Connections::new(1)).enter();
    let config = Config::default();
    let tools = Tools::new(&config, &tracker(&config.tracker));
    (client, Peer::new(TcpStream::from_std(stream), address, None, slot, 0), tools)
}

/// Has the hub take in `text`, which has arrived when this is done.
fn send(client: &mut std::net::TcpStream, peer: &mut Peer, tools: &mut Tools, text: &str) {
    client.write_all(text.as_bytes()).unwrap();
    let mut arrived = [0; 100];
    while peer.stream.peek(&mut arrived).unwrap_or(0) < text.len() {
        std::thread::yield_now();
    }
    assert_eq!(peer.turn(tools, false), Turn::Wait);
}

#[test]
fn a_client_that_sends_byte_by_byte_gains_no_time() {
    let (mut client, mut peer, mut tools) = pair();
    assert_eq!(peer.deadline(tools.limits), 30_000);
    tools.now = 5_000;
    for byte in ["G", "E", "T", " "] {
        tools.now += 1_000;
        send(&mut client, &mut peer, &mut tools, byte);
        assert_eq!(peer.deadline(tools.limits), 16_000);
    }
}

#[test]
fn each_head_and_each_pause_has_its_own_time() {
    let (mut client, mut peer, mut tools) = pair();
    tools.now = 1_000;
    send(&mut client, &mut peer, &mut tools, "GET /announce HTTP/1.1\r\n");
    assert_eq!(peer.deadline(tools.limits), 11_000);
    tools.now = 2_000;
    send(&mut client, &mut peer, &mut tools, "\r\nGET /ann");
    assert_eq!(peer.deadline(tools.limits), 12_000);
    tools.now = 3_000;
    send(&mut client, &mut peer, &mut tools, "ounce HTTP/1.1\r\n\r\n");
    assert_eq!(peer.deadline(tools.limits), 33_000);
    // A turn for nothing is no sign of life.
    tools.now = 4_000;
    assert_eq!(peer.turn(&mut tools, false), Turn::Wait);
    assert_eq!(peer.deadline(tools.limits), 33_000);
    // Nor is an empty line.
    send(&mut client, &mut peer, &mut tools, "\r\n");
    assert_eq!(peer.deadline(tools.limits), 14_000);
}

#[test]
fn what_a_refused_client_still_sends_is_thrown_away_for_a_while() {
    let (mut client, mut peer, mut tools) = pair();
    tools.now = 1_000;
    send(&mut client, &mut peer, &mut tools, "\x16\x03\x01");
    assert_eq!(peer.deadline(tools.limits), 3_000);
    tools.now = 2_000;
    send(&mut client, &mut peer, &mut tools, "more");
    assert_eq!(peer.deadline(tools.limits), 3_000);
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 400 ") && said.ends_with("request\n"), "{said}");
    drop(client);
    while peer.turn(&mut tools, false) != Turn::Close {
        std::thread::yield_now();
    }
}

#[test]
fn an_idle_client_holds_no_buffers() {
    let (mut client, mut peer, mut tools) = pair();
    send(&mut client, &mut peer, &mut tools, "GET /announce HTTP/1.1\r\n");
    send(&mut client, &mut peer, &mut tools, "\r\n");
    assert_eq!(peer.unsent.capacity(), 0);
    assert_eq!(peer.connection.take_input().capacity(), 0);
    assert!(size_of::<Peer>() <= 192, "{}", size_of::<Peer>());
}
