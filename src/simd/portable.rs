//! The inner loops in plain Rust: what every other form must equal.
//!
//! A *tile* holds [`LANES`] columns of int8 values, widened to i16 and interleaved:
//! `[quad][lane][element]`, the elements of a quad in the order [`ORDER`].

use super::{LANES, ORDER, QUAD};

/// Widens a column into one lane of a tile; a last quad that is not full is filled up with zeros.
///
/// ```
/// use microception::simd::portable::widen;
/// let mut tile = [7; 32];
/// widen(&[1, 2, 3, 4, -5], 1, &mut tile);
/// assert_eq!(tile[..16], [7, 7, 7, 7, 1, 3, 2, 4, 7, 7, 7, 7, 7, 7, 7, 7]);
/// assert_eq!(tile[16..24], [7, 7, 7, 7, -5, 0, 0, 0]);
/// ```
#[inline]
pub fn widen(column: &[i8], lane: usize, tile: &mut [i16]) {
    let (tile, _) = tile.as_chunks_mut::<QUAD>();
    for (quad, tile) in column.chunks(QUAD).zip(tile.iter_mut().skip(lane).step_by(LANES)) {
        for (place, element) in tile.iter_mut().zip(ORDER) {
            *place = quad.get(element).copied().map_or(0, i16::from);
        }
    }
}

/// Per lane, `accumulator + sum(filter[i] * column[i])`, wrapping. The filter is a whole number of
/// quads, as is the tile.
///
/// ```
/// use microception::simd::portable::{dot_tile, widen};
/// let mut tile = [0; 16];
/// widen(&[1, 2, 3, 4], 0, &mut tile);
/// widen(&[-1, 0, 0, 100], 3, &mut tile);
/// assert_eq!(dot_tile(&[1, 10, 100, -1], &tile, 5), [5 + 317, 5, 5, 5 - 101]);
/// ```
#[inline]
pub fn dot_tile(filter: &[i8], tile: &[i16], accumulator: i32) -> [i32; LANES] {
    let mut sums = [accumulator; LANES];
    let (filter, _) = filter.as_chunks::<QUAD>();
    let (tile, _) = tile.as_chunks::<{ QUAD * LANES }>();
    for (weights, quads) in filter.iter().zip(tile) {
        // In ORDER, by pattern: an index could panic where the optimizer does not unroll.
        let &[first, second, third, fourth] = weights;
        let weights = [first, third, second, fourth].map(i32::from);
        let (quads, _) = quads.as_chunks::<QUAD>();
        for (sum, quad) in sums.iter_mut().zip(quads) {
            for (weight, &value) in weights.iter().zip(quad) {
                *sum = sum.wrapping_add(weight * i32::from(value));
            }
        }
    }
    sums
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
