//! How each server is started: one worker, everybody allowed, defaults otherwise.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::load::Population;
use super::server::{Server, Sign, Transport, free_port};
use super::tools::Tools;

/// A server that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Skep,
    AquaticUring,
    AquaticMio,
    AquaticHttp,
    Opentracker,
    Echo,
    /// The echo by way of io_uring.
    EchoUring,
}

/// A running server, and where to ask it.
pub(super) struct Running {
    pub(super) server: Server,
    pub(super) url: String,
}

/// What a server is started for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose {
    pub(super) transport: Transport,
    pub(super) ipv6: bool,
    pub(super) population: Population,
    /// How long the echo's replies are, to be those of the others.
    pub(super) reply_bytes: usize,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Skep => "Skep",
            Self::AquaticUring => "aquatic_udp, io_uring",
            Self::AquaticMio => "aquatic_udp, mio",
            Self::AquaticHttp => "aquatic_http",
            Self::Opentracker => "opentracker",
            Self::Echo => "bare echo",
            Self::EchoUring => "bare echo, io_uring",
        }
    }

    /// Starts it in a folder of its own, and waits until it answers.
    pub(super) fn start(self, tools: &Tools, purpose: Purpose) -> Result<Running, String> {
        let ip: IpAddr = if purpose.ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        let address = free_port(ip)?;
        let files = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
        let folder = files.path();
        let command = match self {
            Self::Skep => skep(tools, folder, &address.to_string())?,
            Self::AquaticUring | Self::AquaticMio => {
                let program = tools.aquatic_udp.as_ref()?;
                let uring = self == Self::AquaticUring;
                let changes = [
                    ("address", format!("\"{address}\"")),
                    ("use_io_uring", uring.to_string()),
                    ("max_peer_age", "7200".into()),
                ];
                configured(program, folder, &changes)?
            }
            Self::AquaticHttp => {
                let program = tools.aquatic_http.as_ref()?;
                let changes = [("address", format!("\"{address}\"")), ("max_peer_age", "7200".into())];
                configured(program, folder, &changes)?
            }
            Self::Opentracker => {
                let program = tools.opentracker.as_ref()?;
                opentracker(program, tools, folder, address.port(), purpose.population)?
            }
            Self::Echo | Self::EchoUring => {
                let mut command = Command::new(&tools.xtask);
                let transport = match (purpose.transport, self) {
                    (Transport::Http, _) => "http",
                    (Transport::Udp, Self::EchoUring) => "udp-ring",
                    (Transport::Udp, _) => "udp",
                };
                let bytes = purpose.reply_bytes.to_string();
                command.args(["bench", "echo", transport, &address.to_string(), &bytes]);
                command
            }
        };
        let server = Server::start(command, files, Sign::Answer(address, purpose.transport))?;
        let url = match purpose.transport {
            Transport::Udp => format!("udp://{address}"),
            Transport::Http => format!("http://{address}/announce"),
        };
        Ok(Running { server, url })
    }
}

fn skep(tools: &Tools, folder: &Path, address: &str) -> Result<Command, String> {
    let file = folder.join("skep.toml");
    // A crowd in one swarm is larger than the generator has addresses: its peers state theirs.
    fs::write(&file, "udp.workers = 1\nlog.level = \"warn\"\ntracker.trust_stated_ip = true\n")
        .map_err(|error| format!("cannot write a configuration: {error}"))?;
    let mut command = Command::new(&tools.skep);
    command.args(["serve", "--listen", address, "--state-dir", "state", "--config"]).arg(file);
    // What this machine configures for a hub of its own must not count.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SKEP_")) {
        command.env_remove(name);
    }
    Ok(command)
}

/// A program of the aquatic family, with what it prints as its defaults changed in some lines.
fn configured(program: &Path, folder: &Path, changes: &[(&str, String)]) -> Result<Command, String> {
    let output = Command::new(program).arg("-p").output();
    let output = output.map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let defaults = String::from_utf8_lossy(&output.stdout);
    let file = folder.join("config.toml");
    fs::write(&file, changed(&defaults, changes)?)
        .map_err(|error| format!("cannot write a configuration: {error}"))?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file);
    Ok(command)
}

fn changed(defaults: &str, changes: &[(&str, String)]) -> Result<String, String> {
    let mut lines: Vec<String> = defaults.lines().map(str::to_owned).collect();
    for (key, value) in changes {
        let prefix = format!("{key} = ");
        let line = lines.iter_mut().find(|line| line.starts_with(&prefix));
        *line.ok_or_else(|| format!("its configuration has no `{key}`"))? = format!("{prefix}{value}");
    }
    Ok(lines.join("\n"))
}

/// Debian's build answers only for hashes in a file that it can read after it has given up root and seen its folder
/// become the root.
fn opentracker(
    program: &Path,
    tools: &Tools,
    folder: &Path,
    port: u16,
    population: Population,
) -> Result<Command, String> {
    const LIST: &str = "whitelist";
    let hashes = Command::new(&tools.skep)
        .args(["load", "--print-hashes"])
        .args(population.flags())
        .output()
        .map_err(|error| format!("cannot start skep load: {error}"))?;
    if !hashes.status.success() {
        return Err(format!("skep load --print-hashes: {}", String::from_utf8_lossy(&hashes.stderr).trim()));
    }
    fs::write(folder.join(LIST), &hashes.stdout).map_err(|error| format!("cannot write {LIST}: {error}"))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("cannot open {} to others: {error}", folder.display()))?;
    let port = port.to_string();
    let mut command = Command::new(program);
    command.args(["-i", "127.0.0.1", "-p", &port, "-P", &port, "-u", "nobody", "-w", LIST, "-d"]).arg(folder);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_changed_line_by_line() {
        let defaults = "# address = x\naddress = \"0.0.0.0:3000\"\n\n[network]\nsize = 1";
        let got = changed(defaults, &[("address", "\"[::1]:1\"".into()), ("size", "2".into())]).unwrap();
        assert_eq!(got, "# address = x\naddress = \"[::1]:1\"\n\n[network]\nsize = 2");
        assert!(changed(defaults, &[("port", "1".into())]).unwrap_err().contains("`port`"));
    }
}
