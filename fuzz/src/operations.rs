//! What holds state is done things to, and compared with a naive model of itself.

use swarm::{Event, Families};

#[path = "../../crates/swarm/tests/directory_model/mod.rs"]
mod directory_model;
#[path = "../../crates/swarm/tests/model/mod.rs"]
mod model;

use model::{Op, Pair};

/// Bytes an operation is read from.
const OP_BYTES: usize = 6;

/// Operations that one input asks for at most: each compares the whole model.
const OPS_MAX: usize = 40;

/// Whatever is done to a registry, its answers are those of the model.
///
/// # Panics
/// Where that does not hold.
pub fn registry(data: &[u8]) {
    let mut pair = Pair::new(data.len() as u64);
    for bytes in data.as_chunks::<OP_BYTES>().0.iter().take(OPS_MAX) {
        pair.apply(op(*bytes));
    }
}

fn op([what, hash, low, high, a, b]: [u8; OP_BYTES]) -> Op {
    let wide = u16::from_be_bytes([high, low]);
    match what % 16 {
        0 => Op::Crowd { hash, first: wide, peers: u16::from(a / 8), seeders: b & 1 == 0 },
        1 => Op::Wait { secs: wide.into() },
        2 => Op::Sweep { budget: wide.into() },
        3 => Op::SweepAll,
        4 => Op::Pin { hash, completed: wide.into() },
        5 => Op::Unpin { hash },
        6 => Op::Remove { hash },
        7 => Op::Restart,
        _ => Op::Announce {
            hash,
            // Few peers most of the time, so that the same ones come back.
            peer: if high < 200 { wide % 8 } else { wide },
            left: [None, Some(0), Some(1), Some(u64::MAX)][usize::from(a % 4)],
            event: [Event::Update, Event::Started, Event::Completed, Event::Stopped, Event::Paused]
                [usize::from(a / 4 % 5)],
            want: b.into(),
            families: [Families::V4, Families::V6, Families::Both][usize::from(a / 32 % 3)],
        },
    }
}

/// Bytes an operation on a directory is read from.
const DIRECTORY_OP_BYTES: usize = 8;

/// Whatever is done to a directory, its answers are those of the model. The first byte says how much memory it has.
///
/// # Panics
/// Where that does not hold.
pub fn directory(data: &[u8]) {
    let Some((&memory, data)) = data.split_first() else { return };
    let memory_bytes_max = (memory % 2 == 1).then(|| usize::from(memory) * 40);
    let mut pair = directory_model::Pair::new(data.len() as u64, memory_bytes_max);
    for bytes in data.as_chunks::<DIRECTORY_OP_BYTES>().0.iter().take(OPS_MAX) {
        pair.apply(directory_op(*bytes));
    }
    pair.finish();
}

fn directory_op([what, dialect, label, place, a, b, c, d]: [u8; DIRECTORY_OP_BYTES]) -> directory_model::Op {
    use directory_model::{Op, Who};
    let who = Who { dialect, label, place };
    match what % 16 {
        0 => Op::Leave { who },
        1 => Op::Beat { who },
        2 => Op::Seeders { want: a, families: b },
        3 => Op::Wait { secs: a },
        4 => Op::Expire { budget: a },
        5 | 6 => Op::Probe,
        7 => Op::Probed { which: a, answered: b & 1 == 1 },
        8..=10 => Op::LookUp { who, name: a, known: b & 1 == 1, want: c, families: d },
        _ => Op::Join {
            who,
            names: u16::from_be_bytes([b, a]),
            extent: c,
            list: d,
            serves_all: what / 16 % 2 == 1,
        },
    }
}
