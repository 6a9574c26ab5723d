//! Programs at a terminal, with a person who reads the screen and types.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::program::Signal;
use crate::wait;

/// Rows and columns of every terminal here.
const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

/// The program that gives another the terminal of its standard input, and becomes it.
pub(crate) const SESSION: [&str; 2] = ["setsid", "--ctty"];

/// What a program asks to be told where the cursor is, and what asks it.
const WHERE_IS_THE_CURSOR: &[u8] = b"\x1b[6n";

/// A program that runs at a terminal; ended when dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    /// Starts a command with a terminal of its own. It is one that begins with [`SESSION`].
    ///
    /// # Panics
    /// If there is no terminal to be had, or the program cannot be started.
    #[must_use]
    pub(crate) fn start(mut command: Command) -> Self {
        let (master, slave) = pair().expect("a terminal");
        let clone = || slave.try_clone().expect("a terminal");
        command.env("TERM", "xterm-256color").stdin(clone()).stdout(clone()).stderr(clone());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // Only the program has that end now, so that this one hears of its end.
        drop((command, slave));
        let keyboard = File::from(master);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let (mut reader, mut answers) =
            (keyboard.try_clone().expect("a descriptor"), keyboard.try_clone().expect("a descriptor"));
        let shown = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It fails once nobody has the other end.
            while let Ok(len @ 1..) = reader.read(&mut bytes) {
                let mut screen = shown.lock();
                screen.process(&bytes[..len]);
                if bytes[..len].windows(WHERE_IS_THE_CURSOR.len()).any(|window| window == WHERE_IS_THE_CURSOR)
                {
                    let (row, column) = screen.screen().cursor_position();
                    let _ = write!(answers, "\x1b[{};{}R", row + 1, column + 1);
                }
            }
        });
        Self { child, keyboard, screen }
    }

    /// Types.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn type_text(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("a terminal to type at");
    }

    /// What is on the screen.
    #[must_use]
    pub fn screen(&self) -> String {
        self.screen.lock().screen().contents()
    }

    /// Waits until the screen shows this.
    ///
    /// # Panics
    /// If it does not, within `patience`.
    pub fn until(&self, what: &str, patience: Duration) {
        let seen = wait::within(patience, || self.screen().contains(what).then_some(()));
        assert!(seen.is_some(), "`{what}` is not on the screen:\n{}", self.screen());
    }

    /// Whether the terminal is as programs find it and are to leave it: what is typed is shown, comes line by line and
    /// as it is, and the cursor is seen.
    ///
    /// # Panics
    /// If the terminal does not say.
    #[must_use]
    pub fn is_as_it_was(&self) -> bool {
        let modes = tcgetattr(&self.keyboard).expect("the terminal's modes").local_modes;
        let parser = self.screen.lock();
        let screen = parser.screen();
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
            && !screen.bracketed_paste()
            && !screen.hide_cursor()
    }

    /// Sends the program a signal.
    ///
    /// # Panics
    /// If it has ended.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("a process id"), signal).expect("a process to signal");
    }

    /// Waits until the program has ended.
    ///
    /// # Panics
    /// If it does not, within `patience`.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let ended = wait::within(patience, || self.child.try_wait().expect("a child"));
        ended.unwrap_or_else(|| panic!("it goes on:\n{}", self.screen()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both ends of a new terminal: who sits at it, and the program.
fn pair() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(name, flags, rustix::fs::Mode::empty())?;
    tcsetwinsize(&slave, Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 })?;
    Ok((master, slave))
}
