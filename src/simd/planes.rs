//! How three lines of four channels lie in scratch for a 3x3 depthwise convolution with two taps a
//! multiplication.
//!
//! For every two columns, a *pair*, 48 bytes: of each channel the upper two lines' values at the even
//! column, the same at the odd column, and the third line's values at both. Sums take the place of the
//! first two.

/// How many pairs of columns there are, and what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planes {
    /// Pairs of padding to the left of the first pixel.
    pub left: usize,
    /// Pairs of pixels.
    pub full: usize,
    /// Whether a pair of the last pixel and padding follows.
    pub odd: bool,
    /// Pairs of padding behind that.
    pub right: usize,
    /// The column where the window of the first output begins: 0 or 1.
    pub first: usize,
    /// Rounds of the loop that makes the sums.
    pub rounds: usize,
}

/// Pairs of columns in one round of the loop that makes the sums.
pub(super) const ROUND: usize = 3;

/// Bytes of a pair of columns, four channels.
pub(super) const PAIR_BYTES: usize = 48;

impl Planes {
    pub const fn of(width: usize, output_width: usize, stride: usize, left: usize) -> Planes {
        let left_pairs = left.div_ceil(2);
        let first = 2 * left_pairs - left;
        // Sums are made for every column; a stride picks from them.
        let sums = first + output_width.saturating_sub(1) * stride + 1;
        let rounds = sums.div_ceil(2 * ROUND);
        // Each round reads the pair behind its last one.
        let pairs = rounds * ROUND + 1;
        let room = pairs.saturating_sub(left_pairs);
        let full = if width / 2 < room { width / 2 } else { room };
        let odd = width % 2 == 1 && full == width / 2 && full < room;
        let used = left_pairs + full + odd as usize;
        Planes { left: left_pairs, full, odd, right: pairs.saturating_sub(used), first, rounds }
    }

    /// Bytes in all.
    pub const fn bytes(&self) -> usize {
        (self.rounds * ROUND + 1) * PAIR_BYTES
    }
}
