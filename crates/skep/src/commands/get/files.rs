//! Which files of a torrent a person means.

use std::sync::Arc;

use glob::Pattern;
use peer::node::Files;
use wire::metainfo::{File, Metainfo};

use crate::format::plain;

/// Files that are named when none is meant.
const NAMED_MAX: usize = 20;

/// The files that `patterns` match; all if there are none.
pub(super) fn files(patterns: &[Pattern]) -> Files {
    if patterns.is_empty() {
        return Files::All;
    }
    let patterns = patterns.to_vec();
    Files::Chosen(Arc::new(move |torrent| choose(&patterns, torrent)))
}

/// Says of each file whether a pattern matches it, or one of the folders that it is in. Each pattern must mean something.
fn choose(patterns: &[Pattern], torrent: &Metainfo) -> Result<Vec<bool>, String> {
    let files = torrent.files();
    let mut chosen = vec![false; files.len()];
    for pattern in patterns {
        let mut any = false;
        for (file, chosen) in files.iter().zip(&mut chosen).filter(|(file, _)| !file.pad) {
            let matches = is_meant(pattern, file);
            any |= matches;
            *chosen |= matches;
        }
        if !any {
            return Err(nothing(pattern, torrent));
        }
    }
    Ok(chosen)
}

fn is_meant(pattern: &Pattern, file: &File) -> bool {
    (1..=file.path.len()).any(|names| pattern.matches(&file.path[..names].join("/")))
}

fn nothing(pattern: &Pattern, torrent: &Metainfo) -> String {
    let files: Vec<&File> = torrent.files().iter().filter(|file| !file.pad).collect();
    let named = files.iter().take(NAMED_MAX).map(|file| format!("\n  {}", plain(&file.path.join("/"))));
    let more = match files.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    format!(
        "no file of \"{}\" matches `{}`; its files are:{}{more}",
        plain(torrent.name()),
        plain(pattern.as_str()),
        named.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use wire::metainfo::{Builder, Content};

    use super::*;

    fn torrent(paths: &[&str]) -> Metainfo {
        let file = |path: &&str| (path.split('/').map(str::to_owned).collect(), 1);
        let mut bytes = Vec::new();
        Builder {
            name: "set".to_owned(),
            content: Content::Folder(paths.iter().map(file).collect()),
            piece_length: 16,
            pieces: vec![0; 20 * paths.len().div_ceil(16)],
            ..Builder::default()
        }
        .encode(&mut bytes);
        Metainfo::decode(&bytes).unwrap()
    }

    fn chosen(patterns: &[&str], torrent: &Metainfo) -> Result<String, String> {
        let patterns: Vec<Pattern> = patterns.iter().map(|text| Pattern::new(text).unwrap()).collect();
        let chosen = choose(&patterns, torrent)?;
        let files = torrent.files().iter().zip(chosen).filter(|(_, chosen)| *chosen);
        Ok(files.map(|(file, _)| file.path.join("/")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn files_are_meant_by_path_pattern_or_folder() {
        let torrent = torrent(&["a.csv", "b.txt", "in/c.csv", "in/deep/d.csv", "inner/e.txt"]);
        for (patterns, expected) in [
            (&["*.csv"][..], "a.csv in/c.csv in/deep/d.csv"),
            (&["in"], "in/c.csv in/deep/d.csv"),
            (&["in/deep/*", "?.txt"], "b.txt in/deep/d.csv"),
            (&["in*/[ce].*"], "in/c.csv inner/e.txt"),
            (&["*"], "a.csv b.txt in/c.csv in/deep/d.csv inner/e.txt"),
        ] {
            assert_eq!(chosen(patterns, &torrent).as_deref(), Ok(expected), "{patterns:?}");
        }
    }

    #[test]
    fn what_means_nothing_is_told_with_what_there_is() {
        let error = chosen(&["*.csv", "*.md"], &torrent(&["a.csv", "in/b.csv"])).unwrap_err();
        assert_eq!(error, "no file of \"set\" matches `*.md`; its files are:\n  a.csv\n  in/b.csv");
        let names: Vec<String> = (0..25).map(|number| format!("f{number:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let error = chosen(&["x"], &torrent(&names)).unwrap_err();
        assert!(error.ends_with("\n  f19\n  and 5 more"), "{error}");
    }
}
