use std::fmt;

use unicode_width::UnicodeWidthStr;

use crate::format::plain;

/// Columns between two cells.
const GAP: usize = 2;

/// Rows of text under a head, each column as wide as its widest cell; the last may be of any width.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    has_colors: bool,
}

impl Table {
    pub(super) fn new(head: &[&str], has_colors: bool) -> Self {
        Self { rows: vec![head.iter().map(|name| (*name).to_owned()).collect()], has_colors }
    }

    /// Adds a row. Text that somebody else wrote is made safe for a terminal.
    pub(super) fn add(&mut self, cells: &[String]) {
        self.rows.push(cells.iter().map(|cell| plain(cell).into_owned()).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| self.rows.iter().filter_map(|row| Some(row.get(column)?.width())).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for (nth, row) in self.rows.iter().enumerate() {
            let (on, off) = if nth == 0 && self.has_colors { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - cell.width() + GAP));
            }
            writeln!(f, "{on}{}{off}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["NAME", "ROLE", "NOTE"], false);
        table.add(&["ann".into(), "uploader".into(), "".into()]);
        table.add(&["日本".into(), "x".into(), "a\u{1b}[2J long note".into()]);
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["NAME  ROLE      NOTE", "ann   uploader"]);
        assert!(lines[2].starts_with("日本  x         a") && !lines[2].contains('\u{1b}'), "{}", lines[2]);
    }
}
