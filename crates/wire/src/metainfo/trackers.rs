use std::collections::BTreeMap;

use super::TRACKERS_MAX;
use super::decode::lossy;
use crate::Malformed;
use crate::bencode::{Dict, Rules, Tree, put_bytes, put_dict, put_list};

/// The same torrent with other trackers: `announce` and `announce-list` are replaced, or taken out if `tiers` name
/// none. The info dictionary's bytes, and with them its hash, stay as they are; so does all else, sorted by key as
/// BEP 3 demands even where it was not. Bytes after the torrent are dropped.
///
/// # Errors
/// `bytes` is not a bencoded dictionary with an `info` dictionary in it.
pub fn with_trackers(bytes: &[u8], tiers: &[Vec<String>]) -> Result<Vec<u8>, Malformed> {
    let tree = Tree::parse(bytes, &Rules::LENIENT)?;
    let Some(outer) = tree.root().as_dict() else {
        return Err(tree.root().fault("the torrent", "a dictionary"));
    };
    if outer.dict("info")?.is_none() {
        return Err(Malformed::new("the torrent has no `info`: a dictionary is expected"));
    }
    let mut entries = BTreeMap::new();
    for (key, value) in outer.iter() {
        entries.entry(key).or_insert(value.raw());
    }
    let (announce, announce_list) = encoded(tiers);
    for (key, value) in [(&b"announce"[..], &announce), (b"announce-list", &announce_list)] {
        match value {
            Some(value) => entries.insert(key, value),
            None => entries.remove(key),
        };
    }
    let mut out = Vec::with_capacity(tree.end());
    put_dict(&mut out, |dict| {
        for (key, raw) in entries {
            dict.key(key).extend_from_slice(raw);
        }
    });
    Ok(out)
}

/// The values of `announce` and `announce-list` for `tiers`: the first tracker, and the list if there are more.
pub(super) fn encoded(tiers: &[Vec<String>]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let mut all = tiers.iter().flatten();
    let announce = all.next().map(|first| {
        let mut out = Vec::new();
        put_bytes(&mut out, first.as_bytes());
        out
    });
    let list = all.next().is_some().then(|| {
        let mut out = Vec::new();
        put_list(&mut out, |out| {
            for tier in tiers.iter().filter(|tier| !tier.is_empty()) {
                put_list(out, |out| tier.iter().for_each(|url| put_bytes(out, url.as_bytes())));
            }
        });
        out
    });
    (announce, list)
}

/// The tiers that a torrent names (BEP 12), `announce` before them if they do not name it. A list of plain addresses,
/// which some programs write, has one tier for each.
pub(super) fn tiers(outer: Dict<'_, '_>) -> Result<Vec<Vec<String>>, Malformed> {
    let mut tiers: Vec<Vec<String>> = Vec::new();
    let mut count = 0;
    for item in
        outer.get("announce-list").and_then(|value| value.as_list()).into_iter().flat_map(|list| list.iter())
    {
        let many = item.as_list().into_iter().flat_map(|tier| tier.iter().filter_map(|url| url.as_bytes()));
        let tier: Vec<_> =
            item.as_bytes().into_iter().chain(many).filter(|url| !url.is_empty()).map(lossy).collect();
        count += tier.len();
        if !tier.is_empty() {
            tiers.push(tier);
        }
    }
    if count > TRACKERS_MAX {
        return Err(Malformed::new(format!("{count} trackers are too many: {TRACKERS_MAX} at most")));
    }
    if let Some(announce) =
        outer.get("announce").and_then(|value| value.as_bytes()).filter(|url| !url.is_empty())
    {
        let announce = lossy(announce);
        if !tiers.iter().flatten().any(|url| *url == announce) {
            tiers.insert(0, vec![announce]);
        }
    }
    Ok(tiers)
}
