//! Nodes that give each other what they have.

use std::fs;

use engine::Source;
use peer::node::{Change, Files, Limits, Node, Options, Pause, Phase};

use crate::support::{
    PATIENCE, PIECE_BYTES, Shared, assert_same, endpoint, keeping, node, options, phase, whole,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_from_one_node_to_another() {
    let shared = Shared::new();
    let (seeder, leecher, folder) = (node(), node(), tempfile::tempdir().unwrap());
    let hash = seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    assert_eq!(leecher.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap(), hash);
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);

    let path = whole(&leecher, &shared.torrent).await.unwrap();
    assert_eq!(path, folder.path().join("data set"));
    assert_same(&shared.path(), &path);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    let status = leecher.status(hash).unwrap();
    assert_eq!((status.stats.left, status.phase), (0, Phase::Whole(path)));
    assert_eq!(status.stats.downloaded, shared.torrent.size());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_info_hash_is_enough() {
    let shared = Shared::new();
    let (seeder, leecher, folder) = (node(), node(), tempfile::tempdir().unwrap());
    let hash = seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    leecher.fetch_described(hash, folder.path(), Files::All);
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    assert_same(&shared.path(), &whole(&leecher, &shared.torrent).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_fetched_again_and_the_rest_is_not() {
    let shared = Shared::new();
    let (seeder, folder) = (node(), tempfile::tempdir().unwrap());
    let hash = seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    let first = node();
    first.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    first.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    let path = whole(&first, &shared.torrent).await.unwrap();
    first.stop().await;
    drop(first);

    let damaged = path.join("c");
    let mut data = fs::read(&damaged).unwrap();
    data[1 << 20] ^= 1;
    fs::write(&damaged, data).unwrap();
    let second = node();
    second.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    assert_eq!(second.status(hash).unwrap().stats.left, PIECE_BYTES as u64);
    second.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    assert_same(&shared.path(), &whole(&second, &shared.torrent).await.unwrap());
    assert_eq!(second.status(hash).unwrap().stats.downloaded, PIECE_BYTES as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_fetch_feed_each_other() {
    let shared = Shared::new();
    // As with a link of its own: what it can send at once to everybody, nobody else need send.
    let seeder =
        Node::start(Options { limits: Limits { upload: Some(4 << 20), download: None }, ..options() })
            .unwrap();
    let hash = seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    let leechers: Vec<_> = (0..3).map(|_| (node(), tempfile::tempdir().unwrap())).collect();
    for (leecher, folder) in &leechers {
        leecher.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    }
    let all: Vec<_> =
        leechers.iter().map(|(leecher, _)| endpoint(leecher)).chain([endpoint(&seeder)]).collect();
    for (leecher, _) in &leechers {
        leecher.add_peers(hash, Source::Person, &all);
    }
    for (leecher, _) in &leechers {
        assert_same(&shared.path(), &whole(leecher, &shared.torrent).await.unwrap());
    }
    let uploaded = seeder.status(hash).unwrap().stats.uploaded;
    assert!(uploaded < 2 * shared.torrent.size(), "the seeder sent {uploaded} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_is_not_shared() {
    let shared = Shared::new();
    fs::write(shared.path().join("b").join("two pieces"), "changed").unwrap();
    let problem = node().share(shared.torrent.clone(), shared.path()).await.unwrap_err();
    assert!(problem.to_string().contains("two pieces"), "{problem}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_goes_away_pauses_its_torrent_and_no_other() {
    let (gone, stays) = (Shared::new(), Shared::new());
    let (seeder, leecher, folder) = (node(), node(), tempfile::tempdir().unwrap());
    let hash = seeder.share(gone.torrent.clone(), gone.path()).await.unwrap();
    seeder.share(stays.torrent.clone(), stays.path()).await.unwrap();
    fs::remove_dir_all(gone.path()).unwrap();
    leecher.fetch(gone.torrent.clone(), folder.path(), Files::All).await.unwrap();
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    let mut phases = seeder.phases(hash).unwrap();
    let paused = phases.wait_for(|phase| matches!(phase, Phase::Paused(_)));
    let why = tokio::time::timeout(PATIENCE, paused).await.unwrap().unwrap().clone();
    assert!(format!("{why:?}").contains("cannot read"), "{why:?}");
    leecher.stop().await;

    let (leecher, folder) = (node(), tempfile::tempdir().unwrap());
    leecher.fetch(stays.torrent.clone(), folder.path(), Files::All).await.unwrap();
    leecher.add_peers(stays.torrent.info_hash(), Source::Person, &[endpoint(&seeder)]);
    assert_same(&stays.path(), &whole(&leecher, &stays.torrent).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_goes_on_when_it_is_resumed() {
    let shared = Shared::new();
    let (seeder, leecher, folder) = (node(), node(), tempfile::tempdir().unwrap());
    let hash = seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    leecher.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    leecher.pause(hash);
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    assert_eq!(leecher.status(hash).unwrap().phase, Phase::Paused(Pause::Asked));
    assert_eq!(leecher.whole(hash).await.unwrap_err(), "paused");
    assert_eq!(leecher.status(hash).unwrap().stats.downloaded, 0);

    leecher.resume(hash);
    let path = phase(&leecher, hash, |phase| matches!(phase, Phase::Whole(_))).await;
    assert_eq!(path, Phase::Whole(folder.path().join("data set")));
    assert_same(&shared.path(), &folder.path().join("data set"));
    seeder.pause(hash);
    seeder.resume(hash);
    phase(&seeder, hash, |phase| *phase == Phase::Whole(shared.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_can_come_again_and_all_of_it_is_told() {
    let shared = Shared::new();
    let node = node();
    let mut changes = node.changes();
    let hash = node.share(shared.torrent.clone(), shared.path()).await.unwrap();
    assert!(node.remove(hash).await);
    assert!(!node.remove(hash).await && node.status(hash).is_none() && node.torrents().is_empty());
    assert!(shared.path().join("c").exists(), "the files stay");
    node.share(shared.torrent.clone(), shared.path()).await.unwrap();
    let listed = node.torrents();
    assert_eq!((listed.len(), listed[0].hash), (1, hash));
    let whole = Change::Phase(hash, Phase::Whole(shared.path()));
    let told = [Change::Added(hash), whole.clone(), Change::Removed(hash), Change::Added(hash), whole];
    for expected in told {
        assert_eq!(tokio::time::timeout(PATIENCE, changes.next()).await.unwrap(), Some(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_change_while_it_runs() {
    let shared = Shared::new();
    let limits = Limits { upload: None, download: Some(1) };
    let leecher = Node::start(Options { limits, ..options() }).unwrap();
    let (seeder, folder) = (node(), tempfile::tempdir().unwrap());
    let hash = seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    leecher.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    lab::wait::until("a connection", PATIENCE, || {
        (leecher.status(hash).unwrap().stats.peers > 0).then_some(())
    });
    leecher.limit(Limits::default());
    assert_eq!(leecher.limits(), Limits::default());
    assert_same(&shared.path(), &whole(&leecher, &shared.torrent).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_to_be_good_is_not_hashed_at_the_next_start() {
    let shared = Shared::new();
    let (state, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let total = shared.torrent.size();
    let hashed = |node: &Node| node.torrents()[0].status.check.total;
    let seeder = keeping(&state);
    let hash = seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    assert_eq!(hashed(&seeder), total);
    seeder.pause(hash);
    seeder.resume(hash);
    phase(&seeder, hash, |phase| *phase == Phase::Whole(shared.path())).await;
    assert_eq!(hashed(&seeder), 0, "it was saved meanwhile");

    // Half of it at most: the download stops in the middle.
    let half = Limits { download: Some(total / 2), upload: None };
    let leecher = keeping(&state);
    leecher.limit(half);
    leecher.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    let some = || leecher.status(hash).unwrap().stats.left < total;
    lab::wait::until("a piece", PATIENCE, || some().then_some(()));
    leecher.stop().await;
    drop(leecher);
    let leecher = keeping(&state);
    leecher.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    let left = leecher.status(hash).unwrap().stats.left;
    assert!((1..total).contains(&left), "{left} of {total} are left");
    let again = hashed(&leecher);
    assert!(again < total, "only what was begun may be hashed again: {again} of {total}");
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    whole(&leecher, &shared.torrent).await.unwrap();
    assert_eq!(leecher.status(hash).unwrap().stats.downloaded, left);
    leecher.stop().await;
    seeder.stop().await;

    let (seeder, leecher) = (keeping(&state), keeping(&state));
    seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    leecher.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    assert_eq!((hashed(&seeder), hashed(&leecher)), (0, 0), "two with one state directory");
    assert!(matches!(leecher.status(hash).unwrap().phase, Phase::Whole(_)));
}
