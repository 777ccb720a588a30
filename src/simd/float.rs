//! The inner loops of f32 in plain Rust.
//!
//! Weights of four filters lie side by side, `[element][filter]`, so that one load gets all that a value is multiplied
//! with. Every sum adds its products in the order of the elements, each rounded before it is added: the forms with
//! an FPU give the same bits.

use super::LANES;
use crate::layers::cut;

/// Filters that are computed at once, in f32.
pub const FILTERS: usize = 4;

/// The columns of a tile: the values under [`LANES`] output pixels.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a>([&'a [f32]; LANES]);

impl<'a> Columns<'a> {
    /// These columns; the shortest of them says how many elements count.
    #[inline]
    pub fn new(columns: [&'a [f32]; LANES]) -> Columns<'a> {
        Columns(columns)
    }
}

/// Per lane and filter, `start[filter] + sum(columns[lane][i] * filters[i][filter])` over the shortest of all, brought
/// into the range `clamp`.
///
/// ```
/// use microception::simd::float::{Columns, dot_tile_f32};
/// let columns = Columns::new([&[3.0, 4.0]; 4]);
/// let filters = [1.0, 10.0, 0.0, 0.5, 2.0, 20.0, 0.0, 0.5];
/// let sums = dot_tile_f32(&filters, &columns, [0.0, 0.0, -7.0, 0.0], [0.0, 99.0]);
/// assert_eq!(sums[3], [11.0, 99.0, 0.0, 3.5]);
/// ```
#[inline]
pub fn dot_tile_f32(
    filters: &[f32],
    columns: &Columns<'_>,
    start: [f32; FILTERS],
    clamp: [f32; 2],
) -> [[f32; FILTERS]; LANES] {
    let mut sums = [start; LANES];
    let (filters, _) = filters.as_chunks::<FILTERS>();
    let [first, second, third, fourth] = columns.0;
    for ((((weights, first), second), third), fourth) in filters.iter().zip(first).zip(second).zip(third).zip(fourth) {
        for (sums, value) in sums.iter_mut().zip([first, second, third, fourth]) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
    }
    sums.map(|sums| sums.map(|sum| cut(sum, clamp)))
}

/// Adds to each channel's sum the products of its values in `pixels` with its weights:
/// `sums[c] += sum(pixels[t][c] * weights[c / 4][t][c % 4])` over at most [`TAPS`](super::TAPS) pixels.
///
/// ```
/// use microception::simd::float::dot_pixels_f32;
/// let mut sums = [10.0, 20.0];
/// dot_pixels_f32(&[&[1.0, 2.0], &[3.0, 4.0]], &[1.0, 1.0, 0.0, 0.0, -1.0, 100.0, 0.0, 0.0], &mut sums);
/// assert_eq!(sums, [10.0 + 1.0 - 3.0, 20.0 + 2.0 + 400.0]);
/// ```
#[inline]
pub fn dot_pixels_f32(pixels: &[&[f32]], weights: &[f32], sums: &mut [f32]) {
    dot_pixels_from(0, pixels, weights, sums);
}

/// As [`dot_pixels_f32`], from a group of four channels on; weights and sums begin with that group.
#[inline]
pub(super) fn dot_pixels_from(group: usize, pixels: &[&[f32]], weights: &[f32], sums: &mut [f32]) {
    let (weights, _) = weights.as_chunks::<4>();
    let mut weights = weights.iter();
    for (group, sums) in (group..).zip(sums.chunks_mut(4)) {
        // Pixels first: the last of them must not cost a weight.
        for (pixel, weights) in pixels.iter().zip(&mut weights) {
            let values = pixel.get(group.wrapping_mul(4)..).unwrap_or(&[]);
            for ((sum, &value), &weight) in sums.iter_mut().zip(values).zip(weights) {
                *sum += value * weight;
            }
        }
    }
}

/// Makes every channel of the pixel `largest` the largest of itself and those of `pixels` `[pixel][channel]`; NaN is never
/// the larger.
///
/// ```
/// let mut largest = [1.0, -5.0];
/// microception::simd::float::maximum_f32(&[0.0, 2.0, 7.0, f32::NAN], &mut largest);
/// assert_eq!(largest, [7.0, 2.0]);
/// ```
#[inline]
pub fn maximum_f32(pixels: &[f32], largest: &mut [f32]) {
    for pixel in pixels.chunks_exact(largest.len().max(1)) {
        for (largest, &value) in largest.iter_mut().zip(pixel) {
            if value > *largest {
                *largest = value;
            }
        }
    }
}

/// Adds to every channel's sum its values in `pixels` `[pixel][channel]`, in the order of the pixels.
///
/// ```
/// let mut sums = [100.0, 1000.0];
/// microception::simd::float::add_pixels_f32(&[1.0, -0.5, 3.0, 0.25], &mut sums);
/// assert_eq!(sums, [104.0, 999.75]);
/// ```
#[inline]
pub fn add_pixels_f32(pixels: &[f32], sums: &mut [f32]) {
    for pixel in pixels.chunks_exact(sums.len().max(1)) {
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum += value;
        }
    }
}
