use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use super::HubUrl;
use crate::settings::Settings;

/// The file of the state directory in which a hub keeps the token that it made.
pub(crate) const TOKEN_FILE: &str = "admin-token";

/// Bytes that the file may have.
const TOKEN_BYTES_MAX: u64 = 4096;

/// The secret that opens a hub's administration, or why there is none.
pub(crate) enum Token {
    /// It is known.
    Known(String),
    /// It is not, for this reason.
    Unknown(String),
}

impl Token {
    /// What a flag or a variable states. Else, for a hub on this machine only, what the configuration file or the
    /// state directory holds: a hub elsewhere is not shown this one's secret.
    pub(crate) fn find(settings: &Settings, hub: &HubUrl) -> Self {
        if let Some(token) = settings.stated_token() {
            return Self::Known(token.to_owned());
        }
        if !hub.is_this_machine() {
            return Self::Unknown(format!("the one of this machine is not shown to {hub}"));
        }
        if let Some(token) = &settings.hub.admin_token {
            return Self::Known(token.clone());
        }
        let path = settings.hub.state_dir.join(TOKEN_FILE);
        match read(&path) {
            Ok(token) => Self::Known(token),
            Err(error) => Self::Unknown(format!("{}: {error}", path.display())),
        }
    }

    /// The token, if it is known.
    pub(crate) fn value(&self) -> Option<&str> {
        match self {
            Self::Known(token) => Some(token),
            Self::Unknown(_) => None,
        }
    }

    /// What to do when a hub asks for it.
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::Known(_) => "give the hub's admin token with --admin-token or SKEP_ADMIN_TOKEN".to_owned(),
            Self::Unknown(why) => {
                format!("give the admin token with --admin-token or SKEP_ADMIN_TOKEN ({why})")
            }
        }
    }
}

impl fmt::Debug for Token {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(_) => f.write_str("Known(…)"),
            Self::Unknown(why) => f.debug_tuple("Unknown").field(why).finish(),
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not hold a token"));
    }
    Ok(token.to_owned())
}
