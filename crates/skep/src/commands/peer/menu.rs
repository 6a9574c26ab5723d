//! What a person at a terminal does with a peer: a menu, and what each of its lines leads to.
//!
//! It knows neither the peer nor the terminal: the one is a [`Desk`], the other a [`Terminal`]. Nothing here is
//! asynchronous: a person is waited for on a thread of their own.

pub(super) mod terminal;
#[cfg(test)]
mod tests;

use peer::classic::Dialect;
use tokio::sync::watch;

use crate::format::{plain, plural, size};

/// Rows of a search that are shown.
pub(super) const FOUND_MAX: usize = 40;

/// What may be asked of a peer. Calls may wait for the network.
pub(super) trait Desk {
    /// What there is to download whose name has all words of `text`, the best known first; [`FOUND_MAX`] at most.
    ///
    /// # Errors
    /// In words: nobody can be asked.
    fn search(&self, text: &str) -> Result<Vec<Offer>, String>;

    /// Who has what is called exactly `name`, a line each.
    ///
    /// # Errors
    /// In words: nobody can be asked.
    fn who_has(&self, name: &str) -> Result<Vec<String>, String>;

    /// Begins to download, and says how far it is. It goes on whether anybody looks or not.
    fn download(&self, offer: &Offer) -> watch::Receiver<Stage>;

    /// What is being downloaded, whoever began it.
    fn downloads(&self) -> Vec<Download>;

    /// What is shared.
    fn shared(&self) -> Vec<Shared>;

    /// Puts a file into the shared folder, and says by which name.
    ///
    /// # Errors
    /// In words: what is in the way.
    fn seed(&self, path: &str) -> Result<String, String>;

    /// What went wrong since the last time this was asked, a line each.
    fn remarks(&self) -> Vec<String>;
}

/// Where a person sits. Text that it shows may come from anybody.
pub(super) trait Terminal {
    /// Has one of `rows` chosen.
    fn choose(&mut self, title: &str, rows: &[String]) -> Answer<usize>;

    /// Has a line typed.
    fn ask(&mut self, title: &str, help: &str) -> Answer<String>;

    /// Shows a line.
    fn say(&mut self, mood: Mood, text: &str);

    /// Shows how far a download is, until it has ended or the person wants to do something else.
    fn watch(&mut self, name: &str, stage: &watch::Receiver<Stage>);
}

/// What a person answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer<T> {
    Given(T),
    /// Back to the menu.
    Back,
    /// Out of it.
    Exit,
}

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Plain,
    Good,
    Bad,
}

/// Something to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) name: String,
    pub(super) bytes: Option<u64>,
    pub(super) way: Way,
    /// The peers that have it.
    pub(super) holders: u64,
}

/// How something comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// As the torrent of this info hash, verified.
    Torrent(String),
    /// From peers of these classic dialects.
    Classic(Vec<String>),
}

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    Coming {
        bytes: u64,
        /// As far as anybody says.
        bytes_max: Option<u64>,
        /// What it is doing.
        doing: String,
    },
    /// It is here; with a word on how.
    Here(String),
    /// It will not come, and why.
    Failed(String),
}

/// A download under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Download {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) bytes_max: Option<u64>,
    pub(super) doing: String,
}

/// Something that is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// Since the start.
    pub(super) uploaded: u64,
    /// What peers of `beacon` know it by, if that is another name.
    pub(super) also: Option<String>,
}

/// A line of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Search,
    WhoHas,
    Downloads,
    Shared,
    Seed,
    Exit,
}

impl Choice {
    const ALL: [Self; 6] =
        [Self::Search, Self::WhoHas, Self::Downloads, Self::Shared, Self::Seed, Self::Exit];

    const fn words(self) -> &'static str {
        match self {
            Self::Search => "Search and download",
            Self::WhoHas => "Who has a file",
            Self::Downloads => "Active downloads",
            Self::Shared => "What I share",
            Self::Seed => "Seed another file",
            Self::Exit => "Exit",
        }
    }
}

/// Whether the person goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Menu,
    Exit,
}

/// Goes through the menu again and again, until the person wants to go.
pub(super) fn run(desk: &dyn Desk, terminal: &mut dyn Terminal) {
    let rows = Choice::ALL.map(|choice| choice.words().to_owned());
    loop {
        for remark in desk.remarks() {
            terminal.say(Mood::Bad, &remark);
        }
        let choice = match terminal.choose("What now?", &rows) {
            Answer::Given(nth) => Choice::ALL[nth],
            Answer::Back => continue,
            Answer::Exit => return,
        };
        let then = match choice {
            Choice::Search => search(desk, terminal),
            Choice::WhoHas => who_has(desk, terminal),
            Choice::Downloads => downloads(desk, terminal),
            Choice::Shared => shared(desk, terminal),
            Choice::Seed => seed(desk, terminal),
            Choice::Exit => return,
        };
        if then == Then::Exit {
            return;
        }
    }
}

