//! Another size of a picture, as Keras's [`Resizing`] and `tf.image.resize` define it: with half-pixel centres, without
//! antialiasing.
//!
//! The middle of the output's pixel `x` lies at `(x + 1/2) extent / output - 1/2` of the picture, in pixels. [`Nearest`]
//! takes the pixel in which that is, the right or lower one of two that are equally near; [`Bilinear`] goes in
//! a straight line from one pixel's middle to the next one's, along both axes, and beyond the outermost takes those. Places are
//! fractions, computed without rounding, and a [`Bilinear`] sample is the real number rounded to nearest, halves upwards.
//!
//! TensorFlow computes places in f32. A nearest pixel is another one there where rounding takes it just below the border
//! between two.
//!
//! [`Resizing`]: https://keras.io/api/layers/preprocessing_layers/image_preprocessing/resizing/

use super::Stage;
use crate::layers::copy;

/// Bytes that a [`Bilinear`] needs for rows of `width` pixels that become `output_width`: two rows of the picture, one of
/// the output.
pub const fn memory(width: usize, output_width: usize, channels: usize) -> usize {
    width.saturating_mul(2).saturating_add(output_width).saturating_mul(channels)
}

/// Bytes that a [`Nearest`] needs: a row of the output.
pub const fn nearest_memory(output_width: usize, channels: usize) -> usize {
    output_width.saturating_mul(channels)
}

/// Why a picture cannot be made another size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ResizeError {
    /// The memory is shorter than the rows that must be kept.
    TooSmall {
        /// Bytes needed, as [`memory`] or [`nearest_memory`] says.
        needed: usize,
    },
    /// The picture or the output has no pixels.
    Empty,
    /// An extent is more than 65,535, or, of a [`Bilinear`], a sum would pass 32 bits: the two extents of the output,
    /// each over what it has in common with the picture's, multiply to more than 4,194,304.
    TooLarge,
}

impl core::fmt::Display for ResizeError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ResizeError::TooSmall { needed } => write!(formatter, "the memory is too small: it needs {needed} bytes"),
            ResizeError::Empty => formatter.write_str("a picture without pixels has no other size"),
            ResizeError::TooLarge => formatter.write_str("the picture is too large for sums of 32 bits"),
        }
    }
}

impl core::error::Error for ResizeError {}

/// A place along an axis: so many pixels, and `part / parts` of one.
#[derive(Debug, Clone, Copy)]
struct Place {
    whole: i32,
    part: u32,
}

/// Where the output's pixels lie along an axis of the picture.
#[derive(Debug, Clone, Copy)]
struct Axis {
    extent: u32,
    output: u32,
    parts: u32,
    first: Place,
    step: Place,
}

/// A step whose parts are none.
const NOWHERE: Place = Place { whole: 0, part: 0 };

impl Axis {
    /// With the places of the pixels' middles; `edges` counts from the picture's edge instead of its first middle.
    fn new(extent: usize, output: usize, edges: bool) -> Result<Axis, ResizeError> {
        let (Ok(extent), Ok(output)) = (u16::try_from(extent), u16::try_from(output)) else {
            return Err(ResizeError::TooLarge);
        };
        let (extent, output) = (u32::from(extent), u32::from(output));
        let common = common(extent, output);
        // `((2x + 1) extent - output) / 2 output`, in lowest terms for all `x`.
        let (Some(short), Some(parts)) = (extent.checked_div(common), output.checked_div(common)) else {
            return Err(ResizeError::Empty);
        };
        if short == 0 || parts == 0 {
            return Err(ResizeError::Empty);
        }
        let (first, step) = (short as i32, short.wrapping_mul(2) as i32);
        let (first, step, parts) = match (edges, short % 2 == 1 && parts % 2 == 1) {
            (true, _) => (first, step, parts.wrapping_mul(2)),
            (false, false) => (first.wrapping_sub(parts as i32), step, parts.wrapping_mul(2)),
            (false, true) => (first.wrapping_sub(parts as i32) >> 1, short as i32, parts),
        };
        let place = |number: i32| {
            let whole = number.checked_div_euclid(parts as i32)?;
            Some(Place { whole, part: number.wrapping_sub(whole.wrapping_mul(parts as i32)) as u32 })
        };
        let (first, step) = (place(first).unwrap_or(NOWHERE), place(step).unwrap_or(NOWHERE));
        Ok(Axis { extent, output, parts, first, step })
    }

