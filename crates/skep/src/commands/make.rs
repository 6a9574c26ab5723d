use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::ProgressBar;
use wire::magnet::Magnet;

use crate::cli::{Make, MakeContent};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::{plain, plural, size};
use crate::make::{self, Made, Options, Progress};
use crate::{atomic, show};

/// Hashes in the background and writes the torrent when it is whole.
pub(super) async fn run(args: &Make, env: &mut Env) -> Outcome {
    // Refused before hours may be spent on hashing.
    if let Some(path) = &args.output {
        refuse_to_replace(&env.path(path), path, args.force)?;
    }
    let paths: Vec<PathBuf> = args.paths.iter().map(|path| env.path(path)).collect();
    let options = options(&args.content)?;
    let bar = Bar(env.bar(0, "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"));
    let hashing = tokio::task::spawn_blocking(move || {
        let made = make::build(&paths, &options, &bar);
        bar.0.finish_and_clear();
        made
    });
    let made = hashing.await.map_err(Failure::failed)?.map_err(Failure::failed)?;
    for left_out in &made.left_out {
        env.note(format_args!("left out: {}", plain(&left_out.to_string())));
    }
    if args.output.as_deref() == Some(Path::new("-")) {
        return Ok(env.stdout.write_all(&made.bytes)?);
    }
    let shown = args.output.clone().unwrap_or_else(|| format!("{}.torrent", made.torrent.name()).into());
    let path = env.path(&shown);
    refuse_to_replace(&path, &shown, args.force)?;
    atomic::write(&path, &made.bytes)
        .map_err(|error| Failure::Failed(format!("cannot write {}: {error}", shown.display())))?;
    if args.json {
        return Ok(show::json(&made.torrent, &mut env.stdout)?);
    }
    report(&made, &shown, env)
}

fn refuse_to_replace(path: &Path, shown: &Path, force: bool) -> Result<(), Failure> {
    if force || shown == Path::new("-") || path.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Failure::Failed(format!("{} is there already; --force replaces it", shown.display())))
}

fn options(content: &MakeContent) -> Result<Options, Failure> {
    let tiers =
        content.trackers.iter().map(|tier| tier.split(',').map(|url| url.trim().to_owned()).collect());
    let trackers: Vec<Vec<String>> = tiers.collect();
    for url in trackers.iter().flatten() {
        address(url, "--tracker", &["http", "https", "udp", "ws", "wss"])?;
    }
    for url in &content.web_seeds {
        address(url, "--web-seed", &["http", "https", "ftp"])?;
    }
    Ok(Options {
        name: content.name.clone(),
        piece_length: content.piece_length,
        private: content.private,
        source: content.source.clone(),
        comment: content.comment.clone(),
        created_by: Some(content.created_by.clone()),
        creation_date: if content.no_date { None } else { now() },
        trackers,
        web_seeds: content.web_seeds.clone(),
        follow_links: content.follow_links,
        takes: None,
        threads: content.threads,
        state_dir: None,
    })
}

/// Refuses what no client could use: it would be in the torrent for good.
fn address(url: &str, flag: &str, schemes: &[&str]) -> Result<(), Failure> {
    let right = reqwest::Url::parse(url).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host());
    if right {
        return Ok(());
    }
    let schemes = schemes.join("://, ");
    Err(Failure::Misuse(format!(
        "{flag} `{url}` is no address: one that begins with {schemes}:// is expected"
    )))
}

/// Unix seconds; `None` before 1970.
fn now() -> Option<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

fn report(made: &Made, shown: &Path, env: &mut Env) -> Outcome {
    let torrent = &made.torrent;
    let files = plural(torrent.files().iter().filter(|file| !file.pad).count() as u64, "file");
    let pieces = plural((torrent.pieces().len() / 20) as u64, "piece");
    let (bytes, length) = (size(torrent.size()), size(torrent.piece_length()));
    writeln!(
        env.stdout,
        "{}: {files}, {bytes} in {pieces} of {length}",
        plain(&shown.display().to_string())
    )?;
    writeln!(env.stdout, "info hash {}", torrent.info_hash())?;
    Ok(writeln!(env.stdout, "{}", Magnet::from(torrent))?)
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn found(&self, _: usize, bytes: u64) {
        self.0.set_length(bytes);
    }

    fn hashed(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}
