//! A store as simple as can be, to hold the real ones against.

use swarm::InfoHash;

use super::merge::{first, merge};
use super::{
    Addition, Change, Cursor, Effect, Fault, Outcome, Page, Select, Store, Torrent, Words, counted_as_one,
};

/// Rows in a list, searched from end to end. Knows the accents of the tests' letters only.
#[derive(Default)]
pub(super) struct Model {
    rows: Vec<Row>,
    ids: i64,
}

struct Row {
    id: i64,
    torrent: Torrent,
    metainfo: Option<Vec<u8>>,
    added_from: Option<std::net::IpAddr>,
}

impl Model {
    fn row(&self, hash: &InfoHash) -> Option<&Row> {
        self.rows.iter().find(|row| row.torrent.info_hash == *hash)
    }

    fn add(&mut self, addition: &Addition) -> Effect {
        let new = &addition.torrent;
        if let Some(row) = self.rows.iter_mut().find(|row| row.torrent.info_hash == new.info_hash) {
            let (mut torrent, mut outcome) = merge(row.torrent.clone(), new);
            if addition.completed > torrent.completed {
                torrent.completed = addition.completed;
                outcome = Outcome::Updated;
            }
            if torrent.has_metainfo && !row.torrent.has_metainfo {
                row.metainfo.clone_from(&new.metainfo);
            }
            row.torrent = torrent.clone();
            return Effect::Added(Box::new(torrent), outcome);
        }
        if let (Some(ip), Some(max)) = (new.added_from, addition.per_address_max) {
            let same = |row: &&Row| row.added_from.map(counted_as_one) == Some(counted_as_one(ip));
            if self.rows.iter().filter(same).count() >= max as usize {
                return Effect::TooMany;
            }
        }
        self.ids += 1;
        let torrent = Torrent { completed: addition.completed, ..first(new, addition.now) };
        self.rows.push(Row {
            id: self.ids,
            torrent: torrent.clone(),
            metainfo: new.metainfo.clone(),
            added_from: new.added_from,
        });
        Effect::Added(Box::new(torrent), Outcome::Created)
    }
}

impl Store for Model {
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Effect>, Fault> {
        let apply = |change: &Change| match change {
            Change::Add(addition) => self.add(addition),
            Change::Remove(hash) => {
                let before = self.rows.len();
                self.rows.retain(|row| row.torrent.info_hash != *hash);
                Effect::Removed(self.rows.len() < before)
            }
            Change::Completed(hash, count) => {
                let row = self.rows.iter_mut().find(|row| row.torrent.info_hash == *hash);
                Effect::Counted(row.map(|row| row.torrent.completed += u64::from(*count)).is_some())
            }
        };
        Ok(changes.iter().map(apply).collect())
    }

    fn get(&self, hash: &InfoHash) -> Result<Option<Torrent>, Fault> {
        Ok(self.row(hash).map(|row| row.torrent.clone()))
    }

    fn metainfo(&self, hash: &InfoHash) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.row(hash).and_then(|row| row.metainfo.clone()))
    }

    fn list(&self, select: &Select) -> Result<Page, Fault> {
        let tier = |row: &Row| select.words.as_ref().map_or(Some(0), |words| tier(&row.torrent, words));
        let mut places: Vec<(Cursor, &Row)> =
            self.rows.iter().filter_map(|row| Some((Cursor { tier: tier(row)?, id: row.id }, row))).collect();
        places.sort_by_key(|(place, _)| (place.tier, -place.id));
        let beyond = |place: &Cursor, after: Cursor| (place.tier, -place.id) > (after.tier, -after.id);
        places.retain(|(place, _)| select.after.is_none_or(|after| beyond(place, after)));
        let more = places.len() > select.limit;
        places.truncate(select.limit);
        Ok(Page {
            torrents: places.iter().map(|(_, row)| row.torrent.clone()).collect(),
            next: places.last().filter(|_| more).map(|(place, _)| place.to_string()),
        })
    }

    fn completed(&self) -> Result<Vec<(InfoHash, u64)>, Fault> {
        Ok(self.rows.iter().map(|row| (row.torrent.info_hash, row.torrent.completed)).collect())
    }
}

fn tier(torrent: &Torrent, words: &Words) -> Option<u8> {
    if torrent.name.eq_ignore_ascii_case(words.text()) {
        return Some(0);
    }
    let wanted: Vec<String> = words.words().iter().map(|word| fold(word)).collect();
    let (last, whole) = wanted.split_last()?;
    let holds = |words: &[String]| {
        whole.iter().all(|word| words.contains(word)) && words.iter().any(|word| word.starts_with(last))
    };
    let in_name = split(&torrent.name);
    let everywhere: Vec<String> =
        in_name.iter().cloned().chain(torrent.files.iter().flat_map(|file| split(&file.path))).collect();
    if holds(&in_name) { Some(1) } else { holds(&everywhere).then_some(2) }
}

fn split(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(fold).collect()
}

fn fold(word: &str) -> String {
    word.to_lowercase().replace(['é', 'è'], "e").replace('ü', "u").replace('å', "a")
}
