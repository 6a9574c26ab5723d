//! What a person sees while something is fetched, and when it is over.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use peer::announce::State;
use peer::node::{Node, Phase, Status};
use swarm::InfoHash;

use crate::commands::peering::REFRESH;
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::{plain, rate};

/// When it is over.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// When everything is there.
    Whole,
    /// When somebody says so.
    Stopped,
    /// When it was shared for so long or so many times its size, whichever is first.
    Enough { span: Option<Duration>, ratio: Option<f64> },
}

pub(super) struct Watch<'a> {
    node: &'a Node,
    until: Until,
    bars: MultiProgress,
    items: Vec<Item>,
}

struct Item {
    hash: InfoHash,
    name: String,
    bar: ProgressBar,
    /// Since when it is there; told already.
    whole_since: Option<Instant>,
    failed: bool,
    /// What its trackers said last, if it was nothing good.
    complaint: String,
}

impl<'a> Watch<'a> {
    pub(super) fn new(node: &'a Node, until: Until) -> Self {
        Self {
            node,
            until,
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            items: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, hash: InfoHash, name: &str, env: &Env) {
        if self.items.is_empty() && env.terminal.stderr && env.verbosity >= 0 {
            self.bars.set_draw_target(ProgressDrawTarget::stderr());
        }
        if self.items.iter().any(|item| item.hash == hash) {
            return;
        }
        let bar = self.bars.add(ProgressBar::new(0));
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:20} {bytes}/{total_bytes} {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        let name = plain(name).into_owned();
        bar.set_prefix(name.clone());
        self.items.push(Item { hash, name, bar, whole_since: None, failed: false, complaint: String::new() });
    }

    /// Shows how things stand until it is over.
    pub(super) async fn run(mut self, env: &mut Env) -> Outcome {
        loop {
            for at in 0..self.items.len() {
                self.look(at, env)?;
            }
            if self.is_over() {
                self.bars.clear()?;
                return if self.items.iter().any(|item| item.failed) { Err(Failure::Told) } else { Ok(()) };
            }
            tokio::time::sleep(REFRESH).await;
        }
    }

    fn look(&mut self, at: usize, env: &mut Env) -> Outcome {
        let Self { node, bars, items, .. } = self;
        let item = &mut items[at];
        let Some(status) = node.status(item.hash) else { return Ok(()) };
        item.show(&status);
        match &status.phase {
            Phase::Whole(path) if item.whole_since.is_none() => {
                item.whole_since = Some(Instant::now());
                bars.suspend(|| {
                    writeln!(env.stdout, "{}", path.display())?;
                    env.stdout.flush()
                })?;
            }
            Phase::Paused(why) if !item.failed => {
                item.failed = true;
                let (name, why) = (&item.name, why.to_string());
                bars.suspend(|| env.error(format_args!("{name}: {}", plain(&why))));
            }
            _ => {}
        }
        let complaint = node.trackers(item.hash).into_iter().find_map(|tracker| match &tracker.state {
            State::Refused(_)
            | State::Failed(_)
            | State::GivenUp(_)
            | State::Answered { warning: Some(_) } => Some(format!("{}: {}", tracker.name, tracker.state)),
            State::Unasked | State::Answered { warning: None } => None,
        });
        let complaint = complaint.unwrap_or_default();
        if complaint != item.complaint {
            if !complaint.is_empty() {
                bars.suspend(|| env.note(&complaint));
            }
            item.complaint = complaint;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let all_done = self.items.iter().all(|item| item.failed || item.whole_since.is_some());
        if self.items.iter().all(|item| item.failed) {
            return true;
        }
        match self.until {
            Until::Stopped => false,
            Until::Whole => all_done,
            Until::Enough { span, ratio } => {
                all_done
                    && self.items.iter().filter_map(|item| Some((item.hash, item.whole_since?))).all(
                        |(hash, since)| {
                            let long = span.is_some_and(|span| since.elapsed() >= span);
                            let much = ratio.is_some_and(|ratio| self.ratio(hash) >= ratio);
                            long || much
                        },
                    )
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio need not be exact")]
    fn ratio(&self, hash: InfoHash) -> f64 {
        let status = self.node.status(hash);
        let parts = status.and_then(|status| Some((status.stats.uploaded, status.bytes?)));
        parts.map_or(0.0, |(uploaded, bytes)| uploaded as f64 / bytes.max(1) as f64)
    }
}

impl Item {
    fn show(&self, status: &Status) {
        let stats = &status.stats;
        if let Some(bytes) = status.bytes {
            self.bar.set_length(bytes);
            self.bar.set_position(bytes.saturating_sub(stats.left));
        }
        let peers = stats.peers;
        let message = match &status.phase {
            Phase::Describing => format!("asking {peers} peers what it is"),
            Phase::Checking => "checking what is there".to_owned(),
            Phase::Fetching => {
                let left = stats.left.checked_div(stats.download_rate).map_or_else(
                    || "?".to_owned(),
                    |secs| crate::format::duration(Duration::from_secs(secs)),
                );
                format!("{} from {peers} peers, {left} left", rate(stats.download_rate))
            }
            Phase::Whole(_) => format!("sharing at {} with {peers} peers", rate(stats.upload_rate)),
            Phase::Paused(_) => "failed".to_owned(),
        };
        self.bar.set_message(message);
    }
}

/// Whether everything that a node has is whole.
pub(super) fn all_whole(node: &Node) -> bool {
    node.torrents().iter().all(|listed| matches!(listed.status.phase, Phase::Whole(_)))
}
