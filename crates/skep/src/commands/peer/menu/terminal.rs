//! The menu on a real terminal.

use std::io::{self, Write};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use crossterm::style::Stylize;
use crossterm::{cursor, execute, terminal};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use inquire::ui::{Color, RenderConfig, Styled};
use inquire::{InquireError, Select, Text};
use tokio::sync::{mpsc, watch};

use super::{Answer, Mood, Stage};

/// How often a download is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Rows of a list that are seen at a time.
const ROWS_MAX: usize = 12;

/// The process's terminal.
pub(in crate::commands::peer) struct Screen {
    has_colors: bool,
    /// Closed once the peer stops: no prompt may come any more, since nobody would take it off the terminal.
    open: mpsc::Sender<()>,
}

impl Screen {
    /// A screen that has prompts for as long as somebody receives from `open`, to which nothing is sent.
    pub(in crate::commands::peer) fn new(has_colors: bool, open: mpsc::Sender<()>) -> Self {
        Self { has_colors, open }
    }

    fn prompt<T>(&self, prompt: impl FnOnce() -> Result<T, InquireError>) -> Answer<T> {
        if self.open.is_closed() { Answer::Exit } else { answered(prompt()) }
    }

    fn look(&self) -> RenderConfig<'static> {
        if self.has_colors {
            RenderConfig::default_colored()
                .with_highlighted_option_prefix(Styled::new(">").with_fg(Color::LightCyan))
        } else {
            RenderConfig::empty()
        }
    }
}

/// Makes the terminal what it was, wherever the menu was left.
pub(in crate::commands::peer) fn restore() {
    // It may be gone; nothing more can be done for it.
    let _ = terminal::disable_raw_mode();
    let _ = execute!(io::stderr(), event::DisableBracketedPaste, cursor::Show);
}

impl super::Terminal for Screen {
    fn choose(&mut self, title: &str, rows: &[String]) -> Answer<usize> {
        let select = Select::new(title, rows.to_vec())
            .with_help_message("arrows or letters choose, Enter takes, Esc goes back")
            .with_page_size(ROWS_MAX)
            .with_render_config(self.look());
        self.prompt(|| select.raw_prompt().map(|option| option.index))
    }

    fn ask(&mut self, title: &str, help: &str) -> Answer<String> {
        let title = format!("{title}:");
        self.prompt(|| Text::new(&title).with_help_message(help).with_render_config(self.look()).prompt())
    }

    fn say(&mut self, mood: Mood, text: &str) {
        if self.open.is_closed() {
            return;
        }
        let mut out = io::stdout().lock();
        // Who has no terminal any more is about to be told so by the next prompt.
        let _ = match mood {
            Mood::Good if self.has_colors => writeln!(out, "{}", text.green()),
            Mood::Bad if self.has_colors => writeln!(out, "{}", text.red()),
            _ => writeln!(out, "{text}"),
        };
    }

    fn watch(&mut self, name: &str, stage: &watch::Receiver<Stage>) {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        let template = "{msg:.bold} [{bar:30.green}] {bytes}/{total_bytes} {prefix}  (Enter: menu)";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(name.to_owned());
        loop {
            match &*stage.borrow() {
                Stage::Coming { bytes, bytes_max, doing } => {
                    bar.set_length(bytes_max.unwrap_or(*bytes).max(*bytes));
                    bar.set_position(*bytes);
                    bar.set_prefix(doing.clone());
                }
                Stage::Here(_) | Stage::Failed(_) => break,
            }
            bar.tick();
            if wants_menu() || self.open.is_closed() {
                break;
            }
        }
        bar.finish_and_clear();
    }
}

/// Waits a moment whether Enter or Esc is pressed.
fn wants_menu() -> bool {
    let pressed = || -> io::Result<bool> {
        if !event::poll(LOOK)? {
            return Ok(false);
        }
        let Event::Key(key) = event::read()? else { return Ok(false) };
        let is_line = key.code == KeyCode::Char('j') && key.modifiers == KeyModifiers::CONTROL;
        Ok(is_line || matches!(key.code, KeyCode::Enter | KeyCode::Esc))
    };
    // Where keys cannot be read, the menu is what will say so.
    pressed().unwrap_or(true)
}

fn answered<T>(answer: Result<T, InquireError>) -> Answer<T> {
    match answer {
        Ok(answer) => Answer::Given(answer),
        Err(InquireError::OperationCanceled) => Answer::Back,
        // Ctrl-C; or there is no terminal any more.
        Err(_) => Answer::Exit,
    }
}
