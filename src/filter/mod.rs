//! Classic kernels over pictures, row by row: pre-processing in front of a network, or a filter by itself.
//!
//! - [`kernel`]: a [`Kernel`], and the well-known ones as constants: edges, [`SHARPEN`](kernel::SHARPEN), blurs.
//! - [`border`]: what the kernel sees beyond the picture's [`Border`].
//! - [`sample`]: the numbers of a picture, `u8`, `i8` or `f32`, and how each is rounded.
//!
//! A [`Filter`] takes a camera's rows as they come and gives each filtered row as soon as the rows below it that
//! the kernel needs are there: half the kernel's height later. It keeps as many rows as the kernel is high and
//! nothing else. Every channel is filtered for itself. As in a network's convolution the kernel is not mirrored:
//! this is *cross-correlation*, [`scipy.ndimage.correlate`]. A convolution in the mathematical sense is that of
//! the [turned](Kernel::turned) kernel; the constants are the same turned.
//!
//! ```
//! use microception::filter::{Border, Filter, kernel};
//!
//! const WIDTH: usize = 8;
//! let picture: [[u8; WIDTH]; 6] = [
//!     [0, 0, 0, 0, 0, 0, 0, 0],
//!     [0, 0, 9, 9, 9, 9, 0, 0],
//!     [0, 0, 9, 9, 9, 9, 0, 0],
//!     [0, 0, 9, 9, 9, 9, 0, 0],
//!     [0, 0, 9, 9, 9, 9, 0, 0],
//!     [0, 0, 0, 0, 0, 0, 0, 0],
//! ];
//! let mut memory = [0; kernel::EDGES.memory(WIDTH, 1)];
//! let mut filter = Filter::new(kernel::EDGES, Border::Nearest, WIDTH, 1, &mut memory)?;
//!
//! let mut edges = Vec::new();
//! for row in &picture {
//!     edges.extend(filter.push_row(row).map(<[u8]>::to_vec)); // or on to `Executor::push_row`
//! }
//! while let Some(row) = filter.finish() {
//!     edges.push(row.to_vec());
//! }
//! assert_eq!(edges, [
//!     [0,  0,  0,  0,  0,  0,  0,  0],
//!     [0,  0, 45, 27, 27, 45,  0,  0],
//!     [0,  0, 27,  0,  0, 27,  0,  0],
//!     [0,  0, 27,  0,  0, 27,  0,  0],
//!     [0,  0, 45, 27, 27, 45,  0,  0],
//!     [0,  0,  0,  0,  0,  0,  0,  0],
//! ]);
//! # Ok::<(), microception::filter::MemoryError>(())
//! ```
//!
//! [`scipy.ndimage.correlate`]: https://docs.scipy.org/doc/scipy/reference/generated/scipy.ndimage.correlate.html

pub mod border;
pub mod kernel;
pub mod sample;

pub use border::Border;
pub use kernel::Kernel;
pub use sample::Sample;

use crate::layers::copy;

/// Elements of a row that are summed up together, in registers and on the stack.
const BLOCK: usize = 16;

/// Why [`Filter::new`] refused the memory it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MemoryError {
    /// Shorter than the rows that the kernel needs.
    TooSmall {
        /// Elements needed, as [`Kernel::memory`] says.
        needed: usize,
    },
}

impl core::fmt::Display for MemoryError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let MemoryError::TooSmall { needed } = self;
        write!(formatter, "the filter's memory is too small: it needs {needed} elements")
    }
}

impl core::error::Error for MemoryError {}

/// Filters a picture that comes row by row. The example stands in the [module's documentation](self).
///
/// `N` is the height and width of the kernel. Nothing here panics; loops are bounded by the width, the channels
/// and the kernel.
#[derive(Debug)]
pub struct Filter<'a, T, const N: usize> {
    kernel: Kernel<N>,
    border: Border<T>,
    width: usize,
    channels: usize,
    /// A ring of `N` lines, each the row with what the kernel sees beyond its ends: row `y` of the picture lies in
    /// line `y % N`. A filtered row is written over the line of the uppermost row it was made of, which no later
    /// one needs.
    memory: &'a mut [T],
    /// Rows pushed of this picture.
    pushed: usize,
    /// Rows made of this picture.
    made: usize,
    /// Whether the last row was pushed.
    ended: bool,
}

impl<'a, T: Sample, const N: usize> Filter<'a, T, N> {
    /// A filter for pictures of `width` pixels with `channels` channels each, in `memory` of at least
    /// [`kernel.memory(width, channels)`](Kernel::memory) elements, whatever they are.
    ///
    /// # Errors
    /// When the memory is shorter.
    pub fn new(
        kernel: Kernel<N>,
        border: Border<T>,
        width: usize,
        channels: usize,
        memory: &'a mut [T],
    ) -> Result<Self, MemoryError> {
        let needed = kernel.memory(width, channels);
        if memory.len() < needed {
            return Err(MemoryError::TooSmall { needed });
        }
        Ok(Filter { kernel, border, width, channels, memory, pushed: 0, made: 0, ended: false })
    }