    /// The next pixel's place.
    #[inline]
    fn after(&self, place: Place) -> Place {
        let Place { whole, part } = place;
        let (whole, part) = (whole.wrapping_add(self.step.whole), part.wrapping_add(self.step.part));
        match part.checked_sub(self.parts) {
            Some(part) => Place { whole: whole.wrapping_add(1), part },
            None => Place { whole, part },
        }
    }

    /// The pixels on both sides of the place.
    #[inline]
    fn sides(&self, place: Place) -> [u32; 2] {
        let last = self.extent.wrapping_sub(1);
        let upper = place.whole.wrapping_add(i32::from(place.part != 0));
        [place.whole.max(0) as u32, upper.max(0) as u32].map(|side| side.min(last))
    }
}

/// The greatest common divisor.
fn common(mut one: u32, mut other: u32) -> u32 {
    while let Some(rest) = one.checked_rem(other) {
        (one, other) = (other, rest);
    }
    one
}

/// The next row of the picture, and of the output.
#[derive(Debug, Clone, Copy)]
struct Progress {
    row: u32,
    made: u32,
    place: Place,
}

impl Progress {
    fn begin(rows: &Axis) -> Progress {
        Progress { row: 0, made: 0, place: rows.first }
    }

    /// An output row was made.
    #[inline]
    fn make(&mut self, rows: &Axis) {
        self.made = self.made.wrapping_add(1);
        self.place = rows.after(self.place);
    }

    /// A row of the picture was taken.
    #[inline]
    fn take(&mut self, rows: &Axis) {
        self.row = self.row.wrapping_add(1);
        if self.row == rows.extent {
            *self = Progress::begin(rows);
        }
    }
}

/// Makes another size of a picture by taking the nearest pixels. An output row goes on as often as it occurs.
///
/// ```
/// use microception::front::{Nearest, Stage, resize};
/// let mut memory = [0; resize::nearest_memory(4, 1)];
/// let mut larger = Nearest::new([2, 2], [3, 4], 1, &mut memory)?;
/// let mut rows = Vec::new();
/// for row in [[1, 2], [3, 4]] {
///     larger.push_row(&row, |row| rows.push(row.to_vec()));
/// }
/// assert_eq!(rows, [[1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]);
/// # Ok::<(), microception::front::ResizeError>(())
/// ```
#[derive(Debug)]
pub struct Nearest<'a> {
    rows: Axis,
    columns: Axis,
    channels: usize,
    line: &'a mut [u8],
    progress: Progress,
}

impl<'a> Nearest<'a> {
    /// From a `picture` of so many rows and columns to an `output` of so many, in `memory` of at least [`nearest_memory`]
    /// bytes.
    ///
    /// # Errors
    /// When one of the two has no pixels or an extent of more than 65,535, or the memory is shorter.
    pub fn new(
        picture: [usize; 2],
        output: [usize; 2],
        channels: usize,
        memory: &'a mut [u8],
    ) -> Result<Nearest<'a>, ResizeError> {
        let rows = Axis::new(picture[0], output[0], true)?;
        let columns = Axis::new(picture[1], output[1], true)?;
        let needed = nearest_memory(output[1], channels);
        let line = memory.get_mut(..needed).ok_or(ResizeError::TooSmall { needed })?;
        Ok(Nearest { rows, columns, channels, line, progress: Progress::begin(&rows) })
    }
}

impl Stage for Nearest<'_> {
    fn push_row(&mut self, row: &[u8], mut next: impl FnMut(&[u8])) {
        let progress = &mut self.progress;
        if progress.made < self.rows.output && progress.place.whole as u32 == progress.row {
            let mut place = self.columns.first;
            for pixel in self.line.chunks_exact_mut(self.channels.max(1)) {
                let from = (place.whole as usize).wrapping_mul(self.channels);
                copy(pixel, row.get(from..).unwrap_or(&[]));
                place = self.columns.after(place);
            }
        }
        while progress.made < self.rows.output && progress.place.whole as u32 == progress.row {
            next(self.line);
            progress.make(&self.rows);
        }
        progress.take(&self.rows);
    }

    fn reset(&mut self) {
        self.progress = Progress::begin(&self.rows);
    }
}

