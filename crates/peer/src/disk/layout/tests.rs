use proptest::prelude::*;

use super::*;
use crate::disk::tests::torrent;

/// Where each byte of the payload is, one by one.
fn byte_map(layout: &Layout) -> Vec<(Option<usize>, u64)> {
    let files = layout.files().iter().enumerate();
    files
        .flat_map(|(index, file)| {
            let stored = !file.pad && !file.symlink;
            (0..file.length).map(move |offset| (stored.then_some(index), offset))
        })
        .collect()
}

fn flat(spans: impl Iterator<Item = Span>) -> Vec<(Option<usize>, u64)> {
    spans.flat_map(|span| (0..span.bytes as u64).map(move |at| (span.file, span.offset + at))).collect()
}

fn layout(files: &[(u64, bool)], piece_bytes: u64) -> Layout {
    let named: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(index, (bytes, pad))| {
            let folder = if *pad { ".pad".to_owned() } else { format!("d{}", index % 3) };
            let name = if *pad { bytes.to_string() } else { format!("f{index}") };
            (vec![folder, name], *bytes)
        })
        .collect();
    torrent(&named, piece_bytes, None).0
}

proptest! {
    #[test]
    fn spans_are_what_a_map_of_every_byte_says(
        files in prop::collection::vec((0_u64..40, prop::bool::weighted(0.2)), 1..12),
        piece_bytes in 1_u64..50,
        from in 0_u64..600,
        bytes in 0_usize..200,
    ) {
        let layout = layout(&files, piece_bytes);
        let map = byte_map(&layout);
        prop_assert_eq!(layout.size(), map.len() as u64);
        let start = map.len().min(usize::try_from(from).unwrap());
        let expected = &map[start..map.len().min(start + bytes)];
        prop_assert_eq!(flat(layout.spans(from, bytes)), expected);

        let pieces: Vec<_> = map.chunks(usize::try_from(piece_bytes).unwrap()).collect();
        prop_assert_eq!(layout.pieces() as usize, pieces.len());
        for (piece, expected) in (0..).zip(&pieces) {
            prop_assert_eq!(layout.piece_bytes(piece) as usize, expected.len());
            prop_assert_eq!(&flat(layout.piece_spans(piece)), expected);
            for file in 0..files.len() {
                let touches = expected.iter().any(|(at, _)| *at == Some(file));
                prop_assert_eq!(layout.files_of(piece).any(|at| at == file), touches);
                if layout.is_stored(file) {
                    prop_assert_eq!(layout.pieces_of(file).contains(&piece), touches);
                }
            }
        }
        let wanted = layout.wanted(|file| file % 2 == 0);
        for (piece, expected) in (0..).zip(&pieces) {
            let wants = expected.iter().any(|(file, _)| file.is_some_and(|file| file % 2 == 0));
            prop_assert_eq!(wanted.contains(piece), wants);
        }
    }
}

#[test]
fn spans_leave_padding_and_empty_files_out() {
    let layout = layout(&[(3, false), (0, false), (1, true), (4, false), (0, false)], 4);
    let spans: Vec<_> = layout.spans(1, 6).collect();
    assert_eq!(
        spans,
        [
            Span { file: Some(0), offset: 1, bytes: 2 },
            Span { file: None, offset: 0, bytes: 1 },
            Span { file: Some(3), offset: 0, bytes: 3 },
        ]
    );
    assert_eq!((layout.is_padded(), layout.is_stored(1), layout.is_stored(2)), (true, true, false));
    assert_eq!((layout.pieces_of(1), layout.pieces_of(4), layout.pieces_of(99)), (0..0, 0..0, 0..0));
}

#[test]
fn a_path_starts_with_the_folder_only_if_there_is_one() {
    let folder = layout(&[(3, false)], 4);
    assert_eq!(folder.path(0).collect::<Vec<_>>(), ["torrent", "d0", "f0"]);
    let (single, _) = torrent(&[], 4, Some(b"abcdef"));
    assert_eq!(single.path(0).collect::<Vec<_>>(), ["torrent"]);
    assert_eq!((single.pieces(), single.piece_bytes(1), single.piece_bytes(2)), (2, 2, 0));
}

#[test]
fn numbers_from_strangers_do_not_overflow() {
    let layout = layout(&[(10, false)], 4);
    assert!(!layout.contains(u32::MAX, u32::MAX, usize::MAX));
    assert!(!layout.contains(2, 1, 2) && layout.contains(2, 1, 1) && !layout.contains(0, 0, 0));
    assert_eq!(layout.hash(u32::MAX), None);
    assert_eq!(layout.spans(u64::MAX, usize::MAX).count(), 0);
    assert_eq!(layout.piece_bytes(u32::MAX), 0);
}
