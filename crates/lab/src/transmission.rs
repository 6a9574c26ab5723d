//! Transmission's daemon, driven over its RPC.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Request;
use crate::lan::Host;
use crate::program::Program;
use crate::wait::{self, SOON};

/// The Debian package's program.
pub const PROGRAM: &str = "transmission-daemon";

const RPC_PORT: u16 = 9091;

/// The header that carries Transmission's guard against forged requests, both ways.
const SESSION_HEADER: &str = "X-Transmission-Session-Id";

/// A running daemon, alone on its host. It refuses peers at 127.0.0.0/8, so loopback will not do.
#[derive(Debug)]
pub struct Transmission {
    host: Host,
    session: String,
    downloads: PathBuf,
    _program: Program,
    /// Holds the configuration and the downloads.
    _folder: TempDir,
}

impl Transmission {
    /// Starts one that hears of peers from trackers alone.
    ///
    /// # Panics
    /// If it does not answer.
    #[must_use]
    pub fn start(host: &Host) -> Self {
        let folder = tempfile::tempdir().expect("a folder for Transmission");
        let downloads = folder.path().join("downloads");
        std::fs::create_dir(&downloads).expect("a folder for its downloads");
        let settings = json!({
            "cache-size-mb": 0,
            "dht-enabled": false,
            "download-dir": downloads,
            "encryption": 0,
            "incomplete-dir-enabled": false,
            "lpd-enabled": false,
            "message-level": 3,
            "peer-port": 51413,
            "pex-enabled": false,
            "port-forwarding-enabled": false,
            "rpc-authentication-required": false,
            "rpc-host-whitelist-enabled": false,
            "rpc-port": RPC_PORT,
            "rpc-whitelist-enabled": false,
            // Its uTP is tried first and given up late when, as with aria2, nobody speaks it.
            "utp-enabled": false,
        });
        std::fs::write(folder.path().join("settings.json"), settings.to_string()).expect("settings");
        let mut command = host.command(PROGRAM);
        command.args(["--foreground", "--log-debug", "--config-dir"]).arg(folder.path());
        if let Some(authority) = host.authority() {
            command.env("CURL_CA_BUNDLE", authority);
        }
        let mut program = Program::start(PROGRAM, command);
        let rpc = SocketAddr::new(host.v4(), RPC_PORT);
        let session = wait::until("Transmission's RPC", SOON, || {
            if let Some(status) = program.ended() {
                panic!("Transmission ended ({status})");
            }
            let answer = Request::new("POST", "/transmission/rpc").send(host, rpc).ok()?;
            answer.header(&SESSION_HEADER.to_lowercase()).map(str::to_owned)
        });
        Self { host: host.clone(), session, downloads, _program: program, _folder: folder }
    }

    /// Where it keeps the files of its torrents: what is put there before [`Self::add`] is seeded.
    #[must_use]
    pub fn downloads(&self) -> &Path {
        &self.downloads
    }

    /// Adds a .torrent file or a magnet link and starts it.
    ///
    /// # Panics
    /// If it is not taken.
    pub fn add(&self, source: &str) {
        let result = self.call("torrent-add", &json!({ "filename": source, "paused": false }));
        assert!(result.get("torrent-added").is_some(), "{result}");
    }

    /// Calls `method` of the RPC: what it answers.
    ///
    /// # Panics
    /// If it answers with an error.
    fn call(&self, method: &str, arguments: &Value) -> Value {
        let request = Request::new("POST", "/transmission/rpc")
            .header(SESSION_HEADER, &self.session)
            .json(&json!({ "method": method, "arguments": arguments }));
        let answer = request.send(&self.host, SocketAddr::new(self.host.v4(), RPC_PORT));
        let mut answer = answer.unwrap_or_else(|error| panic!("Transmission's {method}: {error}")).json();
        assert_eq!(answer["result"], "success", "{method} {arguments}: {answer}");
        answer["arguments"].take()
    }
}
