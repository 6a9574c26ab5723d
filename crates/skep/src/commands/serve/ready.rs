use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hub::Bound;
use serde::Serialize;

use crate::atomic;
use crate::exit::Failure;

/// A file that tells supervisors and tests that all sockets are bound, and where. It goes away with this.
pub(in crate::commands) struct ReadyFile {
    path: PathBuf,
    text: String,
}

/// What it says.
#[derive(Serialize)]
struct Ready<'a> {
    pid: u32,
    http: &'a [SocketAddr],
    https: &'a [SocketAddr],
    udp: &'a [SocketAddr],
    ws: &'a [SocketAddr],
    classic: BTreeMap<&'static str, Vec<SocketAddr>>,
    /// Where a peer serves its API.
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<SocketAddr>,
}

impl ReadyFile {
    pub(in crate::commands) fn write(path: &Path, bound: &Bound) -> Result<Self, Failure> {
        Self::put(path, bound, None)
    }

    /// That of a peer whose API is served at `api`.
    pub(in crate::commands) fn write_for_peer(path: &Path, api: SocketAddr) -> Result<Self, Failure> {
        Self::put(path, &Bound::default(), Some(api))
    }

    fn put(path: &Path, bound: &Bound, api: Option<SocketAddr>) -> Result<Self, Failure> {
        let Bound { http, https, udp, ws, classic: dialects } = bound;
        let mut classic: BTreeMap<_, Vec<SocketAddr>> = BTreeMap::new();
        for (dialect, address) in dialects {
            classic.entry(dialect.name()).or_default().push(*address);
        }
        let ready = Ready { pid: std::process::id(), http, https, udp, ws, classic, api };
        let refuse = |error: io::Error| {
            Failure::Misuse(format!("cannot write the ready file {}: {error}", path.display()))
        };
        let text = serde_json::to_string(&ready).map_err(|error| refuse(error.into()))? + "\n";
        atomic::write(path, text.as_bytes()).map_err(refuse)?;
        Ok(Self { path: path.to_owned(), text })
    }
}

impl Drop for ReadyFile {
    /// Unless the hub that comes after has put its own there already.
    fn drop(&mut self) {
        if std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            // A supervisor may have taken it meanwhile.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use swarm::directory::Dialect;

    use super::*;

    fn bound() -> Bound {
        Bound {
            http: vec!["127.0.0.1:6969".parse().unwrap(), "[::1]:6969".parse().unwrap()],
            https: vec!["127.0.0.1:6971".parse().unwrap()],
            udp: vec!["127.0.0.1:6970".parse().unwrap()],
            ws: Vec::new(),
            classic: vec![(Dialect::Beacon, "127.0.0.1:5000".parse().unwrap())],
        }
    }

    #[test]
    fn it_tells_the_process_and_its_addresses_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready.json");
        let ready = ReadyFile::write(&path, &bound()).unwrap();
        let told: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            told,
            json!({
                "pid": std::process::id(), "http": ["127.0.0.1:6969", "[::1]:6969"], "https": ["127.0.0.1:6971"],
                "udp": ["127.0.0.1:6970"], "ws": [], "classic": {"beacon": ["127.0.0.1:5000"]},
            })
        );
        drop(ready);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn that_of_a_peer_tells_of_its_api() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready.json");
        let _ready = ReadyFile::write_for_peer(&path, "127.0.0.1:7000".parse().unwrap()).unwrap();
        let told: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(told["api"], "127.0.0.1:7000");
        assert_eq!((&told["pid"], &told["http"]), (&json!(std::process::id()), &json!([])));
    }

    #[test]
    fn that_of_another_hub_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready.json");
        let ready = ReadyFile::write(&path, &bound()).unwrap();
        std::fs::write(&path, "another's").unwrap();
        drop(ready);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "another's");
    }

    #[test]
    fn where_it_cannot_be_the_path_is_told() {
        let error = ReadyFile::write(Path::new("/no/such/dir/ready.json"), &bound()).err().unwrap();
        let expected =
            "cannot write the ready file /no/such/dir/ready.json: No such file or directory (os error 2)";
        assert_eq!(error, Failure::Misuse(expected.to_owned()));
    }
}
