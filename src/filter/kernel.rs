//! Kernels, and the well-known ones.

use core::num::NonZeroU16;

/// A square of taps: each pixel becomes the sum of its neighbours times the taps above them, over a divisor.
///
/// `N` is odd and at most [`MAX_SIZE`], which is checked where the kernel is used:
///
/// ```compile_fail
/// # use microception::filter::Kernel;
/// const EVEN: Kernel<2> = Kernel::new([[1, 0], [0, 1]], 1).unwrap(); // has no middle
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Kernel<const N: usize> {
    /// `[row][column]`, the first above and to the left of the pixel.
    pub taps: [[i16; N]; N],
    /// What the sum is divided by.
    pub divisor: NonZeroU16,
}

/// Sums of `u8` over a kernel up to this size fit an `i32`, whatever the taps.
pub const MAX_SIZE: usize = 15;

const _: () = assert!((MAX_SIZE * MAX_SIZE) as i64 * 255 * -(i16::MIN as i64) <= i32::MAX as i64);

impl<const N: usize> Kernel<N> {
    /// Height and width.
    pub(super) const SIZE: usize = {
        assert!(N % 2 == 1, "the size of a kernel is odd, so that there is a pixel in its middle");
        assert!(N <= MAX_SIZE, "a kernel is at most MAX_SIZE high and wide");
        N
    };

    /// Rows and columns around the middle.
    pub(super) const RADIUS: usize = Self::SIZE / 2;

    /// A kernel; `None` for a divisor of 0.
    pub const fn new(taps: [[i16; N]; N], divisor: u16) -> Option<Kernel<N>> {
        const { assert!(Self::SIZE == N) };
        match NonZeroU16::new(divisor) {
            Some(divisor) => Some(Kernel { taps, divisor }),
            None => None,
        }
    }

    /// The elements of memory that a [`Filter`](super::Filter) of pictures of this width and this number of
    /// channels needs: `N` rows, each with half a kernel more on either side.
    pub const fn memory(&self, width: usize, channels: usize) -> usize {
        width.saturating_add(Self::SIZE - 1).saturating_mul(channels).saturating_mul(Self::SIZE)
    }

    /// The kernel turned by half a circle, with which the correlation is the convolution in the mathematical
    /// sense, `scipy.ndimage.convolve`.
    ///
    /// ```
    /// use microception::filter::Kernel;
    /// let kernel = Kernel::new([[1, 2, 3], [4, 5, 6], [7, 8, 9]], 1).unwrap();
    /// assert_eq!(kernel.turned().taps, [[9, 8, 7], [6, 5, 4], [3, 2, 1]]);
    /// ```
    #[must_use]
    pub fn turned(mut self) -> Kernel<N> {
        self.taps.reverse();
        for row in &mut self.taps {
            row.reverse();
        }
        self
    }
}

/// A constant, whose divisor is not 0.
const fn constant<const N: usize>(taps: [[i16; N]; N], divisor: u16) -> Kernel<N> {
    assert!(divisor != 0);
    match Kernel::new(taps, divisor) {
        Some(kernel) => kernel,
        None => Kernel { taps, divisor: NonZeroU16::MIN },
    }
}

/// The picture as it is.
///
/// ```
/// # use microception::filter::{Border, Filter, Kernel, kernel};
/// # let mut memory = [0; kernel::IDENTITY.memory(8, 1)];
/// # let mut filter = Filter::new(kernel::IDENTITY, Border::Nearest, 8, 1, &mut memory)?;
/// # let mut filtered = |picture: &[[u8; 8]]| {
/// #     let mut rows: Vec<_> = picture.iter().filter_map(|row| filter.push_row(row).map(<[u8]>::to_vec)).collect();
/// #     while let Some(row) = filter.finish() { rows.push(row.to_vec()); }
/// #     rows
/// # };
/// let picture = [
///     [0, 0, 0, 0, 0, 0, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 0, 0, 0, 0, 0, 0],
/// ];
/// assert_eq!(filtered(&picture), [
///     [0, 0, 0, 0, 0, 0, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 0, 0, 0, 0, 0, 0],
/// ]);
/// # Ok::<(), microception::filter::MemoryError>(())
/// ```
pub const IDENTITY: Kernel<3> = constant([[0, 0, 0], [0, 1, 0], [0, 0, 0]], 1);

