//! What announces and scrapes are answered: bodies, whoever speaks HTTP around them.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;

use swarm::InfoHash;
use wire::Malformed;
use wire::http::{RetryIn, Shape};

use crate::config::TrackerConfig;
use crate::policy::lists::Lists;
use crate::tracker::{Asker, Metric, Tracker, Worker};

/// What a request asks the tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// Which of the two.
    pub verb: Verb,
    /// What follows the `?`, as it came.
    pub query: &'a [u8],
    /// The member's secret in the path.
    pub passkey: Option<&'a [u8]>,
}

/// What there is to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// BEP 3.
    Announce,
    /// BEP 48.
    Scrape,
}

/// Who asks, as HTTP knows it.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Where from, with trusted proxies taken off.
    pub ip: IpAddr,
    /// What its program calls itself.
    pub user_agent: Option<&'a [u8]>,
    /// Whether JSON is among what it accepts.
    pub accepts_json: bool,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The body is written, bencoded.
    Answered,
    /// A scrape that wants JSON, with names: for who knows them. Nothing is written.
    WantsJson,
    /// A scrape of every swarm, which is allowed: too long for here. Nothing is written.
    WantsAll,
}

/// Answers calls: what a thread that does so owns.
pub struct Desk {
    tracker: Arc<Tracker>,
    worker: Worker,
    scrape_hashes_max: usize,
    full_scrape: bool,
}

impl<'a> Call<'a> {
    /// The call in a request's target, which is a path with a query or (from a proxy) a whole address. `None` if it is
    /// for others: a page, the API.
    ///
    /// `/announce?…`, `/announce/<passkey>?…` and `/<passkey>/announce?…`, the same with `scrape`, and `/?…` with an
    /// `info_hash`, which is an announce.
    #[must_use]
    pub fn of(target: &'a [u8]) -> Option<Self> {
        let target = origin_form(target);
        let (path, query) = match target.iter().position(|&byte| byte == b'?') {
            Some(at) => (&target[..at], &target[at + 1..]),
            None => (target, &[][..]),
        };
        let (verb, passkey) = match path {
            b"/announce" | b"/announce/" => (Verb::Announce, None),
            b"/scrape" | b"/scrape/" => (Verb::Scrape, None),
            b"/" | b"" if names_info_hash(query) => (Verb::Announce, None),
            [b'/', ..] => {
                let passkey = wire::passkey(path)?;
                (verb_beside(passkey, path), Some(passkey))
            }
            _ => return None,
        };
        Some(Self { verb, query, passkey })
    }

    /// Whether a scrape should be answered in JSON: `format=json`, or the caller says that it accepts JSON.
    #[must_use]
    pub fn wants_json(&self, accepts_json: bool) -> bool {
        self.verb == Verb::Scrape
            && (accepts_json || self.query.split(|&byte| byte == b'&').any(|pair| pair == b"format=json"))
    }
}

impl Desk {
    /// A place for one more thread to answer at.
    #[must_use]
    pub fn new(tracker: Arc<Tracker>, config: &TrackerConfig) -> Self {
        Self {
            worker: tracker.worker(),
            tracker,
            scrape_hashes_max: config.scrape_hashes_max,
            full_scrape: config.full_scrape,
        }
    }

    /// The tracker behind it.
    #[must_use]
    pub fn tracker(&self) -> &Arc<Tracker> {
        &self.tracker
    }

    /// The access lists that held at the last look.
    #[must_use]
    pub fn lists(&self) -> &Lists {
        self.worker.lists()
    }

    /// Looks at the clock; once for each batch of calls.
    pub fn tick(&mut self) {
        self.worker.tick(&self.tracker);
    }

    /// The time of this batch, in Unix seconds.
    #[must_use]
    pub fn now_unix(&self) -> i64 {
        self.worker.now_unix()
    }

    /// Appends the answer's body to `body`: a refusal is an answer too.
    pub fn answer(&mut self, call: &Call<'_>, caller: &Caller<'_>, body: &mut Vec<u8>) -> Outcome {
        match call.verb {
            Verb::Announce => {
                self.announce(call, caller, body);
                Outcome::Answered
            }
            Verb::Scrape => self.scrape(call, caller, body),
        }
    }

    /// Reads the hashes of a scrape, sorted; none for all there are. Whoever answers with them calls
    /// [`Desk::count_scrape`].
    ///
    /// # Errors
    ///
    /// A sentence for the person who asks.
    pub fn hashes(&mut self, call: &Call<'_>, ip: IpAddr) -> Result<Vec<InfoHash>, String> {
        self.tracker.admit_scrape(call.passkey, ip, &self.worker).map_err(|refusal| refusal.to_string())?;
        match wire::http::decode_scrape(call.query, self.scrape_hashes_max) {
            Ok(request) if request.hashes.is_empty() && !self.full_scrape => {
                self.count(Metric::Malformed);
                Err("info_hash is missing: this tracker does not tell of all torrents at once".into())
            }
            Ok(request) => Ok(request.hashes),
            Err(fault) => {
                self.count(Metric::Malformed);
                Err(fault.reason().into())
            }
        }
    }

