use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::lan::Host;
use lab::program::{Program, Signal};
use lab::{aria2, hub, wait};

use super::site::{FILE_NAME, Place, Site};
use crate::bench::process::cpu_seconds;
use crate::bench::tools::Tools;

/// How long a program may take until it can begin.
const START_MAX: Duration = Duration::from_secs(20);
const SHOWN_LINES: usize = 5;

/// A program that moves the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Skep,
    Libtorrent,
    Aria2,
    /// A bare TCP connection: the limit of what two hosts can do.
    Pipe,
}

/// A program that is ready to move the file, and told to begin by [`Prepared::start`].
pub(super) struct Prepared {
    name: &'static str,
    begin: Begin,
    finished: String,
}

enum Begin {
    /// By being run: what it does to come up is its own.
    Run(Command),
    /// By SIGUSR1: what runs it took long to come up.
    Signal(Program),
}

/// A program that moves the file.
pub(super) struct Peer {
    name: &'static str,
    program: Program,
    /// The end of the line in its output that says that all is there.
    finished: String,
    /// Processor seconds that it had used before it began.
    cpu_before: f64,
}

impl Kind {
    pub(super) const SWARM: [Self; 3] = [Self::Skep, Self::Libtorrent, Self::Aria2];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Skep => "Skep",
            Self::Libtorrent => "libtorrent",
            Self::Aria2 => "aria2",
            Self::Pipe => "bare TCP",
        }
    }

    /// Why it cannot run here, if it cannot.
    pub(super) fn missing(self) -> Option<String> {
        let (there, package) = match self {
            Self::Skep | Self::Pipe => return None,
            Self::Libtorrent => (lab::has_python_module("libtorrent"), "python3-libtorrent"),
            Self::Aria2 => (lab::find(aria2::PROGRAM).is_some(), "aria2"),
        };
        (!there).then(|| format!("not installed; on Debian: apt install {package}"))
    }

    /// One that has the file and shares it. `own` is a folder for what it writes beside.
    pub(super) fn seeder(self, tools: &Tools, site: &Site, own: &Path) -> Result<Prepared, String> {
        let (host, source) = (&site.seeder, site.source());
        match self {
            Self::Skep => {
                let mut command = skep(tools, host, own)?;
                command.arg("share").arg(source.join(FILE_NAME));
                command.args(["--tracker", &site.hub_url(), "--admin-token", hub::ADMIN_TOKEN]);
                Ok(self.prepared(Begin::Run(command), String::new()))
            }
            Self::Libtorrent => self.libtorrent(site, host, &source),
            Self::Aria2 => {
                let mut command = aria2c(site, host, &source);
                command.args(["--check-integrity=true", "--bt-hash-check-seed=true"]);
                Ok(self.prepared(Begin::Run(command), String::new()))
            }
            Self::Pipe => {
                let mut command = host.command(&tools.xtask);
                let to = format!("{}:{PIPE_PORT}", site.leechers[0].v4());
                command.args(["bench", "pipe", "send", &to]).arg(source.join(FILE_NAME));
                Ok(self.prepared(Begin::Run(command), String::new()))
            }
        }
    }

    /// One that gets the file, and shares what it has.
    pub(super) fn leecher(
        self,
        tools: &Tools,
        site: &Site,
        host: &Host,
        place: &Place,
    ) -> Result<Prepared, String> {
        let (own, folder) = (place.own.as_path(), place.files.as_path());
        let target = folder.join(FILE_NAME);
        match self {
            Self::Skep => {
                let mut command = skep(tools, host, own)?;
                command.arg("get").arg(&site.torrent).args(["--tracker", &site.hub_url()]);
                command.arg("--output").arg(folder);
                Ok(self.prepared(Begin::Run(command), target.display().to_string()))
            }
            Self::Libtorrent => self.libtorrent(site, host, folder),
            Self::Aria2 => {
                let mut command = aria2c(site, host, folder);
                // It does not say so itself. What it calls is given an id, a number of files and the first's path.
                command.arg("--on-bt-download-complete=/bin/echo");
                Ok(self.prepared(Begin::Run(command), format!(" 1 {}", target.display())))
            }
            Self::Pipe => {
                let mut command = host.command(&tools.xtask);
                let at = format!("{}:{PIPE_PORT}", host.v4());
                command
                    .args(["bench", "pipe", "receive", &at])
                    .arg(target)
                    .arg(site.piece_length.to_string());
                Ok(self.prepared(Begin::Run(command), "complete".to_owned()))
            }
        }
    }

    fn libtorrent(self, site: &Site, host: &Host, folder: &Path) -> Result<Prepared, String> {
        let mut command = host.command(lab::PYTHON);
        command.args(["-c", include_str!("libtorrent.py")]);
        command.arg(host.v4().to_string()).arg(&site.torrent).arg(folder);
        let mut program = Program::start(self.name(), command);
        wait::within(START_MAX, || {
            let ready = program.output().contains("ready\n");
            (ready || program.ended().is_some()).then_some(ready)
        })
        .filter(|ready| *ready)
        .ok_or_else(|| format!("{} did not start: {}", self.name(), last_lines(&program)))?;
        Ok(self.prepared(Begin::Signal(program), "complete".to_owned()))
    }

    fn prepared(self, begin: Begin, finished: String) -> Prepared {
        Prepared { name: self.name(), begin, finished }
    }
}

