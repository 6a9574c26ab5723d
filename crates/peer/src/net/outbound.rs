use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;
use wire::peer::Block;

/// Bytes of messages without data that may wait for a peer that does not read.
const MESSAGES_BYTES_MAX: usize = 8 << 20;

/// Bytes that are sent with one call to the system, as far as there are so many.
const BATCH_BYTES: usize = 256 << 10;

/// What waits to be sent through one connection, in order. Blocks are only named, and read when it is their turn.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    queue: Mutex<Queue>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    message_bytes: usize,
}

/// Something to send.
#[derive(Debug)]
pub(crate) enum Item {
    /// Whole messages.
    Messages(Vec<u8>),
    /// The data of a `piece` message.
    Block(Block),
}

/// Too much waits: the other side does not read.
#[derive(Debug)]
pub(crate) struct Full;

impl Outbound {
    /// Puts whole messages behind what waits.
    pub(crate) fn messages(&self, bytes: &[u8]) -> Result<(), Full> {
        let mut queue = self.queue.lock();
        queue.message_bytes += bytes.len();
        if queue.message_bytes > MESSAGES_BYTES_MAX {
            return Err(Full);
        }
        match queue.items.back_mut() {
            Some(Item::Messages(waiting)) => waiting.extend_from_slice(bytes),
            _ => queue.items.push_back(Item::Messages(bytes.to_vec())),
        }
        drop(queue);
        self.ready.notify_one();
        Ok(())
    }

    /// Puts a block behind what waits. The engine bounds how many there are.
    pub(crate) fn block(&self, block: Block) {
        self.queue.lock().items.push_back(Item::Block(block));
        self.ready.notify_one();
    }

    /// Waits for something to send, and takes as much as should be sent at once.
    pub(crate) async fn take(&self) -> Vec<Item> {
        loop {
            let taken = self.queue.lock().take();
            if !taken.is_empty() {
                return taken;
            }
            self.ready.notified().await;
        }
    }
}

impl Queue {
    fn take(&mut self) -> Vec<Item> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES {
            let Some(item) = self.items.pop_front() else { break };
            bytes += match &item {
                Item::Messages(messages) => {
                    self.message_bytes -= messages.len();
                    messages.len()
                }
                Item::Block(block) => block.length as usize,
            };
            taken.push(item);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(n: u32) -> Block {
        Block { piece: n, begin: 0, length: 16 << 10 }
    }

    #[tokio::test]
    async fn order_is_kept_and_messages_are_gathered() {
        let outbound = Outbound::default();
        outbound.messages(b"ab").unwrap();
        outbound.messages(b"c").unwrap();
        outbound.block(block(1));
        outbound.messages(b"d").unwrap();
        let taken = outbound.take().await;
        assert!(
            matches!(&taken[..], [Item::Messages(abc), Item::Block(_), Item::Messages(d)] if abc == b"abc" && d == b"d")
        );
    }

    #[tokio::test]
    async fn a_batch_is_bounded() {
        let outbound = Outbound::default();
        (0..40).for_each(|n| outbound.block(block(n)));
        assert_eq!(outbound.take().await.len(), 16);
        assert_eq!(outbound.take().await.len(), 16);
        assert_eq!(outbound.take().await.len(), 8);
    }

    #[test]
    fn who_does_not_read_is_noticed() {
        let outbound = Outbound::default();
        let full = (0..=8).find_map(|_| outbound.messages(&[0; 1 << 20]).err());
        assert!(full.is_some());
    }
}
