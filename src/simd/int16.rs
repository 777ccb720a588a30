//! The inner loops of int16x8 in plain Rust: what every other form must equal. Values are i16, weights i8. Sums of
//! products have 32 bits where these hold them, and 64 where not.

use super::{FILTERS, LANES, QUAD};
use crate::quantized::WideChannel;

/// Products that 32 bits hold the sum of: each is at most 2^22.
pub const EXACT: usize = 508;

/// The order of a quad's weights in [`dot_columns_i16`]: two extensions of every other byte of a word make pairs of
/// neighbours.
pub const WEIGHT_ORDER: [usize; QUAD] = [0, 2, 1, 3];

/// The sums of products of each column with both filters of a pair, as far as columns and filters have whole quads; they must
/// be numbers of 32 bits. `filters` are `[quad][filter][weight]`, the weights of a quad in [`WEIGHT_ORDER`].
///
/// ```
/// use microception::simd::int16::dot_columns_i16;
/// let filters = [1, 100, 10, -1, 0, 1, 0, 0];
/// let columns: [&[i16]; 4] = [&[1, 2, 3, 4], &[-1, 0, 0, 300], &[0; 4], &[32767, 0, 32767, 0]];
/// assert_eq!(dot_columns_i16(&filters, columns), [[317, 3], [-301, 0], [0, 0], [3309467, 32767]]);
/// ```
#[inline]
pub fn dot_columns_i16(filters: &[i8], columns: [&[i16]; LANES]) -> [[i32; FILTERS]; LANES] {
    columns.map(|column| {
        let ((quads, _), (weights, _)) = (column.as_chunks::<QUAD>(), filters.as_chunks::<{ QUAD * FILTERS }>());
        let [mut first, mut second] = [0i32; FILTERS];
        for (quad, weights) in quads.iter().zip(weights) {
            let values = quad.map(i32::from);
            let [a0, a2, a1, a3, b0, b2, b1, b3] = weights.map(i32::from);
            first = add_products(first, values, [a0, a1, a2, a3]);
            second = add_products(second, values, [b0, b1, b2, b3]);
        }
        [first, second]
    })
}

/// Multiplies columns with all filters and stores the sums as pixels `[pixel][channel]`: of as many of the columns as `output`
/// has room for. `filters` are pairs as [`dot_columns_i16`] takes them, of as many quads as the columns, the last with zeros where
/// the channels are odd; every channel must be [bounded](WideChannel::is_bounded) for its sums.
///
/// ```
/// use microception::quantized::WideChannel;
/// use microception::simd::int16::multiply_columns_i16;
/// let filters = [1, 100, 10, -1, 0, 1, 0, 0];
/// let columns: [&[i16]; 4] = [&[1, 2, 3, 4], &[-1, 0, 0, 300], &[0; 4], &[0; 4]];
/// // a quarter of the sums 317, 3 and -301, 0
/// let channels = [WideChannel::new(-1, 32767 << 16, -2), WideChannel::new(4, 32767 << 16, -2)];
/// let mut output = [0; 4];
/// multiply_columns_i16(columns, &filters, &channels, [0, i16::MAX], &mut output);
/// assert_eq!(output, [79, 2, 0, 1]);
/// ```
#[inline]
pub fn multiply_columns_i16(
    columns: [&[i16]; LANES],
    filters: &[i8],
    channels: &[WideChannel],
    clamp: [i16; 2],
    output: &mut [i16],
) {
    let pair_bytes = (columns[0].len() / QUAD).wrapping_mul(QUAD * FILTERS);
    let pairs = filters.chunks_exact(pair_bytes.max(1)).zip(channels.chunks(FILTERS));
    for (index, (filters, these)) in pairs.enumerate() {
        let output = output.get_mut(index.wrapping_mul(FILTERS)..).unwrap_or(&mut []);
        multiply_filters(columns, filters, these, clamp, channels.len(), output);
    }
}

