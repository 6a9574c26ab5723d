//! What trackers say, as far as a person should hear it: each thing once, and only while it matters.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use peer::announce::{State, TrackerStatus};

use crate::format::plural;

/// How long a torrent may be without peers before that is told: connecting to those whom a tracker named takes a moment.
const ALONE_UNTOLD: Duration = Duration::from_secs(2);

/// What a torrent's trackers have said.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// What was told of each tracker that is in trouble, by its URL.
    told: HashMap<String, String>,
    /// Since when there are no peers.
    alone_since: Option<Instant>,
    /// What is known of peers while there are none.
    waiting: String,
    /// What of that was told.
    waiting_told: String,
}

/// Something new.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Whether it is what [`Words::waiting`] says.
    pub(super) is_waiting: bool,
}

impl Words {
    /// Takes in how the trackers stand, and returns what is new in it. `alone`: peers are wanted, and there are none.
    pub(super) fn hear(&mut self, trackers: &[TrackerStatus], alone: bool, now: Instant) -> Vec<Line> {
        let one_answers = trackers.iter().any(|tracker| matches!(tracker.state, State::Answered { .. }));
        let mut lines = Vec::new();
        for tracker in trackers {
            let matters = match &tracker.state {
                State::Answered { warning } => warning.is_some(),
                // Its own words may say what to do; but not while others help.
                State::Refused(_) | State::GivenUp(_) => alone || !one_answers,
                State::Failed(_) => !one_answers,
                State::Unasked => false,
            };
            let said = tracker.state.to_string();
            if matters && self.told.get(&tracker.url) != Some(&said) {
                lines.push(Line { text: tracker.to_string(), is_waiting: false });
                self.told.insert(tracker.url.clone(), said);
            } else if matches!(tracker.state, State::Answered { warning: None })
                && self.told.remove(&tracker.url).is_some()
            {
                lines.push(Line { text: format!("{} answers now", tracker.name), is_waiting: false });
            }
        }
        self.waiting = waiting(trackers);
        self.alone_since = if alone { self.alone_since.or(Some(now)) } else { None };
        let long = self.alone_since.is_some_and(|since| now.saturating_duration_since(since) >= ALONE_UNTOLD);
        if long && self.waiting != self.waiting_told {
            lines.push(Line { text: self.waiting.clone(), is_waiting: true });
            self.waiting_told.clone_from(&self.waiting);
        }
        lines
    }

    /// What there is to say while there are no peers.
    pub(super) fn waiting(&self) -> &str {
        &self.waiting
    }
}

/// What the trackers know of others, in a few words.
fn waiting(trackers: &[TrackerStatus]) -> String {
    let answered = trackers.iter().filter(|tracker| matches!(tracker.state, State::Answered { .. }));
    let best = answered.max_by_key(|tracker| (tracker.seeders, tracker.leechers));
    let Some(tracker) = best else {
        let asked = trackers.iter().any(|tracker| tracker.state != State::Unasked);
        let why = match (trackers, asked) {
            ([], _) => "no tracker is known",
            (_, true) => "no tracker answers",
            (_, false) => "asking the tracker",
        };
        return format!("waiting for peers; {why}");
    };
    let name = &tracker.name;
    // One of the leechers is this machine.
    let others = u64::from(tracker.leechers.unwrap_or_default()).saturating_sub(1);
    match (tracker.seeders, others) {
        (None, _) => format!("waiting for peers; {name} names none"),
        (Some(seeders), 0) => format!("waiting for peers; {name} knows {}", plural(seeders.into(), "seeder")),
        (Some(seeders), others) => format!(
            "waiting for peers; {name} knows {} and {}",
            plural(seeders.into(), "seeder"),
            plural(others, "leecher")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracker(name: &str, state: State) -> TrackerStatus {
        TrackerStatus {
            url: format!("http://{name}/announce?secret"),
            name: format!("http://{name}"),
            tier: 0,
            state,
            asking: false,
            seeders: None,
            leechers: None,
            next_in: None,
        }
    }

    fn answered(name: &str, seeders: u32, leechers: u32) -> TrackerStatus {
        let state = State::Answered { warning: None };
        TrackerStatus { seeders: Some(seeders), leechers: Some(leechers), ..tracker(name, state) }
    }

    fn refused(name: &str) -> TrackerStatus {
        tracker(name, State::Refused("unregistered torrent".to_owned()))
    }

    fn failed(name: &str) -> TrackerStatus {
        tracker(name, State::Failed("connection refused".to_owned()))
    }

    /// What is told in turn of trackers that stand so, a torrent being alone or not, each 10 seconds after the other.
    fn told(turns: &[(&[TrackerStatus], bool)]) -> Vec<Vec<String>> {
        let (mut words, start) = (Words::default(), Instant::now());
        let mut at = 0;
        let mut hear = |(trackers, alone): &(&[TrackerStatus], bool)| {
            at += 10;
            let lines = words.hear(trackers, *alone, start + Duration::from_secs(at));
            lines.into_iter().map(|line| line.text).collect()
        };
        turns.iter().map(&mut hear).collect()
    }

    #[test]
    fn a_refusal_is_told_once_in_the_trackers_words() {
        let refusal = "http://a: tracker refused: unregistered torrent";
        let turns =
            told(&[(&[refused("a")], false), (&[refused("a")], false), (&[answered("a", 1, 1)], false)]);
        assert_eq!(turns, [vec![refusal], vec![], vec!["http://a answers now"]]);
    }

    #[test]
    fn trouble_with_one_tracker_is_no_matter_while_another_helps() {
        let with_peers = told(&[(&[answered("a", 1, 1), refused("b"), failed("c")], false)]);
        assert_eq!(with_peers, [Vec::<String>::new()]);
        let none_helps = told(&[(&[failed("a"), failed("b")], true)]);
        assert_eq!(none_helps[0].len(), 2, "{none_helps:?}");
        let no_peers = told(&[(&[answered("a", 0, 1), refused("b"), failed("c")], true)]);
        assert_eq!(no_peers, [vec!["http://b: tracker refused: unregistered torrent"]]);
    }

    #[test]
    fn a_warning_is_always_told() {
        let warned = tracker("a", State::Answered { warning: Some("moving on Monday".to_owned()) });
        let warned = std::slice::from_ref(&warned);
        let turns = told(&[(warned, false), (warned, false)]);
        assert_eq!(turns, [vec!["http://a: tracker warns: moving on Monday"], vec![]]);
    }

    #[test]
    fn waiting_is_told_after_a_moment_and_when_more_is_known() {
        let turns = told(&[
            (&[answered("a", 0, 1)], true),
            (&[answered("a", 0, 1)], true),
            (&[answered("a", 0, 1)], true),
            (&[answered("a", 1, 3)], true),
            (&[answered("a", 1, 3)], false),
        ]);
        let (first, second) = (
            "waiting for peers; http://a knows 0 seeders",
            "waiting for peers; http://a knows 1 seeder and 2 leechers",
        );
        assert_eq!(turns, [vec![], vec![first], vec![], vec![second], vec![]]);
    }

    #[test]
    fn what_is_known_of_peers_is_said() {
        assert_eq!(waiting(&[]), "waiting for peers; no tracker is known");
        assert_eq!(waiting(&[tracker("a", State::Unasked)]), "waiting for peers; asking the tracker");
        assert_eq!(waiting(&[failed("a")]), "waiting for peers; no tracker answers");
        assert_eq!(
            waiting(&[failed("a"), answered("b", 0, 1), answered("c", 2, 1)]),
            "waiting for peers; http://c knows 2 seeders"
        );
    }
}
