use std::sync::Arc;

use parking_lot::Mutex;

use super::budget::Room;

/// The bytes of a buffer, as many as a block has as a rule (BEP 3). What is longer gets memory of its own.
pub(super) const BUFFER_BYTES: usize = 16 << 10;

/// Buffers that are waiting to be used again.
#[derive(Debug)]
pub(super) struct Buffers {
    free: Mutex<Vec<Box<[u8]>>>,
    free_max: usize,
}

/// Memory for a block. It goes back to where it came from when it is dropped, after the room for it.
#[derive(Debug)]
pub(super) struct Buffer {
    data: Box<[u8]>,
    bytes: usize,
    home: Arc<Buffers>,
    _room: Room,
}

impl Buffers {
    /// Keeps at most `bytes_max`.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { free: Mutex::default(), free_max: bytes_max / BUFFER_BYTES }
    }

    /// A buffer of `bytes`, whatever is in it.
    pub(super) fn take(self: &Arc<Self>, bytes: usize, room: Room) -> Buffer {
        let used = if bytes <= BUFFER_BYTES { self.free.lock().pop() } else { None };
        let data = used.unwrap_or_else(|| vec![0; bytes.max(BUFFER_BYTES)].into());
        Buffer { data, bytes, home: self.clone(), _room: room }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.data[..self.bytes]
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.data[..self.bytes]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let data = std::mem::take(&mut self.data);
        if data.len() == BUFFER_BYTES {
            let mut free = self.home.free.lock();
            if free.len() < self.home.free_max {
                free.push(data);
            }
        }
    }
}
