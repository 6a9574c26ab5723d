//! The member's secret in an announce address, the same over HTTP (the request's path) and UDP (BEP 41 URL data).

/// Longest passkey that is looked at, in bytes; a longer segment is none.
pub const PASSKEY_BYTES_MAX: usize = 128;

/// The passkey in `path`: the segment beside `announce` or `scrape` in `/announce/<passkey>` or
/// `/<passkey>/announce`. What follows a `?` is not looked at. `None` if there is none.
#[must_use]
pub fn passkey(path: &[u8]) -> Option<&[u8]> {
    let path = match memchr::memchr(b'?', path) {
        Some(at) => &path[..at],
        None => path,
    };
    let mut segments = path.split(|&byte| byte == b'/').filter(|segment| !segment.is_empty());
    let (first, second) = (segments.next()?, segments.next()?);
    if segments.next().is_some() {
        return None;
    }
    let key = if is_verb(first) {
        second
    } else if is_verb(second) {
        first
    } else {
        return None;
    };
    (key.len() <= PASSKEY_BYTES_MAX).then_some(key)
}

fn is_verb(segment: &[u8]) -> bool {
    matches!(segment, b"announce" | b"scrape")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stands_on_either_side_of_the_verb() {
        for path in [
            "/announce/s3cret",
            "/s3cret/announce",
            "/s3cret/scrape",
            "/announce/s3cret/?a=/b",
            "s3cret/announce",
        ] {
            assert_eq!(passkey(path.as_bytes()), Some(&b"s3cret"[..]), "{path}");
        }
    }

    #[test]
    fn is_absent_elsewhere() {
        let long = format!("/announce/{}", "x".repeat(PASSKEY_BYTES_MAX + 1));
        for path in [
            "",
            "/",
            "/announce",
            "/announce?x=/y",
            "/s3cret",
            "/a/b",
            "/a/b/announce",
            "/announce/a/b",
            &long,
        ] {
            assert_eq!(passkey(path.as_bytes()), None, "{path}");
        }
    }
}
