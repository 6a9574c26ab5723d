use std::path::{Path, PathBuf};

use super::Stop;

/// What all benchmarks can be told.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// The workspace.
    pub(super) root: PathBuf,
    pub(super) rounds: usize,
    pub(super) quick: bool,
    /// Names of the servers to run; empty for all.
    pub(super) only: Vec<String>,
    /// How the benchmark was called, for the report.
    pub(super) command: String,
}

const ROUNDS_DEFAULT: usize = 5;
const ROUNDS_QUICK: usize = 2;

impl Options {
    pub(super) fn read(root: &Path, arguments: &[&str]) -> Result<Self, Stop> {
        let command: Vec<String> = std::env::args().skip(1).collect();
        let mut options = Self {
            root: root.to_path_buf(),
            rounds: 0,
            quick: false,
            only: Vec::new(),
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
                other => {
                    return Err(misuse(&format!(
                        "`{other}` is not known; there are --rounds, --quick, --only"
                    )));
                }
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { ROUNDS_QUICK } else { ROUNDS_DEFAULT };
        }
        Ok(options)
    }

    /// Whether a server of this name is to be run.
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
        let read = |arguments: &[&str]| Options::read(Path::new("/"), arguments);
        let options = read(&["--rounds", "7", "--only", "skep,Opentracker"]).unwrap();
        assert_eq!(options.rounds, 7);
        assert!(options.wants("Skep") && options.wants("opentracker") && !options.wants("bare echo"));
        assert_eq!(read(&[]).unwrap().rounds, ROUNDS_DEFAULT);
        assert_eq!(read(&["--quick"]).unwrap().rounds, ROUNDS_QUICK);
        assert!(read(&[]).unwrap().wants("anything"));
        for wrong in [&["--rounds"][..], &["--rounds", "0"], &["--only"], &["--fast"]] {
            assert!(matches!(read(wrong), Err(Stop::Misuse(_))), "{wrong:?}");
        }
    }
}
