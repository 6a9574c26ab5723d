//! Two or three peers that talk directly, message by message.

use std::collections::VecDeque;

use engine::{
    Action, Bits, Config, Content, Event, Identity, Layout, Link, Micros, PeerKey, Priority, Reason, SECOND,
    Session, Source, Torrent,
};
use swarm::{Endpoint, InfoHash, PeerId, Port};
use wire::peer::{Block, ExtensionHandshake, FRAME_BYTES_MAX, Message, Metadata, encode_extended, frame};

const INFO: &[u8] = &[b'i'; 40_000];

struct Side {
    torrent: Torrent,
    session: Session,
    key: Option<PeerKey>,
    log: Vec<String>,
    metadata_id: u8,
}

fn layout() -> Layout {
    Layout::new(200_000, 32_768).expect("pieces")
}

fn endpoint(n: u8) -> Endpoint {
    Endpoint::new([10, 0, 0, n].into(), Port::new(6881).expect("a port"))
}

fn content(have: Bits, private: bool) -> Content {
    Content { layout: layout(), private, metadata_bytes: 40_000, have }
}

impl Side {
    fn new(n: u8, content: Option<Content>, config: Config) -> Self {
        let identity = Identity {
            info_hash: InfoHash([1; 20]),
            peer_id: PeerId([n; 20]),
            port: Port::new(6881),
            client: "test",
        };
        Self {
            torrent: Torrent::new(identity, content, config, u64::from(n), 0),
            session: Session::new(100, 10),
            key: None,
            log: Vec::new(),
            metadata_id: 1,
        }
    }

    fn seeder(n: u8) -> Self {
        Self::new(n, Some(content(Bits::all(layout().pieces()), false)), Config::default())
    }

    fn leecher(n: u8) -> Self {
        Self::new(n, Some(content(Bits::none(layout().pieces()), false)), Config::default())
    }

    fn link(other: u8, dialed: bool, fast: bool) -> Link {
        let dialed = dialed.then(|| endpoint(other));
        Link { ip: endpoint(other).ip(), dialed, peer_id: PeerId([other; 20]), fast, extended: true }
    }

    fn connect(&mut self, other: u8, dialed: bool, fast: bool) -> Result<PeerKey, Reason> {
        self.torrent.connected(&Self::link(other, dialed, fast), 0, &mut self.session)
    }

    fn tell(&mut self, event: Event<'_>, now: Micros) {
        self.torrent.handle(event, now, &mut self.session);
    }

    /// Takes all actions; the bytes and blocks for the other side.
    fn act(&mut self, now: Micros) -> Vec<Result<Vec<u8>, Block>> {
        let mut out = Vec::new();
        let mut follow = Vec::new();
        let mut whole = None;
        while let Some(action) = self.torrent.next_action() {
            match action {
                Action::Send { bytes, .. } => out.push(Ok(bytes.to_vec())),
                Action::SendBlock { peer, block } => {
                    out.push(Err(block));
                    follow.push(Event::Sent { peer, bytes: block.length });
                }
                Action::SendMetadata { id, block, .. } => {
                    let data = INFO.chunks(16_384).nth(block as usize).expect("a block");
                    let answer = Metadata::Data { block, total_bytes: 40_000, data };
                    let mut bytes = Vec::new();
                    encode_extended(id, &mut bytes, |payload| answer.encode(payload));
                    out.push(Ok(bytes));
                }
                Action::Verify { piece } => follow.push(Event::Hashed { piece, good: true }),
                Action::Write { block } => follow.push(Event::Written { bytes: block.length }),
                Action::Metadata { bytes } => whole = Some(bytes.to_vec()),
                other => self.log.push(format!("{other:?}")),
            }
        }
        if let Some(whole) = whole {
            assert_eq!(whole, INFO);
            self.log.push("Metadata".into());
            self.torrent.described(content(Bits::none(layout().pieces()), false), now, &mut self.session);
            out.extend(self.act(now));
        }
        if !follow.is_empty() {
            follow.into_iter().for_each(|event| self.tell(event, now));
            out.extend(self.act(now));
        }
        out
    }

    fn hear(&mut self, what: &Result<Vec<u8>, Block>, now: Micros) {
        let Some(peer) = self.key else { return };
        match what {
            Err(block) => self.tell(Event::Block { peer, block: *block }, now),
            Ok(bytes) => {
                let mut rest = &bytes[..];
                while let Some((body, used)) = frame(rest, FRAME_BYTES_MAX).expect("a right length") {
                    rest = &rest[used..];
                    let message = Message::decode(body).expect("a right message");
                    if let Message::Extended { id: 0, payload } = message
                        && let Ok(hello) = ExtensionHandshake::decode(payload)
                    {
                        self.metadata_id = hello.metadata_id.unwrap_or(self.metadata_id);
                    }
                    self.tell(Event::Message { peer, message }, now);
                }
            }
        }
    }
}

