//! Somebody else's client: no extensions, no steering. It takes pieces in file order or the rarest it knows of, keeps
//! four upload slots by what it was given, and asks a fixed number of blocks ahead.

use std::collections::BTreeMap;

use engine::{Bits, Layout, Micros, SECOND};
use wire::peer::{Block, Message, encode};

use super::dice::Dice;

const AHEAD: usize = 16;
const SLOTS: usize = 4;
const ROUND: Micros = 5 * SECOND;

pub(crate) struct Naive {
    layout: Layout,
    pub(crate) have: Bits,
    /// By piece: blocks that are 0 missing, 1 asked for, 2 here.
    blocks: Vec<Vec<u8>>,
    peers: BTreeMap<usize, Other>,
    counts: Vec<u32>,
    in_order: bool,
    next_round: Micros,
    dice: Dice,
}

struct Other {
    has: Bits,
    chokes_us: bool,
    interested: bool,
    interesting: bool,
    choked: bool,
    asked: Vec<Block>,
    given: u64,
}

pub(crate) enum Out {
    Messages(usize, Vec<u8>),
    Block(usize, Block),
    Verify(u32),
}

impl Naive {
    pub(crate) fn new(layout: Layout, have: Bits, in_order: bool, seed: u64) -> Self {
        let blocks = (0..layout.pieces()).map(|piece| vec![0; layout.blocks(piece) as usize]).collect();
        let counts = vec![0; layout.pieces() as usize];
        let dice = Dice(seed);
        Self { layout, have, blocks, peers: BTreeMap::new(), counts, in_order, next_round: 0, dice }
    }

    pub(crate) fn next_timeout(&self) -> Micros {
        self.next_round
    }

    pub(crate) fn connected(&mut self, link: usize, out: &mut Vec<Out>) {
        let has = Bits::none(self.layout.pieces());
        let other = Other {
            has,
            chokes_us: true,
            interested: false,
            interesting: false,
            choked: true,
            asked: Vec::new(),
            given: 0,
        };
        self.peers.insert(link, other);
        if !self.have.is_empty() {
            say(link, &Message::Bitfield(&self.have.to_bitfield()), out);
        }
    }

    pub(crate) fn gone(&mut self, link: usize) {
        let Some(other) = self.peers.remove(&link) else { return };
        other.asked.iter().for_each(|block| self.release(*block));
        other.has.iter().for_each(|piece| self.counts[piece as usize] -= 1);
    }

    pub(crate) fn message(&mut self, link: usize, message: Message<'_>, out: &mut Vec<Out>) {
        let Some(other) = self.peers.get_mut(&link) else { return };
        match message {
            Message::Choke => {
                other.chokes_us = true;
                let asked = std::mem::take(&mut other.asked);
                asked.into_iter().for_each(|block| self.release(block));
            }
            Message::Unchoke => {
                other.chokes_us = false;
                self.ask(link, out);
            }
            Message::Interested => {
                other.interested = true;
                if self.peers.values().filter(|one| !one.choked).count() < SLOTS {
                    self.set_choked(link, false, out);
                }
            }
            Message::NotInterested => {
                other.interested = false;
                self.set_choked(link, true, out);
            }
            Message::Have(piece) => self.learn(link, &[piece], out),
            Message::Bitfield(bits) => {
                let has = Bits::from_bitfield(bits, self.layout.pieces()).expect("a right bitfield");
                self.learn(link, &has.iter().collect::<Vec<_>>(), out);
            }
            Message::Request(block) if !other.choked && self.have.has(block.piece) => {
                out.push(Out::Block(link, block));
            }
            _ => {}
        }
    }

    pub(crate) fn block(&mut self, link: usize, block: Block, out: &mut Vec<Out>) {
        let Some(index) = self.layout.index(block) else { return };
        if let Some(other) = self.peers.get_mut(&link) {
            other.asked.retain(|asked| *asked != block);
            other.given += u64::from(block.length);
        }
        let blocks = &mut self.blocks[block.piece as usize];
        blocks[index as usize] = 2;
        if !self.have.has(block.piece) && blocks.iter().all(|state| *state == 2) {
            out.push(Out::Verify(block.piece));
        }
        self.ask(link, out);
    }

