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

/// Over how long the longest pause is remembered; twice as long at most.
const PAUSE_WINDOW: Micros = 2 * SECOND;

/// The longest pause that counts: a peer that keeps still for longer does not do so as a rule.
const PAUSE_MAX: Micros = SECOND;

/// How many blocks to ask of a peer ahead of their arrival.
///
/// The queue is worth two round trips and a little slack at the measured rate. While the queue is what limits the rate
/// (rate = queue / round trip), that is twice the queue: it doubles each round trip, like TCP's slow start. Once the
/// link limits the rate, it stays at a bandwidth × delay and the slack. The round trip is the shortest seen, so that
/// time spent in the sender's own queue does not lengthen it.
///
/// Some peers look at what they were asked for only now and then (Transmission, twice a second), so that a block may
/// come at once and the next after a pause. Where pauses are longer than the round trip they stand in its place. On a
/// link that is busy all the time a pause is the time of one block, and makes no difference.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    meter: Meter,
    round_trip: Option<Micros>,
    last_arrival: Micros,
    /// The longest pause in this window and in the one before.
    pauses: [Micros; 2],
    /// The window's number, counted from the origin of time.
    pause_window: u64,
}

impl Pipeline {
    pub(crate) const fn new(now: Micros) -> Self {
        Self {
            meter: Meter::new(WINDOW, now),
            round_trip: None,
            last_arrival: now,
            pauses: [0; 2],
            pause_window: now / PAUSE_WINDOW,
        }
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
        // Before it was asked for, nothing need have been.
        let pause = took.min(now.saturating_sub(self.last_arrival));
        self.last_arrival = now;
        self.pauses = self.pauses_at(now);
        self.pauses[0] = self.pauses[0].max(pause);
        self.pause_window = now / PAUSE_WINDOW;
    }

    fn pauses_at(&self, now: Micros) -> [Micros; 2] {
        match (now / PAUSE_WINDOW).saturating_sub(self.pause_window) {
            0 => self.pauses,
            1 => [0, self.pauses[0]],
            _ => [0; 2],
        }
    }

    /// Whether anything ever came.
    pub(crate) const fn is_proven(&self) -> bool {
        self.round_trip.is_some()
    }

    /// Bytes a second.
    pub(crate) fn rate(&mut self, now: Micros) -> u64 {
        self.meter.rate(now)
    }

    /// How many blocks should be on their way, if the peer queues up to `queue_max`. Always fewer, if they are not one:
    /// Transmission rejects the one that would fill its queue, ten seconds later.
    pub(crate) fn target(&mut self, queue_max: u32, now: Micros) -> u32 {
        let queue_max = queue_max.saturating_sub(1).max(1);
        let Some(round_trip) = self.round_trip else { return REQUESTS_FIRST.min(queue_max) };
        let [pause, before] = self.pauses_at(now);
        let wait = round_trip.max(pause.max(before).min(PAUSE_MAX));
        let bytes = u128::from(self.meter.rate(now)) * u128::from(2 * wait + SLACK) / u128::from(SECOND);
        let blocks = u32::try_from(bytes / u128::from(BLOCK_BYTES)).unwrap_or(u32::MAX);
        blocks.clamp(REQUESTS_MIN, REQUESTS_MAX).min(queue_max)
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

    /// Bytes that come in `span` from a peer that looks at what it was asked for once in `period` only, and then sends
    /// at `rate`.
    fn bytes_from_pulses(rate: u64, period: Micros, span: Micros) -> u64 {
        let block = u64::from(BLOCK_BYTES) * SECOND / rate;
        let mut pipeline = Pipeline::new(0);
        let (mut bytes, mut queue) = (0, std::collections::VecDeque::new());
        for pulse in (0..span).step_by(usize::try_from(period).unwrap()) {
            // What it is asked for while it sends waits for the next time.
            let mut now = pulse;
            while now < pulse + period {
                while queue.len() < pipeline.target(5_000, now) as usize {
                    queue.push_back(now);
                }
                match queue.front().copied().filter(|asked| *asked <= pulse) {
                    Some(asked) => {
                        queue.pop_front();
                        now += block;
                        bytes += u64::from(BLOCK_BYTES);
                        pipeline.arrived(BLOCK_BYTES, now - asked, now);
                    }
                    None => break,
                }
            }
        }
        bytes
    }

    #[test]
    fn a_peer_that_sends_in_pulses_is_asked_for_enough_for_each() {
        for (rate, period) in [(10_000_000, SECOND / 2), (50_000_000, SECOND / 4), (1_000_000, SECOND)] {
            let span = 20 * SECOND;
            let bytes = bytes_from_pulses(rate, period, span);
            assert!(bytes > rate * span / SECOND / 2, "{bytes} of {rate} a second");
        }
    }

    #[test]
    fn a_peers_queue_is_never_filled() {
        let mut pipeline = Pipeline::new(0);
        for (queue_max, first, later) in [(0, 1, 1), (1, 1, 1), (4, 3, 3), (512, REQUESTS_FIRST, 511)] {
            assert_eq!(Pipeline::new(0).target(queue_max, 0), first);
            (0..1_000).for_each(|_| pipeline.arrived(BLOCK_BYTES, SECOND, SECOND));
            assert_eq!(pipeline.target(queue_max, SECOND), later);
        }
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
