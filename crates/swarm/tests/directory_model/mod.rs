//! The directory beside a naive model of itself: what is done to one is done to the other, and each answer compared.

mod naive;

use std::collections::BTreeSet;
use std::net::IpAddr;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use swarm::directory::{
    Ask, ChunkList, Config, Dialect, Extent, FileName, HolderView, Join, Joined, Key, Offer, Refused, Ticket,
};
use swarm::{Directory, Endpoint, Families, Port, Seconds};

use naive::{Model, Naive, OwnedKey};

/// Everything that has a bound, small enough to be met.
pub(crate) const CONFIG: Config = Config {
    memory_bytes_max: usize::MAX,
    names_max: 7,
    names_per_holder_max: 4,
    holders_per_address_max: 9,
    index_ttl_secs: 15,
    beacon_ttl_secs: 30,
    chunklist_ttl_secs: 29,
    probe_interval_secs: 60,
    probes_in_flight_max: 2,
    secret: 0,
};

/// Names to be offered, one of them longer than the memory of a tight directory likes.
const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "[download]a", LONG];
const LONG: &str =
    "a name that is longer than others, as if somebody had put the whole of its contents into it";

/// Something that can be done to a directory. Holders and names are picked by number from a few.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    /// Somebody offers the names whose bits are set, and perhaps a chunk list.
    Join { who: Who, names: u16, extent: u8, list: u8, serves_all: bool },
    /// Somebody says goodbye.
    Leave { who: Who },
    /// Somebody says that it is here.
    Beat { who: Who },
    /// Somebody looks a name up.
    LookUp { who: Who, name: u8, known: bool, want: u8, families: u8 },
    /// The seeders are listed.
    Seeders { want: u8, families: u8 },
    /// Time passes.
    Wait { secs: u8 },
    /// Holders whose time is over are let go.
    Expire { budget: u8 },
    /// Somebody is probed, if it is time.
    Probe,
    /// One of the probes has an outcome.
    Probed { which: u8, answered: bool },
}

/// One of a few holders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who {
    pub(crate) dialect: u8,
    pub(crate) label: u8,
    pub(crate) place: u8,
}

/// The directory, its model, and the time both live in.
pub(crate) struct Pair {
    directory: Directory,
    model: Model,
    config: Config,
    now: Seconds,
    rng: SmallRng,
    tickets: Vec<(Ticket, OwnedKey, Seconds)>,
}

impl Pair {
    /// With a memory budget in bytes, or without one.
    pub(crate) fn new(seed: u64, memory_bytes_max: Option<usize>) -> Self {
        let memory_bytes_max = memory_bytes_max.unwrap_or(usize::MAX);
        let config = Config { memory_bytes_max, secret: seed, ..CONFIG };
        Self {
            directory: Directory::new(config),
            model: Model::default(),
            config,
            now: 0,
            rng: SmallRng::seed_from_u64(seed),
            tickets: Vec::new(),
        }
    }

