//! How a torrent stands, in a line.

use std::time::Duration;

use peer::node::{Phase, Status};

use crate::format::{duration, plural, rate, size};

/// When it is over.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) enum Until {
    /// When everything is there.
    Whole,
    /// When somebody says so.
    Stopped,
    /// When it was shared for so long or so many times its size, whichever is first.
    Enough { span: Option<Duration>, ratio: Option<f64> },
}

impl Until {
    /// Whether a torrent that is there has been shared enough.
    pub(super) fn is_over(self, shared_for: Duration, uploaded_ratio: impl Fn() -> f64) -> bool {
        match self {
            Self::Stopped => false,
            Self::Whole => true,
            Self::Enough { span, ratio } => {
                span.is_some_and(|span| shared_for >= span)
                    || ratio.is_some_and(|ratio| uploaded_ratio() >= ratio)
            }
        }
    }

    /// How long what is there will be shared; `None` if it will not.
    pub(super) fn text(self) -> Option<String> {
        let span = |span: Duration| format!("for {}", left(span.as_secs()));
        let times = |ratio: f64| format!("up to a ratio of {ratio}");
        let enough = match self {
            Self::Whole => return None,
            Self::Stopped => "until Ctrl-C".to_owned(),
            Self::Enough { span: Some(long), ratio: Some(ratio) } => {
                format!("{} or {}, or until Ctrl-C", span(long), times(ratio))
            }
            Self::Enough { span: long, ratio } => {
                let enough = long.map(span).or(ratio.map(times)).unwrap_or_default();
                format!("{enough}, or until Ctrl-C")
            }
        };
        Some(format!("sharing {enough}"))
    }
}

/// What a torrent is doing. `waiting`: what is known of peers while there are none.
pub(super) fn message(status: &Status, waiting: &str, shared_for: Duration, until: Until) -> String {
    let stats = &status.stats;
    let peers = plural(stats.peers as u64, "peer");
    match &status.phase {
        Phase::Describing | Phase::Fetching if stats.peers == 0 => waiting.to_owned(),
        Phase::Describing => format!("asking {peers} what it is"),
        Phase::Checking => "checking what is there".to_owned(),
        Phase::Fetching => {
            let down = rate(stats.download_rate);
            let left = (stats.download_rate > 0)
                .then(|| stats.left.div_ceil(stats.download_rate))
                .map(|secs| format!(", {} left", left(secs)));
            let up = Some(stats.upload_rate).filter(|up| *up > 0).map(|up| format!(", {} up", rate(up)));
            format!("{down} from {peers}{}{}", left.unwrap_or_default(), up.unwrap_or_default())
        }
        Phase::Whole(_) => {
            let to = match stats.peers {
                0 => "no peers now".to_owned(),
                _ => format!("{} to {peers}", rate(stats.upload_rate)),
            };
            format!("sharing, {to}, {}", enough(status, shared_for, until))
        }
        Phase::Paused(_) => "failed".to_owned(),
    }
}

/// How much of what is to be shared has been.
fn enough(status: &Status, shared_for: Duration, until: Until) -> String {
    let (span, wanted) = match until {
        Until::Enough { span, ratio } => (span, ratio),
        Until::Whole | Until::Stopped => (None, None),
    };
    let wanted = wanted.map_or_else(String::new, |wanted| format!(" of {wanted}"));
    let to_go = span.map(|span| format!(", {} to go", left(span.saturating_sub(shared_for).as_secs())));
    format!("ratio {:.2}{wanted}{}", ratio(status), to_go.unwrap_or_default())
}