/// Edges that lie aslant, and corners: how the picture's slope along one axis changes along the other. An upright
/// rectangle leaves its corners; in `u8`, which has no negative numbers, two of the four.
///
/// ```
/// # use microception::filter::{Border, Filter, Kernel, kernel};
/// # let mut memory = [0; kernel::EDGES_DIAGONAL.memory(8, 1)];
/// # let mut filter = Filter::new(kernel::EDGES_DIAGONAL, Border::Nearest, 8, 1, &mut memory)?;
/// # let mut filtered = |picture: &[[u8; 8]]| {
/// #     let mut rows: Vec<_> = picture.iter().filter_map(|row| filter.push_row(row).map(<[u8]>::to_vec)).collect();
/// #     while let Some(row) = filter.finish() { rows.push(row.to_vec()); }
/// #     rows
/// # };
/// let picture = [
///     [0, 0, 0, 0, 0, 0, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 9, 9, 9, 9, 0, 0],
///     [0, 0, 0, 0, 0, 0, 0, 0],
/// ];
/// assert_eq!(filtered(&picture), [
///     [0, 9, 9, 0, 0, 0, 0, 0],
///     [0, 9, 9, 0, 0, 0, 0, 0],
///     [0, 0, 0, 0, 0, 0, 0, 0],
///     [0, 0, 0, 0, 0, 0, 0, 0],
///     [0, 0, 0, 0, 0, 9, 9, 0],
///     [0, 0, 0, 0, 0, 9, 9, 0],
/// ]);
/// # Ok::<(), microception::filter::MemoryError>(())
/// ```
pub const EDGES_DIAGONAL: Kernel<3> = constant([[1, 0, -1], [0, 0, 0], [-1, 0, 1]], 1);

/// Edges, by the four nearest neighbours: the negative Laplace operator. Corners are twice as bright as sides.
///
/// ```
/// # use microception::filter::{Border, Filter, Kernel, kernel};
/// # let mut memory = [0; kernel::EDGES_CROSS.memory(8, 1)];
/// # let mut filter = Filter::new(kernel::EDGES_CROSS, Border::Nearest, 8, 1, &mut memory)?;
/// # let mut filtered = |picture: &[[u8; 8]]| {
/// #     let mut rows: Vec<_> = picture.iter().filter_map(|row| filter.push_row(row).map(<[u8]>::to_vec)).collect();
/// #     while let Some(row) = filter.finish() { rows.push(row.to_vec()); }
/// #     rows
/// # };
/// let picture = [
///     [ 0,  0,  0,  0,  0,  0,  0,  0],
///     [ 0,  0,  9,  9,  9,  9,  0,  0],
///     [ 0,  0,  9,  9,  9,  9,  0,  0],
///     [ 0,  0,  9,  9,  9,  9,  0,  0],
///     [ 0,  0,  9,  9,  9,  9,  0,  0],
///     [ 0,  0,  0,  0,  0,  0,  0,  0],
/// ];
/// assert_eq!(filtered(&picture), [
///     [ 0,  0,  0,  0,  0,  0,  0,  0],
///     [ 0,  0, 18,  9,  9, 18,  0,  0],
///     [ 0,  0,  9,  0,  0,  9,  0,  0],
///     [ 0,  0,  9,  0,  0,  9,  0,  0],
///     [ 0,  0, 18,  9,  9, 18,  0,  0],
///     [ 0,  0,  0,  0,  0,  0,  0,  0],
/// ]);
/// # Ok::<(), microception::filter::MemoryError>(())
/// ```
pub const EDGES_CROSS: Kernel<3> = constant([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], 1);

/// Edges, by all eight neighbours.
///
/// ```
/// # use microception::filter::{Border, Filter, Kernel, kernel};
/// # let mut memory = [0; kernel::EDGES.memory(8, 1)];
/// # let mut filter = Filter::new(kernel::EDGES, Border::Nearest, 8, 1, &mut memory)?;
/// # let mut filtered = |picture: &[[u8; 8]]| {
/// #     let mut rows: Vec<_> = picture.iter().filter_map(|row| filter.push_row(row).map(<[u8]>::to_vec)).collect();
/// #     while let Some(row) = filter.finish() { rows.push(row.to_vec()); }
/// #     rows
/// # };
/// let picture = [
///     [ 0,  0,  0,  0,  0,  0,  0,  0],
///     [ 0,  0,  9,  9,  9,  9,  0,  0],
///     [ 0,  0,  9,  9,  9,  9,  0,  0],
///     [ 0,  0,  9,  9,  9,  9,  0,  0],
///     [ 0,  0,  9,  9,  9,  9,  0,  0],
///     [ 0,  0,  0,  0,  0,  0,  0,  0],
/// ];
/// assert_eq!(filtered(&picture), [
///     [ 0,  0,  0,  0,  0,  0,  0,  0],
///     [ 0,  0, 45, 27, 27, 45,  0,  0],
///     [ 0,  0, 27,  0,  0, 27,  0,  0],
///     [ 0,  0, 27,  0,  0, 27,  0,  0],
///     [ 0,  0, 45, 27, 27, 45,  0,  0],
///     [ 0,  0,  0,  0,  0,  0,  0,  0],
/// ]);
/// # Ok::<(), microception::filter::MemoryError>(())
/// ```
pub const EDGES: Kernel<3> = constant([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], 1);

