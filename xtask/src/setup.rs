//! The programs that the tests drive, and how they come onto a Debian machine.

use std::path::PathBuf;
use std::process::Command;

use crate::run;

/// A program that some tests drive, the Debian package it comes in, and what is left out without it.
struct Tool {
    program: &'static str,
    package: &'static str,
    left_out: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { program: "ip", package: "iproute2", left_out: "all tests with hosts of their own" },
    Tool { program: "transmission-daemon", package: "transmission-daemon", left_out: "Transmission's tests" },
    Tool { program: "aria2c", package: "aria2", left_out: "aria2's tests" },
    Tool { program: "curl", package: "curl", left_out: "the examples of the API's description" },
    Tool { program: "opentracker", package: "opentracker", left_out: "the benchmark against opentracker" },
];

/// Installs what is missing where that is possible, and says what is missing where it is not.
///
/// Missing programs are no error: their tests say that they were skipped.
pub(crate) fn run() -> Result<(), String> {
    let missing = missing();
    if missing.is_empty() {
        println!("nothing is missing");
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    if is_root() && find("apt-get").is_some() {
        install(&packages)?;
    }
    let still = self::missing();
    for tool in &still {
        println!("missing: {}, so {} will be skipped", tool.program, tool.left_out);
    }
    if !still.is_empty() {
        let packages: Vec<&str> = still.iter().map(|tool| tool.package).collect();
        println!("on Debian and Ubuntu: sudo apt-get install {}", packages.join(" "));
    }
    Ok(())
}

fn missing() -> Vec<&'static Tool> {
    TOOLS.iter().filter(|tool| find(tool.program).is_none()).collect()
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

/// Where `program` is, looked for in `PATH` and in the folders that Debian keeps from ordinary users' `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
