//! The inner loops in plain Rust: what every other form must equal.
//!
//! A *tile* holds [`LANES`] columns of int8 values, widened to i16 and interleaved:
//! `[quad][pair][lane]`, the pairs of a quad as in [`PAIRS`].
//!
//! *Interleaved weights* hold the filters two by two: `[filter / 2][quad][pair][element of the
//! pair]`, each the 16-bit number (low byte first) of the first filter's weight and 256 times the second's, so that one product
//! adds to the sums of both; an odd last filter lies beside one of zeros. They lie as [`arrange`](super::arrange) puts them.

use core::ops;

#[cfg(not(microception_thumb1))]
use super::STREAMS;
#[cfg(microception_thumb1)]
use super::thumb1::words;
use super::{FILTERS, LANES, PAIRS, PLAIN_WEIGHTS, Pair, QUAD};
use crate::quantized::{Channel, Factor, Range};

/// Widens columns into lanes of a tile: each begins `step` values of `run` behind the one before it and has as many whole
/// quads as the tile. Nothing is written where the run is too short for all of them, or there are no such lanes.
///
/// ```
/// use microception::simd::{Pair, portable::widen};
/// let mut tile = [Pair([7, 7]); 8];
/// widen(&[1, 2, 3, 4, 5, 6], 2, 1..3, &mut tile);
/// assert_eq!([1, 5].map(|place| tile[place].0), [[1, 3], [2, 4]]);
/// assert_eq!([2, 6].map(|place| tile[place].0), [[3, 5], [4, 6]]);
/// assert_eq!([0, 3, 4, 7].map(|place| tile[place].0), [[7, 7]; 4]);
/// ```
#[inline]
pub fn widen(run: &[i8], step: usize, lanes: ops::Range<usize>, tile: &mut [Pair]) {
    let quads = tile.len() / (2 * LANES);
    if !columns_fit(run, step, quads, &lanes) {
        return;
    }
    for (index, lane) in lanes.enumerate() {
        let (column, _) = run.get(index.wrapping_mul(step)..).unwrap_or(&[]).as_chunks::<QUAD>();
        let mut places = tile.iter_mut().skip(lane).step_by(LANES);
        for quad in column.iter().take(quads) {
            for (elements, place) in PAIRS.iter().zip(&mut places) {
                *place = Pair(elements.map(|element| quad.get(element).copied().map_or(0, i16::from)));
            }
        }
    }
}

/// Whether a run holds a column of so many quads for each of the lanes, and a tile has them; there is at least one.
#[inline]
pub(super) fn columns_fit(run: &[i8], step: usize, quads: usize, lanes: &ops::Range<usize>) -> bool {
    let others = lanes.end.wrapping_sub(lanes.start).wrapping_sub(1);
    let last = others.checked_mul(step).and_then(|last| run.len().checked_sub(last));
    lanes.start < lanes.end && lanes.end <= LANES && last.is_some_and(|last| quads <= last / QUAD)
}

/// Fills lanes of a tile with a value.
///
/// ```
/// use microception::simd::{Pair, portable::fill};
/// let mut tile = [Pair([7, 7]); 8];
/// fill(-1, 3..4, &mut tile);
/// assert_eq!([2, 3, 4, 7].map(|place| tile[place].0), [[7, 7], [-1, -1], [7, 7], [-1, -1]]);
/// ```
#[inline]
pub fn fill(value: i8, lanes: ops::Range<usize>, tile: &mut [Pair]) {
    fill_lanes(Pair([i16::from(value); 2]), lanes, tile);
}

/// As [`widen`], for a core that multiplies bytes: each quad of a lane is one word, the bytes in the order of [`PAIRS`],
/// `[quad][lane]`.
///
/// ```
/// use microception::simd::{Pair, portable::pack};
/// let mut tile = [Pair([7, 7]); 4];
/// pack(&[1, 2, 3, 4, 5, 6], 2, 1..3, &mut tile);
/// assert_eq!([1, 2].map(|place| bytemuck::cast::<_, [i8; 4]>(tile[place])), [[1, 3, 2, 4], [3, 5, 4, 6]]);
/// assert_eq!([0, 3].map(|place| tile[place].0), [[7, 7]; 2]);
/// ```
#[inline]
pub fn pack(run: &[i8], step: usize, lanes: ops::Range<usize>, tile: &mut [Pair]) {
    let quads = tile.len() / LANES;
    if !columns_fit(run, step, quads, &lanes) {
        return;
    }
    for (index, lane) in lanes.enumerate() {
        let (column, _) = run.get(index.wrapping_mul(step)..).unwrap_or(&[]).as_chunks::<QUAD>();
        for (quad, place) in column.iter().take(quads).zip(tile.iter_mut().skip(lane).step_by(LANES)) {
            let bytes = PAIRS.map(|pair| pair.map(|element| quad.get(element).copied().unwrap_or(0).cast_unsigned()));
            *place = Pair(bytes.map(i16::from_ne_bytes));
        }
    }
}

