use peer::trust::Trust;
use reqwest::Url;

use crate::check::{self, CheckError, Options};
use crate::cli::Check;
use crate::env::Env;
use crate::exit::{Failure, Outcome};

pub(super) async fn run(args: &Check, env: &mut Env) -> Outcome {
    let options =
        Options { timeout: args.timeout, tries: args.tries, trust: trust(args, env)?, ..Options::default() };
    let report = check::run(&args.url, &options).await?;
    if args.json {
        report.write_json(&mut env.stdout)?;
    } else {
        let width = u16::try_from(env.width()).unwrap_or(u16::MAX);
        report.write_table(width, &mut env.stdout)?;
    }
    if report.holds() { Ok(()) } else { Err(Failure::Told) }
}

fn trust(args: &Check, env: &Env) -> Result<Option<Trust>, Failure> {
    let url = Url::parse(&args.url).ok().filter(|url| url.scheme() == "https");
    let ca = args.tracker_ca.as_ref().map(|path| env.path(path));
    match url {
        Some(url) => Trust::new(&url, ca.as_deref(), args.tracker_fingerprint).map_err(Failure::misuse),
        None if ca.is_some() || args.tracker_fingerprint.is_some() => Err(Failure::Misuse(format!(
            "`{}` is reached without TLS, so there is no certificate to know it by; its https:// address is expected",
            args.url
        ))),
        None => Ok(None),
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Url { .. } => Self::misuse(error),
            CheckError::Local(_) => Self::failed(error),
        }
    }
}
