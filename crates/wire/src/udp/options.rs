//! The options that may follow an announce (BEP 41).

use crate::passkey;

/// How many bytes of URL data are looked at, over all the options that it is spread on.
const URL_DATA_BYTES_MAX: usize = 1024;

const END_OF_OPTIONS: u8 = 0;
const NOP: u8 = 1;
const URL_DATA: u8 = 2;

/// The passkey in the URL data of `options`, if there is one.
///
/// Bytes that are no options, or not whole ones, end them and are no fault: BEP 15 asks to tolerate what follows an
/// announce. URL data longer than 255 bytes arrives in several options that belong together; a passkey is found in any
/// one of them, but not where it is torn between two, since it is lent from the datagram.
pub(super) fn passkey_in_options(options: &[u8]) -> Option<&[u8]> {
    let mut pieces = UrlData(options);
    let first = pieces.next()?;
    if pieces.clone().next().is_none() {
        return passkey(first);
    }

    let mut joined = [0; URL_DATA_BYTES_MAX];
    let mut len = 0;
    for piece in UrlData(options) {
        let Some(room) = joined.get_mut(len..len + piece.len()) else { break };
        room.copy_from_slice(piece);
        len += piece.len();
    }
    let key = passkey(&joined[..len])?;
    UrlData(options).find_map(|piece| memchr::memmem::find(piece, key).map(|at| &piece[at..at + key.len()]))
}

/// Appends `path` as URL data, in as many options as it needs; nothing if it is empty.
pub(super) fn encode_url_data(path: &[u8], out: &mut Vec<u8>) {
    for piece in path.chunks(usize::from(u8::MAX)) {
        // A chunk is at most 255 bytes long.
        let len = u8::try_from(piece.len()).unwrap_or(u8::MAX);
        out.extend_from_slice(&[URL_DATA, len]);
        out.extend_from_slice(piece);
    }
}

/// The data of each URL data option, in order.
#[derive(Clone)]
struct UrlData<'a>(&'a [u8]);

impl<'a> Iterator for UrlData<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (&kind, rest) = self.0.split_first()?;
            match kind {
                END_OF_OPTIONS => self.0 = &[],
                NOP => self.0 = rest,
                _ => {
                    let (&len, rest) = rest.split_first()?;
                    let (data, rest) = rest.split_at_checked(len.into())?;
                    self.0 = rest;
                    if kind == URL_DATA {
                        return Some(data);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(kind: u8, data: &[u8]) -> Vec<u8> {
        [&[kind, u8::try_from(data.len()).unwrap()], data].concat()
    }

    #[test]
    fn url_data_carries_the_path() {
        let path = option(URL_DATA, b"/announce/s3cret?x=1");
        assert_eq!(path[..3], [0x2, 0x14, b'/'], "type, length, data as BEP 41 draws them");
        assert_eq!(passkey_in_options(&path), Some(&b"s3cret"[..]));
        let padded =
            [&[NOP, NOP], &option(9, b"unknown")[..], &path, &[END_OF_OPTIONS], &option(URL_DATA, b"/b")]
                .concat();
        assert_eq!(passkey_in_options(&padded), Some(&b"s3cret"[..]));
        assert_eq!(passkey_in_options(&option(URL_DATA, b"/announce")), None);
        assert_eq!(passkey_in_options(&option(URL_DATA, b"")), None);
    }

    #[test]
    fn url_data_in_several_options_is_one() {
        let split =
            |pieces: &[&[u8]]| pieces.iter().flat_map(|piece| option(URL_DATA, piece)).collect::<Vec<_>>();
        assert_eq!(passkey_in_options(&split(&[b"/announce/", b"s3cret", b"?x=1"])), Some(&b"s3cret"[..]));
        assert_eq!(passkey_in_options(&split(&[b"/anno", b"unce/s3cret"])), Some(&b"s3cret"[..]));
        assert_eq!(passkey_in_options(&split(&[b"/announce/s3cret?", &[b'x'; 255]])), Some(&b"s3cret"[..]));
        assert_eq!(passkey_in_options(&split(&[b"/announce/s3", b"cret"])), None, "torn");
        let endless = split(&[&[b'x'; 255][..]; 100]);
        assert_eq!(passkey_in_options(&endless), None, "bounded");
    }

    #[test]
    fn what_is_no_option_is_ignored() {
        for junk in
            [&b""[..], b"\x02", b"\x02\xff/announce/s3cret", b"\x00\x02\x02/a", b"\xff\xff", &[NOP; 2000]]
        {
            assert_eq!(passkey_in_options(junk), None);
        }
    }
}