    pub(crate) fn hashed(&mut self, piece: u32, good: bool, out: &mut Vec<Out>) {
        if !good {
            self.blocks[piece as usize].fill(0);
            return;
        }
        if self.have.insert(piece) {
            self.peers.keys().for_each(|&link| say(link, &Message::Have(piece), out));
        }
    }

    pub(crate) fn tick(&mut self, now: Micros, out: &mut Vec<Out>) {
        if now < self.next_round {
            return;
        }
        self.next_round = now + ROUND;
        let mut wishes: Vec<(u64, u64, usize)> = self
            .peers
            .iter()
            .filter(|(_, other)| other.interested)
            .map(|(&link, other)| (other.given, self.dice.next(), link))
            .collect();
        wishes.sort_unstable_by(|a, b| b.cmp(a));
        let mut chosen: Vec<usize> = wishes.iter().take(SLOTS - 1).map(|wish| wish.2).collect();
        if wishes.len() >= SLOTS {
            chosen.push(wishes[SLOTS - 1 + self.dice.below(wishes.len() - SLOTS + 1)].2);
        }
        let links: Vec<usize> = self.peers.keys().copied().collect();
        for link in links {
            self.set_choked(link, !chosen.contains(&link), out);
            self.ask(link, out);
        }
        self.peers.values_mut().for_each(|other| other.given /= 2);
    }

    fn learn(&mut self, link: usize, pieces: &[u32], out: &mut Vec<Out>) {
        let Some(other) = self.peers.get_mut(&link) else { return };
        for &piece in pieces {
            if other.has.insert(piece) {
                self.counts[piece as usize] += 1;
            }
        }
        if !other.interesting && other.has.iter().any(|piece| !self.have.has(piece)) {
            other.interesting = true;
            say(link, &Message::Interested, out);
        }
        self.ask(link, out);
    }

    fn ask(&mut self, link: usize, out: &mut Vec<Out>) {
        let Some(other) = self.peers.get_mut(&link) else { return };
        while !other.chokes_us && other.asked.len() < AHEAD {
            let (have, blocks) = (&self.have, &self.blocks);
            let fits = |piece: &u32| !have.has(*piece) && blocks[*piece as usize].contains(&0);
            let mut fitting = other.has.iter().filter(fits);
            let counts = &self.counts;
            let piece = match self.in_order {
                true => fitting.next(),
                false => fitting.min_by_key(|&piece| {
                    let started = blocks[piece as usize].iter().any(|state| *state != 0);
                    (
                        !started,
                        counts[piece as usize],
                        u64::from(piece).wrapping_mul(0x9E37_79B9).wrapping_add(link as u64) % 1_009,
                    )
                }),
            };
            let Some(piece) = piece else { return };
            let index =
                self.blocks[piece as usize].iter().position(|state| *state == 0).expect("a missing block");
            self.blocks[piece as usize][index] = 1;
            let block = self.layout.block(piece, u32::try_from(index).expect("a small number"));
            other.asked.push(block);
            say(link, &Message::Request(block), out);
        }
    }

    fn set_choked(&mut self, link: usize, choked: bool, out: &mut Vec<Out>) {
        let Some(other) = self.peers.get_mut(&link) else { return };
        if other.choked != choked {
            other.choked = choked;
            say(link, if choked { &Message::Choke } else { &Message::Unchoke }, out);
        }
    }

    fn release(&mut self, block: Block) {
        let index = self.layout.index(block).expect("a block") as usize;
        let state = &mut self.blocks[block.piece as usize][index];
        if *state == 1 {
            *state = 0;
        }
    }
}

fn say(link: usize, message: &Message<'_>, out: &mut Vec<Out>) {
    let mut bytes = Vec::new();
    encode(message, &mut bytes);
    out.push(Out::Messages(link, bytes));
}
