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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::settings::Flags;

    /// The token that is shown to `hub` where the state directory, the configuration file and `variable` hold one.
    fn shown_to(hub: &str, in_file: bool, variable: bool) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        let mut env = Env::new(Vec::new(), Vec::new(), dir.path().to_owned());
        env.data_dir = Some(dir.path().to_owned());
        std::fs::create_dir(dir.path().join("skep")).unwrap();
        std::fs::write(dir.path().join("skep").join(TOKEN_FILE), "kept\n").unwrap();
        if in_file {
            std::fs::write(dir.path().join("skep.toml"), "admin_token = \"configured\"").unwrap();
        }
        if variable {
            env.vars.insert("SKEP_ADMIN_TOKEN".to_owned(), "stated".into());
        }
        let settings = Settings::load(&env, &Flags::default()).unwrap();
        match Token::find(&settings, &HubUrl::parse(hub).unwrap()) {
            Token::Known(token) => Ok(token),
            Token::Unknown(why) => Err(why),
        }
    }

    #[test]
    fn a_token_that_lies_here_is_for_the_hub_here() {
        assert_eq!(shown_to("localhost", false, false), Ok("kept".to_owned()));
        assert_eq!(shown_to("localhost", true, false), Ok("configured".to_owned()));
        assert_eq!(shown_to("localhost", true, true), Ok("stated".to_owned()));
        assert_eq!(shown_to("192.0.2.1", true, true), Ok("stated".to_owned()));
        for in_file in [false, true] {
            let why = shown_to("192.0.2.1", in_file, false).unwrap_err();
            assert_eq!(why, "the one of this machine is not shown to http://192.0.2.1:6969");
        }
    }

    #[test]
    fn a_file_that_holds_no_token_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(TOKEN_FILE);
        for text in ["", "  \n", "two words", "é"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap_err().to_string(), "it does not hold a token");
        }
    }
}
