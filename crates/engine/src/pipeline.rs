use crate::layout::BLOCK_BYTES;
use crate::meter::Meter;
use crate::time::{MILLISECOND, Micros, SECOND};

/// The most blocks that are asked of one peer at once: 32 MiB, or 27 ms of 10 Gbit/s.
pub const REQUESTS_MAX: u32 = 2048;

/// The fewest, so that a second request is on its way while the first is answered.
const REQUESTS_MIN: u32 = 3;

/// Blocks asked of a peer whose rate is not known yet.
const REQUESTS_FIRST: u32 = 6;

/// Over how long the rate is measured: short, so that the queue grows with the rate.
const WINDOW: Micros = SECOND;

/// What a queue holds beyond two round trips, as time at the peer's rate: room for jitter of the sender's turn-taking.
const SLACK: Micros = 50 * MILLISECOND;

/// How many blocks to ask of a peer ahead of their arrival.
///
/// The queue is worth two round trips and a little slack at the measured rate. While the queue is what limits the rate
/// (rate = queue / round trip), that is twice the queue: it doubles each round trip, like TCP's slow start. Once the
/// link limits the rate, it stays at a bandwidth × delay and the slack. The round trip is the shortest seen, so that
/// time spent in the sender's own queue does not lengthen it.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    meter: Meter,
    round_trip: Option<Micros>,
}

impl Pipeline {
    pub(crate) const fn new(now: Micros) -> Self {
        Self { meter: Meter::new(WINDOW, now), round_trip: None }
    }

    /// Nothing was asked until now; the rate says nothing of the time before.
    pub(crate) fn wakes(&mut self, now: Micros) {
        if self.meter.bytes(now) == 0 {
            self.meter.restart(now);
        }
    }

    /// A block came, this long after it was asked for.
    pub(crate) fn arrived(&mut self, bytes: u32, took: Micros, now: Micros) {
        self.meter.add(bytes, now);
        self.round_trip = Some(self.round_trip.map_or(took, |shortest| shortest.min(took)));
    }

    /// Whether anything ever came.
    pub(crate) const fn is_proven(&self) -> bool {
        self.round_trip.is_some()
    }

    /// Bytes a second.
    pub(crate) fn rate(&mut self, now: Micros) -> u64 {
        self.meter.rate(now)
    }

    /// How many blocks should be on their way, if the peer queues up to `queue_max`.
    pub(crate) fn target(&mut self, queue_max: u32, now: Micros) -> u32 {
        let Some(round_trip) = self.round_trip else { return REQUESTS_FIRST.min(queue_max) };
        let bytes =
            u128::from(self.meter.rate(now)) * u128::from(2 * round_trip + SLACK) / u128::from(SECOND);
        let blocks = u32::try_from(bytes / u128::from(BLOCK_BYTES)).unwrap_or(u32::MAX);
        blocks.clamp(REQUESTS_MIN, REQUESTS_MAX).min(queue_max.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of `rate` bytes a second and `delay` one way, for `span`; the queue at its end.
    fn queue_after(rate: u64, delay: Micros, span: Micros) -> u32 {
        let block = u64::from(BLOCK_BYTES) * SECOND / rate;
        let mut pipeline = Pipeline::new(0);
        let (mut free_at, mut now, mut target) = (0, 0, pipeline.target(5_000, 0));
        let mut coming = std::collections::VecDeque::new();
        while now < span {
            while coming.len() < target as usize {
                free_at = (now + delay).max(free_at) + block;
                coming.push_back((now, free_at + delay));
            }
            let (asked, at) = coming.pop_front().unwrap();
            now = at;
            pipeline.arrived(BLOCK_BYTES, now - asked, now);
            target = pipeline.target(5_000, now);
        }
        target
    }

    #[test]
    fn the_queue_covers_the_link_from_slow_to_fast() {
        let covers = |rate: u64, delay: Micros, queue: u32| {
            u64::from(queue) * u64::from(BLOCK_BYTES) * SECOND >= rate * 2 * delay
        };
        for (rate, delay) in [
            (16 << 10, 50 * MILLISECOND),
            (1 << 20, 100 * MILLISECOND),
            (125_000_000, 20 * MILLISECOND),
            (1_250_000_000, MILLISECOND),
        ] {
            let queue = queue_after(rate, delay, 8 * SECOND);
            assert!(covers(rate, delay, queue) || queue == REQUESTS_MAX, "{rate} {delay}: {queue}");
        }
        assert_eq!(queue_after(16 << 10, 50 * MILLISECOND, 20 * SECOND), REQUESTS_MIN);
        assert_eq!(queue_after(1_250_000_000, 50 * MILLISECOND, 8 * SECOND), REQUESTS_MAX);
    }
}
