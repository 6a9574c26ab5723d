use serde_json::Value;
use skep::exit::Exit;
use wire::metainfo::Metainfo;

use crate::support::{World, torrent};

fn read(world: &World, name: &str) -> Metainfo {
    Metainfo::decode(&std::fs::read(world.path(name)).unwrap()).unwrap()
}

#[tokio::test]
async fn a_folder_becomes_a_torrent_with_its_name() {
    let world = World::new();
    world.write("dataset/b.bin", [7; 40_000]);
    world.write("dataset/a/c.bin", [8; 1000]);
    let ran = world.run(&["make", "dataset", "--no-date"]).await.ended(Exit::Success);
    let torrent = read(&world, "dataset.torrent");
    assert_eq!((torrent.name(), torrent.size(), torrent.files().len()), ("dataset", 41_000, 2));
    assert_eq!(torrent.creation_date(), None);
    assert_eq!(torrent.created_by(), Some(concat!("Skep ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(ran.stderr, "");
    insta::assert_snapshot!("make", ran.stdout);
}

#[tokio::test]
async fn what_is_said_is_in_the_torrent() {
    let world = World::new();
    world.write("a.bin", [1; 20_000]);
    world.write("b.bin", [2; 20_000]);
    let args = [
        "make",
        "a.bin",
        "b.bin",
        "--name",
        "pair",
        "-t",
        "http://one/announce,udp://two:1",
        "-t",
        "https://three/announce",
        "--web-seed",
        "http://files/",
        "--private",
        "--comment",
        "a remark",
        "--source",
        "here",
        "--created-by",
        "me",
        "--piece-length",
        "32 KiB",
        "-o",
        "out.torrent",
    ];
    world.run(&args).await.ended(Exit::Success);
    let torrent = read(&world, "out.torrent");
    assert_eq!((torrent.name(), torrent.private(), torrent.piece_length()), ("pair", true, 32 << 10));
    assert_eq!((torrent.comment(), torrent.source()), (Some("a remark"), Some("here")));
    assert_eq!(torrent.created_by(), Some("me"));
    assert_eq!(
        torrent.trackers(),
        [vec!["http://one/announce", "udp://two:1"], vec!["https://three/announce"]]
    );
    assert_eq!(torrent.web_seeds(), ["http://files/"]);
    assert!(torrent.creation_date().is_some());
}

#[tokio::test]
async fn an_existing_file_is_replaced_only_by_force() {
    let world = World::new();
    world.write("a.bin", "a");
    world.write("a.bin.torrent", "precious");
    for args in [&["make", "a.bin"][..], &["make", "a.bin", "-o", "a.bin.torrent"]] {
        let ran = world.run(args).await.ended(Exit::Failed);
        assert_eq!(ran.stderr, "error: a.bin.torrent is there already; --force replaces it\n");
    }
    world.run(&["make", "a.bin", "--force"]).await.ended(Exit::Success);
    assert_eq!(read(&world, "a.bin.torrent").name(), "a.bin");
}

#[tokio::test]
async fn json_is_that_of_show() {
    let world = World::new();
    world.write("a.bin", "a");
    let made = world.run(&["make", "a.bin", "--json"]).await.ended(Exit::Success).stdout;
    let shown = world.run(&["show", "a.bin.torrent", "--json"]).await.ended(Exit::Success).stdout;
    assert_eq!(made, shown);
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["name"], "a.bin");
}

#[tokio::test]
async fn what_cannot_be_made_is_told() {
    let world = World::new();
    world.write("a.bin", "a");
    world.write("b.bin", "b");
    for (args, exit, expected) in [
        (&["nothing"][..], Exit::Failed, "error: there is no file or folder at `DIR/nothing`\n"),
        (&["a.bin", "b.bin"], Exit::Failed, "error: 2 paths make one torrent, which needs a name\n"),
        (
            &["a.bin", "-t", "hub:6969"],
            Exit::Misuse,
            "error: --tracker `hub:6969` is no address: one that begins with http://, https://, udp://, ws://, wss:// \
             is expected\n",
        ),
        (
            &["a.bin", "-o", "no/such/dir.torrent"],
            Exit::Failed,
            "error: cannot write no/such/dir.torrent: No such file or directory (os error 2)\n",
        ),
    ] {
        let args: Vec<&str> = ["make"].iter().chain(args).copied().collect();
        let ran = world.run(&args).await.ended(exit);
        assert_eq!(ran.stderr, expected);
    }
    let ran = world.run(&["make", "a.bin", "-l", "much"]).await.ended(Exit::Misuse);
    assert!(ran.stderr.contains("`much` is not a size"), "{}", ran.stderr);
}

#[tokio::test]
async fn show_prints_what_a_torrent_says() {
    let world = World::new();
    world.write("one.torrent", torrent("one"));
    insta::assert_snapshot!("show", world.run(&["show", "one.torrent"]).await.ended(Exit::Success).stdout);
    let ran = world.run(&["show", "two.torrent"]).await.ended(Exit::Failed);
    assert_eq!(
        ran.stderr,
        "error: `DIR/two.torrent` cannot be read: No such file or directory (os error 2)\n"
    );
}