/// As [`fill`], for a tile that is [packed](pack).
#[inline]
pub fn fill_packed(value: i8, lanes: ops::Range<usize>, tile: &mut [Pair]) {
    fill_lanes(Pair([i16::from_ne_bytes([value.cast_unsigned(); 2]); 2]), lanes, tile);
}

/// Fills lanes of a tile with a word.
#[inline]
fn fill_lanes(word: Pair, lanes: ops::Range<usize>, tile: &mut [Pair]) {
    let (words, _) = tile.as_chunks_mut::<LANES>();
    for words in words {
        for place in words.get_mut(lanes.clone()).unwrap_or(&mut []) {
            *place = word;
        }
    }
}

/// Multiplies the columns of a tile with all filters and stores the requantized sums as pixels
/// `[pixel][channel]`: as many of the lanes as `output` has room for.
///
/// `weights` are interleaved and [arranged](super::arrange), filters of as many quads as the tile, in whole groups. No weight
/// is -128, and every channel's factor must be [bounded](crate::quantized::Factor::is_bounded) for its sums, which must stay
/// below [`LARGEST_SUM`](super::LARGEST_SUM):
/// other results are unspecified, as with a second filter's weight of 128 (a byte of 127 beside a negative weight of the
/// first). Nothing is written where weights are missing. What the tile holds afterwards is unspecified: a form may bring
/// it into an order of its own.
///
/// ```
/// use microception::quantized::{Channel, Range};
/// use microception::simd::{Pair, portable::{multiply_tile, widen}};
/// let mut tile = [Pair::default(); 8];
/// widen(&[1, 2, 3, 4, -1, 0, 0, 100], 4, 0..2, &mut tile);
/// // filters [1, 10, 100, -1] and [0, 0, 1, 0]; half of the sums
/// let weights = [1, 0, 100, 1, 10, 0, -1, -1];
/// let channels = [Channel::new(-1, i32::MAX, -1), Channel::new(4, i32::MAX, -1)];
/// let mut output = [0; 4];
/// multiply_tile(&mut tile, &weights, &channels, &Range { zero_point: 0, clamp: [-128, 127] }, &mut output);
/// assert_eq!(output, [127, 4, -51, 2]);
/// ```
#[inline]
pub fn multiply_tile(tile: &mut [Pair], weights: &[i8], channels: &[Channel], range: &Range, output: &mut [i8]) {
    multiply_tile_from(0, tile, weights, channels, range, output);
}

/// As [`multiply_tile`], from a filter on, an even one.
#[inline]
pub(super) fn multiply_tile_from(
    filter: usize,
    tile: &[Pair],
    weights: &[i8],
    channels: &[Channel],
    range: &Range,
    output: &mut [i8],
) {
    multiply_filters::<true>(filter, tile, weights, channels, output, |sum, channel| {
        range.requantize_bounded(sum, channel.factor)
    });
}

/// As [`multiply_tile`], for any factors: in the literal steps of the specification.
#[inline]
pub fn multiply_tile_literal(
    tile: &mut [Pair],
    weights: &[i8],
    channels: &[Channel],
    range: &Range,
    output: &mut [i8],
) {
    multiply_filters::<false>(0, tile, weights, channels, output, |sum, channel| range.requantize(sum, channel.factor));
}

/// As [`multiply_tile`], for any factors, rounded once as FULLY_CONNECTED does.
#[inline]
pub fn multiply_tile_once(tile: &mut [Pair], weights: &[i8], channels: &[Channel], range: &Range, output: &mut [i8]) {
    multiply_filters::<false>(0, tile, weights, channels, output, |sum, channel| range.store(channel.factor.once(sum)));
}

