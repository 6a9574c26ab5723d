//! Nodes on this machine that give each other what they have.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::Source;
use peer::node::{Node, Options, Phase};
use sha1::{Digest, Sha1};
use swarm::{Endpoint, Port};
use wire::metainfo::{Builder, Content, Metainfo};

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

const PIECE_BYTES: usize = 256 << 10;

/// A folder of files that make the edges of pieces and files meet in every way, 8 MiB in all, and its torrent.
struct Shared {
    folder: tempfile::TempDir,
    torrent: Arc<Metainfo>,
}

impl Shared {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<(Vec<&str>, usize)> = vec![
            (vec!["a", "one byte"], 1),
            (vec!["a", "deep", "er", "größe 大.bin"], 3 << 20),
            (vec!["b", "empty"], 0),
            (vec!["b", "two pieces"], 2 * PIECE_BYTES),
            (vec!["c"], (9 << 19) + 12_345),
            (vec!["last, empty"], 0),
        ];
        let mut payload = Vec::new();
        for (path, bytes) in &files {
            let data: Vec<u8> = (0..*bytes).map(|_| rand::random()).collect();
            let path = path.iter().fold(folder.path().join("data set"), |path, part| path.join(part));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &data).unwrap();
            payload.extend(data);
        }
        let list = files
            .iter()
            .map(|(path, bytes)| (path.iter().map(|part| part.to_string()).collect(), *bytes as u64));
        let mut bytes = Vec::new();
        let builder = Builder {
            name: "data set".to_owned(),
            content: Content::Folder(list.collect()),
            piece_length: PIECE_BYTES as u64,
            pieces: payload.chunks(PIECE_BYTES).flat_map(|piece| Sha1::digest(piece).to_vec()).collect(),
            ..Builder::default()
        };
        builder.encode(&mut bytes);
        Self { folder, torrent: Arc::new(Metainfo::decode(&bytes).unwrap()) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data set")
    }
}

fn node() -> Node {
    Node::start(Options::default()).unwrap()
}

fn endpoint(node: &Node) -> Endpoint {
    Endpoint::new(Ipv4Addr::LOCALHOST.into(), Port::new(node.port()).unwrap())
}

async fn whole(node: &Node, torrent: &Metainfo) -> Result<PathBuf, String> {
    let hash = torrent.info_hash();
    match tokio::time::timeout(PATIENCE, node.whole(hash)).await {
        Ok(done) => done,
        Err(_) => panic!("not whole in time: {:?}", node.status(hash)),
    }
}

fn assert_same(a: &Path, b: &Path) {
    let names = |folder: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(a), names(b), "in {}", b.display());
    for name in names(a) {
        let (a, b) = (a.join(&name), b.join(&name));
        if a.is_dir() {
            assert_same(&a, &b);
        } else {
            assert!(fs::read(&a).unwrap() == fs::read(&b).unwrap(), "{} differs", b.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_from_one_node_to_another() {
    let shared = Shared::new();
    let (seeder, leecher, folder) = (node(), node(), tempfile::tempdir().unwrap());
    let hash = seeder.share(shared.torrent.clone(), shared.path()).unwrap();
    assert_eq!(leecher.fetch(shared.torrent.clone(), folder.path()).await.unwrap(), hash);
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
    let hash = seeder.share(shared.torrent.clone(), shared.path()).unwrap();
    leecher.fetch_described(hash, folder.path());
    leecher.add_peers(hash, Source::Person, &[endpoint(&seeder)]);
    assert_same(&shared.path(), &whole(&leecher, &shared.torrent).await.unwrap());
}
