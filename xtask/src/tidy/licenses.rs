//! Licenses of all dependencies, checked against the list in `deny.toml` where `cargo deny` is not installed.

use serde_json::Value;

use super::{Finding, Tree, metadata};

const LIST: &str = "deny.toml";

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let file = tree.file(LIST)?;
    let table = file.toml()?;
    let allowed =
        table.get("licenses").and_then(|licenses| licenses.get("allow")).and_then(toml::Value::as_array);
    let allowed: Vec<&str> = allowed.into_iter().flatten().filter_map(toml::Value::as_str).collect();
    let metadata = metadata(&tree.root, &[])?;
    let mut findings = Vec::new();
    let line = file.line_starting("allow");
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or("?");
        let license = package["license"].as_str().unwrap_or("none");
        if !permits(license, &allowed) {
            findings.push(
                file.finding(line, format!("`{name}` is under `{license}`; do without it, or allow it here")),
            );
        }
        let registry = package["source"].as_str().is_none_or(|source| source.starts_with("registry+"));
        if !registry {
            let source = &package["source"];
            findings
                .push(file.finding(line, format!("`{name}` comes from {source}; take it from crates.io")));
        }
    }
    for unused in allowed.iter().filter(|license| !mentioned(&metadata, license)) {
        findings.push(file.finding(line, format!("no dependency is under `{unused}`; take it off the list")));
    }
    Ok(findings)
}

/// Whether the SPDX expression `license` can be met with the `allowed` licenses alone.
fn permits(license: &str, allowed: &[&str]) -> bool {
    let spaced = license.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let permitted = either(&mut words, allowed);
    permitted && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// `a OR b`: binds weaker than `AND`.
fn either(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut permitted = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        permitted |= both(words, allowed);
    }
    permitted
}

/// `a AND b`.
fn both(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut permitted = single(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        permitted &= single(words, allowed);
    }
    permitted
}

/// One license, perhaps `WITH` an exception, or an expression in parentheses.
fn single(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let permitted = either(words, allowed);
        return words.next() == Some(")") && permitted;
    }
    let Some(license) = words.next() else { return false };
    // An exception only ever grants more.
    if words.next_if_eq(&"WITH").is_some() {
        words.next();
    }
    allowed.contains(&license)
}

fn mentioned(metadata: &Value, license: &str) -> bool {
    let packages = metadata["packages"].as_array();
    packages
        .into_iter()
        .flatten()
        .any(|package| package["license"].as_str().is_some_and(|l| l.contains(license)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spdx_does() {
        let allowed = ["MIT", "Apache-2.0", "ISC"];
        for (license, right) in [
            ("MIT", true),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0/MIT", true),
            ("Apache-2.0 AND ISC", true),
            ("MIT AND GPL-3.0", false),
            ("GPL-3.0 OR MIT AND ISC", true),
            ("(GPL-3.0 OR MIT) AND GPL-2.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("GPL-3.0", false),
            ("none", false),
            ("", false),
            ("(MIT", false),
        ] {
            assert_eq!(permits(license, &allowed), right, "{license}");
        }
    }
}
