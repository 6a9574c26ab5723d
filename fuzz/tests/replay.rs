//! Every corpus, and mutations of it from a fixed seed, through every target.
//!
//! `FUZZ_RUNS` (mutations a target) and `FUZZ_SEED` look further than the bounded run: a failure prints the input as a
//! Rust byte string, to be put into the corpus under a name that says what it was.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::{fs, io};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Mutations a target, unless `FUZZ_RUNS` says otherwise.
const RUNS: u64 = 20_000;

/// The longest mutated input, in bytes.
const INPUT_BYTES_MAX: usize = 4096;

#[test]
fn corpora_and_their_mutations_hold() {
    let (runs, seed) = (number("FUZZ_RUNS", RUNS), number("FUZZ_SEED", 0));
    for &(name, target) in fuzz::TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "fuzz/corpus/{name} has no seed");
        for (file, data) in &corpus {
            run(name, target, data, file);
        }
        let mut rng = SmallRng::seed_from_u64(seed);
        let seeds: Vec<Vec<u8>> = corpus.into_iter().map(|(_, data)| data).collect();
        for turn in 0..runs {
            let data = mutated(&seeds, &mut rng);
            run(name, target, &data, &format!("mutation {turn} of seed {seed}"));
        }
    }
}

#[test]
fn each_target_is_everywhere_it_must_be() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for (name, _) in fuzz::TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "Cargo.toml has no [[bin]] `{name}`");
        let program = fs::read_to_string(root.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            program.contains(&format!("fuzz::{name}(data)")),
            "fuzz_targets/{name}.rs runs something else"
        );
    }
    for folder in ["corpus", "fuzz_targets"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            assert!(fuzz::TARGETS.iter().any(|(name, _)| *name == stem), "{folder}/{stem} is no target");
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

/// The corpus's files by name, in order.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files = read_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.sort();
    files
}

fn read_all(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let read = |path: PathBuf| Ok((path.display().to_string(), fs::read(&path)?));
    fs::read_dir(folder)?.map(|entry| read(entry?.path())).collect()
}

fn run(name: &str, target: fn(&[u8]), data: &[u8], what: &str) {
    if catch_unwind(AssertUnwindSafe(|| target(data))).is_err() {
        panic!("target {name} fails on {what}: b\"{}\"", data.escape_ascii());
    }
}

/// One of the seeds with a few changes: bytes flipped, numbers moved over an edge, parts taken out, doubled, or taken
/// from another seed.
fn mutated(seeds: &[Vec<u8>], rng: &mut SmallRng) -> Vec<u8> {
    let mut data = seeds[rng.random_range(0..seeds.len())].clone();
    for _ in 0..rng.random_range(1..=4) {
        let (start, end) = part(data.len(), rng);
        match rng.random_range(0..8) {
            0 if start < data.len() => data[start] ^= 1 << rng.random_range(0..8),
            1 if start < data.len() => data[start] = rng.random(),
            2 if start < data.len() => {
                data[start] = data[start].wrapping_add(if rng.random() { 1 } else { 255 });
            }
            3 => drop(data.drain(start..end)),
            4 => data.truncate(start),
            5 => {
                let doubled = data[start..end].to_vec();
                insert(&mut data, start, &doubled);
            }
            6 => {
                let edge = EDGES[rng.random_range(0..EDGES.len())];
                insert(&mut data, start, edge);
            }
            _ => {
                let other = &seeds[rng.random_range(0..seeds.len())];
                let (from, to) = part(other.len(), rng);
                insert(&mut data, start, &other[from..to]);
            }
        }
    }
    data
}

/// Pieces of input that are often on the edge of what a decoder expects.
const EDGES: &[&[u8]] = &[
    b"0",
    b"-0",
    b"-1",
    b"9223372036854775807",
    b"18446744073709551616",
    b"0:",
    b"1:",
    b"de",
    b"le",
    b"i0e",
    b"..",
    b"/",
    b"%",
    b"%00",
    b"&",
    b"=",
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
];

/// A random part of `len` bytes, mostly a short one.
fn part(len: usize, rng: &mut SmallRng) -> (usize, usize) {
    let start = rng.random_range(0..=len);
    let longest = if rng.random_range(0..4) == 0 { len } else { 8 };
    (start, rng.random_range(start..=len.min(start + longest)))
}

fn insert(data: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    data.splice(at..at, bytes.iter().copied());
    data.truncate(INPUT_BYTES_MAX);
}