fn search(desk: &dyn Desk, terminal: &mut dyn Terminal) -> Then {
    let text = match terminal.ask("Search for", "words of its name; nothing shows all") {
        Answer::Given(text) => text,
        Answer::Back => return Then::Menu,
        Answer::Exit => return Then::Exit,
    };
    let offers = match desk.search(text.trim()) {
        Ok(offers) if offers.is_empty() => {
            terminal.say(Mood::Plain, "nothing of that name is offered");
            return Then::Menu;
        }
        Ok(offers) => offers,
        Err(why) => {
            terminal.say(Mood::Bad, &why);
            return Then::Menu;
        }
    };
    let rows: Vec<String> = offers.iter().map(row).collect();
    let offer = match terminal.choose("Download", &rows) {
        Answer::Given(nth) => &offers[nth],
        Answer::Back => return Then::Menu,
        Answer::Exit => return Then::Exit,
    };
    let mut stage = desk.download(offer);
    let name = plain(&offer.name).into_owned();
    terminal.watch(&name, &stage);
    match &*stage.borrow_and_update() {
        Stage::Here(how) => terminal.say(Mood::Good, &format!("{name} is here; {how}")),
        Stage::Failed(why) => terminal.say(Mood::Bad, &format!("{name}: {why}")),
        Stage::Coming { .. } => terminal.say(Mood::Plain, &format!("{name} goes on coming")),
    }
    Then::Menu
}

/// An offer as it is chosen.
fn row(offer: &Offer) -> String {
    let bytes = offer.bytes.map_or_else(|| "?".to_owned(), size);
    let name = plain(&offer.name);
    let from = match &offer.way {
        Way::Torrent(_) => format!("{}, verified", plural(offer.holders, "seeder")),
        Way::Classic(dialects) => {
            let has_hashes = dialects.iter().any(|dialect| dialect == Dialect::Chunklist.name());
            let check = if has_hashes { "verified by a chunk list" } else { "not verified" };
            format!("{} of {}, {check}", plural(offer.holders, "peer"), dialects.join(", "))
        }
    };
    format!("{bytes:>9}  {name}  ({from})")
}

fn who_has(desk: &dyn Desk, terminal: &mut dyn Terminal) -> Then {
    let name = match terminal.ask("Who has", "a file's whole name") {
        Answer::Given(name) if name.trim().is_empty() => return Then::Menu,
        Answer::Given(name) => name,
        Answer::Back => return Then::Menu,
        Answer::Exit => return Then::Exit,
    };
    match desk.who_has(name.trim()) {
        Ok(lines) if lines.is_empty() => terminal.say(Mood::Plain, "nobody has it"),
        Ok(lines) => lines.iter().for_each(|line| terminal.say(Mood::Plain, line)),
        Err(why) => terminal.say(Mood::Bad, &why),
    }
    Then::Menu
}

fn downloads(desk: &dyn Desk, terminal: &mut dyn Terminal) -> Then {
    let downloads = desk.downloads();
    if downloads.is_empty() {
        terminal.say(Mood::Plain, "nothing is being downloaded");
    }
    for Download { name, bytes, bytes_max, doing } in downloads {
        let of = bytes_max.map_or_else(String::new, |max| format!(" of {}", size(max)));
        terminal.say(Mood::Plain, &format!("{}  {}{of}  {doing}", plain(&name), size(bytes)));
    }
    Then::Menu
}

fn shared(desk: &dyn Desk, terminal: &mut dyn Terminal) -> Then {
    let shared = desk.shared();
    if shared.is_empty() {
        terminal.say(Mood::Plain, "nothing is shared yet");
    }
    for Shared { name, bytes, uploaded, also } in shared {
        let also = also.map_or_else(String::new, |also| format!("  ({} in beacon)", plain(&also)));
        let up = if uploaded > 0 { format!("  {} uploaded", size(uploaded)) } else { String::new() };
        terminal.say(Mood::Plain, &format!("{:>9}  {}{up}{also}", size(bytes), plain(&name)));
    }
    Then::Menu
}

fn seed(desk: &dyn Desk, terminal: &mut dyn Terminal) -> Then {
    let path = match terminal.ask("Seed", "a file's path") {
        Answer::Given(path) if path.trim().is_empty() => return Then::Menu,
        Answer::Given(path) => path,
        Answer::Back => return Then::Menu,
        Answer::Exit => return Then::Exit,
    };
    match desk.seed(path.trim()) {
        Ok(name) => terminal.say(Mood::Good, &format!("{} is shared in a moment", plain(&name))),
        Err(why) => terminal.say(Mood::Bad, &why),
    }
    Then::Menu
}
