//! Front ends: what lies between a camera and a network, row by row and without a frame in memory.
//!
//! - [`colour`]: [`Colours`]: RGB565 and YUV 4:2:2, as cameras give them, become red, green and blue, or grey.
//! - [`mod@crop`]: [`Crop`] cuts a part out.
//! - [`resize`]: [`Nearest`] and [`Bilinear`] make another size of it, as Keras's `Resizing` does.
//!
//! Each is a [`Stage`]: a row goes in, and none, one or several come out. Stages go one after the other, a
//! [`Filter`] among them, up to a network's [`push_row`](crate::executor::Executor::push_row):
//!
//! ```
//! use microception::front::colour::{Colours, Format, Pixel, Range};
//! use microception::front::{Bilinear, Crop, Stage, resize};
//!
//! // A camera of 8x6 pixels; a network of 3x3.
//! let (mut line, mut memory) = ([0; 8 * 3], [0; resize::memory(6, 3, 3)]);
//! let mut front = Colours::new(Format::Yuyv(Range::Full), Pixel::Rgb, &mut line)
//!     .then(Crop::centred([6, 8], [6, 6], 3))
//!     .then(Bilinear::new([6, 6], [3, 3], 3, &mut memory)?);
//!
//! let mut rows = Vec::new();
//! for grey in [0, 10, 20, 30, 40, 50] {
//!     // `network.push_row(row)` in the place of this.
//!     front.push_row(&[grey, 128, grey, 128].repeat(4), |row| rows.push(row.to_vec()));
//! }
//! assert_eq!(rows, [[5; 9], [25; 9], [45; 9]]);
//! # Ok::<(), microception::front::ResizeError>(())
//! ```
//!
//! All samples are `u8`. There are sums and products of 32 bits, and one division for an element that a [`Bilinear`] makes.
//! Nothing panics; loops are bounded by the sizes.

pub mod colour;
pub mod crop;
pub mod resize;

pub use colour::Colours;
pub use crop::Crop;
pub use resize::{Bilinear, Nearest, ResizeError};

use crate::filter::Filter;

/// Rows in, rows out.
pub trait Stage {
    /// Takes the next row `[column][channel]`, and hands each row that it completes to `next`. After a picture's last
    /// row it is the first of another picture.
    ///
    /// Of a row that is too long the rest is left out; what one that is too short leaves open is undetermined.
    fn push_row(&mut self, row: &[u8], next: impl FnMut(&[u8]));

    /// After the last row: hands the rows that are still missing to `next`. Only a [`Filter`] has any, since it does not
    /// know how many rows a picture has.
    fn finish(&mut self, _next: impl FnMut(&[u8])) {}

    /// Forgets the rows of a picture that broke off: the next one is the first of another.
    fn reset(&mut self) {}

    /// This stage, and `next` after it.
    fn then<S: Stage>(self, next: S) -> Then<Self, S>
    where
        Self: Sized,
    {
        Then(self, next)
    }
}

/// Two stages one after the other, which [`Stage::then`] makes.
///
/// ```
/// use microception::front::{Crop, Nearest, Stage, resize};
/// let mut memory = [0; resize::nearest_memory(4, 1)];
/// let crop = Crop::new(3, [1, 0], [1, 2], 1);
/// let mut stages = crop.then(Nearest::new([1, 2], [2, 4], 1, &mut memory)?);
/// let mut rows = Vec::new();
/// for row in [[1, 2, 3], [4, 5, 6], [7, 8, 9]] {
///     stages.push_row(&row, |row| rows.push(row.to_vec()));
/// }
/// assert_eq!(rows, [[4, 4, 5, 5], [4, 4, 5, 5]]);
/// # Ok::<(), microception::front::ResizeError>(())
/// ```
#[derive(Debug)]
pub struct Then<A, B>(A, B);

impl<A: Stage, B: Stage> Stage for Then<A, B> {
    #[inline]
    fn push_row(&mut self, row: &[u8], mut next: impl FnMut(&[u8])) {
        let Then(first, second) = self;
        first.push_row(row, |row| second.push_row(row, &mut next));
    }

    #[inline]
    fn finish(&mut self, mut next: impl FnMut(&[u8])) {
        let Then(first, second) = self;
        first.finish(|row| second.push_row(row, &mut next));
        second.finish(next);
    }

    #[inline]
    fn reset(&mut self) {
        let Then(first, second) = self;
        first.reset();
        second.reset();
    }
}

impl<const N: usize> Stage for Filter<'_, u8, N> {
    #[inline]
    fn push_row(&mut self, row: &[u8], mut next: impl FnMut(&[u8])) {
        if let Some(row) = Filter::push_row(self, row) {
            next(row);
        }
    }

    #[inline]
    fn finish(&mut self, mut next: impl FnMut(&[u8])) {
        while let Some(row) = Filter::finish(self) {
            next(row);
        }
    }

    #[inline]
    fn reset(&mut self) {
        Filter::reset(self);
    }
}
