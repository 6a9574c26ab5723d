//! Documents: the paths that they name exist.

use std::path::Path;

use super::{File, Finding, Tree};

/// The document in which every path is checked, not only links.
const MAP: &str = "ARCHITECTURE.md";

/// The folders that paths in the map start with.
const TOP_FOLDERS: &[&str] = &["crates/", "xtask/", "fuzz/", "docs/", "web/"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension("md") {
        for (index, line) in prose(&file.text) {
            check_links(tree, file, index + 1, line, &mut findings);
        }
        if file.path == Path::new(MAP) {
            check_paths(tree, file, &mut findings);
        }
    }
    findings
}

/// The lines outside fenced blocks, with their indices.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

fn check_links(tree: &Tree, file: &File, line_number: usize, line: &str, findings: &mut Vec<Finding>) {
    for (at, opening) in line.match_indices("](") {
        let target = line[at + opening.len()..].split([')', ' ']).next().unwrap_or_default();
        let path = target.split('#').next().unwrap_or_default();
        if path.is_empty() || target.contains(':') {
            continue;
        }
        let folder = file.path.parent().unwrap_or(Path::new(""));
        if !tree.root.join(folder).join(path).exists() {
            findings.push(file.finding(
                line_number,
                format!("the link to `{path}` leads nowhere; name a file that exists"),
            ));
        }
    }
}

fn check_paths(tree: &Tree, file: &File, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        let words = line.split(|c: char| !(c.is_alphanumeric() || "/._-".contains(c)));
        for word in words.map(|word| word.trim_end_matches(['.', '/'])) {
            let named =
                TOP_FOLDERS.iter().any(|folder| word.len() > folder.len() && word.starts_with(folder));
            if named && !tree.root.join(word).exists() {
                findings
                    .push(file.finding(index + 1, format!("there is no `{word}`; name a path that exists")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn dead_paths_and_links_are_found() {
        let mut tree = Tree::of(&[
            ("ARCHITECTURE.md", "See `src/main.rs`,\n`xtask/src/main.rs`; not `xtask/src/gone.rs`.\n"),
            (
                "README.md",
                "[a](xtask/Cargo.toml#x) [b](https://example.org/x)\n[c](docs/gone.md)\n```\n[d](gone)\n```\n",
            ),
        ]);
        tree.root = crate::root();
        assert_eq!(
            shown(&check(&tree)),
            [
                "ARCHITECTURE.md:2: there is no `xtask/src/gone.rs`; name a path that exists",
                "README.md:2: the link to `docs/gone.md` leads nowhere; name a file that exists",
            ]
        );
    }
}