    /// Does `op` to both, and compares.
    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Join { who, names, extent, list, serves_all } => {
                self.join(who, names, extent, list, serves_all);
            }
            Op::Leave { who } => {
                let key = who.key();
                assert_eq!(self.directory.leave(&key), self.model.remove(&key.into()).is_some());
            }
            Op::Beat { who } => {
                let key = who.key();
                assert_eq!(self.directory.beat(&key, self.now), self.model.beat(&key.into(), self.now));
            }
            Op::LookUp { who, name, known, want, families } => {
                let says = matches!(who.dialect(), Dialect::Token | Dialect::Index);
                let asker = (known && says).then(|| who.key());
                let name = NAMES[usize::from(name) % NAMES.len()];
                let (families, want) = (family(families), usize::from(want % 12));
                self.look_up(&Ask { dialect: who.dialect(), name, asker, families, want });
            }
            Op::Seeders { want, families } => self.seeders(usize::from(want % 12), family(families)),
            Op::Wait { secs } => self.now += u32::from(secs),
            Op::Expire { budget } => self.expire(usize::from(budget % 24)),
            Op::Probe => {
                let probe = self.directory.next_probe(self.now);
                let expected = self.model.next_probe(&self.config, self.now);
                assert_eq!(
                    probe.map(|probe| probe.endpoint),
                    expected.as_ref().map(|(_, endpoint)| *endpoint)
                );
                if let (Some(probe), Some((key, _))) = (probe, expected) {
                    self.tickets.push((probe.ticket, key, self.now));
                }
            }
            Op::Probed { which, answered } => {
                // Outcomes come more than once, and late.
                let Some((ticket, key, since)) =
                    self.tickets.get(usize::from(which) % self.tickets.len().max(1)).cloned()
                else {
                    return;
                };
                let mut gone = None;
                self.directory.probed(ticket, answered, self.now, |holder| gone = Some(holder.key().into()));
                assert_eq!(gone, self.model.probed(&key, since, answered, self.now));
            }
        }
        self.compare();
    }

    /// Lets everybody leave, and sees that nothing is left of them.
    pub(crate) fn finish(mut self) {
        for key in self.model.keys() {
            assert!(self.directory.leave(&key.as_key()), "{key:?}");
        }
        let refused = self.directory.stats().refused;
        assert_eq!(self.directory.stats(), swarm::directory::Stats { refused, ..Default::default() });
    }

    fn join(&mut self, who: Who, names: u16, extent: u8, list: u8, serves_all: bool) {
        let extent_of = |bit: usize| match (usize::from(extent) + bit) % 5 {
            0 => Extent::Unknown,
            1 => Extent::Bytes(u64::from(extent) * 60_000),
            _ => Extent::Parts(u32::from(extent) % 3),
        };
        let bits = (0..NAMES.len()).filter(|bit| names >> bit & 1 == 1);
        let name = |bit| FileName::new(NAMES[bit]).expect("a name");
        let mut offers: Vec<_> = bits.map(|bit| Offer { name: name(bit), extent: extent_of(bit) }).collect();
        if names >> 15 == 1
            && let Some(&first) = offers.first()
        {
            offers.push(Offer { extent: Extent::Parts(77), ..first });
        }
        let name = name(usize::from(who.label) % NAMES.len());
        let bytes = vec![b'x'; usize::from(list % 4) * 100];
        let list = ChunkList { name, bytes: &bytes, stated_bytes: u64::from(list) };
        let endpoint = who.endpoint();
        let label = who.label();
        let mut join = match who.dialect() {
            Dialect::Token => Join::token(&label, endpoint, &offers),
            Dialect::Index => Join::index(&label, endpoint, &offers),
            Dialect::Beacon => Join::beacon(endpoint, &offers),
            Dialect::Chunklist => {
                offers.clear();
                // One place is told by its seeder to be elsewhere.
                let elsewhere = Endpoint::new(IpAddr::from([192, 0, 2, 1]), endpoint.port());
                Join::chunklist(endpoint.ip(), if who.place % 9 == 8 { elsewhere } else { endpoint }, list)
            }
        };
        if serves_all {
            join = join.serving_all((names >> 14 & 1 == 1).then_some(list));
        }
        let has_list = who.dialect() == Dialect::Chunklist || serves_all && names >> 14 & 1 == 1;
        let new = Naive::joining(&join, &offers, has_list.then_some(list), serves_all, self.now);
        let before = self.directory.memory_bytes();
        let outcome = self.directory.join(&join, self.now);
        if outcome == Err(Refused::Full) {
            // Tables double and arrays grow by a part of themselves, so that much may be wanted for little.
            assert!(2 * before + 3_000 > self.config.memory_bytes_max, "refused at {before} bytes");
            return;
        }
        let joined = |known| if known { Joined::Known } else { Joined::New };
        assert_eq!(outcome, self.model.join(new, offers.len(), &self.config).map(joined));
    }

    fn look_up(&mut self, ask: &Ask<'_>) {
        let answer = self.directory.look_up(ask, &mut self.rng);
        let told: Vec<_> = answer.rows.iter().map(|row| OwnedKey::from(row.holder.key())).collect();
        let asker = ask.asker.map(OwnedKey::from);
        let groups = self.model.told(ask.dialect, ask.name, asker.as_ref(), ask.families);
        assert_told(&told, &groups, ask.want);
        for (row, key) in answer.rows.iter().zip(&told) {
            assert_eq!(row.extent, self.model.extent(key, ask.name, ask.dialect));
            assert_eq!((row.name, row.holder.label()), (ask.name, &*key.label));
        }
        let parts = (ask.dialect == Dialect::Token).then(|| self.model.parts(ask.name)).flatten();
        assert_eq!(answer.parts, parts);
    }

    fn seeders(&mut self, want: usize, families: Families) {
        let rows = self.directory.seeders(want, families, &mut self.rng);
        let told: Vec<_> = rows.iter().map(|row| OwnedKey::from(row.holder.key())).collect();
        let mut groups = Vec::new();
        for name in NAMES {
            groups.extend(self.model.told(Dialect::Chunklist, name, None, families));
        }
        assert_told(&told, &groups, want);
        for (row, key) in rows.iter().zip(&told) {
            assert_eq!(row.extent, self.model.extent(key, row.name, Dialect::Chunklist));
            assert!(row.holder.is_listed());
        }
    }

    fn expire(&mut self, budget: usize) {
        let mut gone: Vec<OwnedKey> = Vec::new();
        let expired = self.directory.expire(self.now, budget, |holder| gone.push(holder.key().into()));
        let (expected, done) = self.model.expire(&self.config, self.now, budget);
        assert_eq!((gone.len(), expired.done), (expired.holders, done));
        assert_eq!(gone, expected);
    }

    fn compare(&self) {
        let stats = self.directory.stats();
        assert!(stats.memory_bytes <= self.config.memory_bytes_max, "{} bytes", stats.memory_bytes);
        assert_eq!(stats.holders, Dialect::ALL.map(|dialect| self.model.holders(dialect)));
        assert_eq!(stats.names, Dialect::ALL.map(|dialect| self.model.names_served(dialect)));
        assert_eq!(stats.names_in_all, self.model.names().len());
        assert_eq!(stats.probes, self.model.probes());

        let mut seen = BTreeSet::new();
        for dialect in Dialect::ALL {
            let mut from = Some(0);
            while let Some(at) = from {
                let page = self.directory.holders(dialect, at, 2);
                assert!(page.rows.len() <= 2);
                for holder in page.rows {
                    assert_eq!(holder.dialect(), dialect);
                    self.compare_holder(holder);
                    assert!(seen.insert(OwnedKey::from(holder.key())), "{holder:?} is listed twice");
                }
                from = page.next;
            }
        }
        assert!(seen.into_iter().eq(self.model.keys()));
        let mut from = Some(0);
        let mut names = BTreeSet::new();
        while let Some(at) = from {
            let page = self.directory.names(at, 3);
            names.extend(page.rows.iter().map(|name| name.text().to_owned()));
            from = page.next;
        }
        assert_eq!(names, self.model.names());
        for name in NAMES {
            assert_eq!(
                self.directory.chunk_list(name).map(|bytes| bytes.to_vec()),
                self.model.chunk_list(name)
            );
        }
    }

    fn compare_holder(&self, holder: HolderView<'_>) {
        let key = OwnedKey::from(holder.key());
        let model = self.model.holder(&key);
        assert_eq!((holder.endpoint(), holder.source()), (model.endpoint, key.source), "{key:?}");
        assert_eq!(holder.serves_all(), model.serves_all, "{key:?}");
        assert_eq!(holder.failures(), model.probed.then_some(model.failures), "{key:?}");
        assert_eq!(holder.idle_secs(self.now), self.now - model.since, "{key:?}");
        let list = model.list.as_ref().map(|list| (&*list.name, list.bytes.len()));
        assert_eq!(holder.chunk_list(), list, "{key:?}");
        let names: BTreeSet<_> = holder.names().map(|(name, _)| name).collect();
        assert!(names.into_iter().eq(model.names.keys().map(|name| &**name)), "{key:?}");
        assert_eq!(holder.names_len(), model.names.len(), "{key:?}");
    }
}

