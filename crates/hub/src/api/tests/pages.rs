use serde_json::json;

use super::hub::{HOST, Hub, folder, torrent};
use crate::config::Publish;

#[tokio::test]
async fn the_front_page_tells_where_to_announce_and_what_there_is() {
    let hub = Hub::new();
    let empty = hub.get("/").browser().send().await;
    assert_eq!(empty.header("content-type"), "text/html; charset=utf-8");
    assert!(empty.text().contains("The catalogue is empty so far."));
    let hash = hub.add(&torrent("A file & more", 1_481_763_717)).await;
    let page = hub.get("/").browser().send().await.text();
    for expected in [
        "<code class=\"copy\">http://hub.example:6969/announce</code>",
        "<code class=\"copy\">udp://hub.example:6969/announce</code>",
        &format!("<a href=\"/torrents/{hash}\">A file &amp; more</a>"),
        "1.38 GiB",
        &format!("href=\"magnet:?xt=urn:btih:{hash}&amp;dn=A%20file%20%26%20more"),
        &format!("href=\"/t/{hash}.torrent\""),
        "<html lang=\"en\">",
        "<label class=\"hidden\" for=\"query\">",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
}

#[tokio::test]
async fn the_front_page_searches_and_turns_pages() {
    let hub = Hub::new();
    for n in 0..51 {
        let facts = json!({"info_hash": format!("{n:040x}"), "name": format!("thing {n}")});
        assert_eq!(hub.post("/api/v1/torrents").token().json(&facts.to_string()).await.status, 201);
    }
    let first = hub.get("/?query=thing").browser().send().await.text();
    let next = first
        .split("class=\"next\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&amp;", "&");
    assert!(next.starts_with("/?query=thing&cursor="), "{next}");
    let second = hub.get(&next).browser().send().await.text();
    assert_eq!((first.matches("<tr>").count(), second.matches("<tr>").count()), (51, 2));
    assert!(
        second.contains("<a href=\"/?query=thing\">First page</a>") && !second.contains("class=\"next\"")
    );
    let none = hub.get("/?query=%3Ci%3Enone%3C%2Fi%3E").browser().send().await.text();
    assert!(none.contains("matches “&lt;i&gt;none&lt;/i&gt;”") && !none.contains("<i>"), "{none}");
    let wrong = hub.get("/?cursor=made-up").browser().send().await;
    assert_eq!((wrong.status.as_u16(), wrong.header("content-type")), (400, "text/html; charset=utf-8"));
}

#[tokio::test]
async fn what_strangers_write_is_text_and_nothing_else() {
    let hub = Hub::new();
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let path = "<svg onload=alert(1)>";
    let hash = hub.add(&folder(evil, &[path])).await;
    let facts = json!({
        "info_hash": "0".repeat(40), "name": evil, "comment": evil, "created_by": evil,
        "files": [{"path": path, "length": 1}],
    });
    hub.post("/api/v1/torrents").json(&facts.to_string()).await;
    for target in ["/".to_owned(), format!("/torrents/{hash}"), format!("/torrents/{}", "0".repeat(40))] {
        let page = hub.get(&target).browser().send().await.text();
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
        for tag in ["<script", "<img", "onload=alert(1)>", "\"'>"] {
            assert!(!page.contains(tag), "{target}: {tag}: {page}");
        }
    }
    let query = hub.get("/?query=%22%3E%3Cscript%3E").browser().send().await.text();
    assert!(!query.contains("<script"), "{query}");
}

#[tokio::test]
async fn a_torrent_has_a_page_with_its_files() {
    let hub = Hub::new();
    let hash = hub.add(&folder("holiday", &["day 1/a.jpg", "day 2/b.jpg"])).await;
    let page = hub.get(&format!("/torrents/{hash}")).browser().send().await.text();
    for expected in
        ["<h1 class=\"title\">holiday</h1>", "day 1/a.jpg", "2 files", "2023-11-14", "made for a test"]
    {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let unknown = hub.get(&format!("/torrents/{}", "f".repeat(40))).browser().send().await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("is in the catalogue."), "{}", unknown.text());
    hub.get("/torrents/xyz").send().await.problem(400);
}

#[tokio::test]
async fn the_form_adds_a_torrent_and_leads_to_it() {
    let hub = Hub::new();
    let form = hub.get("/add").browser().send().await.text();
    assert!(form.contains("enctype=\"multipart/form-data\"") && !form.contains("name=\"token\""), "{form}");
    let send = |file: &[u8]| {
        let mut body =
            b"--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n".to_vec();
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n--X--\r\n");
        let call = hub.post("/add").header("content-type", "multipart/form-data; boundary=X").browser();
        call.header("sec-fetch-site", "same-origin").body(body)
    };
    let answer = send(&torrent("by form", 5)).await;
    assert_eq!(answer.status, 303);
    let page = hub.get(answer.header("location")).browser().send().await.text();
    assert!(page.contains("by form"), "{page}");
    for (file, expected) in [(&b""[..], "No file was chosen"), (b"junk", "This is no .torrent file: ")] {
        let answer = send(file).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (400, "text/html; charset=utf-8")
        );
        assert!(answer.text().contains(expected), "{}", answer.text());
    }
    let closed = Hub::with(|config| config.publish = Publish::Token);
    assert!(closed.get("/add").browser().send().await.text().contains("name=\"token\""));
}

#[tokio::test]
async fn the_style_may_be_kept_and_its_address_changes_with_it() {
    let hub = Hub::new();
    let page = hub.get("/").header("host", HOST).send().await.text();
    let href = page.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(href.starts_with("/style.css?v="), "{href}");
    let style = hub.get(href).send().await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert!(style.header("cache-control").contains("immutable"));
    assert_eq!(hub.get("/icon.svg").send().await.header("content-type"), "image/svg+xml");
}
