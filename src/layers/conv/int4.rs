//! Convolution with weights of four bits, as LiteRT has them: the arithmetic of int8, and its bits.
//!
//! A core with DSP instructions [multiplies packed weights](simd::multiply_tile_int4). On others the weights of some
//! filters at a time are unpacked into scratch, once for all pixels of the call, and go through the
//! kernels of [`conv::int8`](super::int8()): of all filters, where the scratch is large enough. Where it is not, the columns of the
//! pixels are widened again for each part of the filters.

use super::{Geometry, Int8, Run, column_elements, each_tile, int8_scratch_bytes, pair_bytes};
use crate::layers::copy_long;
use crate::quantized::{Channel, Range};
use crate::simd::{self, int4};
use crate::window::Call;

/// A convolution in int8, with weights of four bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int4<'a> {
    /// Window and widths.
    pub geometry: Geometry,
    /// Filled up as those of [`Int8`], and [packed](simd::int4): the same on every core.
    pub weights: &'a [u32],
    /// Per output channel.
    pub channels: &'a [Channel],
    /// What a padded place holds: the input's zero point.
    pub padding: i8,
    /// The output's zero point and range.
    pub range: Range,
}

/// Bytes of scratch that weights are worth that are unpacked together: those of all filters, or else whole groups of them.
const UNPACKED: usize = 1024;

/// Bytes of scratch of a convolution with weights of four bits: those of [`int8`](super::int8_scratch_bytes), and behind them the
/// weights that are unpacked together. With more, up to those of all, a call takes less time; with less, down to those of
/// [`int4::WHOLE_FILTERS`], more.
pub const fn scratch_bytes(geometry: &Geometry, output_channels: usize) -> usize {
    let column = column_elements(geometry);
    let all = output_channels.next_multiple_of(simd::FILTERS * simd::MOST_STREAMS) * column;
    let group = int4::WHOLE_FILTERS * (column + simd::LANES);
    let groups = if group < UNPACKED { UNPACKED / group } else { 1 };
    int8_scratch_bytes(geometry) + if all <= UNPACKED || all <= group { all } else { groups * group }
}

/// Makes rows `[column][output channel]`. Scratch: [`scratch_bytes`]. Factors and sums as of [`conv::int8`](super::int8()); for others
/// there is [`literal`].
///
/// ```
/// use microception::layers::{Geometry, conv::int4};
/// use microception::quantized::{Channel, Range};
/// use microception::simd::int4::pack;
/// use microception::window::Call;
/// // pointwise, two channels to one, halved: (3*10 + 1*20 + 6) / 2; the second pair of filters is there to fill up
/// let layer = int4::Int4 {
///     geometry: Geometry { width: 1, channels: 2, output_width: 1, kernel: [1, 1], stride: [1, 1], dilation: [1, 1], left: 0 },
///     weights: &[pack([3, 0, 0, 0, 0, 0, 0, 0]), pack([1, 0, 0, 0, 0, 0, 0, 0])],
///     channels: &[Channel::new(6, i32::MAX, -1)],
///     padding: 0,
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let (mut output, mut scratch) = ([0u8], [0u32; 13]);
/// assert_eq!(size_of_val(&scratch), int4::scratch_bytes(&layer.geometry, 1));
/// int4::int4(&layer, Call::on_lines(&[10, 20], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut scratch), 1));
/// assert_eq!(output, [28]);
/// ```
pub fn int4(layer: &Int4<'_>, call: Call<'_>) {
    if simd::MULTIPLIES_INT4 {
        let &Int4 { ref geometry, weights, channels, padding, range } = layer;
        let rows = call.rows;
        let (window, output, scratch) = call.unary::<i8, i8>();
        let own = scratch.get_mut(..int8_scratch_bytes(geometry)).unwrap_or(&mut []);
        let run = Run { geometry, padding, window, rows, outputs: channels.len() };
        return run.each_tile(output, own, |tile, output| {
            simd::multiply_tile_int4(tile, weights, channels, &range, output);
        });
    }
    each_part(layer, call, simd::multiply_tile);
}

/// As [`int4()`], for any factors: requantized in the literal steps of the specification.
pub fn literal(layer: &Int4<'_>, call: Call<'_>) {
    each_part(layer, call, simd::multiply_tile_literal);
}

/// As [`each_tile`], of some filters after the other.
#[inline]
pub(in crate::layers) fn each_part(
    layer: &Int4<'_>,
    mut call: Call<'_>,
    multiply: impl Fn(&mut [simd::Pair], &[i8], &[Channel], &Range, &mut [i8]),
) {
    let &Int4 { geometry, weights, channels, padding, range } = layer;
    let (column, pair_bytes, outputs) = (column_elements(&geometry), pair_bytes(&geometry), channels.len());
    let room = call.scratch_bytes().saturating_sub(int8_scratch_bytes(&geometry));
    let all = size_of_val(weights).wrapping_mul(2);
    let scratch: &mut [u32] = bytemuck::try_cast_slice_mut(call.take_scratch(room)).unwrap_or(&mut []);
    if all <= room {
        let unpacked = scratch.get_mut(..all / 4).unwrap_or(&mut []);
        int4::unpack_filters(weights, pair_bytes, unpacked);
        let weights = bytemuck::must_cast_slice(unpacked);
        each_tile(&Int8 { geometry, weights, channels, padding, range }, call, multiply);
        return;
    }
    // Whole groups, of as many filters as there is room for beside their results.
    let filters = room.checked_div(column.wrapping_add(simd::LANES)).unwrap_or(0);
    let filters = filters / int4::WHOLE_FILTERS * int4::WHOLE_FILTERS;
    let (results, unpacked) = scratch.split_at_mut_checked(filters.wrapping_mul(simd::LANES) / 4).unwrap_or_default();
    let results: &mut [i8] = bytemuck::must_cast_slice_mut(results);
    let rows = call.rows;
    let (window, output, own) = call.unary::<i8, i8>();
    let run = Run { geometry: &geometry, padding, window, rows, outputs };
    let weights = weights.chunks((filters / int4::NUMBERS).wrapping_mul(column).max(1));
    let mut first = 0;
    for (weights, channels) in weights.zip(channels.chunks(filters.max(1))) {
        let unpacked = unpacked.get_mut(..weights.len().wrapping_mul(2)).unwrap_or(&mut []);
        int4::unpack_filters(weights, pair_bytes, unpacked);
        let weights: &[i8] = bytemuck::must_cast_slice(unpacked);
        let end = channels.len().wrapping_add(first);
        run.each_tile(output, own, |tile, output| {
            let lanes = output.len().checked_div(outputs).unwrap_or(0);
            let results = results.get_mut(..lanes.wrapping_mul(channels.len())).unwrap_or(&mut []);
            multiply(tile, weights, channels, &range, results);
            let pixels = output.chunks_exact_mut(outputs.max(1));
            for (pixel, results) in pixels.zip(results.chunks_exact(channels.len().max(1))) {
                copy_long(pixel.get_mut(first..end).unwrap_or(&mut []), results);
            }
        });
        first = end;
    }
}
