//! What a member is credited for what its clients report.
//!
//! Clients report totals of their session, again and again. What is new in a report is its difference to the [`Cursor`],
//! what the same client reported last; so a report that is lost costs nothing, since the next one has it in its totals, and
//! one that comes twice, over IPv4 and IPv6 say, counts once. What cannot be true is flagged and gives no credit. No
//! clock, no store: both are the caller's.

use crate::{Event, Seconds};

/// What a client says of its session, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Bytes sent in this session.
    pub uploaded: u64,
    /// Bytes received in this session.
    pub downloaded: u64,
    /// Bytes that are missing.
    pub left: u64,
    /// What has happened.
    pub event: Event,
    /// When it came, in Unix seconds.
    pub at: i64,
}

/// What a client reported last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Bytes sent.
    pub uploaded: u64,
    /// Bytes received.
    pub downloaded: u64,
    /// Whether it had everything.
    pub is_seeder: bool,
    /// Whether it said that it stops.
    pub has_stopped: bool,
    /// When it came, in Unix seconds.
    pub at: i64,
}

/// What holds for every report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Bytes a second that nobody's line is faster than, in each direction.
    pub line_rate_max: u64,
    /// Seconds that a client may be out by when it counts.
    pub slack_secs: Seconds,
    /// Seconds between two announces at most: what is between two reports that are farther apart is not known. It is also how
    /// long a session is taken to have lasted of which nothing is known.
    pub gap_secs_max: Seconds,
}

/// What a report gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Credit {
    /// Bytes sent.
    pub uploaded: u64,
    /// Bytes received.
    pub downloaded: u64,
    /// Seconds that it had everything and was there.
    pub seed_secs: u64,
    /// Whether a download was completed.
    pub completed: bool,
}

/// Why a report gives no bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// Totals are smaller than they were, and no new session has begun.
    Backwards,
    /// Nobody's line is so fast.
    TooFast,
}

/// What comes of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// What the next report is compared with.
    pub cursor: Cursor,
    /// What it gives.
    pub credit: Credit,
    /// What is wrong with it, if something is.
    pub flag: Option<Flag>,
}

/// What of the credit counts, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factors {
    /// Of what was sent.
    pub upload_pct: u32,
    /// Of what was received: 0 where downloading is free.
    pub download_pct: u32,
}

/// Settles a report of a client whose last one is `cursor`, if there was one.
#[must_use]
pub fn settle(cursor: Option<&Cursor>, totals: &Totals, rules: &Rules) -> Settled {
    // A new session counts from nothing; so does one whose beginning was lost, which cannot be long ago.
    let begins = totals.event == Event::Started || cursor.is_none();
    let since = cursor.map_or(i64::from(rules.gap_secs_max), |cursor| totals.at - cursor.at).max(0);
    let (before_up, before_down) = match cursor {
        Some(cursor) if !begins || is_same_session(cursor, totals) => (cursor.uploaded, cursor.downloaded),
        _ => (0, 0),
    };
    let deltas = totals.uploaded.checked_sub(before_up).zip(totals.downloaded.checked_sub(before_down));
    // Who reports every second may be out by a second, and not by all the slack each time.
    let secs = since.unsigned_abs();
    let possible = rules.line_rate_max.saturating_mul(secs.max(1) + secs.min(u64::from(rules.slack_secs)));
    let (bytes, flag) = match deltas {
        None => ((0, 0), Some(Flag::Backwards)),
        Some((up, down)) if up > possible || down > possible => ((0, 0), Some(Flag::TooFast)),
        Some(deltas) => (deltas, None),
    };
    let is_seeder = totals.left == 0;
    let seeded = cursor.is_some_and(|cursor| cursor.is_seeder && !cursor.has_stopped) && is_seeder && !begins;
    let credit = Credit {
        uploaded: bytes.0,
        downloaded: bytes.1,
        seed_secs: if seeded { secs.min(u64::from(rules.gap_secs_max)) } else { 0 },
        completed: totals.event == Event::Completed,
    };
    let cursor = Cursor {
        uploaded: totals.uploaded,
        downloaded: totals.downloaded,
        is_seeder,
        has_stopped: totals.event == Event::Stopped,
        // Time does not go back, whatever order reports come in.
        at: cursor.map_or(totals.at, |cursor| cursor.at.max(totals.at)),
    };
    Settled { cursor, credit, flag }
}

