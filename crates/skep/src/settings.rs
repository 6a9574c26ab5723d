//! What is configured: defaults, overridden by `skep.toml`, by `SKEP_…` variables, by flags.

mod layers;
mod unknown;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::{Actual, Kind};
use figment::value::{Dict, Value};
use hub::config::Key;
use peer::trust::Trust;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use swarm::directory::Dialect;
use wire::Malformed;

use crate::cli::{TlsArgs, TrustArgs};
use crate::env::Env;
use crate::exit::Failure;

/// The hub that commands talk to unless told otherwise.
pub(crate) const TRACKER_DEFAULT: &str = "http://localhost:6969";

/// The name of the configuration file, in the working directory or in `skep` in the platform's configuration
/// directory.
pub(crate) const FILE_NAME: &str = "skep.toml";

/// The section of a configuration that is not the hub's.
pub(crate) const CLIENT_SECTION: (&str, &[Key]) = (
    "client",
    &[
        Key {
            name: "tracker",
            doc: &[
                " Address of the hub that commands such as `skep ls` talk to; also `--tracker` and SKEP_TRACKER.",
                " Default: \"http://localhost:6969\".",
            ],
        },
        Key {
            name: "passkey",
            doc: &[
                " Your passkey at that hub, where it is for members; also `--passkey` and SKEP_PASSKEY. Default: none.",
            ],
        },
        Key {
            name: "tracker_ca",
            doc: &[
                " PEM file of the authority, or of the certificate itself, by which that hub is known over https://, in place",
                " of the system's authorities; also `--tracker-ca` and SKEP_TRACKER_CA. Default: none.",
            ],
        },
        Key {
            name: "tracker_fingerprint",
            doc: &[
                " SHA-256 fingerprint of that hub's certificate, as `skep serve` prints it; also `--tracker-fingerprint` and",
                " SKEP_TRACKER_FINGERPRINT. Default: none.",
            ],
        },
    ],
);

/// What is configured, and by whom.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The hub's part.
    pub(crate) hub: hub::Config,
    /// The part of commands that talk to a hub.
    pub(crate) client: ClientConfig,
    /// The configuration file that was read, if one was.
    pub(crate) file: Option<PathBuf>,
    figment: Figment,
}

/// `[client]`: what commands that talk to a hub need to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClientConfig {
    /// The hub's address.
    pub(crate) tracker: String,
    /// The passkey to show it.
    #[serde(default)]
    pub(crate) passkey: Option<String>,
    /// The file of an authority by which its certificate is known.
    #[serde(default)]
    pub(crate) tracker_ca: Option<PathBuf>,
    /// Its certificate's fingerprint.
    #[serde(default)]
    pub(crate) tracker_fingerprint: Option<String>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            tracker: TRACKER_DEFAULT.to_owned(),
            passkey: None,
            tracker_ca: None,
            tracker_fingerprint: None,
        }
    }
}

/// The flags that say what the configuration says too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    /// `--state-dir`
    pub(crate) state_dir: Option<PathBuf>,
    /// `--tracker`
    pub(crate) tracker: Option<String>,
    /// `--passkey`
    pub(crate) passkey: Option<String>,
    /// `--tracker-…`
    pub(crate) trust: TrustArgs,
    /// `--admin-token`
    pub(crate) admin_token: Option<String>,
    /// `--listen`
    pub(crate) listen: Vec<SocketAddr>,
    /// `--classic`
    pub(crate) classic: bool,
    /// `--classic-listen`
    pub(crate) classic_listen: Vec<(Dialect, SocketAddr)>,
    /// `--tls-…`
    pub(crate) tls: TlsArgs,
}

impl Settings {
    /// Reads all layers.
    ///
    /// # Errors
    /// [`Failure::Misuse`] with a line for each fault: the file or variable, the key, and what would be right.
    pub(crate) fn load(env: &Env, flags: &Flags) -> Result<Self, Failure> {
        let file = find_file(env, flags)?;
        let mut layers = vec![layers::defaults(env)?];
        // Says where they are if nobody else does.
        layers.extend(flags.classic.then(layers::classic).into_iter().flatten());
        if let Some(path) = &file {
            layers.push(layers::file(path, &shown(env, path))?);
        }
        let known = unknown::Known::new();
        layers.extend(layers::variables(env, &known)?);
        layers.extend(layers::flags(env, flags)?);

        let faults: Vec<String> = layers.iter().flat_map(|layer| known.faults(layer)).collect();
        if !faults.is_empty() {
            return Err(Failure::Misuse(faults.join("\n")));
        }
        let figment = layers.into_iter().fold(Figment::new(), Figment::merge);
        Self::extract(figment, file)
    }

    fn extract(figment: Figment, file: Option<PathBuf>) -> Result<Self, Failure> {
        let read = |error: figment::Error| Failure::Misuse(describe(&figment, &error));
        let mut hub: Dict = figment.extract().map_err(read)?;
        let client = hub.remove(CLIENT_SECTION.0).unwrap_or_else(|| Value::from(Dict::new()));
        let client = client.deserialize().map_err(|error| read(under(CLIENT_SECTION.0, error)))?;
        let hub = Value::from(hub).deserialize().map_err(read)?;
        Ok(Self { hub, client, file, figment })
    }

