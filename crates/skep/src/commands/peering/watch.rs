//! What a person sees of a node's torrents, until it is over.
//!
//! On a terminal each torrent has a bar. Elsewhere there is a line where something has changed, and now and then one
//! of how far it is.

mod line;
mod pace;
mod words;

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use peer::node::{Node, Phase, Status};
use serde::Serialize;
use swarm::InfoHash;
use tokio::sync::mpsc;
use unicode_width::UnicodeWidthStr;

use super::REFRESH;
use super::sharing::Shared;
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::{plain, size};
pub(in crate::commands) use line::Until;
use pace::Pace;
use words::Words;

/// How often what is shown is renewed while everything is there: a thousand torrents that nobody asks for cost next to
/// nothing.
const REFRESH_SHARING: Duration = Duration::from_secs(1);

/// Torrents that have bars; more would not fit a terminal.
const BARS_MAX: usize = 16;

/// Columns that a name may take.
const NAME_COLUMNS_MAX: usize = 24;

/// Columns of a bar, its percents and the space around it.
const BAR_COLUMNS: usize = 24;

/// A torrent that is being opened came out so: at this place in the order of [`Watch::expect`].
pub(in crate::commands) type Opening = (usize, Result<InfoHash, String>);

pub(in crate::commands) struct Watch<'a> {
    node: &'a Node,
    until: Until,
    /// Whether what is complete is told in JSON.
    json: bool,
    bars: MultiProgress,
    has_bars: bool,
    /// The terminal's.
    columns: usize,
    items: Vec<Item>,
    /// Whether it was told that everything is there.
    told_sharing: bool,
}

/// One torrent.
struct Item {
    /// What the person typed.
    what: String,
    name: String,
    stage: Stage,
    bar: ProgressBar,
    since: Instant,
    words: Words,
    pace: Pace,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// What is there of it from before is being looked at.
    Opening,
    /// It is fetched.
    Coming(InfoHash),
    /// It is there.
    Whole(InfoHash, Instant),
    /// Nothing more will come of it.
    Failed,
}

/// What a script is told of a torrent that is complete.
#[derive(Serialize)]
struct Finished<'a> {
    what: &'a str,
    info_hash: String,
    name: &'a str,
    size: Option<u64>,
    path: String,
}

impl<'a> Watch<'a> {
    pub(in crate::commands) fn new(node: &'a Node, until: Until, json: bool, env: &Env) -> Self {
        // Logs would be written across bars.
        let has_bars = env.terminal.stderr && env.verbosity == 0;
        let target = if has_bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let columns = env.width();
        Self { node, until, json, bars, has_bars, columns, items: Vec::new(), told_sharing: false }
    }

    /// Adds a torrent whose [`Opening`] will come.
    pub(in crate::commands) fn expect(&mut self, what: &str, name: &str) {
        self.add(what, name, Stage::Opening);
    }

    /// Adds torrents that are there and have been told of.
    pub(in crate::commands) fn add_shared(&mut self, shared: &[Shared]) {
        for Shared { hash, name } in shared {
            self.add(name, name, Stage::Whole(*hash, Instant::now()));
        }
        self.told_sharing = true;
    }

    fn add(&mut self, what: &str, name: &str, stage: Stage) {
        let bar = ProgressBar::new(0);
        let bar = if self.items.len() < BARS_MAX { self.bars.add(bar) } else { ProgressBar::hidden() };
        self.items.push(Item {
            what: what.to_owned(),
            name: plain(name).into_owned(),
            stage,
            bar,
            since: Instant::now(),
            words: Words::default(),
            pace: Pace::new(Instant::now()),
        });
    }

