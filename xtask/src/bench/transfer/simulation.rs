use std::fmt::Write;
use std::process::Command;

use crate::bench::figures::Series;
use crate::bench::options::Options;

pub(super) const NAME: &str = "simulation";

/// Leechers, and how many times with other dice.
const SWARMS: [(u32, u32); 2] = [(30, 3), (1000, 1)];
const SWARMS_QUICK: [(u32, u32); 2] = [(30, 1), (100, 1)];

/// How near the engine comes to the fluid limit in larger swarms than one machine holds.
pub(super) fn run(options: &Options) -> Result<String, String> {
    let mut report = "| simulated, 64 MiB from one at 20 MB/s | time ÷ fluid limit | seeder sent ÷ size |\n|---|---|---|\n"
        .to_owned();
    for (leechers, seeds) in if options.quick { SWARMS_QUICK } else { SWARMS } {
        eprintln!("{leechers} leechers, simulated");
        let (mut ratios, mut copies) = (Series::default(), Series::default());
        for line in simulate(options, leechers, seeds)?.lines() {
            let (ratio, sent) = read(line).ok_or_else(|| format!("the simulation said `{line}`"))?;
            ratios.push(ratio);
            copies.push(sent);
        }
        let _ = writeln!(report, "| {leechers} leechers at 40 MB/s | {ratios:.3} | {copies:.2} |");
    }
    report.push('\n');
    Ok(report)
}

/// Runs the engine's own simulation: a line for each throw of the dice.
fn simulate(options: &Options, leechers: u32, seeds: u32) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "--quiet", "--package", "engine", "--example", "swarm", "--"]);
    command.args(["--leechers", &leechers.to_string(), "--seeds", &seeds.to_string()]);
    command.args(["--size", "64", "--seeder", "20", "--link", "40"]).current_dir(&options.root);
    let output = command.output().map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The ratio to the fluid limit and the seeder's copies; `None` if not all finished.
fn read(line: &str) -> Option<(f64, f64)> {
    if line.contains("NOT ALL FINISHED") {
        return None;
    }
    let (_, rest) = line.split_once(": ")?;
    let ratio = rest.split_once(" × the fluid limit")?.0.parse().ok()?;
    let (_, rest) = rest.split_once("seeder upload / size ")?;
    Some((ratio, rest.split_once(',')?.0.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulations_lines_are_read() {
        let line = "seed 1: 1.047 × the fluid limit of 3.36 s (first 3.47 s, median 3.51 s), seeder upload / size 1.04, \
                    30 completions, 0 bans, 771443 events in 0.4 s";
        assert_eq!(read(line), Some((1.047, 1.04)));
        assert_eq!(read(&format!("{line}: NOT ALL FINISHED")), None);
        assert_eq!(read("seed 1: panicked"), None);
    }
}
