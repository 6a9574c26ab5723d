//! What a conversation says about the tracker.

use std::net::SocketAddr;

use swarm::Counts;
use wire::http::Shape;

use super::conversation::{Cast, Meeting, Peer, Transcript};
use super::line::{Got, Heard, Miss, Scraped};
use super::report::{Check, Outcome};
use super::target::Scheme;

/// Below this interval, in seconds, clients hammer.
const INTERVAL_SECS_MIN: u32 = 60;

/// Above this interval, in seconds, a swarm is news of yesterday.
const INTERVAL_SECS_MAX: u32 = 24 * 60 * 60;

/// What was found, and in which words.
type Verdict = (Outcome, String);

/// Judges the conversation.
pub(super) fn all(said: &Transcript, cast: &Cast, scheme: Scheme) -> Vec<Check> {
    let (announce, scrape) = match scheme {
        Scheme::Udp => (Some(15), Some(15)),
        Scheme::Http => (Some(3), Some(48)),
    };
    // What is wrong with the first answer is told once.
    let started = &said.leecher_starts.clone().map_err(|_| Miss::NotAsked);
    let mut checks = Vec::new();
    let mut add = |name, bep, (outcome, detail): Verdict| checks.push(Check::new(name, bep, outcome, detail));

    add("answers announces", announce, of(&said.leecher_starts, |_| pass("the first announce is answered")));
    add("names a sane interval", announce, of(started, interval));
    add("counts seeders and leechers", announce, counts_as_they_come(started, said));
    add("introduces peers to each other", announce, introductions(said, cast));
    add("hands nobody to itself", None, nobody_to_itself(said, cast));
    add("hands a seeder no seeders", None, of(&said.second_seeder_starts, |heard| seeder_alone(heard, cast)));
    add("gives no more peers than asked for", announce, of(&said.leecher_wants_one, at_most_one));
    add("counts a completed download", announce, completion(said));
    add("forgets who says stopped", announce, departure(said));
    add(
        "scrape agrees with announce",
        scrape,
        of(&said.first_scrape, |scraped| agrees(scraped, &[Some((1, 1))])),
    );
    let three = [Some((2, 1)), Some((0, 1)), None];
    add("scrapes several at once", scrape, of(&said.three_scraped, |scraped| agrees(scraped, &three)));
    match scheme {
        Scheme::Http => {
            add("answers in compact form", Some(23), of(&said.leecher_again, compact));
            add("answers compact=0", Some(23), not_compact(&said.not_compact));
            add("leaves out peers' ids if asked to", Some(3), no_ids(said));
            add("writes keys in order", Some(3), order(said));
        }
        Scheme::Udp => {
            let tolerated = |_: &Heard| pass("an announce with URL data is answered");
            add("takes options after an announce", Some(41), of(&said.with_options, tolerated));
        }
    }
    checks
}

/// Judges a short conversation at a tracker's other address.
pub(super) fn other_family(said: &Meeting, cast: &Cast, address: SocketAddr) -> Check {
    let (outcome, detail) = match (&said.leecher_starts, &said.seeder_starts) {
        (Ok(_), Ok(heard)) if has(heard, &cast.leecher) => pass(format!("{address}: peers meet there")),
        (Ok(_), Ok(_)) => fail(format!("{address}: a seeder is not told of the leecher there")),
        (Err(miss), _) | (_, Err(miss)) => warn(format!("{address}: {miss}")),
    };
    Check::new(EVERY_ADDRESS, Some(7), outcome, detail)
}

/// Judges an address at which nothing was heard, where the tracker has another one.
pub(super) fn unheard(said: &Transcript, address: SocketAddr) -> Check {
    let reason = said.leecher_starts.as_ref().map_or_else(ToString::to_string, |_| String::new());
    Check::new(EVERY_ADDRESS, Some(7), Outcome::Warn, format!("{address}: {reason}"))
}

/// The name of the check that each further address of a tracker gets.
pub(super) const EVERY_ADDRESS: &str = "answers at every address";

fn interval(heard: &Heard) -> Verdict {
    let Some(interval) = heard.interval else { return fail("none is named") };
    if interval == 0 {
        return fail("0 s: clients would announce without a pause");
    }
    let text = match heard.min_interval {
        Some(min) => format!("{interval} s, and {min} s at least"),
        None => format!("{interval} s"),
    };
    if heard.min_interval.is_some_and(|min| min > interval) {
        return warn(format!("{text}: the least is more than the interval"));
    }
    match interval {
        ..INTERVAL_SECS_MIN => warn(format!("{text}: below {INTERVAL_SECS_MIN} s clients hammer")),
        INTERVAL_SECS_MIN..=INTERVAL_SECS_MAX => pass(text),
        _ => warn(format!("{text}: after a day peers are long gone")),
    }
}

