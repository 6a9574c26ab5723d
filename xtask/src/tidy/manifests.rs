//! Dependencies: all are used, and all crates take the workspace's lints.

use std::path::Path;

use super::{File, Finding, Tree, code};

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    let mut named = Vec::new();
    for manifest in members(tree) {
        let table = manifest.toml()?;
        let dependencies = dependencies(&table);
        for name in &dependencies {
            if !is_used(tree, manifest, name) {
                let line = manifest.line_starting(name);
                findings.push(
                    manifest
                        .finding(line, format!("`{name}` is not used in this crate's sources; take it out")),
                );
            }
        }
        if table.get("lints").and_then(|lints| lints.get("workspace")) != Some(&toml::Value::Boolean(true)) {
            findings.push(
                manifest.finding(1, "the workspace's lints do not hold here; add [lints] workspace = true"),
            );
        }
        named.extend(dependencies);
    }
    let root = tree.file("Cargo.toml")?;
    let table = root.toml()?;
    let shared = table.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    for name in shared.and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys) {
        if !named.contains(name) {
            findings.push(root.finding(
                root.line_starting(name),
                format!("`{name}` is no crate's dependency; take it out"),
            ));
        }
    }
    Ok(findings)
}

fn members(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml") && file.path != Path::new("Cargo.toml"))
}

/// The names of a manifest's dependencies of all kinds, on all platforms.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let on_platforms = manifest.get("target").and_then(toml::Value::as_table);
    let platforms = on_platforms.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
    let tables = std::iter::once(manifest).chain(platforms);
    let sections = tables.flat_map(|table| {
        ["dependencies", "dev-dependencies", "build-dependencies"].map(|kind| table.get(kind))
    });
    let mut names: Vec<String> = sections
        .flatten()
        .filter_map(toml::Value::as_table)
        .flat_map(|table| table.keys().cloned())
        .collect();
    names.sort();
    names.dedup();
    names
}

fn is_used(tree: &Tree, manifest: &File, name: &str) -> bool {
    let folder = manifest.path.parent().unwrap_or(Path::new(""));
    let word = name.replace('-', "_");
    tree.with_extension("rs")
        .filter(|file| file.path.starts_with(folder))
        .any(|file| file.code.lines().any(|line| code::has_word(line, &word)))
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn what_is_not_used_is_found() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace.dependencies]\nhyper-util = \"1\"\nmio = \"1\"\nbytes = \"1\"\n"),
            (
                "crates/a/Cargo.toml",
                "[dependencies]\nhyper-util.workspace = true\n[target.'cfg(unix)'.dependencies]\nmio.workspace = true\n\
                 [lints]\nworkspace = true\n",
            ),
            ("crates/a/src/lib.rs", "use hyper_util::x; // mio\n"),
            ("fuzz/Cargo.toml", "[package]\n"),
        ]);
        assert_eq!(
            shown(&check(&tree).unwrap()),
            [
                "crates/a/Cargo.toml:4: `mio` is not used in this crate's sources; take it out",
                "fuzz/Cargo.toml:1: the workspace's lints do not hold here; add [lints] workspace = true",
                "Cargo.toml:4: `bytes` is no crate's dependency; take it out",
            ]
        );
    }
}
