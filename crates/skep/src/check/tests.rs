//! The check against tiny trackers: a right one, and for each fault one that has it.

mod tracker;

use super::*;
use tracker::{Fault, Tracker};

/// For trackers that answer whatever they should: a busy machine has time enough, and silence is not waited for,
/// since it is as right as an error wherever it is right.
fn patient() -> Options {
    Options { timeout: Duration::from_secs(20), tries: 1, silence: Duration::from_millis(20), trust: None }
}

/// For trackers that do not answer where they should, which takes this long to find out.
fn brief() -> Options {
    Options { timeout: Duration::from_millis(700), tries: 1, silence: Duration::from_millis(20), trust: None }
}

/// For trackers that answer where they should be silent.
fn attentive() -> Options {
    Options { silence: Duration::from_secs(1), ..patient() }
}

async fn check(tracker: &Tracker, options: &Options) -> Report {
    run(&tracker.url, options).await.unwrap()
}

/// The names of the checks that came out so.
fn named(report: &Report, outcome: Outcome) -> Vec<&str> {
    report.checks.iter().filter(|check| check.outcome == outcome).map(|check| &*check.name).collect()
}

fn detail<'r>(report: &'r Report, name: &str) -> &'r str {
    &report.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{name}")).detail
}

#[tokio::test]
async fn a_right_tracker_holds() {
    for tracker in [Tracker::udp(Fault::None).await, Tracker::http(Fault::None).await] {
        let report = check(&tracker, &patient()).await;
        let pass = report.count(Outcome::Pass);
        assert_eq!(pass, report.checks.len(), "{report:#?}");
        assert!(report.holds() && pass > 20, "{report:#?}");
        assert_eq!(tracker.left_behind(), 0, "everyone says stopped in the end");
    }
}

/// What exactly fails or is warned of, for each fault that both protocols can have.
#[tokio::test]
async fn each_fault_is_found() {
    let hidden = ["introduces peers to each other", "hands a seeder no seeders"];
    let zeros = [
        "counts a completed download",
        "forgets who says stopped",
        "scrape agrees with announce",
        "scrapes several at once",
    ];
    let cases: [(Fault, &[&str], &[&str]); 9] = [
        (Fault::HandsAskerToItself, &[], &["hands nobody to itself"]),
        (Fault::IgnoresNumwant, &["gives no more peers than asked for"], &[]),
        (Fault::GivesSeedersSeeders, &[], &["hands a seeder no seeders"]),
        (Fault::LeavesOutAsker, &[], &["counts seeders and leechers", "counts a completed download"]),
        (Fault::HidesPeers, &hidden, &["gives no more peers than asked for"]),
        (Fault::ForgetsCompletions, &["counts a completed download"], &[]),
        (Fault::IgnoresStopped, &["forgets who says stopped"], &[]),
        (Fault::ZeroInterval, &["names a sane interval"], &[]),
        (Fault::ScrapesZeros, &zeros, &[]),
    ];
    for (fault, fails, warns) in cases {
        for tracker in [Tracker::udp(fault).await, Tracker::http(fault).await] {
            let report = check(&tracker, &patient()).await;
            assert_eq!(named(&report, Outcome::Fail), fails, "{fault:?} at {}: {report:#?}", tracker.url);
            assert_eq!(named(&report, Outcome::Warn), warns, "{fault:?} at {}: {report:#?}", tracker.url);
        }
    }
}

#[tokio::test]
async fn a_tracker_that_says_nothing_of_use_fails_once() {
    let cases = [
        (Tracker::udp(Fault::Silent).await, "the connect request is not answered, sent 1 times"),
        (Tracker::udp(Fault::Garbage).await, "not understood: action 4294967295 of an answer"),
        (Tracker::udp(Fault::WrongTransaction).await, "the connect request with transaction id 0x"),
        (Tracker::http(Fault::Silent).await, "error sending request: operation timed out"),
        (Tracker::http(Fault::Garbage).await, "not understood: bencode at byte 0 `<"),
    ];
    for (tracker, reason) in cases {
        let report = check(&tracker, &brief()).await;
        assert_eq!(named(&report, Outcome::Fail), ["answers announces"], "{report:#?}");
        assert!(detail(&report, "answers announces").starts_with(reason), "{report:#?}");
        assert!(report.count(Outcome::Skip) > 10 && report.count(Outcome::Pass) == 1, "{report:#?}");
    }
}

#[tokio::test]
async fn a_tracker_that_refuses_the_torrent_is_still_probed() {
    for tracker in [Tracker::udp(Fault::Refuses).await, Tracker::http(Fault::Refuses).await] {
        let report = check(&tracker, &patient()).await;
        assert_eq!(named(&report, Outcome::Fail), ["answers announces"], "{report:#?}");
        assert_eq!(detail(&report, "answers announces"), "refused: not here");
        assert_eq!(detail(&report, "still answers after all that"), "refused as before");
    }
}

