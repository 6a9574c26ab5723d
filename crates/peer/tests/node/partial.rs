//! Torrents of which only some files are wanted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Source;
use peer::node::{Files, Node, Pause, Phase};
use swarm::Event;

use crate::support::{Shared, assert_same, endpoint, keeping, next, node, phase, tiers, tracker, whole};

/// The files whose path begins so; none is an error.
fn beginning(with: &'static str) -> Files {
    Files::Chosen(Arc::new(move |torrent| {
        let chosen: Vec<bool> =
            torrent.files().iter().map(|file| file.path.join("/").starts_with(with)).collect();
        if chosen.contains(&true) { Ok(chosen) } else { Err(format!("nothing begins with {with}")) }
    }))
}

/// The files below `folder`, hidden folders left out.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            names.push(entry.path());
        } else if !entry.file_name().to_str().unwrap().starts_with('.') {
            names.extend(self::names(&entry.path()));
        }
    }
    names.sort();
    names
}

/// Everything that wants something of `shared` gets it from this.
async fn seeder(shared: &Shared) -> Node {
    let seeder = node();
    seeder.share(shared.torrent.clone(), shared.path()).await.unwrap();
    seeder
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_wanted_is_fetched_and_later_the_rest() {
    let shared = Shared::new();
    let hash = shared.torrent.info_hash();
    let (seeder, state, folder) =
        (seeder(&shared).await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, mut heard) = tracker().await;
    let first = keeping(&state);
    first.fetch(shared.torrent.clone(), folder.path(), beginning("b")).await.unwrap();
    let wanted = 2 * crate::support::PIECE_BYTES as u64;
    assert_eq!(first.status(hash).unwrap().bytes, Some(wanted));
    first.announce(hash, tiers(&server));
    let total = shared.torrent.size();
    assert_eq!(next(&mut heard).await.left, Some(total));
    first.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    let path = whole(&first, &shared.torrent).await.unwrap();
    let status = first.status(hash).unwrap();
    assert_eq!(status.stats.left, 0);
    let fetched = status.stats.downloaded;
    assert!((wanted..total / 2).contains(&fetched), "{fetched}");
    assert_eq!(names(&path), ["b/empty", "b/two pieces"].map(|name| path.join(name)));
    // BEP 21: it tells what it still lacks, and that it wants none of it.
    let partial = next(&mut heard).await;
    assert_eq!((partial.event, partial.left), (Event::Paused, Some(total - fetched)));
    first.stop().await;
    assert_eq!(next(&mut heard).await.event, Event::Stopped);

    let second = keeping(&state);
    second.fetch(shared.torrent.clone(), folder.path(), Files::All).await.unwrap();
    let status = second.status(hash).unwrap();
    assert_eq!((status.check.total, status.stats.left), (0, total - fetched));
    second.announce(hash, tiers(&server));
    assert_eq!(next(&mut heard).await.event, Event::Started);
    second.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    assert_same(&shared.path(), &whole(&second, &shared.torrent).await.unwrap());
    let completed = next(&mut heard).await;
    assert_eq!((completed.event, completed.downloaded), (Event::Completed, total - fetched));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_seeds_share_what_they_have() {
    let shared = Shared::new();
    let hash = shared.torrent.info_hash();
    let (seeder, first, second) = (seeder(&shared).await, node(), node());
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    first.fetch(shared.torrent.clone(), folders[0].path(), beginning("b")).await.unwrap();
    first.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    whole(&first, &shared.torrent).await.unwrap();
    seeder.stop().await;
    second.fetch(shared.torrent.clone(), folders[1].path(), beginning("b/two")).await.unwrap();
    second.add_peers(hash, Source::Person, &[endpoint(&first)]);
    let path = whole(&second, &shared.torrent).await.unwrap();
    assert_eq!(names(&path), [path.join("b/two pieces")]);
    let same =
        fs::read(path.join("b/two pieces")).unwrap() == fs::read(shared.path().join("b/two pieces")).unwrap();
    assert!(same);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_link_files_are_chosen_once_they_are_known() {
    let shared = Shared::new();
    let hash = shared.torrent.info_hash();
    let (seeder, leecher, folder) = (seeder(&shared).await, node(), tempfile::tempdir().unwrap());
    leecher.fetch_described(hash, folder.path(), beginning("a/one"));
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    let path = whole(&leecher, &shared.torrent).await.unwrap();
    assert_eq!(names(&path), [path.join("a/one byte")]);

    let wrong = node();
    wrong.fetch_described(hash, folder.path(), beginning("z"));
    wrong.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    let paused = phase(&wrong, hash, |phase| matches!(phase, Phase::Paused(_))).await;
    assert_eq!(paused, Phase::Paused(Pause::Problem("nothing begins with z".to_owned())));
    let refused = wrong.fetch(shared.torrent.clone(), folder.path(), Files::All).await;
    assert_eq!(refused.unwrap(), hash, "one that is here stays as it is");
}
