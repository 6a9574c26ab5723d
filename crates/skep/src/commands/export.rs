use serde_json::Value;

use super::list::PAGE_TORRENTS;
use crate::cli::Export;
use crate::client::{Client, TIMEOUT_DEFAULT};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::plural;
use crate::settings::{Flags, Settings};

/// Prints every torrent with all that the hub tells of it, a page at a time.
pub(super) async fn run(args: &Export, env: &mut Env) -> Outcome {
    let flags = Flags {
        config: args.config.config.clone(),
        tracker: args.hub.tracker.clone(),
        trust: args.hub.trust.clone(),
        state_dir: args.state.state_dir.clone(),
        ..Flags::default()
    };
    let settings = Settings::load(env, &flags)?;
    if let Some(file) = &args.db {
        hub::store::sqlite::back_up(&settings.hub.state_dir, &env.path(file)).map_err(Failure::failed)?;
        env.note(format_args!("the database is copied to {}", file.display()));
        return Ok(());
    }
    let client = Client::new(&settings, TIMEOUT_DEFAULT)?;
    let mut exported: u64 = 0;
    let mut cursor: Option<String> = None;
    loop {
        let page = client.torrents::<Value>(None, PAGE_TORRENTS, cursor.as_deref()).await?;
        for torrent in page.torrents {
            match (args.lines, exported) {
                (true, _) => writeln!(env.stdout, "{torrent}")?,
                (false, 0) => write!(env.stdout, "[\n  {torrent}")?,
                (false, _) => write!(env.stdout, ",\n  {torrent}")?,
            }
            exported += 1;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    match (args.lines, exported) {
        (true, _) => (),
        (false, 0) => writeln!(env.stdout, "[]")?,
        (false, _) => writeln!(env.stdout, "\n]")?,
    }
    env.note(format_args!("exported {}", plural(exported, "torrent")));
    Ok(())
}
