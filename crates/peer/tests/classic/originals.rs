//! The clients against trackers as people write them in Python.

use std::net::Ipv4Addr;

use lab::classic::original;
use peer::classic::{beacon, chunklist, index, token};
use swarm::{Endpoint, Port};

use crate::stub::soon;

fn port(port: u16) -> Port {
    Port::new(port).unwrap()
}

#[tokio::test]
async fn token() {
    let Some((_tracker, address)) = original("token") else { return };
    let (mut ann, mut bob) = (token::Client::new(address, "ann"), token::Client::new(address, "bob"));
    soon(ann.register(port(6001), &[("a b.txt".to_owned(), 3)])).await.unwrap();
    let found = soon(bob.look_up("a b.txt")).await.unwrap();
    let row = token::Row { peer_id: "ann".into(), ip: Ipv4Addr::LOCALHOST.into(), port: port(6001) };
    assert_eq!(found, token::Found { rows: vec![row], total_parts: 3 });
    assert_eq!(soon(bob.look_up("c")).await.unwrap(), token::Found { rows: vec![], total_parts: 0 });
}

#[tokio::test]
async fn index() {
    let Some((_tracker, address)) = original("index") else { return };
    let (mut ann, mut bob) = (index::Client::new(address, "ann"), index::Client::new(address, "bob"));
    soon(ann.register(port(6001), &[("a".to_owned(), 3)])).await.unwrap();
    soon(ann.keep_alive()).await.unwrap();
    assert_eq!(soon(bob.search("a")).await.unwrap().len(), 1);
    soon(ann.exit()).await.unwrap();
    assert_eq!(soon(bob.search("a")).await.unwrap(), []);
    // It has forgotten her, falls over that, and closes: another connection says so, too.
    assert!(soon(ann.keep_alive()).await.is_err());
    soon(ann.register(port(6001), &[("a".to_owned(), 3)])).await.unwrap();
}

#[tokio::test]
async fn chunklist() {
    let Some((_tracker, address)) = original("chunklist") else { return };
    let client = chunklist::Client::new(address);
    // This one never fetches the list.
    assert!(!soon(client.register("a.iso", port(6001), &[[7; 32]])).await.unwrap());
    client.heartbeat("a.iso").await.unwrap();
    let listed = soon(client.list()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&*listed[0].name, listed[0].port), ("a.iso", port(6001)));
    assert!(soon(client.chunks(&listed[0])).await.is_err());
}

#[tokio::test]
async fn beacon() {
    let Some((_tracker, address)) = original("beacon") else { return };
    let client = beacon::Client::new(address);
    client.register("a", port(6001)).await.unwrap();
    client.heartbeat(port(6001)).await.unwrap();
    let holder = Endpoint::new(Ipv4Addr::LOCALHOST.into(), port(6001));
    assert_eq!(soon(client.request("a")).await.unwrap(), [holder]);
    client.exit(port(6001)).await.unwrap();
    assert_eq!(soon(client.request("a")).await.unwrap(), []);
}
