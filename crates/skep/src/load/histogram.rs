use std::time::Duration;

/// How often which latency was seen, within 1.6 % of each, in 15 kB whatever is recorded.
///
/// Buckets are linear within a power of two and logarithmic across them, as in HdrHistogram.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

/// Each power of two is cut into this many buckets (2 to the power of `FINE_BITS`).
const FINE: u64 = 1 << FINE_BITS;
const FINE_BITS: u32 = 6;
/// Latencies are counted up to about 2^36 ns (68 s); what took longer counts as that.
const TOP_BIT: u32 = 36;
const BUCKETS: usize = ((TOP_BIT - FINE_BITS + 1) as usize) << FINE_BITS;

impl Histogram {
    pub(super) fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, max: 0 }
    }

    pub(super) fn record(&mut self, nanos: u64) {
        self.buckets[bucket_of(nanos)] += 1;
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    pub(super) fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The latency that `share` (0 to 1) of the replies did not exceed.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        #[expect(clippy::cast_possible_truncation, reason = "a share of a count fits")]
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(highest_in(bucket).min(self.max));
            }
        }
        self.max()
    }
}

fn bucket_of(nanos: u64) -> usize {
    if nanos < FINE {
        return usize::try_from(nanos).unwrap_or(0);
    }
    let top = nanos.ilog2();
    let shift = top - FINE_BITS;
    let fine = (nanos >> shift) - FINE;
    let bucket = u64::from(shift + 1) * FINE + fine;
    usize::try_from(bucket).map_or(BUCKETS - 1, |bucket| bucket.min(BUCKETS - 1))
}

fn highest_in(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < FINE {
        return bucket;
    }
    let shift = bucket / FINE - 1;
    ((bucket % FINE + FINE + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_contiguous_and_narrow() {
        let mut last = 0;
        for exponent in 0..36 {
            for step in 0..200_u64 {
                let nanos = (1_u64 << exponent) + step * (1 << exponent) / 200;
                let bucket = bucket_of(nanos);
                assert!(bucket >= last, "{nanos}");
                last = bucket;
                let top = highest_in(bucket);
                assert!(top >= nanos && (top - nanos) as f64 <= nanos as f64 / 60.0, "{nanos} in {top}");
            }
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let mut histogram = Histogram::new();
        for micros in 1..=1000 {
            histogram.record(micros * 1000);
        }
        for (share, micros) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0)] {
            let got = histogram.quantile(share).as_secs_f64() * 1e6;
            assert!((got / micros - 1.0_f64).abs() < 0.02, "{share}: {got}");
        }
        assert_eq!(histogram.max(), Duration::from_millis(1));
        assert_eq!(Histogram::new().quantile(0.5), Duration::ZERO);
    }
}
