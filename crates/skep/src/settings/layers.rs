//! The layers of a configuration, each from one file, variable or flag.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Num, Value};
use figment::{Metadata, Profile, Provider};

use serde::Serialize;
use swarm::directory::Dialect;

use super::unknown::{Form, Known};
use super::{CLIENT_SECTION, ClientConfig, Flags};
use crate::cli;
use crate::env::Env;
use crate::exit::Failure;

/// The name of the layer below all others.
pub(super) const DEFAULTS: &str = "default";

/// How the variables begin that belong to the configuration.
pub(super) const PREFIX: &str = "SKEP_";

/// What joins the levels of a key in a variable's name.
const LEVELS: &str = "__";

/// Bytes that a configuration file may have.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Variables that begin like ours and are not keys: the path of the file itself, and what a container platform sets
/// for a service that is called `skep`.
const NOT_KEYS: [&str; 3] = ["SKEP_CONFIG", "SKEP_PORT", "SKEP_SERVICE"];

/// Keys whose value is a path. A relative one starts where the file is that says it, or in the working directory.
const PATHS: [&str; 15] = [
    "state_dir",
    "tls.certificate",
    "tls.key",
    "tls.client_ca",
    "client.tracker_ca",
    "access.torrents_allowed",
    "access.torrents_denied",
    "access.clients_allowed",
    "access.clients_denied",
    "access.peers_allowed",
    "access.peers_denied",
    "access.api_allowed",
    "access.api_denied",
    "access.banned",
    "access.proxies",
];

/// What one file, variable or flag says.
pub(super) struct Layer {
    /// What to call it in messages.
    pub(super) name: String,
    pub(super) values: Dict,
}