/// The same for a pair of filters or the first of one; `output` begins with its first channel in the first lane, and has
/// `outputs` from one lane to the next.
#[inline]
pub(super) fn multiply_filters(
    columns: [&[i16]; LANES],
    filters: &[i8],
    channels: &[WideChannel],
    clamp: [i16; 2],
    outputs: usize,
    output: &mut [i16],
) {
    for (sums, output) in dot_columns_i16(filters, columns).into_iter().zip(output.chunks_mut(outputs.max(1))) {
        for ((output, sum), channel) in output.iter_mut().zip(sums).zip(channels) {
            *output = channel.store_bounded(sum, clamp);
        }
    }
}

#[inline]
fn add_products(sum: i32, [v0, v1, v2, v3]: [i32; QUAD], [w0, w1, w2, w3]: [i32; QUAD]) -> i32 {
    sum.wrapping_add(v0.wrapping_mul(w0))
        .wrapping_add(v1.wrapping_mul(w1))
        .wrapping_add(v2.wrapping_mul(w2))
        .wrapping_add(v3.wrapping_mul(w3))
}

/// `accumulator + sum(weights[i] * values[i])` over the shorter of the two.
///
/// ```
/// use microception::simd::int16::dot_i16;
/// assert_eq!(dot_i16(&[1, -2], &[1000, 500], 7), 7);
/// ```
#[inline]
pub fn dot_i16(weights: &[i8], values: &[i16], accumulator: i64) -> i64 {
    let mut wide = accumulator;
    for (weights, values) in weights.chunks(EXACT).zip(values.chunks(EXACT)) {
        let products = weights.iter().zip(values).map(|(&weight, &value)| i32::from(weight) * i32::from(value));
        wide = wide.wrapping_add(products.fold(0, i32::wrapping_add).into());
    }
    wide
}

/// Adds to every channel's sum the products of its values in the pixels, one for each tap, with its weights
/// `[channel / 4][tap][channel % 4]`.
///
/// ```
/// use microception::simd::int16::dot_pixels_i16;
/// let mut sums = [1, 10];
/// dot_pixels_i16(&[&[1000, 2000], &[300, 400]], &[1, 2, 0, 0, -1, 3, 0, 0], &mut sums);
/// assert_eq!(sums, [701, 5210]);
/// ```
#[inline]
pub fn dot_pixels_i16(pixels: &[&[i16]], weights: &[i8], sums: &mut [i32]) {
    let (weights, _) = weights.as_chunks::<QUAD>();
    let mut weights = weights.iter();
    for (group, sums) in sums.chunks_mut(QUAD).enumerate() {
        // Pixels first: the last of them must not cost a weight.
        for (pixel, weights) in pixels.iter().zip(&mut weights) {
            let values = pixel.get(group.wrapping_mul(QUAD)..).unwrap_or(&[]);
            for ((sum, &value), &weight) in sums.iter_mut().zip(values).zip(weights) {
                *sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
            }
        }
    }
}

/// Makes every channel's largest value at least its values in `pixels` `[pixel][channel]`.
///
/// ```
/// let mut largest = [-300, 5];
/// microception::simd::int16::maximum_i16(&[-299, 4, -400, 600], &mut largest);
/// assert_eq!(largest, [-299, 600]);
/// ```
#[inline]
pub fn maximum_i16(pixels: &[i16], largest: &mut [i16]) {
    for pixel in pixels.chunks_exact(largest.len().max(1)) {
        for (largest, &value) in largest.iter_mut().zip(pixel) {
            *largest = value.max(*largest);
        }
    }
}

/// Adds to every channel's sum its values in `pixels` `[pixel][channel]`.
///
/// ```
/// let mut sums = [100, 1000];
/// microception::simd::int16::add_pixels_i16(&[1, -1280, 3, 1270], &mut sums);
/// assert_eq!(sums, [104, 990]);
/// ```
#[inline]
pub fn add_pixels_i16(pixels: &[i16], sums: &mut [i32]) {
    for pixel in pixels.chunks_exact(sums.len().max(1)) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum = sum.wrapping_add(value.into());
        }
    }
}
