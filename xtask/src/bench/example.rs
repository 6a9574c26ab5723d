//! What is measured inside a hub: an example of its crate does it, in its own process.

use std::process::Command;

use super::options::Options;
use super::{Stop, machine};

/// Runs the example of that name, or a part of one, and says on which machine.
pub(super) fn run(name: &str, part: Option<&str>, options: &Options) -> Result<String, Stop> {
    let head = machine::describe(options, "SQLite as bundled");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "--quiet", "--package", "hub", "--example", name, "--"]);
    command.args(part).args(options.quick.then_some("--quick")).current_dir(&options.root);
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|error| Stop::Failed(format!("cannot start the example: {error}")))?;
    if !output.status.success() {
        return Err(Stop::Failed(format!("the example ended with {}", output.status)));
    }
    Ok(format!("{head}\n{}", String::from_utf8_lossy(&output.stdout)))
}