/// Makes another size of a picture by bilinear interpolation. It keeps two rows of the picture, and makes an output row when
/// the lower of the two that it lies between has come.
///
/// ```
/// use microception::front::{Bilinear, Stage, resize};
/// let mut memory = [0; resize::memory(2, 4, 1)];
/// let mut larger = Bilinear::new([2, 2], [3, 4], 1, &mut memory)?;
/// let mut rows = Vec::new();
/// for row in [[0, 80], [40, 120]] {
///     larger.push_row(&row, |row| rows.push(row.to_vec()));
/// }
/// assert_eq!(rows, [[0, 20, 60, 80], [20, 40, 80, 100], [40, 60, 100, 120]]);
/// # Ok::<(), microception::front::ResizeError>(())
/// ```
#[derive(Debug)]
pub struct Bilinear<'a> {
    rows: Axis,
    columns: Axis,
    channels: usize,
    /// Row `y` of the picture lies in line `y % 2`.
    lines: [&'a mut [u8]; 2],
    line: &'a mut [u8],
    progress: Progress,
}

impl<'a> Bilinear<'a> {
    /// From a `picture` of so many rows and columns to an `output` of so many, in `memory` of at least [`memory`](memory())
    /// bytes.
    ///
    /// # Errors
    /// When one of the two has no pixels or is too large, or the memory is shorter.
    pub fn new(
        picture: [usize; 2],
        output: [usize; 2],
        channels: usize,
        memory: &'a mut [u8],
    ) -> Result<Bilinear<'a>, ResizeError> {
        let rows = Axis::new(picture[0], output[0], false)?;
        let columns = Axis::new(picture[1], output[1], false)?;
        // A sum is at most 255 times as much, and half of it for rounding.
        if rows.parts.checked_mul(columns.parts).is_none_or(|parts| parts > 1 << 24) {
            return Err(ResizeError::TooLarge);
        }
        let needed = self::memory(picture[1], output[1], channels);
        let too_small = ResizeError::TooSmall { needed };
        let row = picture[1].saturating_mul(channels);
        let memory = memory.get_mut(..needed).ok_or(too_small)?;
        let (first, rest) = memory.split_at_mut_checked(row).ok_or(too_small)?;
        let (second, line) = rest.split_at_mut_checked(row).ok_or(too_small)?;
        Ok(Bilinear { rows, columns, channels, lines: [first, second], line, progress: Progress::begin(&rows) })
    }

    /// Makes the output row at `place`.
    fn make(&mut self, place: Place) {
        let [above, below] = self.rows.sides(place);
        let [even, odd] = &self.lines;
        let of = |row: u32| if row.is_multiple_of(2) { even } else { odd };
        let (above, below) = (of(above), of(below));
        let (rows, columns) = (self.rows.parts, self.columns.parts);
        let (down, all) = (place.part, rows.wrapping_mul(columns));
        let mut place = self.columns.first;
        for pixel in self.line.chunks_exact_mut(self.channels.max(1)) {
            let right = place.part;
            let [from, to] = self.columns.sides(place).map(|column| (column as usize).wrapping_mul(self.channels));
            let pixel_of = |line: &'_ [u8], from: usize, channel: usize| {
                u32::from(line.get(from.wrapping_add(channel)).copied().unwrap_or(0))
            };
            for (channel, sample) in pixel.iter_mut().enumerate() {
                let between = |from| {
                    let upper = pixel_of(above, from, channel).wrapping_mul(rows.wrapping_sub(down));
                    upper.wrapping_add(pixel_of(below, from, channel).wrapping_mul(down))
                };
                let sum = between(from).wrapping_mul(columns.wrapping_sub(right));
                let sum = sum.wrapping_add(between(to).wrapping_mul(right)).wrapping_add(all >> 1);
                *sample = sum.checked_div(all).unwrap_or(0) as u8;
            }
            place = self.columns.after(place);
        }
    }
}

impl Stage for Bilinear<'_> {
    fn push_row(&mut self, row: &[u8], mut next: impl FnMut(&[u8])) {
        // Rows above what the next output row lies between are read by none.
        let [above, _] = self.rows.sides(self.progress.place);
        if self.progress.row >= above {
            let [even, odd] = &mut self.lines;
            copy(if self.progress.row.is_multiple_of(2) { even } else { odd }, row);
        }
        while self.progress.made < self.rows.output {
            let place = self.progress.place;
            let [_, below] = self.rows.sides(place);
            if below > self.progress.row {
                break;
            }
            self.make(place);
            next(self.line);
            self.progress.make(&self.rows);
        }
        self.progress.take(&self.rows);
    }

    fn reset(&mut self) {
        self.progress = Progress::begin(&self.rows);
    }
}
