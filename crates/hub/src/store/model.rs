//! A store as simple as can be, to hold the real ones against.

use swarm::{InfoHash, UserId};

use super::merge::{first, merge};
use super::roll::{
    Act, AuditEntry, Deed, Done, Invite, Limits, Member, MemberPatch, NewMember, Pass, Rule, SecretHash,
    Span, Token,
};
use super::{
    Addition, Change, Cursor, Effect, Fault, Outcome, Page, Select, Store, Torrent, Words, counted_as_one,
};

/// Rows in a list, searched from end to end. Knows the accents of the tests' letters only.
#[derive(Default)]
pub(super) struct Model {
    rows: Vec<Row>,
    ids: i64,
    members: Vec<Member>,
    member_ids: u32,
    invites: Vec<(SecretHash, Invite)>,
    invite_ids: i64,
    tokens: Vec<Token>,
    rules: Vec<Rule>,
    rule_ids: i64,
    audit: Vec<AuditEntry>,
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

/// The roll.
impl Model {
    fn act(&mut self, Act { deed, record }: &Act) -> Done {
        let done = match deed {
            Deed::Record => Done::Yes,
            Deed::AddMember(new, code) => self.add_member(new, *code, record.at),
            Deed::ChangeMember { name, version, patch } => self.change_member(name, *version, patch),
            Deed::RemoveMember { name, version } => match self.place(name, *version) {
                Ok(at) => Done::Member(Box::new(self.members.remove(at))),
                Err(done) => done,
            },
            Deed::AddInvite(invite, code) => {
                self.invite_ids += 1;
                let invite = Invite { id: self.invite_ids, ..invite.clone() };
                self.invites.push((*code, invite.clone()));
                Done::Invite(Box::new(invite))
            }
            Deed::RemoveInvite(id) => removed(&mut self.invites, |(_, invite)| invite.id == *id),
            Deed::AddToken(token) if self.tokens.iter().any(|other| other.name == token.name) => Done::Taken,
            Deed::AddToken(token) => {
                self.tokens.push(token.clone());
                Done::Yes
            }
            Deed::RemoveToken(name) => removed(&mut self.tokens, |token| token.name == *name),
            Deed::AddRule(rule, over) => self.add_rule(rule, over),
            Deed::RemoveRule(id) => removed(&mut self.rules, |rule| rule.id == *id),
        };
        if done.is_effect() {
            self.audit.push(record.clone());
        }
        done
    }

    fn add_member(&mut self, new: &NewMember, code: Option<SecretHash>, now: i64) -> Done {
        if self.member(&new.name).is_ok_and(|member| member.is_some()) {
            return Done::Taken;
        }
        let mut invited_by = None;
        if let Some(code) = code {
            let good = |(hash, invite): &&mut (SecretHash, Invite)| {
                *hash == code && invite.uses_left > 0 && invite.until.is_none_or(|until| until > now)
            };
            let Some((_, invite)) = self.invites.iter_mut().find(good) else { return Done::NotInvited };
            invite.uses_left -= 1;
            invited_by = Some(invite.created_by.clone());
        }
        self.member_ids += 1;
        let NewMember { name, role, until, passkey } = new.clone();
        let member = Member {
            id: UserId(self.member_ids),
            name,
            role,
            disabled: false,
            until,
            passkey: Some(passkey),
            limits: Limits::default(),
            invited_by,
            created_at: now,
            version: 1,
        };
        self.members.push(member.clone());
        Done::Member(Box::new(member))
    }

    fn change_member(&mut self, name: &str, version: Option<u64>, patch: &MemberPatch) -> Done {
        match self.place(name, version) {
            Ok(at) => {
                self.members[at] = self.members[at].patched(patch);
                Done::Member(Box::new(self.members[at].clone()))
            }
            Err(done) => done,
        }
    }

    fn add_rule(&mut self, rule: &Rule, over: &[i64]) -> Done {
        self.rules.retain(|other| !over.contains(&other.id));
        let same = |other: &&mut Rule| (other.list, &other.entry) == (rule.list, &rule.entry);
        let made = match self.rules.iter_mut().find(same) {
            Some(other) => {
                *other = Rule { id: other.id, ..rule.clone() };
                other.clone()
            }
            None => {
                self.rule_ids += 1;
                let rule = Rule { id: self.rule_ids, ..rule.clone() };
                self.rules.push(rule.clone());
                rule
            }
        };
        Done::Rule(Box::new(made))
    }

    fn place(&self, name: &str, version: Option<u64>) -> Result<usize, Done> {
        let at = self.members.iter().position(|member| member.name.eq_ignore_ascii_case(name));
        let at = at.ok_or(Done::Unknown)?;
        let now = self.members[at].version;
        if version.is_none_or(|version| version == now) { Ok(at) } else { Err(Done::Stale(now)) }
    }
}

fn removed<T>(all: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> Done {
    let before = all.len();
    all.retain(|one| !is_it(one));
    if all.len() < before { Done::Yes } else { Done::Unknown }
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
            Change::Act(act) => Effect::Acted(self.act(act)),
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

    fn member(&self, name: &str) -> Result<Option<Member>, Fault> {
        Ok(self.members.iter().find(|member| member.name.eq_ignore_ascii_case(name)).cloned())
    }

    fn members(&self, span: Span) -> Result<Vec<Member>, Fault> {
        let behind = self.members.iter().filter(|member| i64::from(member.id.0) > span.after);
        Ok(behind.take(span.limit).cloned().collect())
    }

    fn passes(&self) -> Result<Vec<Pass>, Fault> {
        Ok(self.members.iter().filter_map(Member::pass).collect())
    }

    fn invites(&self, span: Span) -> Result<Vec<Invite>, Fault> {
        let invites = self.invites.iter().map(|(_, invite)| invite);
        Ok(invites.filter(|invite| invite.id > span.after).take(span.limit).cloned().collect())
    }

    fn tokens(&self) -> Result<Vec<Token>, Fault> {
        Ok(self.tokens.clone())
    }

    fn rules(&self) -> Result<Vec<Rule>, Fault> {
        Ok(self.rules.clone())
    }

    fn audit(&self, span: Span) -> Result<Vec<(i64, AuditEntry)>, Fault> {
        let numbered = (1..).zip(self.audit.iter().cloned()).collect::<Vec<(i64, _)>>().into_iter().rev();
        Ok(numbered.filter(|(id, _)| span.after == 0 || *id < span.after).take(span.limit).collect())
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