    /// Shows how things stand until it is over.
    ///
    /// # Errors
    /// Results cannot be written.
    pub(in crate::commands) async fn run(
        &mut self,
        mut openings: mpsc::Receiver<Opening>,
        env: &mut Env,
    ) -> Outcome {
        loop {
            let rest = if self.is_coming() { REFRESH } else { REFRESH_SHARING };
            tokio::select! {
                Some((at, outcome)) = openings.recv() => {
                    let item = &mut self.items[at];
                    item.since = Instant::now();
                    match outcome {
                        Ok(hash) => item.stage = Stage::Coming(hash),
                        Err(why) => self.fail(at, &why, env),
                    }
                }
                () = tokio::time::sleep(rest) => {}
            }
            for at in 0..self.items.len() {
                self.look(at, env)?;
            }
            self.restyle();
            self.tell_sharing(env);
            if self.is_over() {
                return Ok(());
            }
        }
    }

    /// Whether something is still to come.
    fn is_coming(&self) -> bool {
        self.items.iter().any(|item| matches!(item.stage, Stage::Opening | Stage::Coming(_)))
    }

    /// Ends the bars, tells what was shared, and says how it came out. `interrupted`: it was not over.
    pub(in crate::commands) fn end(self, interrupted: bool, env: &mut Env) -> Outcome {
        if interrupted && self.has_bars {
            // The terminal has written `^C` somewhere, so that the bars would not be found where they were drawn: they stay.
            self.bars.set_draw_target(ProgressDrawTarget::hidden());
            env.note("");
        }
        self.items.iter().for_each(|item| item.bar.finish_and_clear());
        for item in &self.items {
            let (Stage::Coming(hash) | Stage::Whole(hash, _)) = item.stage else { continue };
            let Some(status) = self.node.status(hash).filter(|status| status.stats.uploaded > 0) else {
                continue;
            };
            let uploaded = size(status.stats.uploaded);
            env.note(format_args!("{}: uploaded {uploaded}, ratio {:.2}", item.name, line::ratio(&status)));
        }
        if interrupted
            && self.items.iter().any(|item| matches!(item.stage, Stage::Opening | Stage::Coming(_)))
        {
            return Err(Failure::Failed(
                "interrupted; what was verified is kept, and the same command goes on from there".to_owned(),
            ));
        }
        if self.items.iter().any(|item| matches!(item.stage, Stage::Failed)) {
            Err(Failure::Told)
        } else {
            Ok(())
        }
    }

    fn look(&mut self, at: usize, env: &mut Env) -> Outcome {
        let item = &mut self.items[at];
        let hash = match item.stage {
            Stage::Coming(hash) | Stage::Whole(hash, _) => hash,
            Stage::Opening => {
                item.bar.set_message("checking what is there");
                return Ok(());
            }
            Stage::Failed => return Ok(()),
        };
        let Some(status) = self.node.status(hash) else { return Ok(()) };
        if let Some(name) = &status.name {
            item.name = plain(name).into_owned();
        }
        match &status.phase {
            Phase::Whole(path) if matches!(item.stage, Stage::Coming(_)) => {
                item.stage = Stage::Whole(hash, Instant::now());
                self.tell_whole(at, hash, &status, path, env)?;
            }
            Phase::Paused(why) => {
                self.fail(at, &why.to_string(), env);
                return Ok(());
            }
            _ => {}
        }
        self.tell_trackers(at, hash, &status, env);
        self.show(at, &status, env);
        Ok(())
    }

    fn show(&mut self, at: usize, status: &Status, env: &mut Env) {
        let item = &mut self.items[at];
        if let Some(bytes) = status.bytes {
            item.bar.set_length(bytes);
            item.bar.set_position(bytes.saturating_sub(status.stats.left));
        }
        let shared_for = match item.stage {
            Stage::Whole(_, since) => since.elapsed(),
            _ => Duration::ZERO,
        };
        let message = line::message(status, item.words.waiting(), shared_for, self.until);
        // That it waits for peers was told when it began to.
        let moves = matches!(item.stage, Stage::Coming(_)) && status.stats.peers > 0;
        if !self.has_bars && moves && item.pace.is_due(&status.phase, line::percent(status), Instant::now()) {
            let percent = line::percent(status).map_or_else(String::new, |percent| format!("{percent} %, "));
            env.note(format_args!("{}: {percent}{message}", item.name));
        }
        item.bar.set_message(message);
    }

