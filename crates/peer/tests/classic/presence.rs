//! Staying known to trackers as people write them in Python, and finding what others offer there.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use lab::classic::original;
use peer::classic::fetch::{Check, Order};
use peer::classic::{Dialect, Directory, Presence, Stock};
use peer::node::{Node, Options};
use swarm::Port;

use crate::stub::soon;

/// A tracker of the dialect, and a peer whose node gives away what is in its stock.
async fn is_known_and_gives(dialect: Dialect, check: Check) {
    let Some((_tracker, address)) = original(dialect.name()) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "what is in a").unwrap();
    let stock = Arc::new(Stock::open(folder.path()).unwrap());
    let node =
        Node::start(Options { port: Some(0), classic: Some(stock.clone()), ..Options::default() }).unwrap();
    let presence = Presence::new(stock.clone(), "ann", Port::new(node.port()).unwrap());
    presence.attend(&[(dialect, address)]);
    let directory = Directory::new(vec![(dialect, address)], "bob");
    assert!(soon(directory.look_up("a")).await.ways.is_empty());

    // What comes is told, to who was told nothing before.
    assert!(stock.offer("a", None));
    let found = soon(async {
        loop {
            let found = directory.look_up("a").await;
            if !found.ways.is_empty() {
                return found;
            }
        }
    })
    .await;
    let holder = SocketAddr::from((Ipv4Addr::LOCALHOST, node.port()));
    assert_eq!(found.ways[0].holders[0].address, holder);
    let target = tempfile::tempdir().unwrap();
    let order = Order::new("a", target.path(), "a", &|_| {}).unwrap();
    let fetched = soon(found.fetch(&order)).await.unwrap();
    assert_eq!(fetched.check, check);
    assert_eq!(std::fs::read(fetched.path).unwrap(), b"what is in a");

    // What goes is taken back, where that can be said.
    if dialect != Dialect::Chunklist {
        stock.withdraw("a");
        soon(async { while !directory.look_up("a").await.ways.is_empty() {} }).await;
    }
    soon(presence.leave()).await;
    node.stop().await;
}

#[tokio::test]
async fn in_token() {
    is_known_and_gives(Dialect::Token, Check::Parts).await;
}

#[tokio::test]
async fn in_index() {
    is_known_and_gives(Dialect::Index, Check::Length).await;
}

#[tokio::test]
async fn in_beacon() {
    is_known_and_gives(Dialect::Beacon, Check::Nothing).await;
}

/// The original never fetches a chunk list, so nobody can get the file by it; but it is told of the seeder.
#[tokio::test]
async fn in_chunklist() {
    let Some((_tracker, address)) = original("chunklist") else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    let stock = Arc::new(Stock::open(folder.path()).unwrap());
    assert!(stock.offer("a", None));
    let port = Port::new(6001).unwrap();
    let presence = Presence::new(stock.clone(), "ann", port);
    presence.attend(&[(Dialect::Chunklist, address)]);
    let directory = Directory::new(vec![(Dialect::Chunklist, address)], "bob");
    for name in ["a", "b"] {
        stock.offer(name, None);
        soon(async { while !directory.list().await.unwrap().iter().any(|seeder| seeder.name == name) {} })
            .await;
    }
    soon(presence.leave()).await;
}
