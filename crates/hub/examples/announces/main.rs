//! What announces cost and wait for inside a hub, without sockets.
//!
//! `cargo xtask bench` runs its parts by their names, and says on which machine.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is wrong")]

mod crowd;
mod expiry;
mod replay;
mod scaling;
mod snapshot;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = arguments.split_first().unwrap();
    let is_quick = rest.iter().any(|argument| argument == "--quick");
    match name.as_str() {
        "expiry" => expiry::run(is_quick),
        "replay" => replay::run(rest),
        "scaling" => scaling::run(is_quick),
        "snapshot" => snapshot::run(is_quick),
        other => panic!("there is no {other}"),
    }
}
