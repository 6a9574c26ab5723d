//! Moments as people write and read them, in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");

const EXPECTED: &str = "a date as 2027-01-31, a time from now as 30d or 12h, or `never` is expected";

/// A moment to come, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// It does not come.
    Never,
    /// At this second, in Unix time.
    At(i64),
}

impl When {
    /// In Unix seconds, if it comes.
    pub(crate) const fn unix(self) -> Option<i64> {
        match self {
            Self::Never => None,
            Self::At(secs) => Some(secs),
        }
    }

    fn read(text: &str, now: i64) -> Option<Self> {
        if text == "never" {
            return Some(Self::Never);
        }
        if let Ok(date) = Date::parse(text, DATE) {
            return Some(Self::At(date.midnight().assume_utc().unix_timestamp()));
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let span = digits.parse::<u32>().ok()?;
        now.checked_add(i64::from(span) * unit).map(Self::At)
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self::read(text, i64::try_from(now).unwrap_or(i64::MAX)).ok_or(EXPECTED)
    }
}

/// A second of Unix time, to the minute.
pub(crate) struct Minute(pub(crate) i64);

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            OffsetDateTime::from_unix_timestamp(self.0).ok().and_then(|moment| moment.format(MINUTE).ok());
        match text {
            Some(text) => f.pad(&text),
            // Beyond the calendar.
            None => f.pad(&self.0.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_or_spans() {
        let read = |text| When::read(text, 1_000);
        assert_eq!(read("never"), Some(When::Never));
        assert_eq!(read("1970-01-02"), Some(When::At(86_400)));
        assert_eq!(read("2027-01-31"), Some(When::At(1_801_353_600)));
        assert_eq!(read("5m"), Some(When::At(1_300)));
        assert_eq!(read("2h"), Some(When::At(8_200)));
        assert_eq!(read("30d"), Some(When::At(1_000 + 30 * 86_400)));
        for wrong in ["", "5", "d", "-1d", "1.5d", "1w", "2027-02-30", "2027-1-1", "tomorrow", "99999999999d"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_moment_is_told_to_the_minute() {
        assert_eq!(Minute(1_801_353_659).to_string(), "2027-01-31 00:00");
        assert_eq!(format!("{:>18}", Minute(0)), "  1970-01-01 00:00");
        assert_eq!(Minute(i64::MAX).to_string(), i64::MAX.to_string());
    }
}
