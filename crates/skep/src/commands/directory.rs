use std::io::{self, Write};

use swarm::directory::Dialect;

use super::list::PAGE_TORRENTS;
use crate::cli::ListArgs;
use crate::client::{Client, OfferedName, TIMEOUT_DEFAULT};
use crate::env::Env;
use crate::exit::Outcome;
use crate::format::{plain, size};
use crate::settings::{Flags, Settings};

/// Prints what is offered in the classic dialects, page by page.
pub(super) async fn run(args: &ListArgs, env: &mut Env) -> Outcome {
    let flags = Flags {
        config: args.config.config.clone(),
        tracker: args.hub.tracker.clone(),
        passkey: args.member.passkey.clone(),
        trust: args.hub.trust.clone(),
        ..Flags::default()
    };
    let settings = Settings::load(env, &flags)?;
    let client = Client::new(&settings, TIMEOUT_DEFAULT)?;
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut cursor: Option<String> = None;
    let mut printed = 0;
    loop {
        let page = client.directory(None, left.min(PAGE_TORRENTS), cursor.as_deref()).await?;
        for name in page.names.iter().take(left) {
            print(name, args.json, printed == 0, env)?;
            printed += 1;
        }
        left -= page.names.len().min(left);
        cursor = page.next;
        if left == 0 || cursor.is_none() {
            break;
        }
    }
    match (args.json, printed) {
        (true, 0) => writeln!(env.stdout, "[]")?,
        (true, _) => writeln!(env.stdout, "\n]")?,
        (false, 0) => env.note("nothing is offered in the classic dialects"),
        (false, _) => {}
    }
    if cursor.is_some() {
        env.note("there are more; a larger --limit shows them");
    }
    Ok(())
}

fn print(name: &OfferedName, json: bool, is_first: bool, env: &mut Env) -> io::Result<()> {
    let (on, off) = if env.colors_stdout() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let out = &mut env.stdout;
    if json {
        write!(out, "{}", if is_first { "[\n  " } else { ",\n  " })?;
        return Ok(serde_json::to_writer(out, name)?);
    }
    if is_first {
        writeln!(out, "{on}{:>9}  TOKEN  INDEX  CHUNKLIST  BEACON  NAME{off}", "SIZE")?;
    }
    let bytes = name.size.map_or_else(|| "?".to_owned(), size);
    write!(out, "{bytes:>9}")?;
    for dialect in Dialect::ALL {
        let width = dialect.name().len();
        write!(out, "  {:>width$}", name.holders.get(dialect.name()).copied().unwrap_or(0))?;
    }
    // The names come last: they may be of any length, and nothing after them is pushed out of line.
    writeln!(out, "  {}", plain(&name.name))
}
