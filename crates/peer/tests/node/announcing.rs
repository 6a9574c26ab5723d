//! What trackers hear of a node's torrents.

use engine::Source;
use peer::node::{Change, Files, Phase};
use swarm::Event;

use crate::support::{
    Heard, Server, Shared, endpoint, keeping, next, node, phase, response, tiers, tracker, whole,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_started_completed_once_and_stopped() {
    let shared = Shared::new();
    let total = shared.torrent.payload_size();
    let (state, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, mut heard) = tracker().await;
    let (seeder, leecher) = (node(), keeping(&state));
    let hash = seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    leecher.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    leecher.announce(hash, tiers(&server));
    let told = |event, downloaded, left| Heard { event, uploaded: 0, downloaded, left: Some(left) };
    assert_eq!(next(&mut heard).await, told(Event::Started, 0, total));
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    assert_eq!(next(&mut heard).await, told(Event::Completed, total, 0));
    whole(&leecher, &shared.torrent).await.unwrap();

    // Who pauses leaves; who comes again has nothing to complete, and its counts go on.
    leecher.pause(hash);
    assert_eq!(next(&mut heard).await, told(Event::Stopped, total, 0));
    leecher.resume(hash);
    assert_eq!(next(&mut heard).await, told(Event::Started, total, 0));
    leecher.stop().await;
    assert_eq!(next(&mut heard).await, told(Event::Stopped, total, 0));

    // A fresh seeder has downloaded nothing, and never completes.
    let again = keeping(&state);
    again.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    again.announce(hash, tiers(&server));
    assert_eq!(next(&mut heard).await, told(Event::Started, 0, 0));
    assert!(again.remove(hash).await);
    assert_eq!(next(&mut heard).await, told(Event::Stopped, 0, 0));
    assert!(heard.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seeder_tells_what_it_has_sent() {
    let shared = Shared::new();
    let (server, mut heard) = tracker().await;
    let (seeder, leecher, folder) = (node(), node(), tempfile::tempdir().unwrap());
    let hash = seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    seeder.announce(hash, tiers(&server));
    assert_eq!(next(&mut heard).await.event, Event::Started);
    leecher.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    whole(&leecher, &shared.torrent).await.unwrap();
    seeder.stop().await;
    let Heard { event, uploaded, downloaded, left } = next(&mut heard).await;
    assert_eq!((event, downloaded, left), (Event::Stopped, 0, Some(0)));
    assert!(uploaded >= shared.torrent.size(), "{uploaded}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_to_whoever_listens() {
    let shared = Shared::new();
    let server = Server::start(|_| response("200 OK", "", b"d14:failure reason12:unregisterede")).await;
    let node = node();
    let mut changes = node.changes();
    let hash = node.share(shared.torrent.clone(), shared.path()).await.unwrap();
    node.announce(hash, tiers(&server));
    let refusal = loop {
        if let Change::Tracker(of, status) = changes.next().await.unwrap() {
            assert_eq!(of, hash);
            break status.to_string();
        }
    };
    assert!(refusal.contains("tracker refused: unregistered"), "{refusal}");
    assert_eq!(node.torrents()[0].trackers[0].to_string().split(';').next(), refusal.split(';').next());
    phase(&node, hash, |phase| matches!(phase, Phase::Whole(_))).await;
}