/// Whether a session that begins is one that had begun already: the same `started`, over another address family.
fn is_same_session(cursor: &Cursor, totals: &Totals) -> bool {
    !cursor.has_stopped && totals.uploaded == cursor.uploaded && totals.downloaded == cursor.downloaded
}

impl Factors {
    /// Everything counts, once.
    pub const NONE: Self = Self { upload_pct: 100, download_pct: 100 };

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |a: u32, b: u32| u32::try_from(u64::from(a) * u64::from(b) / 100).unwrap_or(u32::MAX);
        Self {
            upload_pct: both(self.upload_pct, other.upload_pct),
            download_pct: both(self.download_pct, other.download_pct),
        }
    }

    /// What of `uploaded` and `downloaded` bytes counts.
    #[must_use]
    pub fn of(self, uploaded: u64, downloaded: u64) -> (u64, u64) {
        let part = |bytes: u64, pct: u32| {
            u64::try_from(u128::from(bytes) * u128::from(pct) / 100).unwrap_or(u64::MAX)
        };
        (part(uploaded, self.upload_pct), part(downloaded, self.download_pct))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { line_rate_max: 1_000, slack_secs: 10, gap_secs_max: 3_600 };

    fn totals(uploaded: u64, downloaded: u64, left: u64, event: Event, at: i64) -> Totals {
        Totals { uploaded, downloaded, left, event, at }
    }

    /// The credits and flags of reports that follow each other.
    fn all(reports: &[Totals]) -> Vec<(u64, u64, u64, Option<Flag>)> {
        let mut cursor = None;
        let settled = |report: &Totals| {
            let settled = settle(cursor.as_ref(), report, &RULES);
            cursor = Some(settled.cursor);
            let Credit { uploaded, downloaded, seed_secs, .. } = settled.credit;
            (uploaded, downloaded, seed_secs, settled.flag)
        };
        reports.iter().map(settled).collect()
    }

    #[test]
    fn what_is_new_in_each_report_counts() {
        let reports = [
            totals(0, 0, 100, Event::Started, 0),
            totals(10, 60, 40, Event::Update, 100),
            totals(10, 100, 0, Event::Completed, 200),
            totals(30, 100, 0, Event::Update, 300),
            totals(45, 100, 0, Event::Stopped, 350),
        ];
        assert_eq!(
            all(&reports),
            [(0, 0, 0, None), (10, 60, 0, None), (0, 40, 0, None), (20, 0, 100, None), (15, 0, 50, None),]
        );
        assert!(settle(None, &reports[2], &RULES).credit.completed);
    }

    #[test]
    fn the_same_over_two_address_families_counts_once() {
        let started = totals(0, 0, 0, Event::Started, 0);
        let later = totals(50, 0, 0, Event::Update, 100);
        let reports = [started, started, later, totals(50, 0, 0, Event::Update, 101)];
        assert_eq!(all(&reports), [(0, 0, 0, None), (0, 0, 0, None), (50, 0, 100, None), (0, 0, 1, None)]);
    }

    #[test]
    fn a_new_session_begins_at_nothing() {
        let reports = [
            totals(500, 500, 0, Event::Update, 100),
            totals(0, 0, 0, Event::Started, 200),
            totals(7, 0, 0, Event::Update, 300),
            // A client that counts before it is heard.
            totals(3, 4, 0, Event::Started, 400),
        ];
        assert_eq!(all(&reports), [(500, 500, 0, None), (0, 0, 0, None), (7, 0, 100, None), (3, 4, 0, None)]);
    }

    #[test]
    fn what_cannot_be_true_gives_no_bytes_and_is_not_counted_later() {
        let reports = [
            totals(0, 0, 0, Event::Started, 0),
            totals(1_000_000_000, 0, 0, Event::Update, 100),
            totals(1_000_000_050, 0, 0, Event::Update, 200),
            totals(40, 0, 0, Event::Update, 300),
            totals(90, 0, 0, Event::Update, 400),
        ];
        assert_eq!(
            all(&reports),
            [
                (0, 0, 0, None),
                (0, 0, 100, Some(Flag::TooFast)),
                (50, 0, 100, None),
                (0, 0, 100, Some(Flag::Backwards)),
                (50, 0, 100, None),
            ]
        );
        // Nothing is known of it, so that it can have lasted for one gap at most.
        assert_eq!(all(&[totals(3_610_001, 0, 0, Event::Update, 5)])[0].3, Some(Flag::TooFast));
        assert_eq!(all(&[totals(3_610_000, 0, 0, Event::Update, 5)])[0].0, 3_610_000);
    }

    #[test]
    fn seeding_is_what_lies_between_two_reports_of_a_seeder() {
        let reports = [
            totals(0, 0, 0, Event::Started, 0),
            totals(0, 0, 0, Event::Update, 10_000),
            totals(0, 0, 0, Event::Stopped, 10_100),
            totals(0, 0, 0, Event::Started, 20_000),
            totals(0, 0, 5, Event::Update, 20_100),
            totals(0, 0, 0, Event::Update, 20_200),
        ];
        let secs: Vec<u64> = all(&reports).iter().map(|(_, _, secs, _)| *secs).collect();
        assert_eq!(secs, [0, 3_600, 100, 0, 0, 0]);
    }

    #[test]
    fn time_that_goes_back_gives_no_credit_twice() {
        let reports = [totals(0, 0, 0, Event::Started, 1_000), totals(5, 0, 0, Event::Update, 900)];
        assert_eq!(all(&reports)[1], (5, 0, 0, None));
        let late = [reports[0], reports[1], totals(5, 0, 0, Event::Update, 1_100)];
        assert_eq!(all(&late)[2], (0, 0, 100, None));
    }

    #[test]
    fn factors_multiply() {
        let free = Factors { upload_pct: 200, download_pct: 0 };
        assert_eq!(free.of(10, 10), (20, 0));
        assert_eq!(free.and(Factors { upload_pct: 50, download_pct: 50 }).of(10, 10), (10, 0));
        assert_eq!(Factors::NONE.of(u64::MAX, 7), (u64::MAX, 7));
        assert_eq!(Factors { upload_pct: u32::MAX, download_pct: 100 }.of(u64::MAX, 0).0, u64::MAX);
    }

    proptest! {
        /// Whichever reports are lost, and however often one comes, the sum is what the client last said.
        #[test]
        fn lost_and_repeated_reports_change_nothing(
            steps in prop::collection::vec((0_u64..50_000, 0_u64..50_000, 0_u8..3), 1..30)
        ) {
            let (mut cursor, mut sum, mut said) = (None, (0, 0), (0, 0));
            let mut at = 0;
            let last = steps.len() - 1;
            for (nth, (up, down, times)) in steps.into_iter().enumerate() {
                said = (said.0 + up, said.1 + down);
                at += 100;
                let event = if nth == 0 { Event::Started } else { Event::Update };
                let report = totals(said.0, said.1, 1, event, at);
                // The last one comes, so that nothing is lost for good.
                for _ in 0..times.max(u8::from(nth == last)) {
                    let settled = settle(cursor.as_ref(), &report, &RULES);
                    prop_assert_eq!(settled.flag, None);
                    sum = (sum.0 + settled.credit.uploaded, sum.1 + settled.credit.downloaded);
                    cursor = Some(settled.cursor);
                }
            }
            prop_assert_eq!(sum, said);
        }

        #[test]
        fn nothing_overflows(
            a in any::<(u64, u64, u64, i64)>(), b in any::<(u64, u64, u64, i64)>(), rate in any::<u64>()
        ) {
            let rules = Rules { line_rate_max: rate, ..RULES };
            let first = settle(None, &totals(a.0, a.1, a.2, Event::Started, a.3 / 4), &rules);
            let _ = settle(Some(&first.cursor), &totals(b.0, b.1, b.2, Event::Update, b.3 / 4), &rules);
        }
    }
}