/// `BOTH` sums of two filters in one product: the second's times 256.
#[inline]
fn multiply_filters<const BOTH: bool>(
    from: usize,
    tile: &[Pair],
    weights: &[i8],
    channels: &[Channel],
    output: &mut [i8],
    requantize: impl Fn(i32, &Channel) -> i8,
) {
    let (pairs, _) = tile.as_chunks::<LANES>();
    let pair_words = pairs.len();
    let (weights, _) = weights.as_chunks::<{ 2 * FILTERS }>();
    let groups = channels.len().div_ceil(FILTERS * super::STREAMS);
    if pairs.is_empty() || weights.len() < pair_words.wrapping_mul(groups.wrapping_mul(super::STREAMS)) {
        return;
    }
    for place in (from..channels.len()).step_by(FILTERS) {
        let these = channels.get(place..).unwrap_or(&[]);
        let weights = words(weights, place / FILTERS, pair_words);
        let biases = [these.first(), these.get(1)].map(|channel| channel.map_or(0, |channel| channel.bias));
        let [first, second] = biases;
        // Lane by lane and by pattern: at the optimizer's level for size loops stay loops, and an index could panic.
        let [mut a0, mut a1, mut a2, mut a3] = [first; LANES];
        let [mut b0, mut b1, mut b2, mut b3] =
            [if BOTH { first.wrapping_add(second.wrapping_shl(8)) } else { second }; LANES];
        for ([first_low, second_low, first_high, second_high], lanes) in weights.zip(pairs) {
            let second = [both::<BOTH>(first_low, second_low), both::<BOTH>(first_high, second_high)];
            let first = [i32::from(first_low), i32::from(first_high)];
            let &[lane0, lane1, lane2, lane3] = lanes;
            (a0, b0) = (two_products(a0, first, lane0), two_products(b0, second, lane0));
            (a1, b1) = (two_products(a1, first, lane1), two_products(b1, second, lane1));
            (a2, b2) = (two_products(a2, first, lane2), two_products(b2, second, lane2));
            (a3, b3) = (two_products(a3, first, lane3), two_products(b3, second, lane3));
        }
        let first = [a0, a1, a2, a3];
        let mut second = [b0, b1, b2, b3];
        if BOTH {
            for (first, second) in first.iter().zip(&mut second) {
                *second = second.wrapping_sub(*first) >> 8;
            }
        }
        let sums = [first, second];
        for (filter, (sums, channel)) in sums.iter().zip(these).enumerate() {
            for (lane, &sum) in sums.iter().enumerate() {
                let place = lane.wrapping_mul(channels.len()).wrapping_add(place).wrapping_add(filter);
                if let Some(output) = output.get_mut(place) {
                    *output = requantize(sum, channel);
                }
            }
        }
    }
}

/// The words of a pair of filters: those of pairs in a group take turns.
#[cfg(not(microception_thumb1))]
#[inline(always)]
fn words(weights: &[[i8; 4]], index: usize, pair_words: usize) -> impl Iterator<Item = [i8; 4]> {
    let group = index / STREAMS * STREAMS;
    let first_word = group.wrapping_mul(pair_words).wrapping_add(index.wrapping_sub(group));
    weights.iter().skip(first_word).step_by(STREAMS).copied()
}

/// What the second sum takes for a weight of each filter: both in one number, or the second's own.
#[inline(always)]
fn both<const BOTH: bool>(first: i8, second: i8) -> i32 {
    match BOTH {
        true if PLAIN_WEIGHTS => i32::from(first).wrapping_add(i32::from(second) << 8),
        false if PLAIN_WEIGHTS => i32::from(second),
        true => i32::from(i16::from_le_bytes([first.cast_unsigned(), second.cast_unsigned()])),
        // The first's sign was taken from the second.
        false => i32::from(second.wrapping_add(i8::from(first < 0))),
    }
}

/// `sum + weights[0] * values[0] + weights[1] * values[1]`, wrapping.
#[inline(always)]
fn two_products(sum: i32, [low, high]: [i32; 2], Pair([low_value, high_value]): Pair) -> i32 {
    sum.wrapping_add(i32::from(low_value).wrapping_mul(low)).wrapping_add(i32::from(high_value).wrapping_mul(high))
}

/// `accumulator + sum(weights[i] * values[i])` over the shorter of the two, wrapping.
///
/// ```
/// assert_eq!(microception::simd::portable::dot_i8(&[1, -2], &[100, 50], 7), 7);
/// ```
#[inline]
pub fn dot_i8(weights: &[i8], values: &[i8], accumulator: i32) -> i32 {
    let products = weights.iter().zip(values).map(|(&weight, &value)| i32::from(weight) * i32::from(value));
    products.fold(accumulator, i32::wrapping_add)
}