/// What a torrent that has become complete took.
pub(super) fn finished(status: &Status, took: Duration) -> String {
    let bytes = status.bytes.unwrap_or_default();
    // What came twice or was bad is nobody's gain.
    let downloaded = status.stats.downloaded.saturating_sub(status.stats.wasted);
    if downloaded == 0 {
        return format!("all {} were there already", size(bytes));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate need not be exact")]
    #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
    let mean = (downloaded as f64 / took.as_secs_f64().max(0.001)) as u64;
    let of = if downloaded < bytes { format!(" of {}", size(bytes)) } else { String::new() };
    format!("got {}{of} in {}, {}", size(downloaded), duration(took), rate(mean))
}

/// How much of a torrent is there; `None` while its size is not known.
pub(super) fn percent(status: &Status) -> Option<u64> {
    let bytes = status.bytes.filter(|bytes| *bytes > 0)?;
    let there = bytes.saturating_sub(status.stats.left);
    u64::try_from(u128::from(there) * 100 / u128::from(bytes)).ok()
}

/// How many times its size a torrent was uploaded.
#[expect(clippy::cast_precision_loss, reason = "a ratio need not be exact")]
pub(super) fn ratio(status: &Status) -> f64 {
    status.bytes.map_or(0.0, |bytes| status.stats.uploaded as f64 / bytes.max(1) as f64)
}

/// A span in whole seconds, or its two largest units.
fn left(secs: u64) -> String {
    if secs < 60 { format!("{secs} s") } else { duration(Duration::from_secs(secs)) }
}

#[cfg(test)]
mod tests {
    use engine::Stats;

    use super::*;

    fn status(phase: Phase, stats: Stats) -> Status {
        Status {
            name: Some("dataset".to_owned()),
            bytes: Some(1 << 30),
            phase,
            check: peer::disk::Progress::default(),
            stats,
        }
    }

    fn said(phase: Phase, stats: Stats, until: Until) -> String {
        message(&status(phase, stats), "waiting for peers", Duration::from_secs(20), until)
    }

    #[test]
    fn a_line_says_how_it_goes() {
        let stats = Stats {
            uploaded: 1 << 29,
            left: 1 << 29,
            upload_rate: 1 << 20,
            download_rate: 8 << 20,
            peers: 3,
            ..Stats::default()
        };
        let stalled = Stats { download_rate: 0, upload_rate: 0, ..stats };
        let alone = Stats { peers: 0, ..stats };
        let until = Until::Stopped;
        assert_eq!(
            said(Phase::Fetching, stats, until),
            "8.00 MiB/s from 3 peers, 1 min 04 s left, 1.00 MiB/s up"
        );
        assert_eq!(said(Phase::Fetching, stalled, until), "0 B/s from 3 peers");
        assert_eq!(said(Phase::Fetching, alone, until), "waiting for peers");
        assert_eq!(said(Phase::Describing, alone, until), "waiting for peers");
        assert_eq!(said(Phase::Describing, Stats { peers: 1, ..stats }, until), "asking 1 peer what it is");
        let whole = || Phase::Whole("/x".into());
        assert_eq!(said(whole(), stats, until), "sharing, 1.00 MiB/s to 3 peers, ratio 0.50");
        assert_eq!(said(whole(), alone, until), "sharing, no peers now, ratio 0.50");
        let enough = Until::Enough { span: Some(Duration::from_secs(90)), ratio: Some(1.5) };
        assert_eq!(
            said(whole(), alone, enough),
            "sharing, no peers now, ratio 0.50 of 1.5, 1 min 10 s to go"
        );
        assert_eq!(percent(&status(Phase::Fetching, stats)), Some(50));
    }

    #[test]
    fn the_end_of_a_download_is_summed_up() {
        let after = |downloaded: u64| {
            let stats = Stats { downloaded: downloaded + (1 << 20), wasted: 1 << 20, ..Stats::default() };
            finished(&status(Phase::Whole("/x".into()), stats), Duration::from_secs(64))
        };
        assert_eq!(after(1 << 30), "got 1.00 GiB in 1 min 04 s, 16.0 MiB/s");
        assert_eq!(after(1 << 20), "got 1.00 MiB of 1.00 GiB in 1 min 04 s, 16.0 KiB/s");
        assert_eq!(after(0), "all 1.00 GiB were there already");
    }

    #[test]
    fn it_ends_at_the_first_limit() {
        let over = |until: Until, secs, ratio| until.is_over(Duration::from_secs(secs), || ratio);
        assert!(over(Until::Whole, 0, 0.0));
        assert!(!over(Until::Stopped, 1 << 30, 1e6));
        let both = Until::Enough { span: Some(Duration::from_secs(10)), ratio: Some(2.0) };
        assert!(!over(both, 9, 1.9));
        assert!(over(both, 10, 0.0) && over(both, 0, 2.0));
        let ratio = Until::Enough { span: None, ratio: Some(2.0) };
        assert!(!over(ratio, 1 << 30, 1.9));
        assert!(over(Until::Enough { span: None, ratio: Some(0.0) }, 0, 0.0));
    }

    #[test]
    fn how_long_it_is_shared_is_told() {
        let text =
            |span: Option<u64>, ratio| Until::Enough { span: span.map(Duration::from_secs), ratio }.text();
        assert_eq!(Until::Whole.text(), None);
        assert_eq!(Until::Stopped.text().unwrap(), "sharing until Ctrl-C");
        assert_eq!(text(Some(90), None).unwrap(), "sharing for 1 min 30 s, or until Ctrl-C");
        assert_eq!(text(None, Some(2.0)).unwrap(), "sharing up to a ratio of 2, or until Ctrl-C");
        assert_eq!(
            text(Some(5), Some(1.5)).unwrap(),
            "sharing for 5 s or up to a ratio of 1.5, or until Ctrl-C"
        );
    }
}
