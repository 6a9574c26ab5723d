use swarm::Event;
use wire::metainfo::Metainfo;

use super::hub::{Hub, folder, torrent};

#[tokio::test]
async fn the_catalogue_is_listed_in_pages_newest_first() {
    let hub = Hub::new();
    for n in 1..=5 {
        hub.add(&torrent(&format!("t{n}"), n)).await;
    }
    let mut names = Vec::new();
    let mut target = String::from("/api/v1/torrents?query=&limit=2&cursor=");
    loop {
        let page = hub.get(&target).send().await.json();
        names.extend(
            page["torrents"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/api/v1/torrents?limit=2&cursor={next}");
    }
    assert_eq!(names, ["t5", "t4", "t3", "t2", "t1"]);
    let all = hub.get("/api/v1/torrents").send().await.json();
    assert_eq!((all["torrents"].as_array().unwrap().len(), &all["next"]), (5, &().into()));
}

#[tokio::test]
async fn words_find_names_and_files() {
    let hub = Hub::new();
    hub.add(&torrent("Debian 12 netinst", 1)).await;
    hub.add(&folder("holiday", &["größe/debian.txt"])).await;
    hub.add(&torrent("other", 2)).await;
    let found = async |query: &str| {
        let page = hub.get(&format!("/api/v1/torrents?query={query}")).send().await.json();
        page["torrents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("debian").await, ["Debian 12 netinst", "holiday"]);
    assert_eq!(found("12+DEB").await, ["Debian 12 netinst"]);
    assert_eq!(found("gr%C3%B6%C3%9Fe").await, ["holiday"]);
    assert_eq!(found("%22%20OR%201=1--").await, [""; 0]);
}

#[tokio::test]
async fn a_listing_that_makes_no_sense_is_refused() {
    let hub = Hub::new();
    for (query, expected) in [
        ("limit=x", "limit `x` is not a number from 1"),
        ("limit=0", "limit `0` is not a number from 1"),
        ("limit=-5", "limit `-5` is not"),
        ("cursor=made+up", "`made up` is not a cursor"),
        ("query=%FF%FE", "`%FF%FE` in the query is not UTF-8"),
    ] {
        for path in ["/api/v1/torrents", "/stats"] {
            let detail = hub.get(&format!("{path}?{query}")).send().await.problem(400);
            assert!(detail.starts_with(expected), "{query}: {detail}");
        }
    }
}

#[tokio::test]
async fn a_torrent_has_live_counts_and_its_peers_are_for_the_token() {
    let hub = Hub::new();
    let hash = hub.add(&torrent("live", 9)).await;
    hub.announce(hash, 7, 0, Event::Started);
    hub.announce(hash, 8, 9, Event::Started);
    hub.announce(hash, 9, 9, Event::Started);
    hub.announce(hash, 9, 0, Event::Completed);
    let target = format!("/api/v1/torrents/{}", hash.to_string().to_uppercase());
    let json = hub.get(&target).send().await.json();
    assert_eq!([&json["seeders"], &json["leechers"], &json["completed"]], [&2, &1, &1]);
    assert_eq!(json["comment"], "made for a test");
    assert_eq!(json["created_by"], "skep test");
    assert_eq!(json["created_at"], 1_700_000_000);
    assert!(json.get("peers").is_none());
    let json = hub.get(&target).token().send().await.json();
    let peers = json["peers"].as_array().unwrap();
    assert_eq!(peers.len(), 3);
    let leecher = peers.iter().find(|peer| peer["ip"] == "192.0.2.8").unwrap();
    assert_eq!(
        (&leecher["port"], &leecher["role"], &leecher["left"]),
        (&6881.into(), &"leecher".into(), &9.into())
    );
    assert_eq!(leecher["peer_id"], "-SK0100-abcdefghijkl");
    hub.get(&target).header("authorization", "Bearer wrong").send().await.problem(403);
    let list = hub.get("/api/v1/torrents").send().await.json();
    assert_eq!([&list["torrents"][0]["seeders"], &list["torrents"][0]["completed"]], [&2, &1]);
}

#[tokio::test]
async fn a_torrent_that_is_not_there_is_quoted() {
    let hub = Hub::new();
    let unknown = "f".repeat(40);
    for target in [format!("/api/v1/torrents/{unknown}"), format!("/t/{unknown}.torrent")] {
        let detail = hub.get(&target).send().await.problem(404);
        assert_eq!(detail, format!("no torrent `{unknown}` is in the catalogue"));
    }
    for target in ["/api/v1/torrents/xyz", "/t/xyz.torrent"] {
        let detail = hub.get(target).send().await.problem(400);
        assert_eq!(detail, "`xyz` is not an info hash: 40 hexadecimal digits are expected");
    }
    let detail = hub.get("/t/xyz").send().await.problem(404);
    assert!(detail.contains("/t/<info hash>.torrent is expected"), "{detail}");
    let detail = hub.get("/api/v1/torrents/%ff").send().await.problem(400);
    assert!(detail.contains("UTF-8"), "{detail}");
}

#[tokio::test]
async fn a_torrent_is_removed_with_the_token_only() {
    let hub = Hub::new();
    let hash = hub.add(&torrent("short-lived", 1)).await;
    let target = format!("/api/v1/torrents/{hash}");
    let delete = || hub.call(axum::http::Method::DELETE, &target);
    delete().from("127.0.0.1:5").send().await.problem(401);
    delete().header("authorization", "Bearer opensesam").send().await.problem(403);
    let answer = delete().token().send().await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (204, 0));
    delete().token().send().await.problem(404);
    hub.get(&target).send().await.problem(404);
}

#[tokio::test]
async fn a_downloaded_torrent_names_this_hub_and_is_otherwise_the_same() {
    let hub = Hub::new();
    let bytes = torrent("été \"quoted\"; ../x", 9);
    let hash = hub.add(&bytes).await;
    let get = |host| hub.get(&format!("/t/{hash}.torrent")).header("host", host);
    let answer = get("[2001:db8::1]:7000").send().await;
    assert_eq!(answer.header("content-type"), "application/x-bittorrent");
    let disposition = answer.header("content-disposition");
    assert!(disposition.starts_with("attachment; filename=\"_t_ _quoted__ "), "{disposition}");
    let (old, new) = (Metainfo::decode(&bytes).unwrap(), Metainfo::decode(&answer.bytes).unwrap());
    assert_eq!(new.info_bytes(), old.info_bytes());
    assert_eq!(
        new.trackers(),
        [["http://[2001:db8::1]:7000/announce".to_owned()], ["udp://[2001:db8::1]:6969/announce".to_owned()]]
    );
    assert_eq!(new.comment(), old.comment());
    for host in ["evil/\"><script>", "a b", "x@y"] {
        let detail = get(host).send().await.problem(400);
        assert!(detail.starts_with("Host `"), "{detail}");
    }
}