/// `accumulator + sum(weights[i] * values[i])` over the shorter of the two, in four interleaved
/// partial sums, so that a long sum rounds less and an FPU's pipeline stays full.
///
/// ```
/// use microception::simd::portable::dot_f32;
/// assert_eq!(dot_f32(&[1.0, -2.0], &[100.0, 50.0], 7.0), 7.0);
/// assert_eq!(dot_f32(&[1.0; 7], &[1.0; 5], 0.0), 5.0);
/// ```
#[inline]
pub fn dot_f32(weights: &[f32], values: &[f32], accumulator: f32) -> f32 {
    let length = weights.len().min(values.len());
    let [weights, values] = [weights, values].map(|slice| slice.get(..length).unwrap_or(&[]));
    let [mut a, mut b, mut c, mut d] = [accumulator, 0.0, 0.0, 0.0];
    let (weight_quads, weight_rest) = weights.as_chunks::<4>();
    let (value_quads, value_rest) = values.as_chunks::<4>();
    for (weights, values) in weight_quads.iter().zip(value_quads) {
        a += weights[0] * values[0];
        b += weights[1] * values[1];
        c += weights[2] * values[2];
        d += weights[3] * values[3];
    }
    for (weight, value) in weight_rest.iter().zip(value_rest) {
        a += weight * value;
    }
    (a + b) + (c + d)
}

/// Adds to each channel's sum the products of its values in `pixels` with its weights, wrapping:
/// `sums[c] += sum(pixels[t][c] * weights[c / 4][t][c % 4])` over at most [`TAPS`](super::TAPS) pixels.
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
pub(super) fn dot_pixels_from(group: usize, pixels: &[&[i8]], weights: &[i8], sums: &mut [i32]) {
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

/// What [`add`] has to know of a sum of two tensors. The first input's scale is half of the common one; the second's
/// is that or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Zero point of the first input, then of the second.
    pub zero_points: [i32; 2],
    /// The second input's scale over the common one: the shift is -29 to -1.
    pub factor: Factor,
    /// The common scale over the output's: [bounded](Factor::is_bounded) for 2^28.
    pub output: Factor,
    /// The output's zero point and range.
    pub range: Range,
}

/// The sums of two inputs, each as LiteRT's ADD brings it to a common scale: shifted left by 20 bits, multiplied, rounded
/// twice.
///
/// ```
/// use microception::quantized::{Factor, Range};
/// use microception::simd::{Sum, portable::add};
/// // equal scales, the output's twice as large
/// let sum = Sum {
///     zero_points: [10, 0],
///     factor: Factor { multiplier: i32::MAX, shift: -1 },
///     output: Factor { multiplier: 1 << 30, shift: -19 },
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let mut output = [0; 2];
/// add(&sum, &[15, -100], &[7, -110], &mut output);
/// assert_eq!(output, [6, -110]);
/// ```
#[inline]
pub fn add(sum: &Sum, first: &[i8], second: &[i8], output: &mut [i8]) {
    for ((output, &first), &second) in output.iter_mut().zip(first).zip(second) {
        *output = sum.of(first, second);
    }
}

/// As [`add`], with the sums written over `values`: the first input if `is_first`, else the second.
///
/// ```
/// use microception::quantized::{Factor, Range};
/// use microception::simd::{Sum, portable::add_in_place};
/// let sum = Sum {
///     zero_points: [10, 0],
///     factor: Factor { multiplier: i32::MAX, shift: -1 },
///     output: Factor { multiplier: 1 << 30, shift: -19 },
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let mut values = [15, -100];
/// add_in_place(&sum, &[7, -110], true, &mut values);
/// assert_eq!(values, [6, -110]);
/// ```
#[inline]
pub fn add_in_place(sum: &Sum, others: &[i8], is_first: bool, values: &mut [i8]) {
    for (value, &other) in values.iter_mut().zip(others) {
        *value = if is_first { sum.of(*value, other) } else { sum.of(other, *value) };
    }
}

impl Sum {
    #[inline]
    fn of(&self, first: i8, second: i8) -> i8 {
        let [first_zero, second_zero] = self.zero_points;
        let second = self.factor.of((i32::from(second) - second_zero) << 20);
        let first = (i32::from(first) - first_zero) << 19;
        self.range.requantize_bounded(first.wrapping_add(second), self.output)
    }
}