    /// Takes note of an answered scrape.
    pub fn count_scrape(&mut self) {
        self.count(Metric::ScrapesHttp);
    }

    /// Answers a call that cannot be attended to.
    pub fn refuse(&mut self, fault: &Malformed, body: &mut Vec<u8>) {
        self.count(Metric::Malformed);
        wire::http::encode_failure(fault.reason(), None, body);
    }

    fn announce(&mut self, call: &Call<'_>, caller: &Caller<'_>, body: &mut Vec<u8>) {
        let mut request = match wire::http::decode_announce(call.query) {
            Ok(request) => request,
            Err(fault) => return self.refuse(&fault, body),
        };
        request.announce.passkey = call.passkey;
        let asker = Asker {
            ip: caller.ip,
            families: request.families,
            ids: matches!(request.shape, Shape::Dictionaries { ids: true }),
            user_agent: caller.user_agent,
        };
        match self.tracker.announce(&asker, &request.announce, &mut self.worker) {
            Ok(answer) => {
                self.count(Metric::AnnouncesHttp);
                let answer = wire::http::Answer {
                    reply: &self.worker.reply,
                    interval: answer.interval_secs,
                    min_interval: answer.interval_min_secs,
                    external_ip: Some(answer.external_ip),
                    families: request.families,
                };
                wire::http::encode_announce(&answer, request.shape, body);
            }
            Err(refusal) => failure(&refusal, refusal.retry_in(), body),
        }
    }

    fn scrape(&mut self, call: &Call<'_>, caller: &Caller<'_>, body: &mut Vec<u8>) -> Outcome {
        if call.wants_json(caller.accepts_json) {
            return Outcome::WantsJson;
        }
        match self.hashes(call, caller.ip) {
            Ok(hashes) if hashes.is_empty() => return Outcome::WantsAll,
            Ok(hashes) => {
                self.count_scrape();
                let known = hashes.into_iter().filter_map(|hash| Some((hash, self.tracker.scrape(&hash)?)));
                wire::http::encode_scrape(known, body);
            }
            Err(reason) => failure(&reason, None, body),
        }
        Outcome::Answered
    }

    fn count(&self, metric: Metric) {
        self.worker.counters.add(metric, 1);
    }
}

fn failure(reason: &impl Display, retry_in: Option<RetryIn>, body: &mut Vec<u8>) {
    wire::http::encode_failure(&reason.to_string(), retry_in, body);
}

/// A target without the scheme and host that it has when it is a whole address (RFC 9112 §3.2.2).
fn origin_form(target: &[u8]) -> &[u8] {
    if target.first() == Some(&b'/') {
        return target;
    }
    let scheme = target.iter().position(|&byte| byte == b':').unwrap_or(target.len());
    match &target[scheme..] {
        [b':', b'/', b'/', after @ ..] => {
            let host = after.iter().position(|&byte| matches!(byte, b'/' | b'?')).unwrap_or(after.len());
            &after[host..]
        }
        _ => target,
    }
}

fn names_info_hash(query: &[u8]) -> bool {
    query.split(|&byte| byte == b'&').any(|pair| pair.starts_with(b"info_hash="))
}

