//! `cargo xtask …`: what is done to this repository rather than by the program it holds.

mod bench;
mod run;
mod setup;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask: chores of this repository

  cargo xtask test [STEP…] [--keep-going]   set up what the tests need and run everything, or some steps of it
  cargo xtask test --list                   name the steps
  cargo xtask tidy                          the rules that neither rustc nor clippy can hold
  cargo xtask setup                         only install, or name, what the tests need
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    match arguments.as_slice() {
        ["bench", rest @ ..] => bench::main(&root, rest),
        ["test", rest @ ..] => test::main(&root, rest),
        ["tidy"] => exit_code(tidy::run(&root)),
        ["setup"] => exit_code(setup::run()),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}{}", bench::USAGE);
            ExitCode::SUCCESS
        }
        [] => wrong_use("no chore is named"),
        [other, ..] => wrong_use(&format!("no chore is called `{other}`, or it takes no arguments")),
    }
}

/// The workspace's root: the folder above this package.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

fn exit_code(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn wrong_use(message: &str) -> ExitCode {
    eprint!("error: {message}\n\n{USAGE}{}", bench::USAGE);
    ExitCode::from(2)
}
