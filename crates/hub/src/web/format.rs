//! Numbers as people read them.

/// Bytes in the largest binary unit of which there is at least one, with three digits at most: `1.38 GiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be shown as 1000 or more is 1 of the next unit, or nearly.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = match value {
        _ if value >= 99.95 => 0,
        _ if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// Digits in groups of three: `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number and what it counts: `1 peer`, `2 peers`.
pub(super) fn counted(number: u64, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {one}{ending}", count(number))
}

/// The day of a Unix time, in UTC: `2026-01-31`. `None` for one that no calendar has.
pub(super) fn date(unix_secs: i64) -> Option<String> {
    /// The last second of the year 9999.
    const LAST: i64 = 253_402_300_799;
    if !(0..=LAST).contains(&unix_secs) {
        return None;
    }
    // Howard Hinnant's civil_from_days, for days from 1970 on: eras of 400 years that begin in March.
    let days = unix_secs / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// A span in its largest unit: `3 days`.
pub(super) fn span(secs: u32) -> String {
    let secs = u64::from(secs);
    match secs {
        0..60 => counted(secs, "second"),
        60..3_600 => counted(secs / 60, "minute"),
        3_600..86_400 => counted(secs / 3_600, "hour"),
        _ => counted(secs / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1536, "1.50 KiB"),
            (1_023_999, "0.98 MiB"),
            (1_048_575, "1.00 MiB"),
            (67_108_864, "64.0 MiB"),
            (1_481_763_717, "1.38 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "peer"), "1 peer");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (secs, day) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(date(secs).as_deref(), Some(day));
        }
        assert_eq!(date(-1).or(date(i64::MAX)), None);
    }

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        assert_eq!(
            [1, 59, 60, 7200, 300_000].map(span),
            ["1 second", "59 seconds", "1 minute", "2 hours", "3 days"]
        );
    }
}
