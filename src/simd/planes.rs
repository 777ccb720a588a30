//! How the lines of four channels lie in scratch for a 3x3 depthwise convolution with two taps a multiplication.
//!
//! For every two columns, a *pair*, 48 bytes: of each channel the upper two lines' values at the even
//! column, the same at the odd column, and the third line's values at both. Sums take the place of the
//! first two. The rows of a call follow one another, and the padding between two of them serves both.

use super::ROWS;

/// How many pairs of columns a row has, and what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planes {
    /// Pairs of padding to the left of the first row.
    pub left: usize,
    /// Columns of pixels in a row.
    pub pixels: usize,
    /// Pairs of padding behind a row's pixels; an odd number of them ends in a pair with one of padding.
    pub right: usize,
    /// Pairs from row to row.
    pub row: usize,
    /// The column where the window of the first output begins: 0 or 1.
    pub first: usize,
    /// Pairs, from the first on, in which the windows of a row's outputs begin.
    pub sums: usize,
    /// Pairs of a row by itself. Behind the last of the sums one more is read.
    pairs: usize,
}

/// Bytes of a pair of columns, four channels.
pub(super) const PAIR_BYTES: usize = 48;

/// The least pairs. Other forms have the same scratch; one of them takes as much for a single output.
const LEAST_PAIRS: usize = 3;

impl Planes {
    /// Those of rows with at most two padded places to the left.
    pub const fn of(width: usize, output_width: usize, stride: usize, left: usize) -> Planes {
        let left_pairs = left.div_ceil(2);
        let first = 2 * left_pairs - left;
        let last = output_width.saturating_sub(1) * stride;
        // Pixels and padding that the windows of a row reach.
        let reach = last + 3;
        let behind = reach.wrapping_sub(left);
        let pixels = if width < behind { width } else { behind };
        let right = behind.wrapping_sub(pixels);
        let row = (pixels + if left > right { left } else { right }).div_ceil(2);
        let sums = (first + last + 1).div_ceil(2);
        let pairs = if left_pairs + row > sums { left_pairs + row } else { sums + 1 };
        Planes { left: left_pairs, pixels, right: row - pixels.div_ceil(2), row, first, sums, pairs }
    }

    /// Bytes of so many rows, at least one.
    pub const fn bytes(&self, rows: usize) -> usize {
        let pairs = if self.pairs > LEAST_PAIRS { self.pairs } else { LEAST_PAIRS };
        (pairs + rows.saturating_sub(1) * self.row) * PAIR_BYTES
    }

    /// How many rows so many bytes are enough for, up to [`ROWS`].
    #[cfg_attr(not(microception_dsp), expect(dead_code, reason = "other forms make one row at a time"))]
    pub fn rows_in(&self, bytes: usize) -> usize {
        match bytes.checked_sub(self.pairs.wrapping_mul(PAIR_BYTES)) {
            Some(more) => {
                let row = self.row.wrapping_mul(PAIR_BYTES);
                more.checked_div(row).unwrap_or(0).min(ROWS - 1).wrapping_add(1)
            }
            None => 0,
        }
    }
}