    /// Checks that the hub's values make sense together.
    ///
    /// # Errors
    /// [`Failure::Misuse`] with a line for each fault.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.hub.check().map_err(|faults| {
            let lines: Vec<String> = faults
                .iter()
                .map(|fault| match self.source(fault.key) {
                    Some(source) => format!("{source}: {fault}"),
                    None => fault.to_string(),
                })
                .collect();
            Failure::Misuse(lines.join("\n"))
        })
    }

    /// Who set `key`: a file, a variable or a flag; `None` for a default.
    #[must_use]
    pub(crate) fn source(&self, key: &str) -> Option<&str> {
        self.figment
            .find_metadata(key)
            .map(|metadata| &*metadata.name)
            .filter(|name| *name != layers::DEFAULTS)
    }

    /// By what the certificate of the hub at `url` is known, if not by the system's authorities. Without TLS there is no
    /// certificate: a flag that names one then is a mistake, and what lies in a file is for another hub.
    ///
    /// # Errors
    /// [`Failure::Misuse`] if the file or the fingerprint is none, or there is no TLS.
    pub(crate) fn trust(&self, url: &Url) -> Result<Option<Trust>, Failure> {
        if url.scheme() != "https" {
            let keys = ["client.tracker_ca", "client.tracker_fingerprint"];
            let flag = keys.iter().find_map(|key| self.source(key).filter(|source| source.starts_with("--")));
            return match flag {
                Some(flag) => Err(Failure::Misuse(format!(
                    "{flag} is for a hub at https://HOST:PORT, and `{url}` is reached without TLS"
                ))),
                None => Ok(None),
            };
        }
        let fingerprint = self.client.tracker_fingerprint.as_deref().map(str::parse).transpose();
        let fingerprint = fingerprint.map_err(|wrong: Malformed| {
            let source = self.source("client.tracker_fingerprint").unwrap_or_default();
            Failure::Misuse(format!("{source}: {wrong}"))
        })?;
        Trust::new(url, self.client.tracker_ca.as_deref(), fingerprint).map_err(Failure::misuse)
    }

    /// The admin token, if a flag or a variable states it: whoever ran the command meant it for the hub it names.
    /// One that merely lies in a file is for the hub on this machine.
    #[must_use]
    pub(crate) fn stated_token(&self) -> Option<&str> {
        let stated = self
            .source("admin_token")
            .is_some_and(|name| name.starts_with("--") || name.starts_with(layers::PREFIX));
        self.hub.admin_token.as_deref().filter(|_| stated)
    }
}

fn find_file(env: &Env, flags: &Flags) -> Result<Option<PathBuf>, Failure> {
    let named = flags.config.as_deref().or_else(|| env.var("SKEP_CONFIG").map(Path::new));
    if let Some(path) = named {
        return Ok(Some(env.path(path)));
    }
    let directories = [Some(env.cwd.clone()), env.config_dir.as_ref().map(|dir| dir.join("skep"))];
    Ok(directories.into_iter().flatten().map(|dir| dir.join(FILE_NAME)).find(|path| path.is_file()))
}

/// A file's name as the user would write it.
fn shown(env: &Env, path: &Path) -> String {
    path.strip_prefix(&env.cwd).unwrap_or(path).display().to_string()
}

/// A path as the configuration can hold it.
fn text(path: &Path) -> Result<String, Failure> {
    let refuse = || Failure::Misuse(format!("the path `{}` is not UTF-8 text; rename it", path.display()));
    path.to_str().map(str::to_owned).ok_or_else(refuse)
}

fn under(section: &str, mut error: figment::Error) -> figment::Error {
    error.path.insert(0, section.to_owned());
    error
}

/// One line: where, which key, what it says, and what would be right.
fn describe(figment: &Figment, error: &figment::Error) -> String {
    let key = error.path.join(".");
    let source =
        figment.find_metadata(&key).map_or_else(String::new, |metadata| format!("{}: ", metadata.name));
    let fault = match &error.kind {
        Kind::Message(message) => format!("`{key}`: {message}"),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("`{key}` is {}: {} is expected", quoted(found), friendly(expected))
        }
        Kind::UnknownVariant(found, expected) => {
            format!("`{key}` is \"{found}\": \"{}\" is expected", expected.join("\" or \""))
        }
        other => format!("`{key}`: {other}"),
    };
    format!("{source}{fault}")
}

fn quoted(found: &Actual) -> String {
    match found {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(value) => format!("\"{value}\""),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a section".to_owned(),
        other => other.to_string(),
    }
}

/// What a type is called by those who do not read Rust.
fn friendly(expected: &str) -> String {
    match expected {
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number from 0".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "path string" => "text".to_owned(),
        other => other.to_owned(),
    }
}
