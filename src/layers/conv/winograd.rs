//! Convolution with three horizontal taps and horizontal stride 1, two neighbouring output pixels in two thirds of the
//! products: Winograd's F(2, 3) along each line, as [`simd::winograd`] has it.
//!
//! The results are those of [`conv::int8`](super::int8), to the bit. The weights take 2.67 times the flash, the scratch
//! 1.33 times the memory.

use core::ops::Range;

use super::super::{Geometry, copy};
use crate::quantized::{self, Channel};
use crate::simd::winograd::{INPUTS, OUTPUTS, POSITIONS};
use crate::simd::{self, LANES, Pair, QUAD};
use crate::window::{Call, Window};

/// A convolution in int8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8<'a> {
    /// Window and widths, [of the form](is_possible) that can be transformed.
    pub geometry: Geometry,
    /// The filters' taps, transformed, in the order of [`simd::winograd`].
    pub weights: &'a [Pair],
    /// Per output channel. Their factors are [bounded](crate::quantized::Factor::is_bounded) for their sums.
    pub channels: &'a [Channel],
    /// What a padded place holds: the input's zero point.
    pub padding: i8,
    /// The output's zero point and range.
    pub range: quantized::Range,
}

/// Whether a window has three neighbouring taps along a line and makes every output there. Its vertical extents may be
/// any.
pub const fn is_possible(geometry: &Geometry) -> bool {
    let ([_, taps], [_, stride], [_, dilation]) = (geometry.kernel, geometry.stride, geometry.dilation);
    taps == 3 && stride == 1 && dilation == 1
}

/// Bytes of scratch: a transformed tile, behind it a pixel of padding, and, where pixels are not whole quads, the end of a
/// line and as much behind it.
pub const fn int8_scratch_bytes(geometry: &Geometry) -> usize {
    let pixel = pixel_elements(geometry);
    let pixels = if geometry.channels as usize == pixel { 1 } else { 3 };
    tile_pairs(geometry) * size_of::<Pair>() + pixels * pixel
}

/// Pairs in a transformed tile.
const fn tile_pairs(geometry: &Geometry) -> usize {
    geometry.kernel[0] as usize * line_pairs(geometry)
}

/// Pairs in one line of it.
const fn line_pairs(geometry: &Geometry) -> usize {
    pixel_elements(geometry) / 2 * POSITIONS * LANES
}

/// Channels of a pixel, filled up to whole quads.
const fn pixel_elements(geometry: &Geometry) -> usize {
    (geometry.channels as usize).next_multiple_of(QUAD)
}

/// Makes rows `[column][output channel]`. Scratch: [`int8_scratch_bytes`].
///
/// The pixels of all rows form one run of pairs, of which [`LANES`] at a time are multiplied with every filter; at the
/// end of a row of odd width half a pair is left.
///
/// ```
/// use microception::layers::{Geometry, conv::winograd};
/// use microception::quantized::{Channel, Range};
/// use microception::simd::{Pair, winograd::transform_taps};
/// use microception::window::Call;
/// // the taps 1, 2, 3 of one channel along a row of three pixels with same padding, halved
/// let weights = transform_taps([1, 2, 3]).map(|weight| [Pair([weight, 0]), Pair::default(), Pair::default(), Pair::default()]);
/// let layer = winograd::Int8 {
///     geometry: Geometry { width: 3, channels: 1, output_width: 3, kernel: [1, 3], stride: [1, 1], dilation: [1, 1], left: 1 },
///     weights: weights.as_flattened(),
///     channels: &[Channel::new(0, i32::MAX, -1)],
///     padding: 0,
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// assert!(winograd::is_possible(&layer.geometry));
/// let (mut output, mut scratch) = ([0u8; 3], [0u32; 35]);
/// assert_eq!(size_of_val(&scratch), winograd::int8_scratch_bytes(&layer.geometry));
/// winograd::int8(&layer, Call::on_lines(&[10, 20, 30], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut scratch), 1));
/// assert_eq!(output, [40, 70, 40]);
/// ```
pub fn int8(layer: &Int8<'_>, call: Call<'_>) {
    let geometry = &layer.geometry;
    let rows = call.rows;
    let (window, mut rest, scratch) = call.unary::<i8, i8>();
    let tile_bytes = tile_pairs(geometry).wrapping_mul(size_of::<Pair>());
    let (tile, pixels) = scratch.split_at_mut_checked(tile_bytes).unwrap_or_default();
    let tile: &mut [Pair] = bytemuck::try_cast_slice_mut(tile).unwrap_or(&mut []);
    let pixels: &mut [i8] = bytemuck::must_cast_slice_mut(pixels);
    pixels.fill(layer.padding);
    let (padding, end) = pixels.split_at_mut_checked(pixel_elements(geometry)).unwrap_or_default();
    let mut pairs = Pairs { geometry, window, padding, end, inside: inside(geometry) };
    let width = usize::from(geometry.output_width);
    let (mut row, mut column) = (0usize, 0usize);
    while row < rows {
        let mut pixels = [0; LANES];
        let mut lane = 0;
        while lane < LANES && row < rows {
            let end = lane.wrapping_add(width.wrapping_sub(column).div_ceil(OUTPUTS).max(1)).min(LANES);
            pairs.transform(row, column, lane..end, tile);
            for pixels in pixels.iter_mut().take(end).skip(lane) {
                *pixels = width.saturating_sub(column).min(OUTPUTS);
                column = column.wrapping_add(OUTPUTS);
            }
            lane = end;
            if column >= width {
                (row, column) = (row.wrapping_add(1), 0);
            }
        }
        let length = pixels.iter().sum::<usize>().wrapping_mul(layer.channels.len());
        let (output, others) = core::mem::take(&mut rest).split_at_mut_checked(length).unwrap_or_default();
        rest = others;
        simd::multiply_transformed(tile, layer.weights, layer.channels, &layer.range, pixels, output);
    }
}