    /// Says on standard output that a torrent is complete, and beside it what that took.
    fn tell_whole(
        &mut self,
        at: usize,
        hash: InfoHash,
        status: &Status,
        path: &Path,
        env: &mut Env,
    ) -> Outcome {
        let item = &self.items[at];
        let said = line::finished(status, item.since.elapsed());
        let json = self.json.then(|| Finished {
            what: &item.what,
            info_hash: hash.to_string(),
            name: status.name.as_deref().unwrap_or(&item.name),
            size: status.bytes,
            path: path.to_string_lossy().into_owned(),
        });
        self.bars.suspend(|| {
            env.note(format_args!("{}: {said}", item.name));
            match json {
                Some(finished) => {
                    serde_json::to_writer(&mut env.stdout, &finished).map_err(std::io::Error::from)?;
                }
                None => env.stdout.write_all(path.as_os_str().as_encoded_bytes())?,
            }
            env.stdout.write_all(b"\n")?;
            Ok(env.stdout.flush()?)
        })
    }

    fn tell_trackers(&mut self, at: usize, hash: InfoHash, status: &Status, env: &mut Env) {
        let item = &mut self.items[at];
        let wanting = matches!(status.phase, Phase::Describing | Phase::Fetching);
        let alone = wanting && status.stats.peers == 0;
        let mut lines = item.words.hear(&self.node.trackers(hash), alone, Instant::now());
        if self.has_bars {
            // The bar says it as long as it is so.
            lines.retain(|line| !line.is_waiting);
        }
        if !lines.is_empty() {
            let name = &item.name;
            self.bars
                .suspend(|| lines.iter().for_each(|line| env.note(format_args!("{name}: {}", line.text))));
        }
    }

    fn fail(&mut self, at: usize, why: &str, env: &mut Env) {
        let item = &mut self.items[at];
        item.stage = Stage::Failed;
        item.bar.set_message("failed");
        let name = &item.name;
        self.bars.suspend(|| {
            for line in why.lines() {
                env.error(format_args!("{name}: {}", plain(line)));
            }
        });
    }

    /// Says once that everything is there and how long it will be shared.
    fn tell_sharing(&mut self, env: &mut Env) {
        let whole = self.items.iter().any(|item| matches!(item.stage, Stage::Whole(..)));
        let done = self.items.iter().all(|item| matches!(item.stage, Stage::Whole(..) | Stage::Failed));
        if whole && done && !self.told_sharing {
            self.told_sharing = true;
            if let Some(text) = self.until.text() {
                self.bars.suspend(|| env.note(text));
            }
        }
    }

    fn is_over(&self) -> bool {
        let mut whole = Vec::new();
        for item in &self.items {
            match item.stage {
                Stage::Opening | Stage::Coming(_) => return false,
                Stage::Whole(hash, since) => whole.push((hash, since)),
                Stage::Failed => {}
            }
        }
        whole.into_iter().all(|(hash, since)| {
            let ratio = || self.node.status(hash).map_or(0.0, |status| line::ratio(&status));
            self.until.is_over(since.elapsed(), ratio)
        })
    }

    /// Gives each bar the form that fits its stage, all names as wide as the widest.
    fn restyle(&self) {
        if !self.has_bars {
            return;
        }
        let columns = |item: &Item| item.name.width().min(NAME_COLUMNS_MAX);
        let name = self.items.iter().map(columns).max().unwrap_or_default();
        for item in &self.items {
            let is_coming = matches!(item.stage, Stage::Coming(_)) && item.bar.length() != Some(0);
            let bar = if is_coming { "{bar:16} {percent:>3}%  " } else { "" };
            let taken = name + 2 + if is_coming { BAR_COLUMNS } else { 0 };
            let message = self.columns.saturating_sub(taken).max(1);
            let template = format!("{{prefix:{name}!}}  {bar}{{msg:{message}!}}");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                item.bar.set_style(style.progress_chars("=> "));
            }
            item.bar.set_prefix(item.name.clone());
        }
    }
}
