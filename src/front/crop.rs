//! A part of a picture.

use super::Stage;

/// Cuts a rectangle out of a picture. It needs no memory: what it hands on is a part of the row that came.
///
/// ```
/// use microception::front::{Crop, Stage};
/// let mut middle = Crop::centred([4, 4], [2, 2], 1);
/// let mut rows = Vec::new();
/// for row in [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]] {
///     middle.push_row(&row, |row| rows.push(row.to_vec()));
/// }
/// assert_eq!(rows, [[6, 7], [10, 11]]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    picture_rows: usize,
    top: usize,
    height: usize,
    /// Of the bytes of a row.
    left: usize,
    width: usize,
    /// The next row of the picture.
    row: usize,
}

impl Crop {
    /// The part of `[rows, columns]` whose first pixel is that at `[row, column]`, of pictures of `picture_rows` rows with
    /// `channels` channels. What lies beyond the picture is not there: no rows, or shorter ones.
    pub const fn new(picture_rows: usize, first: [usize; 2], size: [usize; 2], channels: usize) -> Crop {
        let [top, left] = first;
        let [height, width] = size;
        let (left, width) = (left.saturating_mul(channels), width.saturating_mul(channels));
        Crop { picture_rows, top, height, left, width, row: 0 }
    }

    /// The part of `[rows, columns]` in the middle of a `picture` of as many; where one more is left over, it is below or
    /// on the right, as with Keras's `CenterCrop`.
    pub const fn centred(picture: [usize; 2], size: [usize; 2], channels: usize) -> Crop {
        let first = [picture[0].saturating_sub(size[0]) / 2, picture[1].saturating_sub(size[1]) / 2];
        Crop::new(picture[0], first, size, channels)
    }
}

impl Stage for Crop {
    #[inline]
    fn push_row(&mut self, row: &[u8], mut next: impl FnMut(&[u8])) {
        let inside = self.row.checked_sub(self.top).is_some_and(|row| row < self.height);
        self.row = self.row.saturating_add(1);
        if self.row >= self.picture_rows {
            self.row = 0;
        }
        if inside {
            let rest = row.get(self.left..).unwrap_or(&[]);
            next(rest.get(..self.width).unwrap_or(rest));
        }
    }

    #[inline]
    fn reset(&mut self) {
        self.row = 0;
    }
}
