use std::fmt::Write;

use super::measure::Figures;
use super::peers::Kind;
use crate::bench::figures::Series;

/// One program's figures over all rounds of one scenario.
pub(super) struct Row {
    pub(super) kind: Kind,
    seconds: Series,
    megabytes_a_second: Series,
    cpu_seconds: Series,
    seeder_mebibytes: Series,
    leecher_mebibytes: Series,
    copies: Series,
    /// Why it was left out, if it was.
    pub(super) absent: Option<String>,
}

impl Row {
    pub(super) fn new(kind: Kind, absent: Option<String>) -> Self {
        Self {
            kind,
            seconds: Series::default(),
            megabytes_a_second: Series::default(),
            cpu_seconds: Series::default(),
            seeder_mebibytes: Series::default(),
            leecher_mebibytes: Series::default(),
            copies: Series::default(),
            absent,
        }
    }

    /// Adds what a transfer of `size` bytes showed.
    pub(super) fn add(&mut self, size: u64, figures: Figures) {
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        self.seconds.push(figures.seconds);
        self.megabytes_a_second.push(size as f64 / 1e6 / figures.seconds);
        self.cpu_seconds.push(figures.cpu_seconds);
        self.seeder_mebibytes.push(mebibytes(figures.seeder_bytes));
        self.leecher_mebibytes.push(mebibytes(figures.leecher_bytes));
        self.copies.push(figures.copies);
    }
}

/// Writes a scenario's table. `ideal_seconds` is the least that it can take, where that is known.
pub(super) fn write(report: &mut String, heading: &str, rows: &[Row], ideal_seconds: Option<f64>) {
    let of = |kind: Kind| rows.iter().find(|row| row.kind == kind);
    let (libtorrent, limit) = (of(Kind::Libtorrent), of(Kind::Pipe));
    let mut ideal = Series::default();
    ideal_seconds.into_iter().for_each(|seconds| ideal.push(seconds));
    let _ = writeln!(
        report,
        "| {heading} | time, s | ÷ ideal | MB/s | ÷ libtorrent | ÷ bare TCP | processor, s | ÷ libtorrent | peak MiB, seeder | peak MiB, leecher | seeder sent ÷ size |\n\
         |---|---|---|---|---|---|---|---|---|---|---|"
    );
    for row in rows {
        let name = row.kind.name();
        if let Some(reason) = &row.absent {
            let _ = writeln!(report, "| {name} | left out: {reason} | | | | | | | | | |");
            continue;
        }
        let _ = writeln!(
            report,
            "| {name} | {:.2} | {} | {:.0} | {} | {} | {:.2} | {} | {:.0} | {:.0} | {:.2} |",
            row.seconds,
            row.seconds.over(Some(&ideal)),
            row.megabytes_a_second,
            row.megabytes_a_second.over(libtorrent.map(|row| &row.megabytes_a_second)),
            row.megabytes_a_second.over(limit.map(|row| &row.megabytes_a_second)),
            row.cpu_seconds,
            row.cpu_seconds.over(libtorrent.map(|row| &row.cpu_seconds)),
            row.seeder_mebibytes,
            row.leecher_mebibytes,
            row.copies,
        );
    }
    report.push('\n');
}
