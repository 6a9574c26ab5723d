//! What the tests drive, and how it comes onto a Debian machine.

use std::fmt;
use std::path::Path;
use std::process::Command;

use lab::{PYTHON, find, has_python_module};

use crate::run;

/// Something that some tests drive, the Debian package it comes in, and what is left out without it.
struct Tool {
    what: What,
    package: &'static str,
    left_out: &'static str,
}

/// What a package is wanted for.
enum What {
    /// A program of this name.
    Program(&'static str),
    /// A module of the system's own Python: packages of Debian's are for no other.
    PythonModule(&'static str),
}

use What::{Program, PythonModule};

/// What tries the API by its description, and the version whose judgement is relied on.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

const TOOLS: &[Tool] = &[
    Tool { what: Program("ip"), package: "iproute2", left_out: "all tests with hosts of their own" },
    Tool {
        what: Program("transmission-daemon"),
        package: "transmission-daemon",
        left_out: "Transmission's tests",
    },
    Tool { what: Program("aria2c"), package: "aria2", left_out: "aria2's tests" },
    Tool { what: Program("curl"), package: "curl", left_out: "the examples of the API's description" },
    Tool { what: PythonModule("venv"), package: "python3-venv", left_out: "the API's description" },
    Tool { what: PythonModule("ensurepip"), package: "python3-venv", left_out: "the API's description" },
    Tool {
        what: Program("opentracker"),
        package: "opentracker",
        left_out: "the benchmark against opentracker",
    },
    Tool {
        what: PythonModule("libtorrent"),
        package: "python3-libtorrent",
        left_out: "libtorrent's tests and the benchmark against it",
    },
];

/// Installs what is missing where that is possible, and says what is missing where it is not.
///
/// What is missing is no error: its tests say that they were skipped.
pub(crate) fn run() -> Result<(), String> {
    let missing = missing();
    if missing.is_empty() {
        println!("nothing is missing");
    } else {
        bring(&missing)?;
    }
    schemathesis()
}

fn bring(missing: &[&Tool]) -> Result<(), String> {
    let mut packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    packages.dedup();
    if is_root() && find("apt-get").is_some() {
        install(&packages)?;
    }
    let still = self::missing();
    for tool in &still {
        println!("missing: {}, so {} will be skipped", tool.what, tool.left_out);
    }
    if !still.is_empty() {
        let packages: Vec<&str> = still.iter().map(|tool| tool.package).collect();
        println!("on Debian and Ubuntu: sudo apt-get install {}", packages.join(" "));
    }
    Ok(())
}

/// Brings Schemathesis from the Python package index, beside what is built, where it is not there.
fn schemathesis() -> Result<(), String> {
    let program = lab::schemathesis();
    let Some(folder) = program.parent().and_then(Path::parent) else { return Ok(()) };
    if program.is_file() || !has_python_module("ensurepip") {
        return Ok(());
    }
    println!("installing {SCHEMATHESIS} into {}", folder.display());
    let made = run::run(Command::new(PYTHON).args(["-m", "venv"]).arg(folder))?.success;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", SCHEMATHESIS];
    if !made || !run::run(Command::new(folder.join("bin/python")).args(pip))?.success {
        println!("Schemathesis cannot be installed, so its test of the API's description will be skipped");
    }
    Ok(())
}

impl What {
    fn is_there(&self) -> bool {
        match self {
            Program(name) => find(name).is_some(),
            PythonModule(name) => has_python_module(name),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Program(name) => write!(f, "{name}"),
            PythonModule(name) => write!(f, "{name} for {PYTHON}"),
        }
    }
}

fn missing() -> Vec<&'static Tool> {
    TOOLS.iter().filter(|tool| !tool.what.is_there()).collect()
}

fn install(packages: &[&str]) -> Result<(), String> {
    println!("installing {}", packages.join(" "));
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends"]] {
        let mut command = Command::new("apt-get");
        command.args(["--quiet", "--quiet", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=120"]);
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        // These packages start daemons as they are installed. In this runlevel Debian's invoke-rc.d starts none.
        command.env("RUNLEVEL", "1");
        if arguments[0] == "install" {
            command.args(packages);
        }
        if !run::run(&mut command)?.success {
            println!("apt-get {} failed", arguments[0]);
        }
    }
    Ok(())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_missing() {
        assert!(!Program("no-such-program-anywhere").is_there());
        assert!(!PythonModule("no_such_module_anywhere").is_there());
        assert!(Program("sh").is_there());
    }
}