/// As many are told of as there are groups, or as are wanted; one of each group, and nobody else.
fn assert_told(told: &[OwnedKey], groups: &[BTreeSet<OwnedKey>], want: usize) {
    assert_eq!(told.len(), groups.len().min(want), "{told:?} of {groups:?}");
    let mut groups: Vec<_> = groups.iter().collect();
    for key in told {
        let at = groups.iter().position(|group| group.contains(key));
        groups.swap_remove(at.unwrap_or_else(|| panic!("{key:?} is none to be told of")));
    }
}

fn family(number: u8) -> Families {
    [Families::V4, Families::V6, Families::Both, Families::Both][usize::from(number % 4)]
}

impl Who {
    fn dialect(self) -> Dialect {
        Dialect::ALL[usize::from(self.dialect % 4)]
    }

    fn label(self) -> String {
        format!("p{}", self.label % 3)
    }

    /// One of three addresses and three ports.
    fn endpoint(self) -> Endpoint {
        let ip = match self.place % 3 {
            0 => IpAddr::from([10, 0, 0, 1]),
            1 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]),
            _ => IpAddr::from([10, 0, 0, 2]),
        };
        Endpoint::new(ip, Port::new(6_000 + u16::from(self.place / 3 % 3)).expect("not 0"))
    }

    fn key(self) -> Key<'static> {
        const LABELS: [&str; 3] = ["p0", "p1", "p2"];
        let source = self.endpoint().ip();
        match self.dialect() {
            Dialect::Token => Key::token(LABELS[usize::from(self.label % 3)], source),
            Dialect::Index => Key::index(LABELS[usize::from(self.label % 3)], source),
            Dialect::Chunklist => Key::chunklist(NAMES[usize::from(self.label) % NAMES.len()], source),
            Dialect::Beacon => Key::beacon(self.endpoint()),
        }
    }
}
