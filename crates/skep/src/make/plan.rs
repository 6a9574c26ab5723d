use super::MakeError;

/// The shortest piece, in bytes: what peers ask each other for at a time.
pub const PIECE_LENGTH_MIN: u64 = 16 << 10;

/// The longest piece, in bytes.
pub const PIECE_LENGTH_MAX: u64 = 256 << 20;

/// The most pieces: beyond it (40 MiB of hashes) clients in use refuse a torrent.
pub const PIECES_MAX: u64 = 1 << 21;

/// Pieces that are enough to spread a torrent well.
const PIECES_WANTED: u64 = 2048;

/// The shortest and the longest piece chosen while there is a choice, in bytes. Shorter ones cost more to ask for
/// than they help; longer ones keep a peer from sharing what it has until it has all of one.
const CHOSEN_MIN: u64 = 32 << 10;
const CHOSEN_MAX: u64 = 16 << 20;

/// The piece length for so many bytes: about 2000 pieces, each from 32 KiB to 16 MiB; above 32 TiB longer again, so
/// that [`PIECES_MAX`] holds.
#[must_use]
pub fn piece_length_for(size: u64) -> u64 {
    let power_for =
        |pieces: u64| size.div_ceil(pieces).checked_next_power_of_two().unwrap_or(PIECE_LENGTH_MAX);
    let wanted = power_for(PIECES_WANTED).clamp(CHOSEN_MIN, CHOSEN_MAX);
    wanted.max(power_for(PIECES_MAX)).min(PIECE_LENGTH_MAX)
}

/// The chosen piece length, or the one for `size`.
pub(super) fn piece_length(chosen: Option<u64>, size: u64) -> Result<u64, MakeError> {
    let length = chosen.unwrap_or_else(|| piece_length_for(size));
    if !length.is_power_of_two() || !(PIECE_LENGTH_MIN..=PIECE_LENGTH_MAX).contains(&length) {
        return Err(MakeError::PieceLength(length));
    }
    match size.div_ceil(length) {
        pieces if pieces > PIECES_MAX => Err(MakeError::TooManyPieces { pieces, size, length }),
        _ => Ok(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_grow_with_the_size() {
        for (size, length) in [
            (1, 32 << 10),
            (64 << 20, 32 << 10),
            ((64 << 20) + 1, 64 << 10),
            (2 << 30, 1 << 20),
            (1 << 40, 16 << 20),
            (32 << 40, 16 << 20),
            (33 << 40, 32 << 20),
            (u64::MAX, PIECE_LENGTH_MAX),
        ] {
            assert_eq!(piece_length_for(size), length, "{size}");
        }
    }

    #[test]
    fn a_chosen_length_is_checked() {
        assert_eq!(piece_length(Some(16 << 10), 5).unwrap(), 16 << 10);
        for wrong in [0, 1, 8 << 10, 20_000, 512 << 20] {
            assert!(
                matches!(piece_length(Some(wrong), 5), Err(MakeError::PieceLength(length)) if length == wrong)
            );
        }
        let error = piece_length(Some(16 << 10), 1 << 40).unwrap_err();
        assert_eq!(
            error.to_string(),
            "67108864 pieces are too many (2097152 at most): 1099511627776 bytes want longer pieces than 16384"
        );
    }
}
