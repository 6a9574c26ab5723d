use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::Import;
use crate::client::{Auth, Body, Client};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::{plain, plural, size};
use crate::settings::{Flags, Settings};

/// Bytes that a state file may have: it is read whole, here and by the hub.
const STATE_BYTES_MAX: u64 = 1 << 30;

/// How long the hub has to bring everything in.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(600);

/// Entries left out that are told one by one.
const SKIPPED_TOLD_MAX: usize = 20;

/// What the hub did with the file.
#[derive(Debug, Serialize, Deserialize)]
struct Imported {
    torrents: u64,
    peers: u64,
    #[serde(default)]
    skipped: Vec<Value>,
}

pub(super) async fn run(args: &Import, env: &mut Env) -> Outcome {
    let flags = Flags {
        config: args.config.config.clone(),
        state_dir: args.state.state_dir.clone(),
        tracker: args.hub.tracker.clone(),
        trust: args.hub.trust.clone(),
        admin_token: args.admin.admin_token.clone(),
        ..Flags::default()
    };
    let settings = Settings::load(env, &flags)?;
    if let Some(file) = &args.db {
        hub::store::sqlite::restore(&env.path(file), &settings.hub.state_dir).map_err(Failure::failed)?;
        let state_dir = settings.hub.state_dir.display();
        env.note(format_args!("{} is now the database in {state_dir}; `skep serve` uses it", file.display()));
        return Ok(());
    }
    let Some(file) = &args.file else {
        return Err(Failure::misuse("a state file is expected, or --db FILE"));
    };
    let client = Client::new(&settings, IMPORT_TIMEOUT)?;
    let shown = file.display().to_string();
    let bytes = read(&env.path(file), &shown)?;
    let body = Body { media_type: "application/json", bytes };
    let (_, imported): (_, Imported) = client.post("api/v1/import", body, Auth::Admin).await?;
    if args.json {
        let json = serde_json::to_string(&imported).map_err(Failure::failed)?;
        return Ok(writeln!(env.stdout, "{json}")?);
    }
    for skipped in imported.skipped.iter().take(SKIPPED_TOLD_MAX) {
        let text = skipped.as_str().map_or_else(|| skipped.to_string(), str::to_owned);
        env.note(format_args!("left out: {}", plain(&text)));
    }
    if imported.skipped.len() > SKIPPED_TOLD_MAX {
        env.note(format_args!("left out: {} more", imported.skipped.len() - SKIPPED_TOLD_MAX));
    }
    let (torrents, peers) = (plural(imported.torrents, "torrent"), plural(imported.peers, "peer"));
    let left_out = match imported.skipped.len() {
        0 => String::new(),
        n => format!(", left out {n}"),
    };
    Ok(writeln!(env.stdout, "brought in {torrents} and {peers}{left_out}")?)
}

/// Reads the file and makes sure that it is JSON, so that a wrong file is told by name before it travels.
fn read(path: &Path, shown: &str) -> Result<Vec<u8>, Failure> {
    let refuse = |why: String| Failure::Failed(format!("cannot import {shown}: {why}"));
    let io = |error: std::io::Error| refuse(error.to_string());
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(STATE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > STATE_BYTES_MAX {
        return Err(refuse(format!("it has more than {}", size(STATE_BYTES_MAX))));
    }
    serde_json::from_slice::<IgnoredAny>(&bytes)
        .map_err(|error| refuse(format!("it is not JSON: {error}")))?;
    Ok(bytes)
}