fn counts_as_they_come(started: &Got<Heard>, said: &Transcript) -> Verdict {
    worst([
        of(started, |heard| counted(heard, "a leecher", (0, 1), (0, 0))),
        of(&said.seeder_starts, |heard| counted(heard, "with a seeder", (1, 1), (0, 1))),
        of(&said.leecher_again, |heard| counted(heard, "the leecher again", (1, 1), (1, 0))),
    ])
}

/// Compares counts (complete, incomplete) with those that are right, and with those that leave out the asker.
fn counted(heard: &Heard, step: &str, right: (u32, u32), without_asker: (u32, u32)) -> Verdict {
    let (Some(complete), Some(incomplete)) = (heard.complete, heard.incomplete) else {
        return warn(format!("{step}: no counts are told"));
    };
    let text = format!("{step}: {complete} complete, {incomplete} incomplete");
    if (complete, incomplete) == right {
        pass(text)
    } else if (complete, incomplete) == without_asker {
        warn(format!("{text}, which leaves out the asker"))
    } else {
        fail(format!("{text}, where {} and {} are there", right.0, right.1))
    }
}

fn introductions(said: &Transcript, cast: &Cast) -> Verdict {
    let told_of = |heard: &Heard, who: &str, other: &str, peer: &Peer| {
        if has(heard, peer) {
            pass(format!("the {who} is told of the {other}"))
        } else {
            fail(format!("the {who} is not told of the {other}"))
        }
    };
    worst([
        of(&said.seeder_starts, |heard| told_of(heard, "seeder", "leecher", &cast.leecher)),
        of(&said.leecher_again, |heard| told_of(heard, "leecher", "seeder", &cast.seeder)),
    ])
}

fn nobody_to_itself(said: &Transcript, cast: &Cast) -> Verdict {
    let asked = [
        (&said.leecher_starts, "leecher", &cast.leecher),
        (&said.seeder_starts, "seeder", &cast.seeder),
        (&said.leecher_again, "leecher", &cast.leecher),
        (&said.second_seeder_starts, "second seeder", &cast.second_seeder),
        (&said.leecher_wants_one, "leecher", &cast.leecher),
    ];
    let mut heard =
        asked.into_iter().filter_map(|(got, who, peer)| Some((got.as_ref().ok()?, who, peer))).peekable();
    if heard.peek().is_none() {
        return (Outcome::Skip, Miss::NotAsked.to_string());
    }
    let itself = |(heard, who, peer): (&Heard, &str, &Peer)| {
        let itself = heard.peers.iter().find(|other| other.port().get() == peer.port)?;
        Some(format!("the {who} is handed itself, {itself}"))
    };
    match heard.find_map(itself) {
        Some(text) => warn(text),
        None => pass("nobody finds itself among its peers"),
    }
}

fn seeder_alone(heard: &Heard, cast: &Cast) -> Verdict {
    if has(heard, &cast.seeder) {
        warn("a seeder is handed another, with whom it can do nothing")
    } else if has(heard, &cast.leecher) {
        pass("a seeder is handed the leecher alone")
    } else {
        fail("a seeder is not handed the leecher")
    }
}

fn at_most_one(heard: &Heard) -> Verdict {
    match heard.peers.len() {
        0 => warn("asked for one of two, it gives none"),
        1 => pass("asked for one of two, it gives one"),
        n => fail(format!("asked for one, it gives {n}")),
    }
}

fn completion(said: &Transcript) -> Verdict {
    let counts = of(&said.leecher_completes, |heard| counted(heard, "three seeders", (3, 0), (2, 0)));
    let downloads = match (counts_in(&said.three_scraped), counts_in(&said.scrape_after_completion)) {
        (Some(before), Some(after)) => {
            let text = format!("downloads {} before, {} after", before.completed, after.completed);
            if after.completed == before.completed.saturating_add(1) { pass(text) } else { fail(text) }
        }
        _ => (Outcome::Skip, "not scraped".into()),
    };
    worst([counts, downloads])
}

