use super::{NewTorrent, Outcome, Torrent};

/// What adding `new` makes of `old`, the torrent of the same hash.
///
/// - What came from a .torrent file stays as it is, whatever anybody says later.
/// - Bare facts give way to a .torrent file altogether: nothing that a stranger said of the torrent stays on it.
/// - Bare facts fill the gaps that earlier bare facts left, and change none of them.
///
/// So whoever comes first is believed until there is proof, and the same thing twice is [`Outcome::Unchanged`].
/// `completed` and `added_at` are those of `old`.
pub(super) fn merge(old: Torrent, new: &NewTorrent) -> (Torrent, Outcome) {
    if old.has_metainfo {
        return (old, Outcome::Unchanged);
    }
    if new.metainfo.is_some() {
        let proven = Torrent { added_at: old.added_at, completed: old.completed, ..first(new, old.added_at) };
        return (proven, Outcome::Updated);
    }
    let filled = Torrent {
        name: if old.name.is_empty() { new.name.clone() } else { old.name.clone() },
        size: old.size.or(new.size),
        piece_length: old.piece_length.or(new.piece_length),
        files: if old.files.is_empty() { new.files.clone() } else { old.files.clone() },
        comment: old.comment.clone().or_else(|| new.comment.clone()),
        created_by: old.created_by.clone().or_else(|| new.created_by.clone()),
        created_at: old.created_at.or(new.created_at),
        ..old
    };
    let outcome = if filled == old { Outcome::Unchanged } else { Outcome::Updated };
    (filled, outcome)
}

/// The torrent that `new` makes where there was none.
pub(super) fn first(new: &NewTorrent, now: i64) -> Torrent {
    Torrent {
        info_hash: new.info_hash,
        name: new.name.clone(),
        size: new.size,
        piece_length: new.piece_length,
        files: new.files.clone(),
        private: new.private,
        comment: new.comment.clone(),
        created_by: new.created_by.clone(),
        created_at: new.created_at,
        added_at: now,
        completed: 0,
        has_metainfo: new.metainfo.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use swarm::InfoHash;

    use super::super::TorrentFile;
    use super::*;

    const HASH: InfoHash = InfoHash([7; 20]);

    fn bare() -> NewTorrent {
        NewTorrent { size: Some(5), comment: Some("said so".into()), ..NewTorrent::named(HASH, "bare") }
    }

    fn proven() -> NewTorrent {
        let files = vec![TorrentFile { path: "proven.bin".into(), length: 9 }];
        let facts = NewTorrent { size: Some(9), files, private: true, ..NewTorrent::named(HASH, "proven") };
        NewTorrent { metainfo: Some(b"d4:infode".to_vec()), ..facts }
    }

    #[test]
    fn nothing_changes_what_came_from_a_torrent_file() {
        let old = first(&proven(), 1);
        assert_eq!(merge(old.clone(), &bare()), (old.clone(), Outcome::Unchanged));
        let other =
            NewTorrent { comment: Some("mine".into()), metainfo: Some(b"d7:comment".to_vec()), ..proven() };
        assert_eq!(merge(old.clone(), &other), (old, Outcome::Unchanged));
    }

    #[test]
    fn a_torrent_file_replaces_all_that_was_said() {
        let old = Torrent { completed: 3, ..first(&bare(), 1) };
        let expected = Torrent { completed: 3, ..first(&proven(), 1) };
        assert_eq!(expected.comment, None);
        assert_eq!(merge(old, &proven()), (expected, Outcome::Updated));
    }

    #[test]
    fn bare_facts_fill_gaps_and_change_nothing() {
        let old = first(&bare(), 1);
        assert_eq!(merge(old.clone(), &bare()), (old.clone(), Outcome::Unchanged));
        let more = NewTorrent {
            size: Some(6),
            piece_length: Some(16),
            private: true,
            ..NewTorrent::named(HASH, "x")
        };
        let expected = Torrent { piece_length: Some(16), ..old.clone() };
        assert_eq!(merge(old, &more), (expected, Outcome::Updated));
    }

    #[test]
    fn a_nameless_torrent_takes_the_first_name() {
        let old = first(&NewTorrent::named(HASH, ""), 1);
        assert_eq!(merge(old, &bare()).0.name, "bare");
    }
}
