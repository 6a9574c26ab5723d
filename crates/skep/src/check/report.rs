//! What was found, for people and for programs.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::SocketAddr;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// The characters that one detail has at most.
const DETAIL_CHARS_MAX: usize = 400;

/// Everything that was found out about one tracker.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The tracker as it was given.
    pub url: String,
    /// The address that was talked to; `None` if the name has none.
    pub address: Option<SocketAddr>,
    /// What was looked at, in that order.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What should hold.
    pub name: Cow<'static, str>,
    /// The BitTorrent Enhancement Proposal that says so, if one does.
    pub bep: Option<u16>,
    /// Whether it does.
    pub outcome: Outcome,
    /// What was seen.
    pub detail: String,
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It could not be looked at.
    Skip,
    /// It does.
    Pass,
    /// It does not, which no specification forbids but clients suffer from.
    Warn,
    /// It does not.
    Fail,
}

impl Report {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), address: None, checks: Vec::new() }
    }

    pub(super) fn push(&mut self, check: Check) {
        self.checks.push(check);
    }

    pub(super) fn extend(&mut self, checks: Vec<Check>) {
        self.checks.extend(checks);
    }

    pub(super) fn pass(&mut self, name: &'static str, bep: Option<u16>, detail: String) {
        self.push(Check::new(name, bep, Outcome::Pass, detail));
    }

    pub(super) fn fail(&mut self, name: &'static str, bep: Option<u16>, detail: String) {
        self.push(Check::new(name, bep, Outcome::Fail, detail));
    }

    pub(super) fn skip(&mut self, name: &'static str, bep: Option<u16>, detail: String) {
        self.push(Check::new(name, bep, Outcome::Skip, detail));
    }

    /// How many checks came out so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }

    /// Whether nothing failed. Warnings are no failure.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.count(Outcome::Fail) == 0
    }

    /// Writes a table, `width` columns wide at most, and a line that sums it up.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_table(&self, width: u16, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
        for check in &self.checks {
            let bep = check.bep.map_or_else(String::new, |bep| format!("BEP {bep}"));
            table.add_row([check.outcome.word(), &check.name, &bep, &check.detail]);
        }
        writeln!(out, "{}", table.trim_fmt())?;
        let [pass, warn, fail, skip] =
            [Outcome::Pass, Outcome::Warn, Outcome::Fail, Outcome::Skip].map(|outcome| self.count(outcome));
        writeln!(
            out,
            "{}: {pass} hold, {warn} to be careful with, {fail} do not hold, {skip} left out",
            self.url
        )
    }

    /// Writes the report as one JSON object and a newline.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

impl Check {
    pub(super) fn new(
        name: &'static str,
        bep: Option<u16>,
        outcome: Outcome,
        detail: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), bep, outcome, detail: printable(&detail.into()) }
    }
}

/// What a tracker says goes to a terminal: at most [`DETAIL_CHARS_MAX`], and nothing that moves the cursor, changes
/// colors or turns the direction of writing.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    for (at, char) in text.chars().enumerate() {
        if at == DETAIL_CHARS_MAX {
            shown.push('…');
            break;
        }
        match char {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => shown.extend(char.escape_unicode()),
            _ if char.is_control() => shown.extend(char.escape_debug()),
            _ => shown.push(char),
        }
    }
    shown
}

impl Outcome {
    /// The outcome in one short word; what should catch the eye is in capitals.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracker_s_words_cannot_touch_the_terminal() {
        let check = Check::new("x", None, Outcome::Pass, "no\x1b[2J\r\n\u{9b}\0 é…\u{202e}");
        assert_eq!(check.detail, r"no\u{1b}[2J\r\n\u{9b}\0 é…\u{202e}");
        let long = Check::new("x", None, Outcome::Pass, "é".repeat(DETAIL_CHARS_MAX + 1));
        assert_eq!(long.detail, format!("{}…", "é".repeat(DETAIL_CHARS_MAX)));
    }
}
