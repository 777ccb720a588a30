//! Tiles of columns, multiplied with pairs of filters.

use core::ops;

use crate::quantized::{Channel, Range};
#[cfg(microception_thumb1)]
use crate::simd::thumb1::words;
use crate::simd::{FILTERS, LANES, PAIRS, PLAIN_WEIGHTS, Pair, QUAD, STREAMS};

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
pub(in crate::simd) fn columns_fit(run: &[i8], step: usize, quads: usize, lanes: &ops::Range<usize>) -> bool {
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
/// `weights` are interleaved and [arranged](crate::simd::arrange), filters of as many quads as the tile, in whole
/// groups. No weight is -128, and every channel's factor must be [bounded](crate::quantized::Factor::is_bounded) for its
/// sums, which must stay below [`LARGEST_SUM`](crate::simd::LARGEST_SUM): other results are unspecified, as with a second
/// filter's weight of 128 (a byte of 127 beside a negative weight of the first). Nothing is written where weights are
/// missing. What the tile holds afterwards is unspecified: a form may bring it into an order of its own.
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
pub(in crate::simd) fn multiply_tile_from(
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
    let groups = channels.len().div_ceil(FILTERS * STREAMS);
    if pairs.is_empty() || weights.len() < pair_words.wrapping_mul(groups.wrapping_mul(STREAMS)) {
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
