//! The pure crates: what their manifests may name and what their sources may not.

use super::{Finding, Tree, code};

/// A crate without sockets, files, threads, clocks or randomness of its own, and the crates it may depend on.
struct PureCrate {
    folder: &'static str,
    dependencies: &'static [&'static str],
}

const PURE_CRATES: &[PureCrate] = &[
    PureCrate { folder: "crates/engine", dependencies: &["swarm", "wire"] },
    PureCrate { folder: "crates/swarm", dependencies: &["hashbrown", "rand_core"] },
    PureCrate { folder: "crates/wire", dependencies: &["memchr", "serde_json", "sha1", "sha2", "swarm"] },
];

/// Words that would let the world in, and what to do instead.
const IMPURE_WORDS: &[(&str, &str)] = &[
    ("fs::", "take bytes as an argument"),
    ("std::fs", "take bytes as an argument"),
    ("thread::", "let the caller start threads"),
    ("std::thread", "let the caller start threads"),
    ("thread_local!", "take a buffer as an argument"),
    ("process::", "let the caller run programs"),
    ("env::", "take the setting as an argument"),
    ("Instant", "take `now` as an argument"),
    ("SystemTime", "take `now` as an argument"),
    ("TcpStream", "take bytes as an argument"),
    ("TcpListener", "take bytes as an argument"),
    ("UdpSocket", "take bytes as an argument"),
    ("ToSocketAddrs", "take the address as an argument"),
    ("println!", "return what there is to say"),
    ("print!", "return what there is to say"),
    ("eprintln!", "return what there is to say"),
    ("eprint!", "return what there is to say"),
    ("async", "let the caller wait"),
];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for pure in PURE_CRATES {
        check_manifest(tree, pure, &mut findings)?;
        check_sources(tree, pure, &mut findings);
    }
    Ok(findings)
}

fn check_manifest(tree: &Tree, pure: &PureCrate, findings: &mut Vec<Finding>) -> Result<(), String> {
    let manifest = tree.file(format!("{}/Cargo.toml", pure.folder))?;
    let table = manifest.toml()?;
    for section in ["build-dependencies", "target", "features"] {
        if table.contains_key(section) {
            let line = manifest.line_starting(&format!("[{section}"));
            findings.push(manifest.finding(line, format!("a pure crate has no [{section}]; take it out")));
        }
    }
    let dependencies = table.get("dependencies").and_then(toml::Value::as_table);
    for name in dependencies.into_iter().flat_map(toml::Table::keys) {
        if !pure.dependencies.contains(&name.as_str()) {
            let line = manifest.line_starting(name);
            let allowed = pure.dependencies.join(", ");
            findings.push(
                manifest
                    .finding(line, format!("`{name}` is no dependency of a pure crate; allowed: {allowed}")),
            );
        }
    }
    Ok(())
}

fn check_sources(tree: &Tree, pure: &PureCrate, findings: &mut Vec<Finding>) {
    let folder = format!("{}/src", pure.folder);
    for file in tree.with_extension("rs").filter(|file| file.path.starts_with(&folder)) {
        for (index, line) in file.code.lines().enumerate() {
            if let Some((word, instead)) = IMPURE_WORDS.iter().find(|(word, _)| code::has_word(line, word)) {
                findings.push(file.finding(index + 1, format!("`{word}` in a pure crate; {instead}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn impurity_is_found_in_manifest_and_source() {
        let tree = Tree::of(&[
            (
                "crates/swarm/Cargo.toml",
                "[dependencies]\nhashbrown.workspace = true\ntokio.workspace = true\n",
            ),
            (
                "crates/swarm/src/lib.rs",
                "// std::fs\nuse std::net::IpAddr;\nlet t = std::time::Instant::now();\n",
            ),
            ("crates/engine/Cargo.toml", "[dependencies]\nwire.workspace = true\n"),
            ("crates/wire/Cargo.toml", "[dependencies]\nswarm.workspace = true\n"),
        ]);
        assert_eq!(
            shown(&check(&tree).unwrap()),
            [
                "crates/swarm/Cargo.toml:3: `tokio` is no dependency of a pure crate; allowed: hashbrown, rand_core",
                "crates/swarm/src/lib.rs:3: `Instant` in a pure crate; take `now` as an argument",
            ]
        );
    }
}
