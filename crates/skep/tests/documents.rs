//! What the documents tell people to type is there to be typed.

#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What comes before a command line of ours in a document.
const PROMPTS: &[&str] = &["$ skep ", "skep ", "cargo run --release -- ", "$ cargo run --release -- "];

#[test]
fn every_command_and_flag_in_the_documents_exists() {
    let (mut checked, mut wrong) = (0, Vec::new());
    for document in documents() {
        let text = fs::read_to_string(&document)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", document.display()));
        for line in command_lines(&text) {
            checked += 1;
            if let Err(reason) = check(line) {
                wrong.push(format!("{}: `{line}`: {reason}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(checked > 0, "no document shows a command line");
}

#[test]
fn what_does_not_exist_is_found() {
    assert_eq!(check("make --private PATH > x # makes"), Ok(()));
    assert_eq!(check("--version"), Ok(()));
    assert_eq!(check("make --privat PATH"), Err("no flag --privat".to_owned()));
    assert_eq!(check("mak PATH"), Err("no such command".to_owned()));
}

/// The README and the user's guide.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = fs::read_dir(root.join("docs")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let markdown = guide.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    std::iter::once(root.join("README.md")).chain(markdown).collect()
}

/// The arguments of our program in all lines of fenced blocks that run it.
fn command_lines(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).map(str::trim);
    lines.filter_map(|line| PROMPTS.iter().find_map(|prompt| line.strip_prefix(prompt)))
}

/// Whether the subcommands and long flags of `line` are in the help of the command.
fn check(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().take_while(|word| !"|#>&".contains(&word[..1])).collect();
    let help = help(&words).ok_or("no such command")?;
    let flags =
        words.iter().filter(|word| word.starts_with("--")).map(|word| word.split('=').next().unwrap());
    for flag in flags.filter(|flag| *flag != "--") {
        if !help.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|word| word == flag) {
            return Err(format!("no flag {flag}"));
        }
    }
    Ok(())
}

/// The help of the longest command that `words` start with.
fn help(words: &[&str]) -> Option<String> {
    let plain = words.iter().take_while(|word| word.bytes().all(|b| b.is_ascii_lowercase())).count();
    (plain.min(1)..=plain.min(3)).rev().find_map(|count| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_skep")).args(&words[..count]).arg("--help").output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    })
}
