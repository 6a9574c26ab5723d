use std::io::{self, Write};

use crate::cli::ListArgs;
use crate::client::{Client, TIMEOUT_DEFAULT, Torrent};
use crate::env::Env;
use crate::exit::Outcome;
use crate::format::{plain, size};
use crate::settings::{Flags, Settings};

/// Torrents that one request asks for.
pub(super) const PAGE_TORRENTS: usize = 100;

/// Prints the catalogue, or what of it matches `words`, page by page: the list is never held whole.
pub(super) async fn run(words: Option<&str>, args: &ListArgs, env: &mut Env) -> Outcome {
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
    let mut printer = Printer { json: args.json, long: args.long, bold: env.colors_stdout(), printed: 0 };
    loop {
        let page = client.torrents::<Torrent>(words, left.min(PAGE_TORRENTS), cursor.as_deref()).await?;
        for torrent in page.torrents.iter().take(left) {
            printer.torrent(torrent, &mut env.stdout)?;
        }
        left -= page.torrents.len().min(left);
        cursor = page.next;
        if left == 0 || cursor.is_none() {
            break;
        }
    }
    printer.end(&mut env.stdout)?;
    if cursor.is_some() {
        env.note("there are more; a larger --limit shows them");
    }
    if printer.printed == 0 && !args.json {
        env.note(match words {
            Some(words) => format!("nothing in the catalogue matches \"{words}\""),
            None => "the catalogue is empty; `skep add FILE.torrent` puts something into it".to_owned(),
        });
    }
    Ok(())
}

struct Printer {
    json: bool,
    long: bool,
    bold: bool,
    printed: usize,
}

impl Printer {
    fn torrent(&mut self, torrent: &Torrent, out: &mut dyn Write) -> io::Result<()> {
        let first = self.printed == 0;
        self.printed += 1;
        if self.json {
            write!(out, "{}", if first { "[\n  " } else { ",\n  " })?;
            return Ok(serde_json::to_writer(out, torrent)?);
        }
        if first {
            self.head(out)?;
        }
        let bytes = torrent.size.map_or_else(|| "?".to_owned(), size);
        let Torrent { seeders, leechers, completed, .. } = torrent;
        write!(out, "{bytes:>9}  {seeders:>7}  {leechers:>8}  {completed:>9}  ")?;
        if self.long {
            write!(out, "{:40}  ", plain(&torrent.info_hash))?;
        }
        writeln!(out, "{}", plain(&torrent.name))
    }

    /// The names come last: they may be of any length, and nothing after them is pushed out of line.
    fn head(&self, out: &mut dyn Write) -> io::Result<()> {
        let (on, off) = if self.bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let hash = if self.long { format!("{:40}  ", "INFO HASH") } else { String::new() };
        writeln!(
            out,
            "{on}{:>9}  {:>7}  {:>8}  {:>9}  {hash}NAME{off}",
            "SIZE", "SEEDERS", "LEECHERS", "COMPLETED"
        )
    }

    fn end(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.json, self.printed) {
            (true, 0) => writeln!(out, "[]"),
            (true, _) => writeln!(out, "\n]"),
            (false, _) => Ok(()),
        }
    }
}
