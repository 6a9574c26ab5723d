use std::path::{Path, PathBuf};

use super::Stop;

/// What all benchmarks can be told.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// The workspace.
    pub(super) root: PathBuf,
    pub(super) rounds: usize,
    pub(super) quick: bool,
    /// Names of the programs to run; empty for all.
    pub(super) only: Vec<String>,
    /// Names of the scenarios to run; empty for all.
    scenarios: Vec<String>,
    /// The `skep` to run, if it is not to be built.
    pub(super) skep: Option<PathBuf>,
    /// How the benchmark was called, for the report.
    pub(super) command: String,
}

const ROUNDS_DEFAULT: usize = 5;
const ROUNDS_QUICK: usize = 2;

impl Options {
    /// Reads them; `scenarios` names those that this benchmark has.
    pub(super) fn read(root: &Path, arguments: &[&str], scenarios: &[&str]) -> Result<Self, Stop> {
        let command: Vec<String> = std::env::args().skip(1).collect();
        let mut options = Self {
            root: root.to_path_buf(),
            rounds: 0,
            quick: false,
            only: Vec::new(),
            scenarios: Vec::new(),
            skep: None,
            command: format!("cargo xtask {}", command.join(" ")),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match *argument {
                "--quick" => options.quick = true,
                "--rounds" => {
                    let number =
                        arguments.next().and_then(|text| text.parse().ok()).filter(|rounds| *rounds > 0);
                    options.rounds = number.ok_or_else(|| misuse("--rounds wants a number from 1"))?;
                }
                "--only" => {
                    let names = arguments
                        .next()
                        .ok_or_else(|| misuse("--only wants names, such as Skep,opentracker"))?;
                    options.only = names.split(',').map(str::to_owned).collect();
                }
                "--skep" => {
                    let path =
                        arguments.next().ok_or_else(|| misuse("--skep wants the path of a program"))?;
                    let path = std::path::absolute(path).ok().filter(|path| path.is_file());
                    options.skep = Some(path.ok_or_else(|| misuse("--skep wants the path of a program"))?);
                }
                "--scenario" if !scenarios.is_empty() => {
                    let names: Vec<String> =
                        arguments.next().unwrap_or(&"").split(',').map(str::to_owned).collect();
                    if let Some(unknown) = names.iter().find(|name| !scenarios.contains(&name.as_str())) {
                        return Err(misuse(&format!(
                            "`{unknown}` is no scenario; there are {}",
                            scenarios.join(", ")
                        )));
                    }
                    options.scenarios = names;
                }
                other => {
                    return Err(misuse(&format!(
                        "`{other}` is not known; there are --rounds, --quick, --only, --skep{}",
                        if scenarios.is_empty() { "" } else { ", --scenario" }
                    )));
                }
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { ROUNDS_QUICK } else { ROUNDS_DEFAULT };
        }
        Ok(options)
    }

    /// Whether a scenario of this name is to be run.
    pub(super) fn wants_scenario(&self, name: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|scenario| scenario == name)
    }

    /// Whether a program of this name is to be run.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.is_empty()
            || self.only.iter().any(|only| name.to_lowercase().contains(&only.to_lowercase()))
    }
}

fn misuse(message: &str) -> Stop {
    Stop::Misuse(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_is_told() {
        let read = |arguments: &[&str]| Options::read(Path::new("/"), arguments, &["near", "far"]);
        let options = read(&["--rounds", "7", "--only", "skep,Opentracker"]).unwrap();
        assert_eq!(options.rounds, 7);
        assert!(options.wants("Skep") && options.wants("opentracker") && !options.wants("bare echo"));
        assert_eq!(read(&[]).unwrap().rounds, ROUNDS_DEFAULT);
        assert_eq!(read(&["--quick"]).unwrap().rounds, ROUNDS_QUICK);
        assert!(read(&[]).unwrap().wants("anything"));
        let far = read(&["--scenario", "far"]).unwrap();
        assert!(far.wants_scenario("far") && !far.wants_scenario("near"));
        assert!(read(&[]).unwrap().wants_scenario("near"));
        for wrong in [
            &["--rounds"][..],
            &["--rounds", "0"],
            &["--only"],
            &["--fast"],
            &["--scenario", "middle"],
            &["--skep", "/nowhere/skep"],
        ] {
            assert!(matches!(read(wrong), Err(Stop::Misuse(_))), "{wrong:?}");
        }
        assert!(Options::read(Path::new("/"), &["--scenario", "far"], &[]).is_err());
    }
}
