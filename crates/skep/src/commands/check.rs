use crate::check::{self, CheckError, Options};
use crate::cli::Check;
use crate::env::Env;
use crate::exit::{Failure, Outcome};

pub(super) async fn run(args: &Check, env: &mut Env) -> Outcome {
    let options = Options { timeout: args.timeout, tries: args.tries, ..Options::default() };
    let report = check::run(&args.url, &options).await?;
    if args.json {
        report.write_json(&mut env.stdout)?;
    } else {
        let width = u16::try_from(env.width()).unwrap_or(u16::MAX);
        report.write_table(width, &mut env.stdout)?;
    }
    if report.holds() { Ok(()) } else { Err(Failure::Told) }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Url { .. } => Self::misuse(error),
            CheckError::Local(_) => Self::failed(error),
        }
    }
}
