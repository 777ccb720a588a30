//! Depthwise convolutions: of any window, and with one of 3x3.

use crate::quantized::{Channel, Range};
use crate::simd::planes::Planes;
use crate::simd::{ROWS, TAPS_3X3};

/// Adds to each channel's sum the products of its values in `pixels` with its weights, wrapping:
/// `sums[c] += sum(pixels[t][c] * weights[c / 4][t][c % 4])` over at most [`TAPS`](crate::simd::TAPS) pixels.
///
/// ```
/// use microception::simd::portable::dot_pixels;
/// let mut sums = [10, 20];
/// dot_pixels(&[&[1, 2], &[3, 4]], &[1, 1, 0, 0, -1, 100, 0, 0], &mut sums);
/// assert_eq!(sums, [10 + 1 - 3, 20 + 2 + 400]);
/// ```
#[inline]
pub fn dot_pixels(pixels: &[&[i8]], weights: &[i8], sums: &mut [i32]) {
    dot_pixels_from(0, pixels, weights, sums);
}

/// As [`dot_pixels`], from a group of four channels on; weights and sums begin with that group.
#[inline]
pub(in crate::simd) fn dot_pixels_from(group: usize, pixels: &[&[i8]], weights: &[i8], sums: &mut [i32]) {
    let (weights, _) = weights.as_chunks::<4>();
    let mut weights = weights.iter();
    for (group, sums) in (group..).zip(sums.chunks_mut(4)) {
        // Pixels first: the last of them must not cost a weight.
        for (pixel, weights) in pixels.iter().zip(&mut weights) {
            let values = pixel.get(group.wrapping_mul(4)..).unwrap_or(&[]);
            for ((sum, &value), &weight) in sums.iter_mut().zip(values).zip(weights) {
                *sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
            }
        }
    }
}

/// What [`convolve_3x3`] has to know of a depthwise convolution with a 3x3 window.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Pixels of an input line.
    pub width: usize,
    /// Pixels that it makes.
    pub output_width: usize,
    /// Places between two outputs.
    pub stride: usize,
    /// Padded places to the left of the first pixel.
    pub left: usize,
    /// What a padded place holds.
    pub padding: i8,
    /// Per channel 12: the weights `k[vertical][horizontal]` in the order [`TAPS_3X3`], where
    /// `None` is 0.
    pub weights: &'a [i8],
    /// Channels of a pixel: a multiple of 4. Their factors are [bounded](crate::quantized::Factor::is_bounded).
    pub channels: &'a [Channel],
    /// The output's zero point and range.
    pub range: Range,
    /// Whether the only row's topmost line is what the output holds, where it is written over: a line as long as the row
    /// that comes of it, or shorter. Then scratch holds a word for each of its pixels.
    pub in_place: bool,
}

/// The lines under a row's window, from the top; those on padding are `None`.
pub(in crate::simd) type Lines<'a> = [Option<&'a [i8]>; 3];

impl Row<'_> {
    /// Bytes of scratch that the form with better instructions needs to make so many `rows` at once, up to
    /// [`ROWS`]: each adds as many to those of one. With less it makes fewer at once.
    pub const fn scratch_bytes(width: usize, output_width: usize, stride: usize, left: usize, rows: usize) -> usize {
        let rows = if rows < ROWS { rows } else { ROWS };
        Planes::of(width, output_width, stride, left).bytes(rows)
    }

    /// Elements of a line, of which a longer one's first are taken.
    pub(in crate::simd) fn line_length(&self) -> usize {
        self.channels.len().wrapping_mul(self.width)
    }

    /// The part of `output` that holds so many rows, of some output each, if all is there that they take but lines, and of the
    /// form that they take: at most two padded places to the left, whole words of channels, no more than
    /// [`Geometry`](crate::layers::Geometry) can say; in place one row, no shorter than its line.
    pub(in crate::simd) fn fitting<'o>(&self, rows: usize, output: &'o mut [i8]) -> Option<&'o mut [i8]> {
        let Row { width, output_width, stride, left, .. } = *self;
        let channels = self.channels.len();
        // No product of two of these is more than a usize holds, on any core.
        let is_small = width | output_width | channels <= usize::from(u16::MAX) && stride <= usize::from(u8::MAX);
        let has_form = left <= 2 && channels.is_multiple_of(4);
        let row_elements = channels.wrapping_mul(output_width);
        let has_room = output.len().checked_div(row_elements).is_some_and(|most| rows <= most);
        let has_weights = self.weights.len() >= channels.wrapping_mul(TAPS_3X3.len());
        let has_line = !self.in_place || rows == 1 && width <= output_width;
        if !(is_small && has_form && has_room && has_weights && has_line) {
            return None;
        }
        output.get_mut(..rows.wrapping_mul(row_elements))
    }

    /// Calls `make` with the lines and the output of each row, if they [fit](Row::fitting).
    #[inline]
    pub(in crate::simd) fn each<'l>(
        &self,
        rows: usize,
        line: impl Fn(usize, usize) -> Option<&'l [i8]>,
        output: &mut [i8],
        mut make: impl FnMut(Lines<'l>, &mut [i8]),
    ) {
        let Some(output) = self.fitting(rows, output) else { return };
        let row_elements = self.channels.len().wrapping_mul(self.output_width);
        for (row, output) in output.chunks_exact_mut(row_elements.max(1)).enumerate() {
            let long_enough = |line: &&[i8]| line.len() >= self.line_length();
            make([0, 1, 2].map(|tap| line(row, tap).filter(long_enough)), output);
        }
    }
}

