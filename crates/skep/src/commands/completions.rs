use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::env::Env;
use crate::exit::Outcome;

pub(super) fn run(args: &Completions, env: &mut Env) -> Outcome {
    // Made in memory: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "skep", &mut script);
    Ok(env.stdout.write_all(&script)?)
}
