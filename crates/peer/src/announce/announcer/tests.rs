use std::collections::VecDeque;

use parking_lot::Mutex;
use swarm::{Event, Families};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use wire::http::{Shape, decode_announce, encode_announce, encode_failure};

use super::*;
use crate::announce::testing::{LIMIT, Server, endpoint, http, response, swarm_reply, trackers};

/// What a tracker was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heard {
    event: Event,
    uploaded: u64,
    downloaded: u64,
    left: Option<u64>,
}

/// A tracker that tells the test what it hears; `refusals` are said first, one an announce.
async fn tracker(refusals: &[&str]) -> (Server, UnboundedReceiver<Heard>) {
    let (sender, heard) = unbounded_channel();
    let refusals: Mutex<VecDeque<String>> =
        Mutex::new(refusals.iter().map(|&text| text.to_owned()).collect());
    let answer = move |head: &str| {
        let query = head.split(['?', ' ']).nth(2)?;
        let announce = decode_announce(query.as_bytes()).ok()?.announce;
        let wire::Announce { event, uploaded, downloaded, left, .. } = announce;
        let _ = sender.send(Heard { event, uploaded, downloaded, left });
        let mut body = Vec::new();
        match refusals.lock().pop_front() {
            Some(refusal) => encode_failure(&refusal, None, &mut body),
            None => {
                let reply = swarm_reply();
                let told = wire::http::Answer {
                    reply: &reply,
                    interval: 1800,
                    min_interval: 60,
                    external_ip: None,
                    families: Families::V4,
                };
                encode_announce(&told, Shape::Compact, &mut body);
            }
        }
        Some(response("200 OK", "", &body))
    };
    (http("127.0.0.1", answer).await.unwrap(), heard)
}

fn torrent(tiers: &[&[&Server]], private: bool, left: u64) -> Torrent {
    let url = |server: &&Server| format!("http://{}/announce", server.address);
    let tiers = tiers.iter().map(|tier| tier.iter().map(url).collect()).collect();
    let progress = Progress { left: Some(left), ..Progress::default() };
    Torrent { info_hash: InfoHash([7; 20]), tiers, private, progress }
}

async fn next<T>(future: impl Future<Output = Option<T>>) -> T {
    timeout(LIMIT, future).await.expect("in time").expect("not closed")
}

#[tokio::test]
async fn a_download_as_the_tracker_sees_it() {
    let (server, mut heard) = tracker(&[]).await;
    let (announcer, mut outcomes) =
        Announcer::start(trackers(LIMIT), torrent(&[&[&server]], false, 100), || None);
    let first = next(heard.recv()).await;
    assert_eq!(first, Heard { event: Event::Started, uploaded: 0, downloaded: 0, left: Some(100) });
    assert_eq!(next(outcomes.next()).await, Outcome::Peers(vec![endpoint("10.0.0.5", 6881)]));
    let Outcome::Said(said) = next(outcomes.next()).await else { panic!() };
    let name = format!("http://{}", server.address);
    let line = format!("{name}: tracker answered, 1 seeder, 2 leechers; next announce in 3");
    assert!(said.to_string().starts_with(&line), "{said}");
    assert_eq!(announcer.status()[0].seeders, Some(1));

    announcer.report(Progress { downloaded: 50, left: Some(50), ..Progress::default() });
    announcer.report(Progress { downloaded: 100, uploaded: 7, left: Some(0), partial: false });
    let completed = next(heard.recv()).await;
    assert_eq!(completed, Heard { event: Event::Completed, uploaded: 7, downloaded: 100, left: Some(0) });
    // Not urgent, and yet told in the last announce.
    announcer.report(Progress { downloaded: 100, uploaded: 900, left: Some(0), partial: false });
    announcer.stop().await;
    let stopped = next(heard.recv()).await;
    assert_eq!(stopped, Heard { event: Event::Stopped, uploaded: 900, downloaded: 100, left: Some(0) });
    while let Some(outcome) = timeout(LIMIT, outcomes.next()).await.expect("it closes") {
        assert!(matches!(outcome, Outcome::Peers(_)));
    }
    drop(server);
    assert_eq!(heard.recv().await, None, "and nothing more");
}

#[tokio::test]
async fn a_refusal_is_shown() {
    let (server, _heard) = tracker(&["unregistered torrent"; 100]).await;
    let (announcer, mut outcomes) =
        Announcer::start(trackers(LIMIT), torrent(&[&[&server]], false, 100), || None);
    let Outcome::Said(said) = next(outcomes.next()).await else { panic!() };
    assert_eq!(said.state, State::Refused("unregistered torrent".into()));
    assert!(said.to_string().contains("tracker refused: unregistered torrent; next announce in "), "{said}");
    assert_eq!(announcer.status()[0].state, said.state);
    timeout(LIMIT, announcer.stop()).await.expect("nobody to take leave of");
}

#[tokio::test]
async fn a_private_torrent_moves_to_the_next_tier() {
    let (bad, mut bad_heard) = tracker(&["no"; 100]).await;
    let (good, mut good_heard) = tracker(&[]).await;
    let (announcer, _outcomes) =
        Announcer::start(trackers(LIMIT), torrent(&[&[&bad], &[&good]], true, 0), || None);
    assert_eq!(next(bad_heard.recv()).await.event, Event::Started);
    assert_eq!(next(good_heard.recv()).await.event, Event::Started);
    // Dropped instead of stopped: leave is taken all the same, of the one that knew us.
    drop(announcer);
    assert_eq!(next(good_heard.recv()).await.event, Event::Stopped);
    drop(bad);
    assert_eq!(bad_heard.recv().await, None);
}

#[tokio::test]
async fn who_leaves_does_not_wait_for_the_silent() {
    let server = http("127.0.0.1", |_| None).await.unwrap();
    let (announcer, outcomes) =
        Announcer::start(trackers(LIMIT), torrent(&[&[&server]], false, 100), || None);
    drop(outcomes);
    let began = Instant::now();
    timeout(LIMIT, announcer.stop()).await.expect("it ends");
    assert!(began.elapsed() < STOP_TIME_MAX);
}

#[tokio::test]
async fn without_trackers_there_is_nothing_to_do() {
    let (announcer, _outcomes) = Announcer::start(trackers(LIMIT), torrent(&[], false, 100), || None);
    assert!(announcer.status().is_empty());
    announcer.wish(Wish { peers: 1, badly: true });
    timeout(LIMIT, announcer.stop()).await.expect("it ends");
}
