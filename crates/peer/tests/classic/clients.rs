//! Each client against a tracker that expects the dialect's bytes.

use std::net::{Ipv4Addr, SocketAddr};

use peer::classic::{Wrong, beacon, chunklist, index, token};
use sha2::{Digest, Sha256};
use swarm::{Endpoint, Port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::stub::{hear, soon, tcp_tracker, udp_tracker};

fn port(port: u16) -> Port {
    Port::new(port).unwrap()
}

#[tokio::test]
async fn token_gets_itself_a_token_and_a_new_one_when_it_is_no_longer_known() {
    let (tracker, told) = tcp_tracker(&[
        &[(r#"{"type":"AUTH","peer_id":"p1"}"#, r#"{"status": "OK", "token": "token_p1"}"#)],
        &[(
            r#"{"type":"REGISTER","peer_id":"p1","token":"token_p1","port":8080,"files":{"document.pdf":5,"video.mp4":20}}"#,
            r#"{"status":"REGISTERED"}"#,
        )],
        &[(
            r#"{"type":"PEER_LIST","peer_id":"p1","token":"token_p1","file_name":"document.pdf"}"#,
            r#"{"status":"FAIL","reason":"Invalid token"}"#,
        )],
        &[(r#"{"type":"AUTH","peer_id":"p1"}"#, r#"{"status":"OK","token":"token_new"}"#)],
        &[(
            r#"{"type":"PEER_LIST","peer_id":"p1","token":"token_new","file_name":"document.pdf"}"#,
            r#"{"peers":[{"peer_id":"p2","ip":"192.168.1.101","port":8080}],"total_parts":5}"#,
        )],
    ])
    .await;
    let mut client = token::Client::new(tracker, "p1");
    let files = [("document.pdf".to_owned(), 5), ("video.mp4".to_owned(), 20)];
    soon(client.register(port(8080), &files)).await.unwrap();
    let found = soon(client.look_up("document.pdf")).await.unwrap();
    let row = token::Row { peer_id: "p2".into(), ip: [192, 168, 1, 101].into(), port: port(8080) };
    assert_eq!(found, token::Found { rows: vec![row], total_parts: 5 });
    soon(told).await.unwrap();
}

#[tokio::test]
async fn token_does_not_ask_for_tokens_for_ever() {
    let (tracker, told) = tcp_tracker(&[
        &[(r#"{"type":"AUTH","peer_id":"p"}"#, r#"{"status":"OK","token":"t"}"#)],
        &[(
            r#"{"type":"PEER_LIST","peer_id":"p","token":"t","file_name":"a"}"#,
            r#"{"status":"FAIL","reason":"Invalid token"}"#,
        )],
    ])
    .await;
    let error = soon(token::Client::new(tracker, "p").look_up("a")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{tracker} refuses: Invalid token"));
    soon(told).await.unwrap();
}

#[tokio::test]
async fn index_keeps_its_connection_and_opens_another_when_it_is_closed() {
    let (tracker, told) = tcp_tracker(&[
        &[
            (
                "{\"command\":\"register\",\"username\":\"ann\",\"port\":6001,\"files\":{\"a.txt\":12}}\n",
                "{\"status\":\"ok\"}\n",
            ),
            (
                "{\"command\":\"search\",\"username\":\"ann\",\"filename\":\"b\"}\n",
                "{\"status\":\"ok\",\"filename\":\"b\",\"peers\":[{\"username\":\"bob\",\"ip\":\"10.0.0.7\",\"port\":6002,\"size\":7}]}\n",
            ),
        ],
        &[
            ("{\"command\":\"keep_alive\",\"username\":\"ann\"}\n", "{\"status\":\"ok\"}\n"),
            (
                "{\"command\":\"search\",\"username\":\"ann\",\"filename\":\"c\"}\n",
                "{\"status\":\"not_found\",\"filename\":\"c\",\"peers\":[]}\n",
            ),
            (
                "{\"command\":\"exit\",\"username\":\"ann\"}\n",
                "{\"status\":\"error\",\"reason\":\"who are you?\"}\n",
            ),
        ],
    ])
    .await;
    let mut client = index::Client::new(tracker, "ann");
    soon(client.register(port(6001), &[("a.txt".to_owned(), 12)])).await.unwrap();
    let row = index::Row { username: "bob".into(), ip: [10, 0, 0, 7].into(), port: port(6002), size: 7 };
    assert_eq!(soon(client.search("b")).await.unwrap(), [row]);
    soon(client.keep_alive()).await.unwrap();
    assert_eq!(soon(client.search("c")).await.unwrap(), []);
    let error = soon(client.exit()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{tracker} refuses: who are you?"));
    soon(told).await.unwrap();
}

#[tokio::test]
async fn beacon_tells_and_asks() {
    let (tracker, told) = udp_tracker(&[
        (r#"{"action":"REGISTER","filename":"a b.mkv","port":6001}"#, ""),
        (r#"{"action":"HEARTBEAT","port":6001}"#, ""),
        // What is lost is asked again.
        (r#"{"action":"REQUEST","filename":"a b.mkv"}"#, ""),
        (r#"{"action":"REQUEST","filename":"a b.mkv"}"#, r#"[["10.0.0.5", 6001], ["10.0.0.9", 6002]]"#),
        (r#"{"action":"REQUEST","filename":"c"}"#, "[]"),
        (r#"{"action":"REQUEST","filename":"d"}"#, "go away"),
        (r#"{"action":"EXIT","port":6001}"#, ""),
    ])
    .await;
    let client = beacon::Client::new(tracker);
    client.register("a b.mkv", port(6001)).await.unwrap();
    client.heartbeat(port(6001)).await.unwrap();
    let holder = |last, at| Endpoint::new([10, 0, 0, last].into(), port(at));
    assert_eq!(soon(client.request("a b.mkv")).await.unwrap(), [holder(5, 6001), holder(9, 6002)]);
    assert_eq!(soon(client.request("c")).await.unwrap(), []);
    let error = soon(client.request("d")).await.unwrap_err();
    assert!(matches!(error.wrong, Wrong::Malformed(_)), "{error}");
    assert!(error.to_string().contains("go away"), "{error}");
    client.exit(port(6001)).await.unwrap();
    soon(told).await.unwrap();
}

/// A UDP socket on a port behind which one is free for TCP, and stays so.
async fn chunklist_socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, lab::port::free_pair())).await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn chunklist_gives_its_list_when_the_tracker_connects_for_it() {
    let (socket, tracker) = chunklist_socket().await;
    let called = tokio::spawn(async move {
        let (heard, from) = hear(&socket).await;
        let behind = tracker.port() + 1;
        socket.send_to(format!("get_chunk_list; {behind}").as_bytes(), from).await.unwrap();
        let mut stream = TcpStream::connect((from.ip(), behind)).await.unwrap();
        let mut list = String::new();
        stream.read_to_string(&mut list).await.unwrap();
        drop(stream);
        assert_eq!(hear(&socket).await.0, "heartbeat;a.iso");
        (heard, list)
    });
    let client = chunklist::Client::new(tracker);
    let hashes = [Sha256::digest(b"one").into(), Sha256::digest(b"two").into()];
    assert!(soon(client.register("a.iso", port(6001), &hashes)).await.unwrap());
    client.heartbeat("a.iso").await.unwrap();
    let (heard, list) = soon(called).await.unwrap();
    assert_eq!(heard, format!("register; a.iso; 127.0.0.1; 6001; {}", list.len()));
    assert_eq!(
        list,
        "{0: '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed', \
         1: '3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3'}"
    );
}

#[tokio::test]
async fn chunklist_lists_seeders_and_reads_their_lists() {
    let (side, side_address) = crate::stub::listener().await;
    let (socket, tracker) = chunklist_socket().await;
    let list_port = side_address.port();
    let told = tokio::spawn(async move {
        let (heard, from) = hear(&socket).await;
        assert_eq!(heard, "list_seeder");
        let listed = format!("[('a.iso', '10.0.0.5', 6001, {list_port}, 4096)]");
        socket.send_to(listed.as_bytes(), from).await.unwrap();
        assert_eq!(hear(&socket).await.0, "get_chunk_list;a.iso");
        let (mut stream, _) = side.accept().await.unwrap();
        // The size that was said is too large, and nobody closes.
        stream.write_all(format!("['{}']", "0f".repeat(32)).as_bytes()).await.unwrap();
        stream
    });
    let client = chunklist::Client::new(tracker);
    let seeders = soon(client.list()).await.unwrap();
    assert_eq!(seeders.len(), 1);
    assert_eq!(soon(client.chunks(&seeders[0])).await.unwrap(), [[0x0f; 32]]);
    soon(told).await.unwrap();
}

#[tokio::test]
async fn a_tracker_that_is_not_there_or_says_nothing_is_told_of() {
    let (listener, address) = crate::stub::listener().await;
    drop(listener);
    let error = soon(token::Client::new(address, "p").look_up("a")).await.unwrap_err();
    assert!(matches!(error.wrong, Wrong::Unreachable(_)), "{error}");
    let error = soon(beacon::Client::new(address).request("a")).await.unwrap_err();
    assert!(matches!(error.wrong, Wrong::Unreachable(_)), "{error}");
    let (tracker, told) = udp_tracker(&[]).await;
    soon(told).await.unwrap();
    let error = soon(chunklist::Client::new(tracker).list()).await.unwrap_err();
    assert!(matches!(error.wrong, Wrong::Unreachable(_) | Wrong::Silent(_)), "{error}");
    let (tracker, _told) = tcp_tracker(&[&[("{\"command\":\"exit\",\"username\":\"a\"}\n", "{")]]).await;
    let error = soon(index::Client::new(tracker, "a").exit()).await.unwrap_err();
    assert!(matches!(error.wrong, Wrong::Closed | Wrong::BrokeOff(_)), "{error}");
}
