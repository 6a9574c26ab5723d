use std::fmt::Write as _;

use hub::config::{Config, Key};
use toml::{Table, Value};

use crate::cli::{ConfigArgs, ConfigCheck, ConfigCommand, ConfigShow, StateArgs};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::settings::{CLIENT_SECTION, FILE_NAME, Flags, Settings};

pub(super) fn run(command: &ConfigCommand, env: &mut Env) -> Outcome {
    match command {
        ConfigCommand::Show(args) => show(args, env),
        ConfigCommand::Check(args) => check(args, env),
    }
}

fn check(args: &ConfigCheck, env: &mut Env) -> Outcome {
    let settings = settings(env, &args.config, &args.state)?;
    settings.check()?;
    match &settings.file {
        Some(path) => writeln!(env.stdout, "{} is right", path.display())?,
        None => writeln!(env.stdout, "there is no {FILE_NAME}; the defaults and the environment are right")?,
    }
    Ok(())
}

fn show(args: &ConfigShow, env: &mut Env) -> Outcome {
    let settings = settings(env, &args.config, &args.state)?;
    let values = values(&settings).map_err(Failure::failed)?;
    let text = if args.json {
        serde_json::to_string_pretty(&values).map_err(Failure::failed)? + "\n"
    } else {
        document(&settings, &values)
    };
    Ok(env.stdout.write_all(text.as_bytes())?)
}

fn settings(env: &Env, config: &ConfigArgs, state: &StateArgs) -> Result<Settings, Failure> {
    let flags =
        Flags { config: config.config.clone(), state_dir: state.state_dir.clone(), ..Flags::default() };
    Settings::load(env, &flags)
}

/// All that is configured, without the secret.
fn values(settings: &Settings) -> Result<Table, toml::ser::Error> {
    let mut values = Table::try_from(&settings.hub)?;
    values.remove("admin_token");
    values.insert(CLIENT_SECTION.0.to_owned(), Value::try_from(&settings.client)?);
    Ok(values)
}

/// The configuration as a file that explains itself.
fn document(settings: &Settings, values: &Table) -> String {
    let mut out = String::new();
    entries(settings, "", Config::KEYS, Some(values), &mut out);
    for (section, keys) in Config::SECTIONS.iter().chain([&CLIENT_SECTION]) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "[{section}]");
        let table =
            section.split('.').try_fold(values, |table, level| table.get(level).and_then(Value::as_table));
        entries(settings, &format!("{section}."), keys, table, &mut out);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The keys of a section; those in it that are sections themselves come later.
fn entries(settings: &Settings, prefix: &str, keys: &[Key], values: Option<&Table>, out: &mut String) {
    for key in keys.iter().filter(|key| !Config::is_section(&format!("{prefix}{}", key.name))) {
        entry(settings, prefix, key, values.and_then(|values| values.get(key.name)), out);
    }
}

fn entry(settings: &Settings, prefix: &str, key: &Key, value: Option<&Value>, out: &mut String) {
    for line in key.doc {
        let _ = writeln!(out, "# {}", line.trim_start());
    }
    let source = settings.source(&format!("{prefix}{}", key.name));
    let remark = source.map_or_else(String::new, |source| format!("  # from {source}"));
    let _ = match value {
        Some(value) => writeln!(out, "{} = {value}{remark}\n", key.name),
        None if source.is_some() => writeln!(out, "# {} = (not shown){remark}\n", key.name),
        None => writeln!(out, "# {} =\n", key.name),
    };
}
