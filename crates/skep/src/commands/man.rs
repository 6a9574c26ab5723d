use clap::CommandFactory;
use clap_mangen::Man as Page;

use crate::cli::{Cli, Man};
use crate::env::Env;
use crate::exit::{Failure, Outcome};

pub(super) fn run(args: &Man, env: &mut Env) -> Outcome {
    let command = Cli::command();
    let Some(dir) = &args.dir else { return Ok(Page::new(command).render(&mut env.stdout)?) };
    let dir = env.path(dir);
    let refuse = |error| Failure::Failed(format!("cannot write manual pages to {}: {error}", dir.display()));
    std::fs::create_dir_all(&dir).map_err(refuse)?;
    clap_mangen::generate_to(command, &dir).map_err(refuse)?;
    env.note(format_args!("the manual pages are in {}", dir.display()));
    Ok(())
}
