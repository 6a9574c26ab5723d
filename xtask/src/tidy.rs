//! `cargo xtask tidy`: the rules of this repository that neither rustc nor clippy can hold.

mod code;
mod docs;
mod licenses;
mod manifests;
mod pure;
mod sources;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folders that hold nothing of ours.
const SKIPPED_FOLDERS: &[&str] = &["target", ".git", "node_modules"];

/// A rule that is broken somewhere.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Relative to the root.
    file: PathBuf,
    /// From 1.
    line: usize,
    /// What is wrong, and what would be right.
    message: String,
}

/// A file as the checks see it.
struct File {
    /// Relative to the root.
    path: PathBuf,
    text: String,
    /// Of Rust source, what is code: [`code::only`].
    code: String,
}

/// All files that some check reads.
struct Tree {
    root: PathBuf,
    /// In the order of their paths.
    files: Vec<File>,
}

/// Checks everything, and prints one line for each rule that is broken.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let mut findings = Vec::new();
    findings.extend(pure::check(&tree)?);
    findings.extend(sources::check(&tree));
    findings.extend(manifests::check(&tree)?);
    findings.extend(docs::check(&tree));
    findings.extend(licenses::check(&tree)?);
    if findings.is_empty() {
        println!("{} files are tidy", tree.files.len());
        return Ok(());
    }
    for finding in &findings {
        println!("{finding}");
    }
    Err(format!("{} findings", findings.len()))
}

/// What `cargo metadata` says.
pub(crate) fn metadata(root: &Path, arguments: &[&str]) -> Result<Value, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["metadata", "--locked", "--format-version", "1"]).args(arguments).current_dir(root);
    let output = command.output().map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata wrote no JSON: {error}"))
}

impl Tree {
    fn read(root: &Path) -> Result<Self, String> {
        let mut tree = Self { root: root.to_path_buf(), files: Vec::new() };
        tree.read_folder(root)?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path) -> Result<(), String> {
        let cannot = |error| format!("cannot read {}: {error}", folder.display());
        for entry in fs::read_dir(folder).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let path = entry.path();
            let name = entry.file_name();
            let kind = entry.file_type().map_err(cannot)?;
            if kind.is_dir() && !SKIPPED_FOLDERS.iter().any(|skipped| name == *skipped) {
                self.read_folder(&path)?;
            } else if kind.is_file()
                && path.extension().is_some_and(|e| e == "rs" || e == "toml" || e == "md")
            {
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                let path = path.strip_prefix(&self.root).unwrap_or(&path).to_path_buf();
                self.files.push(File::new(path, text));
            }
        }
        Ok(())
    }

    fn with_extension<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.extension().is_some_and(|e| e == extension))
    }

    fn file(&self, path: impl AsRef<Path>) -> Result<&File, String> {
        let path = path.as_ref();
        self.files
            .iter()
            .find(|file| file.path == path)
            .ok_or_else(|| format!("{} is missing", path.display()))
    }
}

impl File {
    fn new(path: PathBuf, text: String) -> Self {
        let code =
            if path.extension().is_some_and(|e| e == "rs") { code::only(&text) } else { String::new() };
        Self { path, text, code }
    }

    fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { file: self.path.clone(), line, message: message.into() }
    }

    fn toml(&self) -> Result<toml::Table, String> {
        self.text.parse().map_err(|error| format!("{} is not TOML: {error}", self.path.display()))
    }

    /// The first line that starts with `start`, from 1; 1 if there is none.
    fn line_starting(&self, start: &str) -> usize {
        self.text.lines().position(|line| line.starts_with(start)).map_or(1, |index| index + 1)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

#[cfg(test)]
impl Tree {
    /// A tree that is on no disk.
    fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File::new(path.into(), (*text).to_owned());
        Self { root: PathBuf::new(), files: files.iter().map(file).collect() }
    }
}

#[cfg(test)]
fn shown(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}
