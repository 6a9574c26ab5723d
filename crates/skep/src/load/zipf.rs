use rand::{Rng, RngExt};

/// Draws a rank below `n` with a chance proportional to 1 / (rank + 1)^exponent, in constant time and no memory.
///
/// W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions",
/// 1996: invert the integral of the continuous hat, round, and reject the little that the hat has too much.
#[derive(Debug, Clone)]
pub(super) struct Zipf {
    n: u32,
    exponent: f64,
    area_first: f64,
    area_last: f64,
    accept_within: f64,
}

impl Zipf {
    pub(super) fn new(n: u32, exponent: f64) -> Self {
        let mut zipf = Self { n, exponent, area_first: 0.0, area_last: 0.0, accept_within: 0.0 };
        zipf.area_first = zipf.area(1.5) - 1.0;
        zipf.area_last = zipf.area(f64::from(n) + 0.5);
        zipf.accept_within = 2.0 - zipf.inverse_area(zipf.area(2.5) - zipf.height(2.0));
        zipf
    }

    pub(super) fn draw(&self, rng: &mut impl Rng) -> u32 {
        loop {
            let area = self.area_last + rng.random::<f64>() * (self.area_first - self.area_last);
            let x = self.inverse_area(area);
            let rank = x.round().clamp(1.0, f64::from(self.n));
            if rank - x <= self.accept_within || area >= self.area(rank + 0.5) - self.height(rank) {
                #[expect(clippy::cast_possible_truncation, reason = "clamped to 1..=n")]
                return rank as u32 - 1;
            }
        }
    }

    fn height(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The integral of `height`, up to a constant; written so that an exponent near 1 is no special case.
    fn area(&self, x: f64) -> f64 {
        let log = x.ln();
        growth((1.0 - self.exponent) * log) * log
    }

    fn inverse_area(&self, area: f64) -> f64 {
        let t = (area * (1.0 - self.exponent)).max(-1.0);
        (log_growth(t) * area).exp()
    }
}

/// (e^x − 1) / x.
fn growth(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x / 2.0 }
}

/// ln(1 + x) / x.
fn log_growth(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x / 2.0 }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    #[test]
    fn ranks_follow_the_law() {
        const DRAWS: u32 = 400_000;
        for (n, exponent) in [(1, 1.0), (2, 0.5), (50, 1.0), (50, 0.8), (50, 2.0)] {
            let zipf = Zipf::new(n, exponent);
            let mut rng = SmallRng::seed_from_u64(7);
            let mut seen = vec![0_u32; n as usize];
            for _ in 0..DRAWS {
                seen[zipf.draw(&mut rng) as usize] += 1;
            }
            let weight = |rank: usize| (rank as f64 + 1.0).powf(-exponent);
            let sum: f64 = (0..n as usize).map(weight).sum();
            for (rank, seen) in seen.iter().enumerate() {
                let expected = f64::from(DRAWS) * weight(rank) / sum;
                let error = (f64::from(*seen) - expected).abs();
                assert!(error < 5.0 * expected.sqrt() + 1.0, "{n} {exponent} {rank}: {seen} for {expected}");
            }
        }
    }

    #[test]
    fn large_populations_stay_in_range() {
        let zipf = Zipf::new(u32::MAX, 0.9);
        let mut rng = SmallRng::seed_from_u64(1);
        assert!((0..10_000).all(|_| zipf.draw(&mut rng) < u32::MAX));
    }
}
