//! Numbers and foreign text as a person reads them.

use std::borrow::Cow;
use std::time::Duration;

/// The binary units, each 1024 of the one before.
const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// A number of bytes in three or four digits: `0 B`, `1.50 KiB`, `15.0 MiB`, `1023 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let mut unit = 0;
    let mut scaled = bytes as f64;
    // Carried on as soon as rounding would write 1024.
    while scaled >= 1023.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    let digits = match scaled {
        _ if unit == 0 => 0,
        s if s < 9.995 => 2,
        s if s < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$} {}", UNITS[unit])
}

/// A rate: `1.50 MiB/s`.
#[must_use]
pub fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", size(bytes_per_second))
}

/// A span of time in its two largest units: `0.35 s`, `12.3 s`, `2 min 05 s`, `3 h 07 min`, `4 d 02 h`.
#[must_use]
pub fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        0..10 => format!("{:.2} s", span.as_secs_f64()),
        10..60 => format!("{:.1} s", span.as_secs_f64()),
        60..3600 => format!("{minutes} min {:02} s", seconds % 60),
        3600..86_400 => format!("{hours} h {minutes:02} min"),
        _ => format!("{days} d {hours:02} h"),
    }
}

/// A number with its thousands apart: `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 torrent`, `2,000 torrents`.
#[must_use]
pub fn plural(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Somebody's text, made safe for a terminal: what would move the cursor, change colors, break the line or turn the
/// reading direction is shown as `\u{…}`.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_or_four_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1536, "1.50 KiB"),
            (10 << 20, "10.0 MiB"),
            ((1 << 20) - 1, "1.00 MiB"),
            (100 << 30, "100 GiB"),
            (1023 << 30, "1023 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(rate(1536), "1.50 KiB/s");
    }

    #[test]
    fn spans_have_two_units() {
        for (milliseconds, text) in [
            (0, "0.00 s"),
            (350, "0.35 s"),
            (12_300, "12.3 s"),
            (125_000, "2 min 05 s"),
            (11_220_000, "3 h 07 min"),
            (352_800_000, "4 d 02 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(plural(1, "torrent"), "1 torrent");
        assert_eq!(plural(1000, "torrent"), "1,000 torrents");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(plain("naïve – 数据.iso"), "naïve – 数据.iso");
        assert_eq!(plain("a\x1b[2Jb\nc\u{202e}d\u{9b}"), r"a\u{1b}[2Jb\u{a}c\u{202e}d\u{9b}");
    }
}