    /// Takes the next row `[column][channel]` and returns the filtered row that it completes, which stays until
    /// the next call: the row itself of a 1x1 kernel, of a 3x3 kernel the one above, of a 5x5 kernel the one two
    /// above. After [`finish`](Filter::finish) it is the first row of another picture.
    ///
    /// Of a row that is longer than the picture is wide the rest is left out; one that is shorter ends in what its
    /// place in the memory holds.
    pub fn push_row(&mut self, row: &[T]) -> Option<&[T]> {
        if self.ended {
            self.reset();
        }
        let line = self.line(self.pushed);
        let (left, elements) = (self.overhang(), self.row_elements());
        let from = line.wrapping_add(left);
        copy(self.memory.get_mut(from..from.wrapping_add(elements)).unwrap_or(&mut []), row);
        for column in 0..Kernel::<N>::RADIUS {
            self.extend(line, column);
            self.extend(line, column.wrapping_add(Kernel::<N>::RADIUS).wrapping_add(self.width));
        }
        self.pushed = self.pushed.wrapping_add(1);
        let complete = self.pushed.wrapping_sub(self.made) > Kernel::<N>::RADIUS;
        if complete { Some(self.make()) } else { None }
    }

    /// After the last row: returns the next of the filtered rows that are still missing, and `None` when there is
    /// none left.
    pub fn finish(&mut self) -> Option<&[T]> {
        self.ended = true;
        if self.made < self.pushed { Some(self.make()) } else { None }
    }

    /// Forgets the rows pushed so far: the next one is the first of a picture.
    pub fn reset(&mut self) {
        (self.pushed, self.made, self.ended) = (0, 0, false);
    }

    /// Gives the memory back.
    pub fn into_memory(self) -> &'a mut [T] {
        self.memory
    }

    /// Elements of a row.
    fn row_elements(&self) -> usize {
        self.width.wrapping_mul(self.channels)
    }

    /// Elements that a line has on either side beside the row's own.
    fn overhang(&self) -> usize {
        Kernel::<N>::RADIUS.wrapping_mul(self.channels)
    }

    /// Where the line of row `row` begins.
    fn line(&self, row: usize) -> usize {
        let elements = self.row_elements().wrapping_add(self.overhang().wrapping_mul(2));
        (row % Kernel::<N>::SIZE).wrapping_mul(elements)
    }

    /// Fills a pixel beyond the row's ends, the `column`th of the line that begins at `line`.
    fn extend(&mut self, line: usize, column: usize) {
        let place = column.wrapping_sub(Kernel::<N>::RADIUS) as isize;
        let source = self.border.seen(place, self.width).map(|column| column.wrapping_add(Kernel::<N>::RADIUS));
        for channel in 0..self.channels {
            let element = |column: usize| line.wrapping_add(column.wrapping_mul(self.channels)).wrapping_add(channel);
            let value = source.and_then(|column| self.memory.get(element(column)).copied());
            if let Some(place) = self.memory.get_mut(element(column)) {
                *place = value.unwrap_or(self.border.constant());
            }
        }
    }

    /// Makes the next filtered row.
    fn make(&mut self) -> &[T] {
        let top = self.made.wrapping_sub(Kernel::<N>::RADIUS);
        let lines: [Option<usize>; N] = core::array::from_fn(|tap| {
            let row = self.border.seen(top.wrapping_add(tap) as isize, self.pushed);
            row.map(|row| self.line(row))
        });
        let mut start = T::Sum::default();
        for (taps, line) in self.kernel.taps.iter().zip(lines) {
            for &tap in taps.iter().filter(|_| line.is_none()) {
                start = T::add(start, tap, self.border.constant());
            }
        }
        let elements = self.row_elements();
        // The same line as that of the row `top`, also where there is no such row.
        let output = self.line(top.wrapping_add(Kernel::<N>::SIZE));
        for from in (0..elements).step_by(BLOCK) {
            let length = elements.wrapping_sub(from).min(BLOCK);
            let mut sums = [start; BLOCK];
            for (taps, line) in self.kernel.taps.iter().zip(lines) {
                let Some(line) = line else { continue };
                let mut place = line.wrapping_add(from);
                for &tap in taps {
                    if tap != 0 {
                        let values = self.memory.get(place..place.wrapping_add(length)).unwrap_or(&[]);
                        for (sum, &value) in sums.iter_mut().zip(values) {
                            *sum = T::add(*sum, tap, value);
                        }
                    }
                    place = place.wrapping_add(self.channels);
                }
            }
            // Elements from here on are read by blocks to come, at these places or further right.
            let place = output.wrapping_add(from);
            let filtered = self.memory.get_mut(place..place.wrapping_add(length)).unwrap_or(&mut []);
            for (filtered, sum) in filtered.iter_mut().zip(sums) {
                *filtered = T::rounded(sum, self.kernel.divisor);
            }
        }
        self.made = self.made.wrapping_add(1);
        self.memory.get(output..output.wrapping_add(elements)).unwrap_or(&[])
    }
}