/// The output columns of pairs none of whose four pixels is on padding or is not followed by what fills it up.
fn inside(geometry: &Geometry) -> Range<usize> {
    let [channels, width, left] = [geometry.channels.into(), geometry.width.into(), usize::from(geometry.left)];
    let following = pixel_elements(geometry).wrapping_sub(channels).div_ceil(channels.max(1));
    left..left.wrapping_add(width).saturating_sub(following.wrapping_add(INPUTS - 1))
}

/// The input under pairs of output pixels.
struct Pairs<'a> {
    geometry: &'a Geometry,
    window: Window<'a, i8>,
    /// A pixel of it.
    padding: &'a [i8],
    /// Room for the end of a line where nothing else follows its last pixels to fill them up.
    end: &'a mut [i8],
    /// See [`inside`].
    inside: Range<usize>,
}

impl Pairs<'_> {
    /// Transforms the input of the pairs from `column` on of the row `row` of the call into lanes of a tile.
    #[inline]
    fn transform(&mut self, row: usize, column: usize, lanes: Range<usize>, tile: &mut [Pair]) {
        let geometry = self.geometry;
        let channels = usize::from(geometry.channels);
        for (tap, tile) in tile.chunks_exact_mut(line_pairs(geometry).max(1)).enumerate() {
            let line = geometry.line(&self.window, row, tap);
            let (mut lane, mut column) = (lanes.start, column);
            while lane < lanes.end {
                let mut end = lane.wrapping_add(1);
                if let Some(line) = line.filter(|_| self.inside.contains(&column)) {
                    let pairs = self.inside.end.wrapping_sub(column).div_ceil(OUTPUTS);
                    end = lane.wrapping_add(pairs).min(lanes.end);
                    let from = column.wrapping_sub(self.inside.start).wrapping_mul(channels);
                    simd::transform_run(line.get(from..).unwrap_or(&[]), channels, lane..end, tile);
                } else {
                    self.transform_edge(line, column, lane, tile);
                }
                column = column.wrapping_add(end.wrapping_sub(lane).wrapping_mul(OUTPUTS));
                lane = end;
            }
        }
    }

    /// Transforms the input of the pair at an output column: pixels on padding, or at the end of a line.
    #[inline(never)]
    fn transform_edge(&mut self, line: Option<&[i8]>, column: usize, lane: usize, tile: &mut [Pair]) {
        let [channels, width, left] =
            [self.geometry.channels, self.geometry.width, self.geometry.left.into()].map(usize::from);
        let line = line.unwrap_or(&[]);
        let before_end = line.len().saturating_sub(self.padding.len());
        copy(self.end, line.get(before_end..).unwrap_or(&[]));
        let pixels = [0, 1, 2, 3].map(|place| {
            let column = column.wrapping_add(place).wrapping_sub(left);
            // What follows in the line fills the last quad: its weights are zero.
            let from = column.wrapping_mul(channels);
            match line.get(from..).filter(|_| column < width) {
                Some(rest) if rest.len() >= self.padding.len() => rest,
                Some([_, ..]) => self.end.get(from.wrapping_sub(before_end)..).unwrap_or(self.padding),
                _ => self.padding,
            }
        });
        simd::transform_pixels(pixels, lane, tile);
    }
}