impl Prepared {
    /// Lets it begin.
    pub(super) fn start(self) -> Result<Peer, String> {
        let (program, cpu_before) = match self.begin {
            Begin::Run(command) => (Program::start(self.name, command), 0.0),
            Begin::Signal(program) => {
                let cpu_before = cpu_seconds(program.id())?;
                program.signal(Signal::USR1);
                (program, cpu_before)
            }
        };
        Ok(Peer { name: self.name, program, finished: self.finished, cpu_before })
    }
}

impl Peer {
    pub(super) fn id(&self) -> u32 {
        self.program.id()
    }

    /// Processor seconds since it began.
    pub(super) fn cpu_seconds(&self) -> Result<f64, String> {
        Ok(cpu_seconds(self.id())? - self.cpu_before)
    }

    /// Whether it has said that it has everything.
    pub(super) fn has_finished(&self) -> bool {
        self.has_said(&self.finished)
    }

    /// Whether a line of its output ends so.
    pub(super) fn has_said(&self, end: &str) -> bool {
        self.program.output().lines().any(|line| line.ends_with(end))
    }

    /// The end of its output, for a message.
    pub(super) fn last_lines(&self) -> String {
        last_lines(&self.program)
    }

    /// An error if it does not run any more.
    pub(super) fn runs(&mut self) -> Result<(), String> {
        match self.program.ended() {
            Some(status) => Err(format!("{} ended ({status}): {}", self.name, self.last_lines())),
            None => Ok(()),
        }
    }
}

const PIPE_PORT: u16 = 6881;

/// Skep as if on a machine of its own: it sees nothing of what its user configured or what an earlier run left.
pub(super) fn skep(tools: &Tools, host: &Host, own: &Path) -> Result<Command, String> {
    let home = own.join("home");
    fs::create_dir_all(&home).map_err(|error| format!("cannot make {}: {error}", home.display()))?;
    let mut command = host.command(&tools.skep);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("SKEP_") || text.starts_with("XDG_") {
            command.env_remove(&name);
        }
    }
    command.env("HOME", home).current_dir(own);
    Ok(command)
}

/// aria2 for one torrent, hearing of peers from its tracker alone, and sharing until it is ended.
fn aria2c(site: &Site, host: &Host, folder: &Path) -> Command {
    let mut command = host.command(aria2::PROGRAM);
    command.arg("--no-conf").arg("--dir").arg(folder).args([
        "--listen-port=6881",
        "--enable-dht=false",
        "--enable-dht6=false",
        "--bt-enable-lpd=false",
        "--enable-peer-exchange=false",
        "--seed-ratio=0.0",
        "--file-allocation=none",
        "--follow-torrent=false",
        "--summary-interval=0",
        "--show-console-readout=false",
        "--enable-color=false",
    ]);
    command.arg(&site.torrent);
    command
}

fn last_lines(program: &Program) -> String {
    let output = program.output();
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join(" / ")
}