#[tokio::test]
async fn a_tracker_without_scrape_is_judged_by_its_announces() {
    let scrapes = ["scrape agrees with announce", "scrapes several at once"];
    let report = check(&Tracker::http(Fault::NoScrape).await, &brief()).await;
    assert_eq!(named(&report, Outcome::Fail), scrapes, "{report:#?}");
    let report = check(&Tracker::udp(Fault::NoScrape).await, &brief()).await;
    assert_eq!(named(&report, Outcome::Fail), [scrapes[0]], "{report:#?}");
    assert_eq!(named(&report, Outcome::Skip), [scrapes[1]], "it is not asked again: {report:#?}");
}

#[tokio::test]
async fn what_udp_trackers_do_to_strangers_is_found() {
    let report = check(&Tracker::udp(Fault::AnyConnection).await, &attentive()).await;
    let expected = ["refuses a connection id it did not give", "refuses a scrape without a connection"];
    assert_eq!(named(&report, Outcome::Fail), expected, "{report:#?}");

    let report = check(&Tracker::udp(Fault::Amplifies).await, &attentive()).await;
    assert_eq!(named(&report, Outcome::Warn), ["answers strangers briefly"], "{report:#?}");

    let report = check(&Tracker::udp(Fault::DiesOfMalformed).await, &brief()).await;
    assert_eq!(named(&report, Outcome::Fail), ["still answers after all that"], "{report:#?}");
}

#[tokio::test]
async fn what_http_trackers_let_pass_is_found() {
    let report = check(&Tracker::http(Fault::AnyHash).await, &patient()).await;
    assert_eq!(named(&report, Outcome::Fail), ["refuses an info hash of 19 bytes"], "{report:#?}");

    let report = check(&Tracker::http(Fault::AlwaysDictionaries).await, &patient()).await;
    let expected = ["answers in compact form", "leaves out peers' ids if asked to"];
    assert_eq!(named(&report, Outcome::Warn), expected, "{report:#?}");

    let report = check(&Tracker::http(Fault::InternalError).await, &patient()).await;
    assert_eq!(report.count(Outcome::Fail), 7, "{report:#?}");
}

#[tokio::test]
async fn a_tracker_of_both_families_is_checked_at_both() {
    // `localhost` need not have an IPv6 address here; where it has, nobody listens there.
    let tracker = Tracker::udp(Fault::None).await;
    let url = tracker.url.replace("127.0.0.1", "localhost");
    let report = run(&url, &patient()).await.unwrap();
    assert!(report.holds(), "{report:#?}");
    assert!(report.address.is_some_and(|address| address.is_ipv4()));
    if detail(&report, "the name resolves").contains("[::1]") {
        assert_eq!(named(&report, Outcome::Warn), [judge::EVERY_ADDRESS], "{report:#?}");
    }
}

#[tokio::test]
async fn a_tracker_of_ipv6_is_spoken_to_in_ipv6() {
    let ip = std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST);
    if tokio::net::UdpSocket::bind((ip, 0)).await.is_err() {
        eprintln!("left out: this machine has no IPv6");
        return;
    }
    let tracker = Tracker::udp_at(ip, Fault::None).await;
    let report = check(&tracker, &patient()).await;
    assert_eq!(report.count(Outcome::Pass), report.checks.len(), "{report:#?}");
}

#[tokio::test]
async fn where_nobody_listens_the_report_says_so() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    for scheme in ["udp", "http"] {
        let report = run(&format!("{scheme}://{address}"), &patient()).await.unwrap();
        assert_eq!(named(&report, Outcome::Fail), ["answers announces"], "{report:#?}");
        let detail = detail(&report, "answers announces");
        assert!(detail.to_lowercase().contains("connection refused"), "{detail}");
    }
    let report = run("udp://no-such-host.invalid:1", &brief()).await.unwrap();
    assert_eq!(named(&report, Outcome::Fail), ["the name resolves"], "{report:#?}");
}

#[tokio::test]
async fn reports_are_for_people_and_programs() {
    let tracker = Tracker::udp(Fault::ZeroInterval).await;
    let report = check(&tracker, &patient()).await;

    let mut table = Vec::new();
    report.write_table(100, &mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    let line = table.lines().find(|line| line.contains("names a sane interval")).unwrap();
    assert!(
        line.trim_start().starts_with("FAIL") && line.contains("BEP 15") && line.contains("0 s"),
        "{table}"
    );
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let sum = table.lines().last().unwrap();
    assert!(sum.starts_with("udp://127.0.0.1:") && sum.contains("1 do not hold"), "{sum}");

    let mut json = Vec::new();
    report.write_json(&mut json).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["url"], tracker.url);
    assert_eq!(json["checks"][2]["name"], "names a sane interval");
    assert_eq!(json["checks"][2]["bep"], 15);
    assert_eq!(json["checks"][2]["outcome"], "fail");
}
