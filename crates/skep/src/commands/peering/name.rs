//! Names of torrents, as a person types them.

use swarm::InfoHash;

use crate::client::Torrent;
use crate::format::plain;

/// Which of the torrents of one name is meant.
#[derive(Debug)]
pub(in crate::commands) enum Choice {
    /// There is none.
    None,
    /// This one.
    One(Box<Torrent>),
    /// Any of these.
    Several(Vec<Torrent>),
}

/// Chooses among torrents of one name: the only one, or the only one that somebody has whole, as when a folder was
/// shared again after it had changed.
pub(in crate::commands) fn choose(mut named: Vec<Torrent>) -> Choice {
    let whole = |torrent: &Torrent| torrent.seeders > 0;
    if named.len() > 1 && named.iter().filter(|torrent| whole(torrent)).count() == 1 {
        named.retain(whole);
    }
    match named.len() {
        1 => named.pop().map_or(Choice::None, |one| Choice::One(Box::new(one))),
        0 => Choice::None,
        _ => Choice::Several(named),
    }
}

/// Whether `get` takes it for a name, and a shell and a terminal for what it is.
pub(in crate::commands) fn is_plain(name: &str) -> bool {
    plain(name) == name && !name.starts_with('-') && !is_something_else(name)
}

/// Whether it is a link, an address, a hash or a file's path rather than a torrent's name.
fn is_something_else(what: &str) -> bool {
    let scheme = what.get(..7).unwrap_or_default();
    scheme.eq_ignore_ascii_case("magnet:")
        || what.contains("://")
        || what.contains('/')
        || what.ends_with(".torrent")
        || what.parse::<InfoHash>().is_ok()
}

/// A name as a shell takes it for one word.
pub(in crate::commands) fn quoted(name: &str) -> String {
    let bare = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '+' | '=' | ',');
    if name.chars().all(bare) && !name.starts_with('-') {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torrent(hash: &str, seeders: u64) -> Torrent {
        let text = format!(r#"{{"info_hash":"{hash}","name":"n","seeders":{seeders}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    /// The hash that is chosen, or how many there are to choose from.
    fn chosen(named: &[(&str, u64)]) -> Result<String, usize> {
        match choose(named.iter().map(|(hash, seeders)| torrent(hash, *seeders)).collect()) {
            Choice::None => Err(0),
            Choice::One(one) => Ok(one.info_hash),
            Choice::Several(several) => Err(several.len()),
        }
    }

    #[test]
    fn of_several_the_one_that_somebody_has_is_meant() {
        assert_eq!(chosen(&[]), Err(0));
        assert_eq!(chosen(&[("a", 0)]), Ok("a".to_owned()));
        assert_eq!(chosen(&[("new", 1), ("old", 0)]), Ok("new".to_owned()));
        assert_eq!(chosen(&[("a", 0), ("b", 3), ("c", 0)]), Ok("b".to_owned()));
        assert_eq!(chosen(&[("a", 0), ("b", 0)]), Err(2));
        assert_eq!(chosen(&[("a", 1), ("b", 9), ("c", 0)]), Err(3));
    }

    #[test]
    fn some_names_are_taken_for_something_else() {
        for name in ["data set", "größe", "a:b", "magnet", "cafe"] {
            assert!(is_plain(name), "{name}");
        }
        for other in ["magnet:?x", "http://h", "-n", "a.torrent", "\x1b[2J", &"a".repeat(40)] {
            assert!(!is_plain(other), "{other}");
        }
    }

    #[test]
    fn names_are_one_word() {
        assert_eq!(quoted("data-set_1.2"), "data-set_1.2");
        assert_eq!(quoted("größe"), "größe");
        assert_eq!(quoted("data set"), "'data set'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$(rm)"), "'$(rm)'");
    }
}