/// Makes every one of `values` the same.
///
/// ```
/// let mut values = [1, 2, 3];
/// microception::simd::portable::set(-128, &mut values);
/// assert_eq!(values, [-128; 3]);
/// ```
#[inline]
pub fn set(value: i8, values: &mut [i8]) {
    values.fill(value);
}

/// Copies as many bytes as both have.
///
/// ```
/// let mut copied = [0; 3];
/// microception::simd::portable::copy(&[1, 2], &mut copied);
/// assert_eq!(copied, [1, 2, 0]);
/// ```
#[inline]
pub fn copy(from: &[u8], to: &mut [u8]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

/// Makes every channel of the pixel `largest` the largest of itself and those of `pixels` `[pixel][channel]`; what is
/// left behind whole pixels does not take part.
///
/// ```
/// let mut largest = [1, -5, 7];
/// microception::simd::portable::maximum(&[0, 2, 7, 0, -3, 8, 99], &mut largest);
/// assert_eq!(largest, [1, 2, 8]);
/// ```
#[inline]
pub fn maximum(pixels: &[i8], largest: &mut [i8]) {
    for pixel in pixels.chunks_exact(largest.len().max(1)) {
        for (largest, &value) in largest.iter_mut().zip(pixel) {
            *largest = value.max(*largest);
        }
    }
}

/// Adds to every channel's sum its values in `pixels` `[pixel][channel]`; what is left behind whole pixels does not take
/// part.
///
/// ```
/// let mut sums = [100, 1000];
/// microception::simd::portable::add_pixels(&[1, -128, 3, 127, 99], &mut sums);
/// assert_eq!(sums, [104, 999]);
/// ```
#[inline]
pub fn add_pixels(pixels: &[i8], sums: &mut [i32]) {
    for pixel in pixels.chunks_exact(sums.len().max(1)) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum = sum.wrapping_add(i32::from(value));
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
    /// Per channel 12: the weights `k[vertical][horizontal]` in the order [`TAPS_3X3`](super::TAPS_3X3), where
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
pub(super) type Lines<'a> = [Option<&'a [i8]>; 3];

impl Row<'_> {
    /// Bytes of scratch that the form with better instructions needs to make so many `rows` at once, up to
    /// [`ROWS`](super::ROWS): each adds as many to those of one. With less it makes fewer at once.
    pub const fn scratch_bytes(width: usize, output_width: usize, stride: usize, left: usize, rows: usize) -> usize {
        let rows = if rows < super::ROWS { rows } else { super::ROWS };
        super::planes::Planes::of(width, output_width, stride, left).bytes(rows)
    }

    /// Elements of a line, of which a longer one's first are taken.
    pub(super) fn line_length(&self) -> usize {
        self.channels.len().wrapping_mul(self.width)
    }

    /// The part of `output` that holds so many rows, of some output each, if all is there that they take but lines, and of the
    /// form that they take: at most two padded places to the left, whole words of channels, no more than
    /// [`Geometry`](crate::layers::Geometry) can say; in place one row, no shorter than its line.
    pub(super) fn fitting<'o>(&self, rows: usize, output: &'o mut [i8]) -> Option<&'o mut [i8]> {
        let Row { width, output_width, stride, left, .. } = *self;
        let channels = self.channels.len();
        // No product of two of these is more than a usize holds, on any core.
        let is_small = width | output_width | channels <= usize::from(u16::MAX) && stride <= usize::from(u8::MAX);
        let has_form = left <= 2 && channels.is_multiple_of(4);
        let row_elements = channels.wrapping_mul(output_width);
        let has_room = output.len().checked_div(row_elements).is_some_and(|most| rows <= most);
        let has_weights = self.weights.len() >= channels.wrapping_mul(super::TAPS_3X3.len());
        let has_line = !self.in_place || rows == 1 && width <= output_width;
        if !(is_small && has_form && has_room && has_weights && has_line) {
            return None;
        }
        output.get_mut(..rows.wrapping_mul(row_elements))
    }

    /// Calls `make` with the lines and the output of each row, if they [fit](Row::fitting).
    #[inline]
    pub(super) fn each<'l>(
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
        let (weights, _) = row.weights.as_chunks::<{ super::TAPS_3X3.len() }>();
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