/// Lets two talk for `span`, with nothing between them.
fn talk(a: &mut Side, b: &mut Side, span: Micros) {
    let mut queue: VecDeque<(bool, Result<Vec<u8>, Block>)> = VecDeque::new();
    for now in (0..=span).step_by(100_000) {
        a.tell(Event::Tick, now);
        b.tell(Event::Tick, now);
        loop {
            queue.extend(a.act(now).into_iter().map(|what| (true, what)));
            queue.extend(b.act(now).into_iter().map(|what| (false, what)));
            let Some((from_a, what)) = queue.pop_front() else { break };
            if from_a { b.hear(&what, now) } else { a.hear(&what, now) }
        }
    }
}

fn joined(mut a: Side, mut b: Side, fast: bool) -> (Side, Side) {
    a.key = Some(a.connect(2, true, fast).expect("wanted"));
    b.key = Some(b.connect(1, false, fast).expect("wanted"));
    (a, b)
}

#[test]
fn a_seeder_feeds_a_leecher_with_and_without_the_fast_extension() {
    for fast in [true, false] {
        for spread in [true, false] {
            let config = Config { spread, ..Config::default() };
            let seeder = Side::new(2, Some(content(Bits::all(layout().pieces()), false)), config);
            let (mut leecher, mut seeder) = joined(Side::leecher(1), seeder, fast);
            talk(&mut leecher, &mut seeder, 20 * SECOND);
            assert!(leecher.torrent.is_complete());
            assert_eq!(leecher.log.iter().filter(|line| *line == "Completed").count(), 1);
            assert!(!seeder.log.contains(&"Completed".to_owned()));
            let stats = leecher.torrent.stats(20 * SECOND);
            assert_eq!((stats.downloaded, stats.wasted, stats.left), (200_000, 0, 0));
            assert_eq!(seeder.torrent.stats(20 * SECOND).uploaded, 200_000);
            // Two seeds have nothing for each other.
            assert!(leecher.log.iter().any(|line| line.contains("Useless")), "{:?}", leecher.log);
        }
    }
}

#[test]
fn a_magnet_link_gets_its_description_from_a_peer() {
    for fast in [true, false] {
        let nameless = Side::new(1, None, Config::default());
        let (mut leecher, mut seeder) = joined(nameless, Side::seeder(2), fast);
        talk(&mut leecher, &mut seeder, 20 * SECOND);
        assert_eq!(leecher.log.iter().filter(|line| *line == "Metadata").count(), 1);
        assert!(leecher.torrent.is_complete(), "{fast}");
    }
}

#[test]
fn a_seeder_that_hides_its_pieces_does_not_say_that_it_wants_none() {
    for spread in [true, false] {
        let config = Config { spread, ..Config::default() };
        let mut seeder = Side::new(1, Some(content(Bits::all(layout().pieces()), false)), config);
        seeder.connect(2, false, true).expect("wanted");
        let hello = seeder.act(0).into_iter().find_map(Result::ok).expect("a handshake");
        assert_eq!(hello.windows(11).any(|window| window == b"upload_only"), !spread);
    }
}

#[test]
fn what_is_not_wanted_is_not_fetched() {
    let (mut leecher, mut seeder) = joined(Side::leecher(1), Side::seeder(2), true);
    let mut priorities = vec![Priority::Skip; layout().pieces() as usize];
    priorities[3] = Priority::Normal;
    leecher.tell(Event::Priorities(&priorities), 0);
    talk(&mut leecher, &mut seeder, 10 * SECOND);
    assert!(leecher.torrent.is_complete());
    assert_eq!(leecher.torrent.have().map(|have| have.iter().collect::<Vec<_>>()), Some(vec![3]));
    assert_eq!(leecher.torrent.stats(0).downloaded, 32_768);
    // A partial seed may change its mind.
    leecher.tell(Event::Priorities(&vec![Priority::Normal; layout().pieces() as usize]), 10 * SECOND);
    assert!(!leecher.torrent.is_complete());
}

#[test]
fn nobody_connects_to_itself_or_twice() {
    let mut one = Side::seeder(5);
    assert_eq!(one.connect(5, true, true), Err(Reason::Ourselves));
    let first = one.connect(9, false, true).expect("wanted");
    assert_eq!(one.connect(9, false, true), Err(Reason::Duplicate));
    // Both connected at once: the connection stays that the higher id has made.
    assert_eq!(one.connect(9, true, true), Err(Reason::Duplicate));
    let dialed = one.connect(3, false, true).expect("wanted");
    let kept = one.connect(3, true, true).expect("the higher id's own");
    assert_ne!(dialed, kept);
    one.act(0);
    assert!(one.log.iter().any(|line| line.contains("Duplicate")));
    assert_eq!((one.torrent.stats(0).peers, one.session.connections()), (2, 2));
    one.tell(Event::Gone { peer: first }, 0);
    one.tell(Event::Gone { peer: first }, 0);
    assert_eq!(one.session.connections(), 1);
}

