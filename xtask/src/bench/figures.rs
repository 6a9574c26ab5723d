use std::fmt;

/// What several rounds showed of one quantity.
#[derive(Debug, Clone, Default)]
pub(super) struct Series(Vec<f64>);

impl Series {
    pub(super) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle one; `None` of none.
    pub(super) fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
        Some(f64::midpoint(*low, *high))
    }

    /// This median as a multiple of another's.
    pub(super) fn over(&self, other: Option<&Self>) -> String {
        match (self.median(), other.and_then(Self::median)) {
            (Some(this), Some(other)) if other != 0.0 => format!("{:.2}", this / other),
            _ => "–".to_owned(),
        }
    }
}

impl fmt::Display for Series {
    /// The median, and the least and the greatest in parentheses, with as many decimals as asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(0);
        let Some(median) = self.median() else { return write!(f, "–") };
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let shown = |value: f64| grouped(&format!("{value:.decimals$}"));
        if self.0.len() < 2 {
            return write!(f, "{}", shown(median));
        }
        write!(f, "{} ({}–{})", shown(median), shown(least), shown(greatest))
    }
}

/// Sets blanks between the thousands of a number's whole part.
fn grouped(number: &str) -> String {
    let whole = number.find('.').unwrap_or(number.len());
    let mut text = String::new();
    for (at, character) in number.chars().enumerate() {
        if at > 0 && at < whole && (whole - at).is_multiple_of(3) && text != "-" {
            text.push(' ');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        Series(values.to_vec())
    }

    #[test]
    fn medians_and_spread() {
        assert_eq!(format!("{:.1}", series(&[3.0, 1.0, 2.0])), "2.0 (1.0–3.0)");
        assert_eq!(format!("{:.2}", series(&[1.0, 2.0])), "1.50 (1.00–2.00)");
        assert_eq!(format!("{:.0}", series(&[7.0])), "7");
        assert_eq!(format!("{}", series(&[])), "–");
    }

    #[test]
    fn ratios_are_of_medians() {
        let (one, two) = (series(&[1.0, 2.0, 9.0]), series(&[4.0]));
        assert_eq!(one.over(Some(&two)), "0.50");
        assert_eq!(one.over(None), "–");
        assert_eq!(one.over(Some(&series(&[0.0]))), "–");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped("1234567.8"), "1 234 567.8");
        assert_eq!(grouped("123"), "123");
        assert_eq!(grouped("-123456"), "-123 456");
    }
}
