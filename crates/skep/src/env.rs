//! The world as a command sees it. The real one is made in `main.rs`; a test makes its own and reads what was
//! written.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;

/// Columns that help is wrapped to where the terminal does not say.
const WIDTH_DEFAULT: usize = 100;

/// Everything around a command that it reads or writes, but for files and sockets.
pub struct Env {
    /// Results.
    pub stdout: Box<dyn Write + Send + Sync>,
    /// Progress, warnings and errors.
    pub stderr: Box<dyn Write + Send + Sync>,
    /// What the two are connected to.
    pub terminal: Terminal,
    /// Environment variables.
    pub vars: BTreeMap<String, OsString>,
    /// The directory that relative paths start at.
    pub cwd: PathBuf,
    /// The platform's directory for a program's data, if the user has one.
    pub data_dir: Option<PathBuf>,
    /// The platform's directory for a program's configuration, if the user has one.
    pub config_dir: Option<PathBuf>,
    /// How a long-running command learns that it should stop.
    pub stop: Requests,
    /// How it learns that it should read its files anew.
    pub reload: Requests,
    /// How much is told beside the results; set from `-v` and `-q`.
    pub verbosity: i8,
}

/// What standard input, output and error are connected to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Whether a person can type.
    pub stdin: bool,
    /// Whether results go to a terminal.
    pub stdout: bool,
    /// Whether progress and errors go to a terminal.
    pub stderr: bool,
    /// The terminal's columns, if there is one.
    pub width: Option<usize>,
}

/// Where requests of one kind come from.
pub enum Requests {
    /// The process's signals of that kind, from the first [`Requests::listen`] on.
    Process(Kind),
    /// A channel: each message is a request. A closed channel never asks.
    Channel(mpsc::UnboundedReceiver<()>),
}

/// What a process is asked for by signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To stop: SIGINT and SIGTERM (Ctrl-C where there are no signals).
    Stop,
    /// To read its files anew: SIGHUP (nothing where there are no signals).
    Reload,
}

impl Env {
    /// An environment that writes to `stdout` and `stderr`, which are no terminals, and knows nothing else.
    pub fn new(
        stdout: impl Write + Send + Sync + 'static,
        stderr: impl Write + Send + Sync + 'static,
        cwd: PathBuf,
    ) -> Self {
        Self {
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            terminal: Terminal::default(),
            vars: BTreeMap::new(),
            cwd,
            data_dir: None,
            config_dir: None,
            stop: Requests::Process(Kind::Stop),
            reload: Requests::Process(Kind::Reload),
            verbosity: 0,
        }
    }

    /// An environment variable; one that is empty counts as not set.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// `path`, seen from the working directory.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        self.cwd.join(path)
    }

    /// Whether standard output may be colored (`NO_COLOR` and a terminal that cannot are respected).
    #[must_use]
    pub fn colors_stdout(&self) -> bool {
        self.terminal.stdout && self.colors()
    }

    /// Whether standard error may be colored.
    #[must_use]
    pub fn colors_stderr(&self) -> bool {
        self.terminal.stderr && self.colors()
    }

    fn colors(&self) -> bool {
        self.var("NO_COLOR").is_none() && self.var("TERM").is_none_or(|term| term != "dumb")
    }

    /// Columns to wrap text to.
    #[must_use]
    pub fn width(&self) -> usize {
        self.terminal.width.unwrap_or(WIDTH_DEFAULT)
    }

    /// Tells a person something beside the results, unless `-q` was given. That nobody can be told is no failure.
    pub fn note(&mut self, text: impl fmt::Display) {
        if self.verbosity >= 0 {
            let _ = writeln!(self.stderr, "{text}");
        }
    }

    /// Tells a person that something is wrong.
    pub fn error(&mut self, text: impl fmt::Display) {
        let (on, off) = if self.colors_stderr() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let _ = writeln!(self.stderr, "{on}error:{off} {text}");
    }

    /// A progress bar of `length` steps on standard error; invisible where that is no terminal, or with `-q`.
    /// `template` is indicatif's.
    #[must_use]
    pub fn bar(&self, length: u64, template: &str) -> ProgressBar {
        let visible = self.terminal.stderr && self.verbosity >= 0;
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        }
    }
}

impl Requests {
    /// Starts to listen, so that from now on no request is lost and none ends the process by itself.
    ///
    /// # Errors
    /// If the system refuses to tell about signals.
    pub fn listen(&mut self) -> io::Result<Listening> {
        let (_, nobody) = mpsc::unbounded_channel();
        match std::mem::replace(self, Self::Channel(nobody)) {
            Self::Process(kind) => {
                *self = Self::Process(kind);
                Signals::new(kind).map(Listening::Process)
            }
            Self::Channel(requests) => Ok(Listening::Channel(requests)),
        }
    }
}

/// Requests, being listened for.
pub enum Listening {
    /// From the process's signals.
    Process(Signals),
    /// From a channel.
    Channel(mpsc::UnboundedReceiver<()>),
}

impl Listening {
    /// Waits for the next request.
    pub async fn next(&mut self) {
        match self {
            Self::Process(signals) => signals.next().await,
            Self::Channel(requests) => {
                if requests.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// The process's signals of one kind.
pub struct Signals {
    #[cfg(unix)]
    streams: Vec<tokio::signal::unix::Signal>,
    #[cfg(not(unix))]
    kind: Kind,
}

#[cfg(unix)]
impl Signals {
    fn new(kind: Kind) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = match kind {
            Kind::Stop => vec![SignalKind::interrupt(), SignalKind::terminate()],
            Kind::Reload => vec![SignalKind::hangup()],
        };
        Ok(Self { streams: kinds.into_iter().map(signal).collect::<io::Result<_>>()? })
    }

    async fn next(&mut self) {
        use std::task::Poll;
        std::future::poll_fn(|cx| {
            let mut asked = false;
            // All of them, so that each wakes this up the next time.
            for stream in &mut self.streams {
                asked |= stream.poll_recv(cx).is_ready();
            }
            if asked { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "the same shape as where there are signals")]
    fn new(kind: Kind) -> io::Result<Self> {
        Ok(Self { kind })
    }

    async fn next(&mut self) {
        if self.kind == Kind::Reload || tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