/// Makes `rows` rows `[column][channel]` of a depthwise convolution with a 3x3 window, one behind the other, each from
/// three lines `[column][channel]`: `line` of the row and the vertical tap. A line on padding is `None`, and so counts one
/// that is too short. [In place](Row::in_place) `output` is the topmost. Nothing is written where weights, output or scratch
/// are too short, or the rows are none for this form (see `Row::fitting`).
///
/// ```
/// use microception::quantized::{Channel, Range};
/// use microception::simd::portable::{Row, convolve_3x3};
/// // four channels alike: the middle line's left neighbour, halved
/// let weights = [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0].repeat(4);
/// let channels = [Channel::new(0, i32::MAX, -1); 4];
/// let range = Range { zero_point: 0, clamp: [-128, 127] };
/// let row =
///     Row { width: 2, output_width: 2, stride: 1, left: 1, padding: 60, weights: &weights, channels: &channels, range, in_place: false };
/// let line: &[i8] = &[10, 20, 30, 40, 0, 0, 0, 0];
/// let mut output = [0; 16];
/// convolve_3x3(&row, 2, |row, tap| (row + tap == 1).then_some(line), &mut [], &mut output);
/// assert_eq!(output, [30, 30, 30, 30, 5, 10, 15, 20, 30, 30, 30, 30, 30, 30, 30, 30]);
/// ```
#[inline]
pub fn convolve_3x3<'l>(
    row: &Row<'_>,
    rows: usize,
    line: impl Fn(usize, usize) -> Option<&'l [i8]>,
    scratch: &mut [u32],
    output: &mut [i8],
) {
    let channels = row.channels.len();
    row.each(rows, line, output, |lines, output| {
        let strips = lines.map(|line| line.map(|values| Strip { values, step: channels }));
        if !row.in_place {
            return convolve_strips(row, strips, 0..channels, output);
        }
        let held: &mut [i8] = bytemuck::must_cast_slice_mut(scratch);
        let Some(held) = held.get_mut(..row.width.wrapping_mul(4)) else { return };
        for first in (0..channels).step_by(4) {
            // What is still to be read of these channels is kept; others are not written.
            for (held, pixel) in held.chunks_exact_mut(4).zip(output.chunks_exact(channels.max(1))) {
                held.copy_from_slice(pixel.get(first..first.wrapping_add(4)).unwrap_or(&[0; 4]));
            }
            let [_, others @ ..] = strips.map(|strip| strip.map(|strip| strip.from(first)));
            let [second, third] = others;
            let top = Some(Strip { values: held, step: 4 });
            convolve_strips(row, [top, second, third], first..first.wrapping_add(4), output);
        }
    });
}

/// Some channels of a line.
#[derive(Debug, Clone, Copy)]
struct Strip<'a> {
    /// From the first pixel's first of them on.
    values: &'a [i8],
    /// Elements from pixel to pixel.
    step: usize,
}

impl<'a> Strip<'a> {
    /// The same from another channel on.
    fn from(self, channel: usize) -> Strip<'a> {
        Strip { values: self.values.get(channel..).unwrap_or(&[]), step: self.step }
    }
}

/// Makes the channels `channels` of a row.
#[inline]
fn convolve_strips(
    row: &Row<'_>,
    strips: [Option<Strip<'_>>; 3],
    channels: core::ops::Range<usize>,
    output: &mut [i8],
) {
    let all = row.channels.len();
    for (column, output) in (0..row.output_width).zip(output.chunks_exact_mut(all.max(1))) {
        let mut pixels = [[None; 3]; 3];
        for (pixels, strip) in pixels.iter_mut().zip(strips) {
            for (tap, pixel) in pixels.iter_mut().enumerate() {
                let place = column.wrapping_mul(row.stride).wrapping_add(tap).wrapping_sub(row.left);
                *pixel = strip.filter(|_| place < row.width).and_then(|Strip { values, step }| {
                    let from = place.wrapping_mul(step);
                    values.get(from..from.wrapping_add(channels.len()))
                });
            }
        }
        let (weights, _) = row.weights.as_chunks::<{ TAPS_3X3.len() }>();
        let output = output.get_mut(channels.clone()).unwrap_or(&mut []).iter_mut();
        let of_channels = row.channels.iter().zip(weights).skip(channels.start);
        for (index, (output, (channel, weights))) in output.zip(of_channels).enumerate() {
            let [a, b, d, e, c, g, f, h, _, _, i, _] = *weights;
            let mut sum = channel.bias;
            for (pixels, weights) in pixels.iter().zip([[a, b, c], [d, e, f], [g, h, i]]) {
                for (pixel, weight) in pixels.iter().zip(weights) {
                    let value = pixel.map_or(row.padding, |pixel| pixel.get(index).copied().unwrap_or(0));
                    sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
                }
            }
            *output = row.range.requantize_bounded(sum, channel.factor);
        }
    }
}