/// The scrape tells best; where there is none, the answer to the peer that leaves must do.
fn departure(said: &Transcript) -> Verdict {
    if counts_in(&said.first_scrape).is_none() {
        return of(&said.leecher_stops, |heard| counted(heard, "one of three leaves", (2, 0), (2, 0)));
    }
    worst([
        of(&said.leecher_stops, |_| pass("stopped is answered")),
        of(&said.scrape_after_stop, |scraped| agrees(scraped, &[Some((2, 0))])),
        of(&said.scrape_at_end, |scraped| agrees(scraped, &[None])),
    ])
}

/// Compares counts (complete, incomplete); `None` is a swarm that has nobody, or is not known.
fn agrees(scraped: &Scraped, right: &[Option<(u32, u32)>]) -> Verdict {
    worst(scraped.iter().zip(right).map(|(counts, right)| match (counts, right) {
        (Some(Counts { complete: 0, incomplete: 0, .. }) | None, None) => pass("nobody"),
        (None, Some((complete, incomplete))) => {
            fail(format!("not known, where {complete} complete and {incomplete} incomplete are there"))
        }
        (Some(Counts { complete, incomplete, .. }), right) => {
            let (right_complete, right_incomplete) = right.unwrap_or((0, 0));
            let text = format!("{complete} complete, {incomplete} incomplete");
            if (*complete, *incomplete) == (right_complete, right_incomplete) {
                pass(text)
            } else {
                fail(format!("{text}, where {right_complete} and {right_incomplete} are there"))
            }
        }
    }))
}

fn compact(heard: &Heard) -> Verdict {
    match heard.shape {
        Shape::Compact => pass("6 and 18 bytes a peer"),
        Shape::Dictionaries { .. } => warn("compact=1 is answered with dictionaries"),
    }
}

fn not_compact(got: &Got<Heard>) -> Verdict {
    if let Err(Miss::Refused(reason)) = got {
        return warn(format!("refused: {reason}"));
    }
    of(got, |heard| match heard.shape {
        Shape::Dictionaries { ids: true } => pass("dictionaries with peers' ids"),
        Shape::Dictionaries { ids: false } => pass("dictionaries without peers' ids"),
        Shape::Compact => pass("in compact form all the same, which is allowed"),
    })
}

fn no_ids(said: &Transcript) -> Verdict {
    match &said.not_compact {
        Ok(Heard { shape: Shape::Dictionaries { .. }, .. }) => {
            of(&said.no_peer_ids, |heard| match heard.shape {
                Shape::Dictionaries { ids: true } => warn("no_peer_id=1 is answered with peers' ids"),
                Shape::Dictionaries { ids: false } | Shape::Compact => pass("no ids"),
            })
        }
        _ => (Outcome::Skip, "there are no dictionaries".into()),
    }
}

fn order(said: &Transcript) -> Verdict {
    let answers = [&said.leecher_starts, &said.seeder_starts, &said.leecher_again, &said.not_compact];
    let mut heard = answers.into_iter().flatten().peekable();
    if heard.peek().is_none() {
        return (Outcome::Skip, Miss::NotAsked.to_string());
    }
    match heard.find_map(|heard| heard.disorder.as_deref()) {
        Some(fault) => warn(fault),
        None => pass("canonical bencode"),
    }
}

fn has(heard: &Heard, peer: &Peer) -> bool {
    heard.peers.iter().any(|other| other.port().get() == peer.port)
}

fn counts_in(got: &Got<Scraped>) -> Option<Counts> {
    got.as_ref().ok()?.first().copied().flatten()
}

/// Judges what was said; where nothing was, says why.
fn of<T>(got: &Got<T>, judge: impl FnOnce(&T) -> Verdict) -> Verdict {
    match got {
        Ok(said) => judge(said),
        Err(miss @ (Miss::NotAsked | Miss::Impossible(_))) => (Outcome::Skip, miss.to_string()),
        Err(miss) => fail(miss.to_string()),
    }
}

/// The worst of several verdicts, in the words of those that are as bad.
fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let verdicts: Vec<_> = verdicts.into_iter().collect();
    let worst = verdicts.iter().map(|(outcome, _)| *outcome).max().unwrap_or(Outcome::Skip);
    let mut words: Vec<_> =
        verdicts.into_iter().filter(|(outcome, _)| *outcome == worst).map(|(_, detail)| detail).collect();
    words.dedup();
    (worst, words.join("; "))
}

fn pass(detail: impl Into<String>) -> Verdict {
    (Outcome::Pass, detail.into())
}

fn warn(detail: impl Into<String>) -> Verdict {
    (Outcome::Warn, detail.into())
}

fn fail(detail: impl Into<String>) -> Verdict {
    (Outcome::Fail, detail.into())
}
