//! later
use super::{LoadError, Options, Progress, Summary};
use super::target::Target;
pub(super) fn run(_: &Options, _: &Target, _: &mut dyn FnMut(Progress)) -> Result<Summary, LoadError> { Err(LoadError::Target("no".into())) }