#[test]
fn connections_are_bounded() {
    let config = Config { peers_max: 3, ..Config::default() };
    let mut one = Side::new(1, Some(content(Bits::none(layout().pieces()), false)), config);
    let endpoints: Vec<_> = (10..60).map(endpoint).collect();
    one.session.half_open_max = 2;
    one.tell(Event::Addresses { source: Source::Tracker, endpoints: &endpoints }, 0);
    one.act(0);
    assert_eq!((one.log.len(), one.session.half_open()), (2, 2));
    for n in 10..13 {
        one.connect(n, true, true).expect("there is room");
    }
    assert_eq!(one.connect(13, false, true), Err(Reason::Full));
}

#[test]
fn a_private_torrent_neither_tells_nor_hears_of_peers() {
    for private in [true, false] {
        let mut one = Side::new(1, Some(content(Bits::none(layout().pieces()), private)), Config::default());
        one.key = Some(one.connect(2, true, true).expect("wanted"));
        one.connect(3, true, true).expect("wanted");
        let hello = one.act(0).into_iter().find_map(Result::ok).expect("a handshake");
        assert_eq!(hello.windows(6).any(|window| window == b"ut_pex"), !private);
        let mut bytes = Vec::new();
        let greeting = ExtensionHandshake { pex_id: Some(7), ..ExtensionHandshake::default() };
        encode_extended(0, &mut bytes, |payload| greeting.encode(payload));
        one.hear(&Ok(std::mem::take(&mut bytes)), 0);
        one.tell(Event::Tick, SECOND);
        let said = one.act(SECOND);
        assert_eq!(said.iter().flatten().any(|bytes| bytes.get(4..6) == Some(&[20, 7])), !private);
        encode_extended(2, &mut bytes, |payload| {
            wire::peer::encode_pex(&[(endpoint(77), wire::peer::PexFlags::default())], &[], payload);
        });
        one.hear(&Ok(bytes), SECOND);
        one.act(SECOND);
        assert_eq!(one.log.iter().any(|line| line.contains("10.0.0.77")), !private);
    }
}

#[test]
fn what_the_protocol_forbids_ends_the_connection() {
    let block = |piece, begin, length| Block { piece, begin, length };
    for message in [
        Message::Have(7),
        Message::Bitfield(&[0; 2]),
        Message::Bitfield(&[1]),
        Message::Request(block(0, 0, 16_385)),
        Message::Request(block(9, 0, 1)),
        Message::Request(block(0, u32::MAX, 1)),
        Message::Piece { piece: 0, begin: 1, data: &[0; 16_384] },
        Message::Extended { id: 0, payload: b"x" },
    ] {
        let mut one = Side::leecher(1);
        let peer = one.connect(2, true, true).expect("wanted");
        one.tell(Event::Message { peer, message }, 0);
        one.act(0);
        assert!(one.log.iter().any(|line| line.contains("Violation")), "{message:?}: {:?}", one.log);
        assert_eq!(one.session.connections(), 0);
    }
}

#[test]
fn silence_ends_a_connection_and_keep_alives_prevent_it() {
    let (mut leecher, mut other) = joined(Side::leecher(1), Side::leecher(2), true);
    talk(&mut leecher, &mut other, 400 * SECOND);
    assert_eq!(leecher.torrent.stats(0).peers, 1);
    leecher.tell(Event::Tick, 800 * SECOND);
    leecher.act(800 * SECOND);
    assert!(leecher.log.iter().any(|line| line.contains("Silent")), "{:?}", leecher.log);
}

#[test]
fn a_paused_torrent_closes_and_refuses() {
    let (mut leecher, mut seeder) = joined(Side::leecher(1), Side::seeder(2), true);
    talk(&mut leecher, &mut seeder, 0);
    leecher.tell(Event::Pause, 0);
    leecher.act(0);
    assert_eq!(leecher.torrent.stats(0).peers, 0);
    assert_eq!(leecher.connect(3, false, true), Err(Reason::Paused));
    leecher.tell(Event::Resume, 0);
    assert!(leecher.connect(3, false, true).is_ok());
}

#[test]
fn a_full_disk_queue_stops_the_asking() {
    let config = Config { unwritten_bytes_max: 16_384, ..Config::default() };
    let mut one = Side::new(1, Some(content(Bits::none(layout().pieces()), false)), config);
    let peer = one.connect(2, true, true).expect("wanted");
    for message in [Message::HaveAll, Message::Unchoke] {
        one.tell(Event::Message { peer, message }, 0);
    }
    let mut asked = 0;
    let mut requests = |one: &mut Side| {
        let mut blocks = Vec::new();
        while let Some(action) = one.torrent.next_action() {
            if let Action::Send { bytes, .. } = action {
                let mut rest = bytes;
                while let Some((body, used)) = frame(rest, FRAME_BYTES_MAX).expect("a right length") {
                    rest = &rest[used..];
                    if let Ok(Message::Request(block)) = Message::decode(body) {
                        blocks.push(block);
                    }
                }
            }
        }
        asked += blocks.len();
        blocks
    };
    let first = requests(&mut one);
    for &block in &first {
        one.tell(Event::Block { peer, block }, SECOND / 10);
    }
    assert_eq!(requests(&mut one), []);
    let bytes = first.iter().map(|block| block.length).sum();
    one.tell(Event::Written { bytes }, SECOND / 10);
    assert!(!requests(&mut one).is_empty());
}
