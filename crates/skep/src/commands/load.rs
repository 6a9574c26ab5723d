use std::io::{BufWriter, Write};

use crate::cli::Load;
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::load::{self, LoadError, Progress, Stage};

const BAR: &str = "{msg:9} {bar:30} {human_pos} of {human_len}, {per_sec}, {eta} left";

/// Loads a tracker and prints what came of it.
pub(super) async fn run(args: &Load, env: &mut Env) -> Outcome {
    let options = args.options();
    if args.print_hashes {
        let mut out = BufWriter::new(&mut env.stdout);
        load::write_hashes(&options, &mut out).map_err(told)?;
        return Ok(out.flush()?);
    }
    let bar = env.bar(0, BAR);
    let moved = bar.clone();
    let work = move || load::run(&options, |progress| show(progress, &moved));
    let summary = tokio::task::spawn_blocking(work).await.map_err(Failure::failed)?.map_err(told);
    bar.finish_and_clear();
    let summary = summary?;
    if args.json {
        serde_json::to_writer_pretty(&mut env.stdout, &summary).map_err(Failure::failed)?;
        writeln!(env.stdout)?;
    } else {
        write!(env.stdout, "{summary}")?;
    }
    if summary.verified && !summary.is_clean() { Err(Failure::Told) } else { Ok(()) }
}

fn show(progress: Progress, bar: &indicatif::ProgressBar) {
    let name = match progress.stage {
        Stage::Fill => "filling",
        Stage::Measure => "measuring",
    };
    if bar.message() != name {
        bar.reset();
        bar.set_message(name);
    }
    // Where only the time bounds it, what will have been done by then is anybody's guess.
    bar.set_length(progress.total.unwrap_or(progress.done));
    bar.set_position(progress.done);
}

fn told(error: LoadError) -> Failure {
    match error {
        LoadError::Options(_) | LoadError::Target(_) => Failure::misuse(error),
        LoadError::Socket(_) | LoadError::Silent(_) => Failure::failed(error),
    }
}
