//! Any operations in any order, held to an image of the payload in memory.

use proptest::prelude::*;

use super::*;

const PIECE_BYTES: u32 = 64;
const BLOCK_BYTES: u32 = 16;

#[derive(Debug, Clone)]
enum Op {
    /// A block comes, as it should be or not.
    Write {
        piece: u32,
        block: u32,
        good: bool,
    },
    /// All blocks of a piece come.
    Fetch {
        piece: u32,
    },
    Verify {
        piece: u32,
    },
    Save,
    /// The program ends, and starts again.
    Reopen,
    /// The program ends in order, and somebody changes a byte of a file before it starts again.
    Flip {
        file: usize,
        at: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let piece = 0..7_u32;
    prop_oneof![
        6 => (piece.clone(), 0..4_u32, prop::bool::weighted(0.8))
            .prop_map(|(piece, block, good)| Op::Write { piece, block, good }),
        4 => piece.clone().prop_map(|piece| Op::Fetch { piece }),
        4 => piece.prop_map(|piece| Op::Verify { piece }),
        1 => Just(Op::Save),
        1 => Just(Op::Reopen),
        1 => (0..7_usize, 0..100_usize).prop_map(|(file, at)| Op::Flip { file, at }),
    ]
}

/// What should be on disk.
struct Model {
    image: Vec<u8>,
    verified: Vec<bool>,
}

impl Model {
    fn range(layout: &Layout, piece: u32) -> std::ops::Range<usize> {
        let start = usize::try_from(layout.position(piece, 0)).unwrap();
        start..start + layout.piece_bytes(piece) as usize
    }

    fn is_good(&self, layout: &Layout, piece: u32) -> bool {
        let hash: [u8; 20] = Sha1::digest(&self.image[Self::range(layout, piece)]).into();
        layout.hash(piece) == Some(hash)
    }

    fn write(&mut self, layout: &Layout, piece: u32, begin: u32, data: &[u8]) {
        if self.verified[piece as usize] {
            return;
        }
        let position = layout.position(piece, begin);
        let mut at = usize::try_from(position).unwrap();
        let mut data = data;
        for span in layout.spans(position, data.len()) {
            let (part, rest) = data.split_at(span.bytes);
            if span.file.is_some() {
                self.image[at..at + span.bytes].copy_from_slice(part);
            }
            (at, data) = (at + span.bytes, rest);
        }
    }
}

fn small() -> (Layout, Vec<u8>) {
    let files =
        [("a", 100), ("empty", 0), (".pad/28", 28), ("b/c", 128), ("b/d", 3), ("b/e/f", 70), ("g", 80)];
    let files: Vec<_> = files.map(|(name, bytes)| (path(name), bytes)).into();
    torrent(&files, PIECE_BYTES.into(), None)
}

fn run(ops: &[Op]) {
    let bench = Bench::in_memory(small(), &Config { open_files_max: 2, ..Config::default() });
    let layout = &bench.layout;
    let mut model =
        Model { image: vec![0; bench.payload.len()], verified: vec![false; layout.pieces() as usize] };
    let mut open = Some(bench.reopen().0);
    for op in ops {
        let current = open.as_ref().unwrap();
        match *op {
            Op::Write { piece, block, good } => {
                let range = Model::range(layout, piece);
                let start = range.len().min((block * BLOCK_BYTES) as usize);
                let end = range.len().min(start + BLOCK_BYTES as usize);
                if start < end {
                    let mut data = bench.payload[range][start..end].to_vec();
                    data[0] ^= u8::from(!good);
                    let begin = u32::try_from(start).unwrap();
                    current.write(piece, begin, &data);
                    model.write(layout, piece, begin, &data);
                }
            }
            Op::Fetch { piece } => {
                current.write_piece(&bench.payload, piece);
                model.write(layout, piece, 0, &bench.payload[Model::range(layout, piece)]);
            }
            Op::Verify { piece } => {
                current.storage.verify(piece);
                let (said, good) = current.hashed();
                assert_eq!(said, piece);
                // A file that has nothing yet does not exist, and holds no zeros.
                let is_good = good.unwrap_or_else(|problem| {
                    assert_eq!(problem.cause, Cause::Missing);
                    model.is_good(layout, piece) && model.verified[piece as usize]
                });
                assert_eq!(is_good, model.is_good(layout, piece), "piece {piece}");
                model.verified[piece as usize] |= is_good;
            }
            Op::Save => current.storage.save(&bench.state_dir()).unwrap(),
            Op::Reopen => {
                drop(open.take());
                open = Some(reopen(&bench, &mut model));
            }
            Op::Flip { file, at } => {
                current.storage.save(&bench.state_dir()).unwrap();
                drop(open.take());
                flip_one(&bench, &mut model, file, at);
                open = Some(reopen(&bench, &mut model));
            }
        }
    }
    let last = open.unwrap();
    last.fetch(&bench.payload, 0..layout.pieces());
    bench.assert_complete();
    for piece in 0..layout.pieces() {
        let data = last.read(piece, 0, layout.piece_bytes(piece)).unwrap();
        assert!(data == bench.payload[Model::range(layout, piece)]);
    }
}

/// Opens the torrent again: what was verified and is not changed is there, and nothing that is wrong.
fn reopen(bench: &Bench, model: &mut Model) -> Open {
    let (open, checked) = bench.reopen();
    for piece in 0..bench.layout.pieces() {
        let good = model.is_good(&bench.layout, piece);
        let was_verified = model.verified[piece as usize];
        assert!(!checked.have.contains(piece) || good, "piece {piece} is not good");
        assert!(checked.have.contains(piece) || !(good && was_verified), "piece {piece} was lost");
        model.verified[piece as usize] = checked.have.contains(piece);
    }
    open
}

fn flip_one(bench: &Bench, model: &mut Model, file: usize, at: usize) {
    let own = bench.layout.path(file).fold(bench.target(), |path, name| path.join(name));
    let path = [own, bench.parts().join(file.to_string())].into_iter().find(|path| path.is_file());
    let before: u64 = bench.layout.files()[..file].iter().map(|file| file.length).sum();
    let bytes = usize::try_from(bench.layout.files()[file].length).unwrap();
    if let Some(path) = path.filter(|_| at < bytes) {
        // The threads may still be at what was asked of them.
        drop(bench.open());
        flip(&path, at);
        model.image[usize::try_from(before).unwrap() + at] ^= 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_there_is_what_was_verified(ops in prop::collection::vec(op(), 0..60)) {
        run(&ops);
    }
}
