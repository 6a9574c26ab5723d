//! `cargo xtask test`: the one command that says whether a change may go in.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::run::{self, Counts};
use crate::{setup, tidy};

/// One part of the run.
struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&mut Context<'_>) -> Result<(), String>,
}

/// In the order in which they run: what is quick to fail comes first.
///
/// All that builds names the whole workspace, so that every step sees the same features and nothing is built twice.
const STEPS: &[Step] = &[
    Step { name: "setup", what: "the programs that the tests drive", run: |_| setup::run() },
    Step { name: "fmt", what: "cargo fmt", run: fmt },
    Step {
        name: "tidy",
        what: "the rules that neither rustc nor clippy can hold",
        run: |c| tidy::run(c.root),
    },
    Step { name: "clippy", what: "lints; warnings are errors", run: clippy },
    Step { name: "build", what: "all tests and the program", run: build },
    Step { name: "unit", what: "unit, property, golden and conversation tests", run: unit },
    Step { name: "doctest", what: "examples in the documentation", run: doctest },
    Step { name: "fuzz", what: "each fuzz target over its kept inputs and bounded random ones", run: fuzz },
    Step { name: "clients", what: "real clients, and what happens to people who share", run: clients },
    Step { name: "doc", what: "the documentation; warnings are errors", run: doc },
    Step { name: "deny", what: "cargo deny: licenses, bans, sources", run: deny },
];

/// The test targets in which real clients run, or peers for some time.
const CLIENT_TESTS: &[&str] = &["interop", "stories"];

/// How many of those run at a time: they wait for timers and limits more than they work.
const CLIENT_TEST_THREADS: &str = "8";

/// The package whose test targets replay the fuzz targets.
const FUZZ_PACKAGE: &str = "fuzz";

/// What the steps share.
struct Context<'a> {
    root: &'a Path,
    counts: Counts,
}

/// How one step went.
struct Done {
    name: &'static str,
    result: Result<(), String>,
    took: Duration,
}