/// The verb of a path that has the passkey as its other segment.
fn verb_beside(passkey: &[u8], path: &[u8]) -> Verb {
    let verb = |segment: &[u8]| match segment {
        b"announce" => Some(Verb::Announce),
        b"scrape" => Some(Verb::Scrape),
        _ => None,
    };
    let mut segments = path.split(|&byte| byte == b'/').filter(|segment| !segment.is_empty());
    // A passkey may itself read `scrape`: the first segment decides, if it can.
    segments
        .find(|segment| *segment != passkey)
        .and_then(verb)
        .or_else(|| verb(passkey))
        .unwrap_or(Verb::Announce)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{announce_query, tracker};
    use super::*;

    fn call(target: &str) -> Option<(Verb, String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Call::of(target.as_bytes()).map(|call| (call.verb, text(call.query), call.passkey.map(text)))
    }

    #[test]
    fn calls_are_told_from_everything_else() {
        use Verb::{Announce, Scrape};
        for (target, verb, query, passkey) in [
            ("/announce?a=1", Announce, "a=1", None),
            ("/announce", Announce, "", None),
            ("/announce/?a=1?b", Announce, "a=1?b", None),
            ("/?port=1&info_hash=x", Announce, "port=1&info_hash=x", None),
            ("/announce/key?a=1", Announce, "a=1", Some("key")),
            ("/key/announce?a=1", Announce, "a=1", Some("key")),
            ("/scrape?info_hash=x", Scrape, "info_hash=x", None),
            ("/scrape/key", Scrape, "", Some("key")),
            ("/key/scrape", Scrape, "", Some("key")),
            ("/announce/scrape", Announce, "", Some("scrape")),
            ("/scrape/announce", Scrape, "", Some("announce")),
            ("/scrape/scrape", Scrape, "", Some("scrape")),
            ("http://h:6969/announce?a=http://x/", Announce, "a=http://x/", None),
            ("HTTPS://[::1]/key/scrape?", Scrape, "", Some("key")),
            ("http://h?info_hash=x", Announce, "info_hash=x", None),
        ] {
            let expected = (verb, query.to_owned(), passkey.map(str::to_owned));
            assert_eq!(call(target), Some(expected), "{target}");
        }
        for target in [
            "/",
            "/?a=1",
            "/?xinfo_hash=1",
            "",
            "*",
            "h:80",
            "/stats",
            "/announcement",
            "/api/v1/announce",
            "/a/b",
            "http://h",
            "http://h/",
            "ftp:/announce",
            "announce",
        ] {
            assert_eq!(call(target), None, "{target}");
        }
    }

    fn ask(desk: &mut Desk, target: &str, accepts_json: bool) -> (Outcome, String) {
        let caller = Caller { ip: [192, 0, 2, 1].into(), user_agent: None, accepts_json };
        let mut body = Vec::new();
        let outcome = desk.answer(&Call::of(target.as_bytes()).unwrap(), &caller, &mut body);
        (outcome, body.escape_ascii().to_string())
    }

    #[test]
    fn an_announce_and_a_scrape_of_it() {
        let config = TrackerConfig { jitter_pct: 0, ..TrackerConfig::default() };
        let mut desk = Desk::new(tracker(&config), &config);
        let announce = format!("/announce?{}", announce_query(1, 6881));
        let answered = |body: &str| (Outcome::Answered, body.to_owned());
        assert_eq!(
            ask(&mut desk, &announce, false),
            answered(
                "d8:completei0e10:downloadedi0e11:external ip4:\\xc0\\x00\\x02\\x0110:incompletei1e\
                 8:intervali1800e12:min intervali300e5:peers0:6:peers60:e"
            )
        );
        let scrape = format!("/scrape?info_hash={}&info_hash={}", "%01".repeat(20), "%02".repeat(20));
        assert_eq!(
            ask(&mut desk, &scrape, false),
            answered(&format!(
                "d5:filesd20:{}d8:completei0e10:downloadedi0e11:downloadersi1e10:incompletei1eeee",
                "\\x01".repeat(20)
            ))
        );
        assert_eq!(ask(&mut desk, &scrape, true), (Outcome::WantsJson, String::new()));
        assert_eq!(ask(&mut desk, "/scrape?format=json", false), (Outcome::WantsJson, String::new()));
        assert_eq!(desk.tracker().count(Metric::AnnouncesHttp), 1);
        assert_eq!(desk.tracker().count(Metric::ScrapesHttp), 1);
    }

    #[test]
    fn refusals_are_answers() {
        let config = TrackerConfig::default();
        let mut desk = Desk::new(tracker(&config), &config);
        let keyed = format!("/announce/s3cret?{}", announce_query(1, 6881));
        let port_zero = format!("/announce?{}", announce_query(1, 0));
        for (target, reason) in [
            ("/announce", "20:info_hash is missing"),
            ("/announce?info_hash=abc", "info_hash `abc` is not 20 bytes"),
            (&port_zero, "port 0 is none"),
            (&keyed, "this tracker has no members"),
            ("/scrape", "info_hash is missing: this tracker does not tell of all"),
            ("/scrape?info_hash=abc", "info_hash `abc` is not"),
            ("/s3cret/scrape", "this tracker has no members"),
        ] {
            let (outcome, body) = ask(&mut desk, target, false);
            assert_eq!(outcome, Outcome::Answered);
            assert!(body.starts_with("d14:failure reason") && body.contains(reason), "{target}: {body}");
        }
        assert_eq!(desk.tracker().count(Metric::Malformed), 4);
        assert_eq!(desk.tracker().count(Metric::RefusedPasskey), 2);
    }

    #[test]
    fn everything_is_told_only_if_configured() {
        let config = TrackerConfig { full_scrape: true, ..TrackerConfig::default() };
        let mut desk = Desk::new(tracker(&config), &config);
        assert_eq!(ask(&mut desk, "/scrape", false), (Outcome::WantsAll, String::new()));
    }
}
