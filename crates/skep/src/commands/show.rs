use crate::cli::Show;
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::show;

pub(super) fn run(args: &Show, env: &mut Env) -> Outcome {
    let torrent = show::load(&env.path(&args.file)).map_err(Failure::failed)?;
    let print = if args.json { show::json } else { show::human };
    Ok(print(&torrent, &mut env.stdout)?)
}
