use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::check::Fault;
use super::histogram::Histogram;

/// What a load did and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The tracker, as it was named.
    pub target: String,
    /// Torrents announced.
    pub torrents: u32,
    /// Peers of each.
    pub peers: u32,
    /// How the fill went, if there was one.
    pub fill: Option<Phase>,
    /// How the measured phase went, if there was one.
    pub measured: Option<Phase>,
    /// Whether replies were held against what the population allows.
    pub verified: bool,
}

/// One phase of a load in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// Seconds from the first request to the last reply.
    pub seconds: f64,
    /// Requests sent.
    pub requests: u64,
    /// Replies of the right kind.
    pub replies: u64,
    /// Of `replies`, per second.
    pub rate: f64,
    /// Requests the tracker answered with an error.
    pub errors: u64,
    /// Requests not answered in time.
    pub lost: u64,
    /// Datagrams that answer nothing under way: too late, twice, or not ours.
    pub stray: u64,
    /// Connections opened (HTTP).
    pub connections: u64,
    /// Mean bytes of a request, IP and transport headers not counted.
    pub request_bytes: f64,
    /// Mean bytes of a reply, likewise.
    pub reply_bytes: f64,
    /// From when a request was sent (or was due, at a given rate) to when its reply was read.
    pub latency: Latency,
    /// The tracker's own words, each kind once with how often it was said.
    pub error_texts: Vec<Noted>,
    /// What was wrong with replies, likewise, with the first of each kind in full.
    pub faults: Vec<Noted>,
}

/// Latencies in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latency {
    /// Half of the replies took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// 999 of 1,000 took no longer.
    pub p999: f64,
    /// None took longer.
    pub max: f64,
}

/// Something that happened more than once.
#[derive(Debug, Clone, Serialize)]
pub struct Noted {
    /// What.
    pub what: String,
    /// How often.
    pub count: u64,
    /// The first one in full, where there is more to say.
    pub first: Option<String>,
}

/// Different things to remember of one sort; what comes after is counted as `others`.
const NOTED_MAX: usize = 16;
const OTHERS: &str = "others";
const TEXT_CHARS_MAX: usize = 200;

impl Summary {
    /// Whether everything asked was answered as it should be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        [&self.fill, &self.measured]
            .into_iter()
            .flatten()
            .all(|phase| phase.errors == 0 && phase.lost == 0 && phase.faults.is_empty())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} torrents of {} peers", self.target, self.torrents, self.peers)?;
        for (name, phase) in [("fill", &self.fill), ("measured", &self.measured)] {
            if let Some(phase) = phase {
                write!(f, "{name:9} {phase}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p99, p999, max } = self.latency;
        writeln!(f, "{} replies in {:.2} s, {:.0} a second", self.replies, self.seconds, self.rate)?;
        writeln!(f, "  errors    {}, lost {}, stray {}", self.errors, self.lost, self.stray)?;
        writeln!(f, "  latency   p50 {p50:.0} µs, p99 {p99:.0} µs, p99.9 {p999:.0} µs, max {max:.0} µs")?;
        writeln!(f, "  bytes     {:.0} a request, {:.0} a reply", self.request_bytes, self.reply_bytes)?;
        for noted in &self.error_texts {
            writeln!(f, "  said      {} × {}", noted.count, noted.what)?;
        }
        for noted in &self.faults {
            let first = noted.first.as_deref().unwrap_or_default();
            writeln!(f, "  wrong     {} × {}, first: {first}", noted.count, noted.what)?;
        }
        Ok(())
    }
}

/// The figures of a phase while it is under way.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) replies: u64,
    pub(super) errors: u64,
    pub(super) lost: u64,
    pub(super) stray: u64,
    pub(super) connections: u64,
    pub(super) request_bytes: u64,
    pub(super) reply_bytes: u64,
    latency: Histogram,
    error_texts: Vec<Noted>,
    faults: Vec<Noted>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            requests: 0,
            replies: 0,
            errors: 0,
            lost: 0,
            stray: 0,
            connections: 0,
            request_bytes: 0,
            reply_bytes: 0,
            latency: Histogram::new(),
            error_texts: Vec::new(),
            faults: Vec::new(),
        }
    }

    pub(super) fn reply(&mut self, bytes: usize, nanos: u64) {
        self.replies += 1;
        self.reply_bytes += bytes as u64;
        self.latency.record(nanos);
    }

    /// A request was refused in words.
    pub(super) fn error(&mut self, text: &str) {
        self.errors += 1;
        self.note_error(text);
    }

    /// A request came to nothing before anything was said to it.
    pub(super) fn failed(&mut self, text: &str) {
        self.lost += 1;
        self.note_error(text);
    }

    fn note_error(&mut self, text: &str) {
        let text: String = text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect();
        note(&mut self.error_texts, &text, || None);
    }

    pub(super) fn fault(&mut self, fault: &Fault) {
        note(&mut self.faults, fault.what, || Some(fault.detail.clone()));
    }

    /// The last thing a tracker complained of, for when nothing else came of it.
    pub(super) fn complaint(&self) -> Option<&str> {
        self.error_texts.first().map(|noted| noted.what.as_str())
    }

    pub(super) fn answered(&self) -> u64 {
        self.replies + self.errors
    }

    pub(super) fn finish(self, elapsed: Duration) -> Phase {
        let seconds = elapsed.as_secs_f64();
        let mean = |sum: u64, count: u64| if count == 0 { 0.0 } else { sum as f64 / count as f64 };
        let micros = |share: f64| self.latency.quantile(share).as_secs_f64() * 1e6;
        Phase {
            seconds,
            requests: self.requests,
            replies: self.replies,
            rate: if seconds > 0.0 { self.replies as f64 / seconds } else { 0.0 },
            errors: self.errors,
            lost: self.lost,
            stray: self.stray,
            connections: self.connections,
            request_bytes: mean(self.request_bytes, self.requests),
            reply_bytes: mean(self.reply_bytes, self.replies),
            latency: Latency {
                p50: micros(0.5),
                p99: micros(0.99),
                p999: micros(0.999),
                max: self.latency.max().as_secs_f64() * 1e6,
            },
            error_texts: self.error_texts,
            faults: self.faults,
        }
    }
}

fn note(list: &mut Vec<Noted>, what: &str, first: impl FnOnce() -> Option<String>) {
    if let Some(known) = list.iter_mut().find(|noted| noted.what == what) {
        known.count += 1;
    } else if list.len() < NOTED_MAX {
        list.push(Noted { what: what.to_owned(), count: 1, first: first() });
    } else if let Some(last) = list.last_mut() {
        if last.what != OTHERS {
            *last = Noted { what: OTHERS.to_owned(), count: last.count, first: None };
        }
        last.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_bounded_and_none_is_uncounted() {
        let mut tally = Tally::new();
        for text in 0..100 {
            tally.error(&format!("text {text}"));
            tally.error("text 0");
        }
        let phase = tally.finish(Duration::from_secs(2));
        assert_eq!(phase.error_texts.len(), NOTED_MAX);
        assert_eq!(phase.error_texts[0].count, 101);
        assert_eq!(phase.error_texts.iter().map(|noted| noted.count).sum::<u64>(), 200);
        assert_eq!(phase.errors, 200);
    }

    #[test]
    fn control_characters_of_a_tracker_do_not_reach_the_terminal() {
        let mut tally = Tally::new();
        tally.error("no\u{1b}[31m\n");
        assert_eq!(tally.complaint(), Some("no[31m"));
    }
}
