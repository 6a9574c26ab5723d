//! Bodies, which are whole in memory, within bounds.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Problem;

/// Bytes of all request bodies that are in memory at a time, and of all large answers.
pub(crate) const BODIES_BYTES_MAX: usize = 256 << 20;

/// Bodies are counted in units of so many bytes.
const UNIT_BYTES: usize = 1024;

/// The least that a body takes of the budget once it has a byte.
const STEP_BYTES: usize = 16 << 10;

/// Seconds after which there may be room for another body.
const RETRY_SECS: u32 = 2;

/// The memory that bodies share.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Semaphore>);

/// A body in memory, and its part of the budget.
#[derive(Debug)]
pub(crate) struct Held {
    /// The bytes.
    pub bytes: Vec<u8>,
    _room: Vec<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget of so many bytes, 1 KiB at least.
    #[must_use]
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Reads `body`, which may have `bytes_max` bytes.
    ///
    /// # Errors
    ///
    /// 413 if it has more, 503 if other bodies take all the memory there is for them, 400 if it breaks off.
    pub(crate) async fn read(&self, mut body: Body, bytes_max: usize) -> Result<Held, Problem> {
        let too_large =
            || Problem::too_large(format!("the body has more than the {bytes_max} bytes that are taken"));
        let stated = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if stated > bytes_max {
            return Err(too_large());
        }
        // A body is paid for as it comes: who only announces a large one takes nothing from others.
        let mut held = Held { bytes: Vec::new(), _room: Vec::new() };
        let mut paid = 0;
        while let Some(chunk) = next_chunk(&mut body).await? {
            let length = held.bytes.len() + chunk.len();
            if length > bytes_max {
                return Err(too_large());
            }
            if length > paid {
                // As much again as is there, so that there are few permits however small the chunks.
                let more = length.max(STEP_BYTES);
                held._room.push(self.room(more)?);
                paid += more;
            }
            held.bytes.extend_from_slice(&chunk);
        }
        Ok(held)
    }

    /// An answer's body that has its part of the budget until it is sent.
    ///
    /// # Errors
    ///
    /// 503 if there is no room for it.
    pub(crate) fn lend(&self, bytes: Vec<u8>) -> Result<Body, Problem> {
        let room = self.room(bytes.len())?;
        Ok(Body::from(Bytes::from_owner(Held { bytes, _room: vec![room] })))
    }

    fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        self.0
            .clone()
            .try_acquire_many_owned(units)
            .map_err(|_| Problem::unavailable("the hub is busy with other large requests", RETRY_SECS))
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        match frame.transpose() {
            Ok(None) => return Ok(None),
            // Trailers are not looked at.
            Ok(Some(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Err(error) => {
                let detail = format!("the body broke off: {error}");
                return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_are_read_within_their_limit_and_the_budget_they_share() {
        let budget = Budget::new(64 << 10);
        let read = |bytes: usize, max| {
            let budget = budget.clone();
            async move { budget.read(Body::from(vec![7; bytes]), max).await }
        };
        assert!(read(0, 0).await.unwrap().bytes.is_empty());
        assert_eq!(read(4096, 4096).await.unwrap().bytes, vec![7; 4096]);
        assert_eq!(read(4097, 4096).await.unwrap_err().status(), 413);
        assert_eq!(read(65_537, 90_000).await.unwrap_err().status(), 503);
        let held = read(40_000, 65_536).await.unwrap();
        assert_eq!(read(30_000, 65_536).await.unwrap_err().status(), 503);
        drop(held);
        assert_eq!(read(30_000, 65_536).await.unwrap().bytes.len(), 30_000);
        let lent = budget.lend(vec![7; 40_000]).unwrap();
        assert_eq!(read(30_000, 65_536).await.unwrap_err().status(), 503);
        drop(lent);
        assert!(read(30_000, 65_536).await.is_ok());
    }
}
