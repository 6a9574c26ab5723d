//! Rules for every Rust file.

use std::path::Path;

use super::{File, Finding, Tree, code};

/// A longer file wants to be two rooms.
const LINES_MAX: usize = 800;

/// A file that may do what others may not, and why.
type Exception = (&'static str, &'static str);

/// The only files with unsafe code.
const UNSAFE_FILES: &[Exception] = &[
    ("crates/swarm/src/registry/prefetch.rs", "a hint to the processor, which there is no safe way to give"),
    ("crates/hub/src/memory.rs", "a word to the allocator, which there is no safe way to say"),
    ("xtask/src/bench/echo/ring.rs", "memory that the system reads and writes while a benchmark goes on"),
];

/// The only test code that sleeps.
const SLEEPING_FILES: &[Exception] =
    &[("crates/lab/src/wait.rs", "the pause between two looks at an awaited condition, for all tests")];

/// Words that stand for something unfinished or switched off, and what to do instead.
const UNFINISHED: &[(&str, &str)] = &[
    ("todo!", "write it"),
    ("unimplemented!", "write it"),
    ("dbg!", "take it out"),
    ("#[ignore", "make the test run, or take it out"),
    ("allow(dead_code", "take the dead code out"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension("rs") {
        check_length(file, &mut findings);
        check_unsafe(file, &mut findings);
        check_unfinished(file, &mut findings);
        check_sleep(file, &mut findings);
    }
    findings
}

fn check_length(file: &File, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        findings
            .push(file.finding(lines, format!("{lines} lines; at most {LINES_MAX}: make two files of it")));
    }
}

/// Unsafe code stands in the listed files only, and a listed file without any is taken off the list.
fn check_unsafe(file: &File, findings: &mut Vec<Finding>) {
    let found = line_with(&file.code, "unsafe");
    match (found, is_listed(UNSAFE_FILES, &file.path)) {
        (Some(line), false) => findings.push(file.finding(
            line,
            "`unsafe` in a file that is not on the list in xtask/src/tidy/sources.rs; do without",
        )),
        (None, true) => {
            findings.push(file.finding(1, "no `unsafe` is left here; take the file off UNSAFE_FILES"));
        }
        _ => {}
    }
}

fn check_unfinished(file: &File, findings: &mut Vec<Finding>) {
    for (word, instead) in UNFINISHED {
        if let Some(line) = line_with(&file.code, word) {
            findings.push(file.finding(line, format!("`{word}`: {instead}")));
        }
    }
}

fn check_sleep(file: &File, findings: &mut Vec<Finding>) {
    if is_listed(SLEEPING_FILES, &file.path) {
        return;
    }
    let in_test_folder = file.path.starts_with("crates/lab") || file.path.iter().any(|part| part == "tests");
    let all_tests = in_test_folder || file.path.ends_with("tests.rs");
    let (before, tests) = if all_tests { ("", file.code.as_str()) } else { split_at_tests(&file.code) };
    if let Some(line) = line_with(tests, "sleep(") {
        let line = line + before.matches('\n').count();
        findings.push(file.finding(line, "a test sleeps; wait for a condition (`lab::wait`)"));
    }
}

/// Code, and the tests at its end. (`#[cfg(test)] mod tests;` only names a file.)
fn split_at_tests(code: &str) -> (&str, &str) {
    let mut marks = code.match_indices("#[cfg(test)]").map(|(at, _)| at);
    let opens_block =
        |at: &usize| code[*at..].lines().nth(1).is_some_and(|line| line.trim_end().ends_with('{'));
    code.split_at(marks.find(opens_block).unwrap_or(code.len()))
}

/// The first line of `code` with `word` in it, from 1.
fn line_with(code: &str, word: &str) -> Option<usize> {
    code.lines().position(|line| code::has_word(line, word)).map(|index| index + 1)
}

fn is_listed(list: &[Exception], path: &Path) -> bool {
    list.iter().any(|(file, _)| Path::new(file) == path)
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn each_rule_finds_its_breach() {
        let long = "\n".repeat(LINES_MAX + 1);
        let tree = Tree::of(&[
            ("crates/a/src/long.rs", &long),
            ("crates/a/src/lib.rs", "fn f() {\n    todo!()\n}\n// unsafe\n"),
            ("crates/a/src/raw.rs", "\nunsafe { f() }\n"),
            (
                "crates/a/src/timer.rs",
                "#[cfg(test)]\nmod more;\nsleep(x);\n#[cfg(test)]\nmod tests {\n    tokio::time::sleep(x);\n}\n",
            ),
            ("crates/a/tests/it.rs", "fn f() {\n    sleep(x);\n}\n"),
            ("crates/a/tests/fine.rs", "#[test]\nfn f() { assert_eq!(\"dbg!\", x) }\n"),
        ]);
        assert_eq!(
            shown(&check(&tree)),
            [
                "crates/a/src/long.rs:801: 801 lines; at most 800: make two files of it",
                "crates/a/src/lib.rs:2: `todo!`: write it",
                "crates/a/src/raw.rs:2: `unsafe` in a file that is not on the list in xtask/src/tidy/sources.rs; do without",
                "crates/a/src/timer.rs:6: a test sleeps; wait for a condition (`lab::wait`)",
                "crates/a/tests/it.rs:2: a test sleeps; wait for a condition (`lab::wait`)",
            ]
        );
    }
}