/// The picture with [`EDGES_CROSS`] of it added: both sides of an edge move apart.
///
/// ```
/// # use microception::filter::{Border, Filter, Kernel, kernel};
/// # let mut memory = [0; kernel::SHARPEN.memory(8, 1)];
/// # let mut filter = Filter::new(kernel::SHARPEN, Border::Nearest, 8, 1, &mut memory)?;
/// # let mut filtered = |picture: &[[u8; 8]]| {
/// #     let mut rows: Vec<_> = picture.iter().filter_map(|row| filter.push_row(row).map(<[u8]>::to_vec)).collect();
/// #     while let Some(row) = filter.finish() { rows.push(row.to_vec()); }
/// #     rows
/// # };
/// let picture = [
///     [ 40,  40,  40,  40,  80,  80,  80,  80],
///     [ 40,  40,  40,  40,  80,  80,  80,  80],
///     [ 40,  40,  40,  40,  80,  80,  80,  80],
/// ];
/// assert_eq!(filtered(&picture), [
///     [ 40,  40,  40,   0, 120,  80,  80,  80],
///     [ 40,  40,  40,   0, 120,  80,  80,  80],
///     [ 40,  40,  40,   0, 120,  80,  80,  80],
/// ]);
/// # Ok::<(), microception::filter::MemoryError>(())
/// ```
pub const SHARPEN: Kernel<3> = constant([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 1);

/// The mean of nine.
///
/// ```
/// # use microception::filter::{Border, Filter, Kernel, kernel};
/// # let mut memory = [0; kernel::BOX_BLUR.memory(5, 1)];
/// # let mut filter = Filter::new(kernel::BOX_BLUR, Border::Nearest, 5, 1, &mut memory)?;
/// # let mut filtered = |picture: &[[u8; 5]]| {
/// #     let mut rows: Vec<_> = picture.iter().filter_map(|row| filter.push_row(row).map(<[u8]>::to_vec)).collect();
/// #     while let Some(row) = filter.finish() { rows.push(row.to_vec()); }
/// #     rows
/// # };
/// let picture = [
///     [ 0,  0,  0,  0,  0],
///     [ 0,  0,  0,  0,  0],
///     [ 0,  0, 90,  0,  0],
///     [ 0,  0,  0,  0,  0],
///     [ 0,  0,  0,  0,  0],
/// ];
/// assert_eq!(filtered(&picture), [
///     [ 0,  0,  0,  0,  0],
///     [ 0, 10, 10, 10,  0],
///     [ 0, 10, 10, 10,  0],
///     [ 0, 10, 10, 10,  0],
///     [ 0,  0,  0,  0,  0],
/// ]);
/// # Ok::<(), microception::filter::MemoryError>(())
/// ```
pub const BOX_BLUR: Kernel<3> = constant([[1, 1, 1], [1, 1, 1], [1, 1, 1]], 9);

/// A blur that weighs near pixels more, about a Gaussian of 0.85 pixels.
///
/// ```
/// # use microception::filter::{Border, Filter, Kernel, kernel};
/// # let mut memory = [0; kernel::GAUSSIAN_3X3.memory(5, 1)];
/// # let mut filter = Filter::new(kernel::GAUSSIAN_3X3, Border::Nearest, 5, 1, &mut memory)?;
/// # let mut filtered = |picture: &[[u8; 5]]| {
/// #     let mut rows: Vec<_> = picture.iter().filter_map(|row| filter.push_row(row).map(<[u8]>::to_vec)).collect();
/// #     while let Some(row) = filter.finish() { rows.push(row.to_vec()); }
/// #     rows
/// # };
/// let picture = [
///     [  0,   0,   0,   0,   0],
///     [  0,   0,   0,   0,   0],
///     [  0,   0, 160,   0,   0],
///     [  0,   0,   0,   0,   0],
///     [  0,   0,   0,   0,   0],
/// ];
/// assert_eq!(filtered(&picture), [
///     [  0,   0,   0,   0,   0],
///     [  0,  10,  20,  10,   0],
///     [  0,  20,  40,  20,   0],
///     [  0,  10,  20,  10,   0],
///     [  0,   0,   0,   0,   0],
/// ]);
/// # Ok::<(), microception::filter::MemoryError>(())
/// ```
pub const GAUSSIAN_3X3: Kernel<3> = constant([[1, 2, 1], [2, 4, 2], [1, 2, 1]], 16);

/// A wider one, about a Gaussian of one pixel.
///
/// ```
/// # use microception::filter::{Border, Filter, Kernel, kernel};
/// # let mut memory = [0; kernel::GAUSSIAN_5X5.memory(7, 1)];
/// # let mut filter = Filter::new(kernel::GAUSSIAN_5X5, Border::Nearest, 7, 1, &mut memory)?;
/// # let mut filtered = |picture: &[[u8; 7]]| {
/// #     let mut rows: Vec<_> = picture.iter().filter_map(|row| filter.push_row(row).map(<[u8]>::to_vec)).collect();
/// #     while let Some(row) = filter.finish() { rows.push(row.to_vec()); }
/// #     rows
/// # };
/// let picture = [
///     [  0,   0,   0,   0,   0,   0,   0],
///     [  0,   0,   0,   0,   0,   0,   0],
///     [  0,   0,   0,   0,   0,   0,   0],
///     [  0,   0,   0, 128,   0,   0,   0],
///     [  0,   0,   0,   0,   0,   0,   0],
///     [  0,   0,   0,   0,   0,   0,   0],
///     [  0,   0,   0,   0,   0,   0,   0],
/// ];
/// assert_eq!(filtered(&picture), [
///     [  0,   0,   0,   0,   0,   0,   0],
///     [  0,   1,   2,   3,   2,   1,   0],
///     [  0,   2,   8,  12,   8,   2,   0],
///     [  0,   3,  12,  18,  12,   3,   0],
///     [  0,   2,   8,  12,   8,   2,   0],
///     [  0,   1,   2,   3,   2,   1,   0],
///     [  0,   0,   0,   0,   0,   0,   0],
/// ]);
/// # Ok::<(), microception::filter::MemoryError>(())
/// ```
pub const GAUSSIAN_5X5: Kernel<5> =
    constant([[1, 4, 6, 4, 1], [4, 16, 24, 16, 4], [6, 24, 36, 24, 6], [4, 16, 24, 16, 4], [1, 4, 6, 4, 1]], 256);

/// Unsharp masking: the picture, and what [`GAUSSIAN_5X5`] takes from it once more (amount 1, threshold 0). Often written as
/// -1/256 times a matrix with -476 in the middle; here the signs are in the taps.
///
/// ```
/// # use microception::filter::{Border, Filter, Kernel, kernel};
/// # let mut memory = [0; kernel::UNSHARP_5X5.memory(8, 1)];
/// # let mut filter = Filter::new(kernel::UNSHARP_5X5, Border::Nearest, 8, 1, &mut memory)?;
/// # let mut filtered = |picture: &[[u8; 8]]| {
/// #     let mut rows: Vec<_> = picture.iter().filter_map(|row| filter.push_row(row).map(<[u8]>::to_vec)).collect();
/// #     while let Some(row) = filter.finish() { rows.push(row.to_vec()); }
/// #     rows
/// # };
/// let picture = [
///     [40, 40, 40, 40, 80, 80, 80, 80],
///     [40, 40, 40, 40, 80, 80, 80, 80],
///     [40, 40, 40, 40, 80, 80, 80, 80],
/// ];
/// assert_eq!(filtered(&picture), [
///     [40, 40, 38, 28, 93, 83, 80, 80],
///     [40, 40, 38, 28, 93, 83, 80, 80],
///     [40, 40, 38, 28, 93, 83, 80, 80],
/// ]);
/// # Ok::<(), microception::filter::MemoryError>(())
/// ```
pub const UNSHARP_5X5: Kernel<5> = constant(
    [
        [-1, -4, -6, -4, -1],
        [-4, -16, -24, -16, -4],
        [-6, -24, 476, -24, -6],
        [-4, -16, -24, -16, -4],
        [-1, -4, -6, -4, -1],
    ],
    256,
);