impl Layer {
    /// A layer of one key.
    pub(super) fn one(name: &str, key: &str, value: Value) -> Self {
        let nested = key.rsplit('.').fold(value, |value, level| {
            let mut dict = Dict::new();
            dict.insert(level.to_owned(), value);
            Value::from(dict)
        });
        Self { name: name.to_owned(), values: nested.into_dict().unwrap_or_default() }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// What holds if nobody says otherwise.
pub(super) fn defaults(env: &Env) -> Result<Layer, Failure> {
    let mut config = hub::Config::default();
    if let Some(dir) = &env.data_dir {
        config.state_dir = dir.join("skep");
    }
    let mut values = serialized(config)?.into_dict().unwrap_or_default();
    values.insert(CLIENT_SECTION.0.to_owned(), serialized(ClientConfig::default())?);
    Ok(Layer { name: DEFAULTS.to_owned(), values })
}

fn serialized(values: impl Serialize) -> Result<Value, Failure> {
    Value::serialize(values).map_err(Failure::misuse)
}

/// The usual addresses of the classic dialects, a layer for each.
pub(super) fn classic() -> impl Iterator<Item = Layer> {
    Dialect::ALL.into_iter().map(|dialect| {
        let everywhere = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
        let addresses = everywhere.map(|ip| SocketAddr::new(ip, cli::usual_port(dialect)));
        classic_listen("--classic", dialect, &addresses)
    })
}

fn classic_listen(flag: &str, dialect: Dialect, addresses: &[SocketAddr]) -> Layer {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    Layer::one(flag, &format!("classic.{dialect}.listen"), Value::from(addresses))
}

/// What the configuration file says; a relative path in it starts where the file is.
pub(super) fn file(path: &Path, name: &str) -> Result<Layer, Failure> {
    let refuse =
        |why: &dyn std::fmt::Display| Failure::Misuse(format!("cannot read the configuration {name}: {why}"));
    let size = std::fs::metadata(path).map_err(|error| refuse(&error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(refuse(&format!("it has {size} bytes, and {FILE_BYTES_MAX} are allowed")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(&error))?;
    let mut table: toml::Table = toml::from_str(&text).map_err(|error| {
        let (line, column) = position(&text, error.span().map_or(0, |span| span.start));
        Failure::Misuse(format!("{name}:{line}:{column}: {}", error.message().replace('\n', "; ")))
    })?;
    for key in PATHS {
        if let (Some(text), Some(here)) = (text_at(&mut table, key), path.parent())
            && !text.is_empty()
        {
            *text = super::text(&here.join(&*text))?;
        }
    }
    let values = Value::serialize(table).map_err(|error| refuse(&error))?.into_dict().unwrap_or_default();
    Ok(Layer { name: name.to_owned(), values })
}

/// The text that a key has, if it has one.
fn text_at<'a>(table: &'a mut toml::Table, key: &str) -> Option<&'a mut String> {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let table = if section.is_empty() { table } else { table.get_mut(section)?.as_table_mut()? };
    match table.get_mut(name)? {
        toml::Value::String(text) => Some(text),
        _ => None,
    }
}

/// Line and column of a byte, both from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// What the environment says, a layer for each variable.
pub(super) fn variables(env: &Env, known: &Known) -> Result<Vec<Layer>, Failure> {
    let ours = env.vars.keys().filter(|name| {
        name.starts_with(PREFIX)
            && !NOT_KEYS.iter().any(|other| is_or_continues(name, other))
            && env.var(name).is_some()
    });
    ours.map(|name| {
        let refuse = || Failure::Misuse(format!("{name} is not UTF-8 text"));
        let text = env.var(name).and_then(|value| value.to_str()).ok_or_else(refuse)?;
        let key = key_of(name);
        let value = match known.form(&key) {
            Some(Form::Number) => number(text),
            _ if PATHS.contains(&&*key) => Value::from(super::text(&env.path(Path::new(text)))?),
            _ => Value::from(text),
        };
        Ok(Layer::one(name, &key, value))
    })
    .collect()
}

/// What the flags say, a layer for each.
pub(super) fn flags(env: &Env, flags: &Flags) -> Result<Vec<Layer>, Failure> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| super::text(&env.path(path))).transpose();
    let texts = [
        ("--state-dir", "state_dir", path(&flags.state_dir)?),
        ("--tracker-ca", "client.tracker_ca", path(&flags.trust.tracker_ca)?),
        (
            "--tracker-fingerprint",
            "client.tracker_fingerprint",
            flags.trust.tracker_fingerprint.map(|fingerprint| fingerprint.to_string()),
        ),
        ("--tls-certificate", "tls.certificate", path(&flags.tls.tls_certificate)?),
        ("--tls-key", "tls.key", path(&flags.tls.tls_key)?),
        ("--tracker", "client.tracker", flags.tracker.clone()),
        ("--passkey", "client.passkey", flags.passkey.clone()),
        ("--admin-token", "admin_token", flags.admin_token.clone()),
    ];
    let texts =
        texts.into_iter().filter_map(|(flag, key, text)| Some(Layer::one(flag, key, Value::from(text?))));
    let addresses =
        [("--listen", "listen", &flags.listen), ("--tls-listen", "tls.listen", &flags.tls.tls_listen)];
    let addresses = addresses.into_iter().filter(|(.., addresses)| !addresses.is_empty());
    let addresses = addresses.map(|(flag, key, addresses)| {
        let words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        Layer::one(flag, key, Value::from(words))
    });
    let classic = Dialect::ALL.into_iter().filter_map(|dialect| {
        let addresses = flags.classic_listen.iter().filter(|(of, _)| *of == dialect);
        let addresses: Vec<SocketAddr> = addresses.map(|(_, address)| *address).collect();
        (!addresses.is_empty()).then(|| classic_listen("--classic-listen", dialect, &addresses))
    });
    let self_signed = flags.tls.tls_self_signed;
    let self_signed =
        self_signed.then(|| Layer::one("--tls-self-signed", "tls.self_signed", Value::from(true)));
    Ok(texts.chain(addresses).chain(classic).chain(self_signed).collect())
}

fn is_or_continues(name: &str, other: &str) -> bool {
    name.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// Variables that are called as the flags are. `SKEP_TRACKER` is the hub's address, as `--tracker` is, and not the whole
/// section.
const AS_FLAGS: [(&str, &str); 4] = [
    ("SKEP_TRACKER", "client.tracker"),
    ("SKEP_PASSKEY", "client.passkey"),
    ("SKEP_TRACKER_CA", "client.tracker_ca"),
    ("SKEP_TRACKER_FINGERPRINT", "client.tracker_fingerprint"),
];

/// The key that a variable sets.
fn key_of(name: &str) -> String {
    match AS_FLAGS.iter().find(|(variable, _)| *variable == name) {
        Some((_, key)) => (*key).to_owned(),
        None => name[PREFIX.len()..].to_lowercase().replace(LEVELS, "."),
    }
}

/// The variable that sets a key.
pub(super) fn variable_of(key: &str) -> String {
    match AS_FLAGS.iter().find(|(_, as_flag)| *as_flag == key) {
        Some((variable, _)) => (*variable).to_owned(),
        None => format!("{PREFIX}{}", key.to_uppercase().replace('.', LEVELS)),
    }
}

/// A number or a truth value, if the text is one.
fn number(text: &str) -> Value {
    if let Ok(whole) = text.parse::<i64>() {
        return Value::from(Num::from(whole));
    }
    if let Ok(fraction) = text.parse::<f64>() {
        return Value::from(Num::from(fraction));
    }
    match text {
        "true" => Value::from(true),
        "false" => Value::from(false),
        _ => Value::from(text),
    }
}
