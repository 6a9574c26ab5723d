//! The menu over a peer and a terminal that are none.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::*;

/// What the person does.
enum Does {
    Choose(&'static str),
    Type(&'static str),
    Back,
    Leave,
}

struct Scripted {
    does: VecDeque<Does>,
    said: Vec<String>,
}

impl Scripted {
    fn next(&mut self) -> Does {
        self.does.pop_front().unwrap_or(Does::Leave)
    }
}

impl Terminal for Scripted {
    fn choose(&mut self, title: &str, rows: &[String]) -> Answer<usize> {
        match self.next() {
            Does::Choose(wanted) => {
                let nth = rows.iter().position(|row| row.contains(wanted));
                Answer::Given(nth.unwrap_or_else(|| panic!("{wanted} is none of {rows:?} ({title})")))
            }
            Does::Type(text) => panic!("`{text}` is typed where `{title}` is chosen"),
            Does::Back => Answer::Back,
            Does::Leave => Answer::Exit,
        }
    }

    fn ask(&mut self, title: &str, _: &str) -> Answer<String> {
        match self.next() {
            Does::Type(text) => Answer::Given(text.to_owned()),
            Does::Choose(row) => panic!("`{row}` is chosen where `{title}` is typed"),
            Does::Back => Answer::Back,
            Does::Leave => Answer::Exit,
        }
    }

    fn say(&mut self, _: Mood, text: &str) {
        self.said.push(text.to_owned());
    }

    fn watch(&mut self, name: &str, _: &watch::Receiver<Stage>) {
        self.said.push(format!("<{name}>"));
    }
}

/// A peer that knows two offers.
struct Known {
    ends: Stage,
    downloaded: RefCell<Vec<Offer>>,
    remarks: RefCell<Vec<String>>,
}

impl Known {
    fn new(ends: Stage) -> Self {
        Self { ends, downloaded: RefCell::default(), remarks: RefCell::default() }
    }
}

fn torrent() -> Offer {
    Offer {
        name: "data\u{1b}[2Jset".into(),
        bytes: Some(1 << 20),
        way: Way::Torrent("00".into()),
        holders: 2,
    }
}

fn classic() -> Offer {
    Offer { name: "video.mp4".into(), bytes: None, way: Way::Classic(vec!["beacon".into()]), holders: 1 }
}

impl Desk for Known {
    fn search(&self, text: &str) -> Result<Vec<Offer>, String> {
        match text {
            "" => Ok(vec![torrent(), classic()]),
            "nothing" => Ok(Vec::new()),
            _ => Err("the hub does not answer".into()),
        }
    }

    fn who_has(&self, name: &str) -> Result<Vec<String>, String> {
        Ok(if name == "video.mp4" { vec!["10.0.0.5:6001 in beacon".into()] } else { Vec::new() })
    }

    fn download(&self, offer: &Offer) -> watch::Receiver<Stage> {
        self.downloaded.borrow_mut().push(offer.clone());
        watch::channel(self.ends.clone()).1
    }

    fn downloads(&self) -> Vec<Download> {
        let going =
            Download { name: "a".into(), bytes: 1024, bytes_max: Some(2048), doing: "1.00 KiB/s".into() };
        vec![going]
    }

    fn shared(&self) -> Vec<Shared> {
        let also = Some("[download]b".into());
        vec![Shared { name: "b".into(), bytes: 5, uploaded: 2048, also }]
    }

    fn seed(&self, path: &str) -> Result<String, String> {
        match path {
            "/tmp/c" => Ok("c".into()),
            _ => Err(format!("there is no file {path}")),
        }
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.take()
    }
}

/// What is said when a person does this.
fn said(desk: &Known, does: impl IntoIterator<Item = Does>) -> Vec<String> {
    let mut terminal = Scripted { does: does.into_iter().collect(), said: Vec::new() };
    run(desk, &mut terminal);
    assert!(terminal.does.is_empty(), "the menu ended before the person did");
    terminal.said
}

#[test]
fn what_is_found_is_downloaded() {
    for (ends, last) in [
        (Stage::Here("verified".into()), "video.mp4 is here; verified"),
        (Stage::Failed("nobody gives it".into()), "video.mp4: nobody gives it"),
        (Stage::Coming { bytes: 1, bytes_max: None, doing: String::new() }, "video.mp4 goes on coming"),
    ] {
        let desk = Known::new(ends);
        let does = [
            Does::Choose("Search"),
            Does::Type(" "),
            Does::Choose("video.mp4  (1 peer of beacon, not verified)"),
        ];
        assert_eq!(said(&desk, does), ["<video.mp4>", last]);
        assert_eq!(*desk.downloaded.borrow(), [classic()]);
    }
}

#[test]
fn names_cannot_play_with_the_terminal() {
    let desk = Known::new(Stage::Here("verified".into()));
    let said = said(&desk, [Does::Choose("Search"), Does::Type(""), Does::Choose("2 seeders, verified")]);
    assert!(said.iter().all(|line| !line.contains('\u{1b}')), "{said:?}");
}

#[test]
fn each_line_of_the_menu_does_what_it_says() {
    let desk = Known::new(Stage::Here(String::new()));
    let does = [
        Does::Choose("Search"),
        Does::Type("nothing"),
        Does::Choose("Search"),
        Does::Type("x"),
        Does::Choose("Who has"),
        Does::Type("video.mp4"),
        Does::Choose("Who has"),
        Does::Type("other"),
        Does::Choose("Who has"),
        Does::Type(" "),
        Does::Choose("Active downloads"),
        Does::Choose("What I share"),
        Does::Choose("Seed"),
        Does::Type("/tmp/c"),
        Does::Choose("Seed"),
        Does::Type("/tmp/d"),
        Does::Choose("Exit"),
    ];
    let expected = [
        "nothing of that name is offered",
        "the hub does not answer",
        "10.0.0.5:6001 in beacon",
        "nobody has it",
        "a  1.00 KiB of 2.00 KiB  1.00 KiB/s",
        "      5 B  b  2.00 KiB uploaded  ([download]b in beacon)",
        "c is shared in a moment",
        "there is no file /tmp/d",
    ];
    assert_eq!(said(&desk, does), expected);
    assert!(desk.downloaded.borrow().is_empty());
}

#[test]
fn back_is_to_the_menu_and_leaving_is_possible_everywhere() {
    let desk = Known::new(Stage::Here(String::new()));
    desk.remarks.borrow_mut().push("the hub cannot be reached".into());
    let back = [
        Does::Back,
        Does::Choose("Search"),
        Does::Back,
        Does::Choose("Search"),
        Does::Type(""),
        Does::Back,
        Does::Choose("Who has"),
        Does::Back,
        Does::Choose("Seed"),
        Does::Back,
        Does::Leave,
    ];
    assert_eq!(said(&desk, back), ["the hub cannot be reached"]);
    for way in ["Search", "Who has", "Seed"] {
        assert!(said(&desk, [Does::Choose(way), Does::Leave]).is_empty());
    }
    assert!(said(&desk, [Does::Choose("Search"), Does::Type(""), Does::Leave]).is_empty());
    assert!(desk.downloaded.borrow().is_empty());
}