/// Runs the steps named in `arguments`, or all.
pub(crate) fn main(root: &Path, arguments: &[&str]) -> ExitCode {
    if arguments.contains(&"--list") {
        for step in STEPS {
            println!("{:8} {}", step.name, step.what);
        }
        return ExitCode::SUCCESS;
    }
    let keep_going = arguments.contains(&"--keep-going");
    let chosen: Vec<&str> = arguments.iter().copied().filter(|word| *word != "--keep-going").collect();
    if let Some(unknown) = chosen.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        eprintln!("error: no step is called `{unknown}`; the steps are {}", names.join(", "));
        return ExitCode::from(2);
    }
    let mut context = Context { root, counts: Counts::default() };
    let mut done = Vec::new();
    for step in STEPS.iter().filter(|step| chosen.is_empty() || chosen.contains(&step.name)) {
        println!("\n== {}: {} ==", step.name, step.what);
        let start = Instant::now();
        let failed_before = context.counts.failed;
        let result = (step.run)(&mut context);
        if let Err(message) = &result {
            println!("error: {message}");
            // A step that fails without a failing test (a lint, a compile error) is a failure all the same.
            context.counts.failed = context.counts.failed.max(failed_before + 1);
        }
        done.push(Done { name: step.name, result, took: start.elapsed() });
        if !keep_going && done.last().is_some_and(|step| step.result.is_err()) {
            break;
        }
    }
    summary(&context.counts, &done);
    if done.iter().all(|step| step.result.is_ok()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn summary(counts: &Counts, done: &[Done]) {
    println!("\n{:8} {:6} {:>8}", "step", "result", "seconds");
    for step in done {
        let result = if step.result.is_ok() { "ok" } else { "FAILED" };
        println!("{:8} {result:6} {:>8.1}", step.name, step.took.as_secs_f64());
    }
    let total: Duration = done.iter().map(|step| step.took).sum();
    println!("{:8} {:6} {:>8.1}", "all", "", total.as_secs_f64());
    for skip in &counts.skips {
        println!("left out: {skip}");
    }
    println!("{}", counts.line());
}

fn fmt(context: &mut Context<'_>) -> Result<(), String> {
    context.cargo(&["fmt", "--all", "--check"]).map_err(|_| "run `cargo fmt --all`".to_owned())
}

fn clippy(context: &mut Context<'_>) -> Result<(), String> {
    context.cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"])
}

fn build(context: &mut Context<'_>) -> Result<(), String> {
    context.cargo(&["test", "--locked", "--workspace", "--no-run"])
}

fn unit(context: &mut Context<'_>) -> Result<(), String> {
    let targets = test_targets(context.root)?;
    let plain = |target: &TestTarget| target.package != FUZZ_PACKAGE && !target.drives_clients();
    let mut arguments =
        vec!["test", "--locked", "--workspace", "--no-fail-fast", "--lib", "--bins", "--examples"];
    arguments.extend(targets.iter().filter(|t| plain(t)).flat_map(|target| ["--test", &target.name]));
    context.cargo(&arguments)
}

fn doctest(context: &mut Context<'_>) -> Result<(), String> {
    context.cargo(&["test", "--locked", "--workspace", "--no-fail-fast", "--doc"])
}

fn fuzz(context: &mut Context<'_>) -> Result<(), String> {
    context.some_tests("replay of the fuzz targets", |target| target.package == FUZZ_PACKAGE, &[])
}

fn clients(context: &mut Context<'_>) -> Result<(), String> {
    let options = ["--test-threads", CLIENT_TEST_THREADS];
    context.some_tests("test with real clients", TestTarget::drives_clients, &options)
}

fn doc(context: &mut Context<'_>) -> Result<(), String> {
    let mut command = context.command(&["doc", "--locked", "--workspace", "--no-deps"]);
    context.run(command.env("RUSTDOCFLAGS", "--deny warnings"))
}

/// Security advisories are left out: their database is on the network, and what passed yesterday must pass today.
fn deny(context: &mut Context<'_>) -> Result<(), String> {
    if lab::find("cargo-deny").is_none() {
        println!("cargo-deny is not installed; `tidy` has checked the licenses");
        return Ok(());
    }
    context.cargo(&["deny", "--all-features", "check", "licenses", "bans", "sources"])
}

impl Context<'_> {
    /// Runs the test targets that `wanted` picks, with `options` for the test runner; it is an error if there are none.
    fn some_tests(
        &mut self,
        what: &str,
        wanted: fn(&TestTarget) -> bool,
        options: &[&str],
    ) -> Result<(), String> {
        let targets = test_targets(self.root)?;
        let mut arguments = vec!["test", "--locked", "--workspace", "--no-fail-fast"];
        let before = arguments.len();
        arguments.extend(targets.iter().filter(|target| wanted(target)).flat_map(|t| ["--test", &t.name]));
        if arguments.len() == before {
            return Err(format!("no {what} is there; it must have moved"));
        }
        arguments.push("--");
        arguments.extend(options);
        self.cargo(&arguments)
    }

    fn cargo(&mut self, arguments: &[&str]) -> Result<(), String> {
        let mut command = self.command(arguments);
        self.run(&mut command)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        println!("$ cargo {}", arguments.join(" "));
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(arguments).current_dir(self.root);
        // Cargo tells a program that it runs of that program's package. Some build scripts watch these variables
        // (ring's does) and would run again.
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
    }

    fn run(&mut self, command: &mut Command) -> Result<(), String> {
        let outcome = run::run(command)?;
        self.counts.add(outcome.counts);
        if outcome.success { Ok(()) } else { Err("the command above failed".to_owned()) }
    }
}

/// A file of integration tests.
struct TestTarget {
    package: String,
    name: String,
}

impl TestTarget {
    fn drives_clients(&self) -> bool {
        CLIENT_TESTS.contains(&self.name.as_str())
    }
}

/// The workspace's integration tests, as cargo sees them.
fn test_targets(root: &Path) -> Result<Vec<TestTarget>, String> {
    let metadata = tidy::metadata(root, &["--no-deps"])?;
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            if target["kind"].as_array().is_some_and(|kinds| kinds.contains(&Value::from("test"))) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                found.push(TestTarget { package: text(&package["name"]), name: text(&target["name"]) });
            }
        }
    }
    Ok(found)
}
