mod files;
pub(super) mod send;

use std::path::Path;

use serde::Serialize;

use crate::cli::Add;
use crate::client::Client;
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::plain;
use crate::settings::{Flags, Settings};
use send::{Fate, Sender, Tries};

/// What became of one file.
struct Report {
    file: String,
    /// The info hash and the name, if the file is a torrent.
    torrent: Option<(String, String)>,
    fate: Result<Fate, String>,
}

/// How many files had which fate.
#[derive(Default)]
struct Tally {
    registered: usize,
    known: usize,
    failed: usize,
}

pub(super) async fn run(args: &Add, env: &mut Env) -> Outcome {
    let flags = Flags {
        config: args.config.config.clone(),
        state_dir: args.state.state_dir.clone(),
        tracker: args.hub.tracker.clone(),
        passkey: args.member.passkey.clone(),
        trust: args.hub.trust.clone(),
        admin_token: args.admin.admin_token.clone(),
        ..Flags::default()
    };
    let settings = Settings::load(env, &flags)?;
    let client = Client::new(&settings, args.timeout)?;
    let files = files::collect(&args.paths, env)?;
    let bar = env.bar(files.len() as u64, "{bar:30} {pos}/{len} {wide_msg}");
    let mut sender = Sender::new(
        &client,
        Tries {
            count: args.tries,
            delay: args.retry_delay,
            timeout: args.timeout,
            created_by: args.created_by.clone(),
        },
    );
    let mut tally = Tally::default();
    let mut printer = Printer { json: args.json, printed: 0 };
    for (at, file) in files.iter().enumerate() {
        bar.set_message(file.shown.clone());
        let report = register(&mut sender, &file.path, &file.shown).await;
        tally.count(&report);
        bar.suspend(|| printer.report(&report, env))?;
        bar.inc(1);
        if sender.is_silent() {
            let rest = &files[at + 1..];
            let untried = |file: &files::Found| Report {
                file: file.shown.clone(),
                torrent: None,
                fate: Err("not tried, for the hub does not answer".to_owned()),
            };
            for report in rest.iter().map(untried) {
                tally.count(&report);
                bar.suspend(|| printer.report(&report, env))?;
            }
            break;
        }
    }
    bar.finish_and_clear();
    printer.end(&tally, env)?;
    if tally.failed > 0 { Err(Failure::Told) } else { Ok(()) }
}

async fn register(sender: &mut Sender<'_>, path: &Path, shown: &str) -> Report {
    match files::read(path) {
        Ok((bytes, metainfo)) => {
            let torrent = Some((metainfo.info_hash().to_string(), metainfo.name().to_owned()));
            let fate = sender.send(bytes, &metainfo).await.map_err(|error| error.to_string());
            Report { file: shown.to_owned(), torrent, fate }
        }
        Err(why) => Report { file: shown.to_owned(), torrent: None, fate: Err(why) },
    }
}

impl Tally {
    fn count(&mut self, report: &Report) {
        match report.fate {
            Ok(Fate::Registered) => self.registered += 1,
            Ok(Fate::Known) => self.known += 1,
            Err(_) => self.failed += 1,
        }
    }
}

struct Printer {
    json: bool,
    printed: usize,
}

impl Printer {
    /// A registered file is a result; one that failed is told where errors are.
    fn report(&mut self, report: &Report, env: &mut Env) -> std::io::Result<()> {
        if let Err(why) = &report.fate {
            env.error(format_args!("{}: {why}", report.file));
        }
        if self.json {
            let before = if self.printed == 0 { "[\n  " } else { ",\n  " };
            self.printed += 1;
            write!(env.stdout, "{before}")?;
            return Ok(serde_json::to_writer(&mut env.stdout, &ReportJson::from(report))?);
        }
        match (&report.fate, &report.torrent) {
            (Ok(fate), Some((hash, name))) => {
                writeln!(env.stdout, "{:10}  {hash}  {}", fate.word(), plain(name))
            }
            _ => Ok(()),
        }
    }

    fn end(&self, tally: &Tally, env: &mut Env) -> std::io::Result<()> {
        let Tally { registered, known, failed } = tally;
        if self.json {
            return writeln!(env.stdout, "{}]", if self.printed == 0 { "[" } else { "\n" });
        }
        writeln!(env.stdout, "{registered} registered, {known} known already, {failed} failed")
    }
}

/// What `--json` prints of a file.
#[derive(Serialize)]
struct ReportJson<'a> {
    file: &'a str,
    outcome: &'static str,
    info_hash: Option<&'a str>,
    name: Option<&'a str>,
    error: Option<&'a str>,
}

impl<'a> From<&'a Report> for ReportJson<'a> {
    fn from(report: &'a Report) -> Self {
        Self {
            file: &report.file,
            outcome: report.fate.as_ref().map_or("failed", Fate::word),
            info_hash: report.torrent.as_ref().map(|(hash, _)| hash.as_str()),
            name: report.torrent.as_ref().map(|(_, name)| name.as_str()),
            error: report.fate.as_ref().err().map(String::as_str),
        }
    }
}
