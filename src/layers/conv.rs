//! Convolution over all input channels, pointwise included.
//!
//! Weights are `[output channel][vertical][horizontal][input channel]`. The input values under an
//! output pixel, in the same order, are that pixel's *column*: gathered into scratch (im2col, a few
//! pixels at a time), or, of a pointwise convolution, the input pixel where it lies.
//!
//! int8 follows CONV_2D of the [TensorFlow Lite 8-bit specification]: int8 x int8 into i32,
//! requantized per output channel with two roundings.
//!
//! [TensorFlow Lite 8-bit specification]: https://ai.google.dev/edge/litert/models/quantization_spec

use bytemuck::Pod;

use super::{Geometry, copy};
use crate::quantized::{Channel, Range};
use crate::simd::{self, float::FILTERS};
use crate::window::{Call, Window};

/// A convolution in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32<'a> {
    /// Window and widths.
    pub geometry: Geometry,
    /// `[output channel / 4][vertical][horizontal][input channel][output channel % 4]`, output channels filled up with
    /// zeros.
    pub weights: &'a [f32],
    /// Per output channel.
    pub bias: &'a [f32],
    /// The range that the fused activation leaves.
    pub clamp: [f32; 2],
}

/// A convolution in int8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8<'a> {
    /// Window and widths.
    pub geometry: Geometry,
    /// `[output channel][vertical][horizontal][input channel]`, each channel's column filled up
    /// with zeros to a multiple of [`simd::QUAD`].
    pub weights: &'a [i8],
    /// Per output channel.
    pub channels: &'a [Channel],
    /// What a padded place holds: the input's zero point.
    pub padding: i8,
    /// The output's zero point and range.
    pub range: Range,
}

/// Makes rows `[column][output channel]`. Scratch: [`f32_scratch_bytes`].
///
/// The pixels of all rows form one run, of which [`simd::LANES`] at a time are multiplied with four filters.
///
/// The course's example, kernel [[1, 0], [0, 1]] over the first two rows of its matrix:
///
/// ```
/// use microception::layers::{Geometry, conv};
/// use microception::window::Call;
/// let geometry = Geometry { width: 4, channels: 1, output_width: 3, kernel: [2, 2], stride: [1, 1], dilation: [1, 1], left: 0 };
/// let layer = conv::F32 { geometry, weights: &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], bias: &[0.0], clamp: [f32::MIN, f32::MAX] };
/// let lines: [f32; 8] = [4.0, 5.0, 4.0, 4.0, 4.0, 2.0, 3.0, 5.0];
/// let (mut output, mut scratch) = ([0.0f32; 3], [0.0f32; 16]);
/// let [output_bytes, scratch] = [&mut output[..], &mut scratch[..]].map(|slice| bytemuck::cast_slice_mut(slice));
/// conv::f32(&layer, Call::on_lines(bytemuck::cast_slice(&lines), 2, 0, output_bytes, scratch, 1));
/// assert_eq!(output, [6.0, 8.0, 9.0]);
/// ```
pub fn f32(layer: &F32<'_>, call: Call<'_>) {
    let geometry = &layer.geometry;
    let rows = call.rows;
    let (window, output, scratch) = call.unary::<f32, f32>();
    let scratch: &mut [f32] = bytemuck::try_cast_slice_mut(scratch).unwrap_or(&mut []);
    let column_elements = geometry.column_elements();
    let (width, outputs) = (usize::from(geometry.output_width), layer.bias.len().max(1));
    let (mut row, mut column) = (0, 0);
    for output in output.chunks_mut(outputs.wrapping_mul(simd::LANES).max(1)) {
        let mut columns: [&[f32]; simd::LANES] = [&[]; simd::LANES];
        let mut gathered = scratch.chunks_exact_mut(column_elements.max(1));
        for place in &mut columns {
            if row == rows {
                break;
            }
            if geometry.taps() == 1 {
                *place = geometry.pixel(geometry.line(&window, row, 0), column, 0).unwrap_or(&[]);
            } else if let Some(gathered) = gathered.next() {
                gather(geometry, &window, row, column, 0.0, gathered);
                *place = gathered;
            }
            column += 1;
            if column == width {
                (row, column) = (row.wrapping_add(1), 0);
            }
        }
        // Lanes behind the last pixel compute what the first does; nobody reads it.
        let [first, others @ ..] = &mut columns;
        for column in others {
            if column.is_empty() {
                *column = first;
            }
        }
        let columns = simd::Columns::new(columns);
        let filters = layer.weights.chunks_exact(column_elements.wrapping_mul(FILTERS).max(FILTERS));
        for (index, (filters, bias)) in filters.zip(layer.bias.chunks(FILTERS)).enumerate() {
            let mut start = [0.0; FILTERS];
            copy(&mut start, bias);
            let sums = simd::dot_tile_f32(filters, &columns, start, layer.clamp);
            let mut from = index.wrapping_mul(FILTERS);
            for sums in sums {
                let pixel = output.get_mut(from..).unwrap_or(&mut []);
                match pixel.first_chunk_mut() {
                    Some(pixel) if bias.len() == FILTERS => *pixel = sums,
                    _ => copy(pixel.get_mut(..bias.len()).unwrap_or(&mut []), &sums),
                }
                from = from.wrapping_add(outputs);
            }
        }
    }
}

/// Bytes of scratch of a convolution in f32: a tile of columns, which a pointwise convolution does without.
pub const fn f32_scratch_bytes(geometry: &Geometry) -> usize {
    if geometry.taps() == 1 { 0 } else { geometry.column_elements() * simd::LANES * size_of::<f32>() }
}

/// Bytes of scratch of an int8 convolution: a tile of columns, widened, and behind it one column
/// as it is gathered, which a pointwise convolution does without.
pub const fn int8_scratch_bytes(geometry: &Geometry) -> usize {
    let column = geometry.column_elements().next_multiple_of(simd::QUAD);
    let gathered = if geometry.taps() == 1 { 0 } else { column };
    column * simd::LANES * size_of::<i16>() + gathered
}

/// Makes rows `[column][output channel]`. Scratch: [`int8_scratch_bytes`].
///
/// The pixels of all rows form one run, of which [`simd::LANES`] at a time are multiplied with
/// every filter.
///
/// ```
/// use microception::layers::{Geometry, conv};
/// use microception::quantized::{Channel, Factor, Range};
/// use microception::window::Call;
/// // pointwise, two channels to one, halved: (3*10 + 1*20 + 6) / 2
/// let layer = conv::Int8 {
///     geometry: Geometry { width: 1, channels: 2, output_width: 1, kernel: [1, 1], stride: [1, 1], dilation: [1, 1], left: 0 },
///     weights: &[3, 1, 0, 0],
///     channels: &[Channel { bias: 6, factor: Factor { multiplier: 1 << 30, shift: 0 } }],
///     padding: 0,
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let (mut output, mut scratch) = ([0u8], [0u32; 8]);
/// assert_eq!(size_of_val(&scratch), conv::int8_scratch_bytes(&layer.geometry));
/// conv::int8(&layer, Call::on_lines(&[10, 20], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut scratch), 1));
/// assert_eq!(output, [28]);
/// ```
pub fn int8(layer: &Int8<'_>, call: Call<'_>) {
    tiles::<false>(layer, call);
}

/// Every filter over every pixel, a tile at a time, with sums rounded `ONCE` or twice.
#[inline]
pub(super) fn tiles<const ONCE: bool>(layer: &Int8<'_>, call: Call<'_>) {
    let geometry = &layer.geometry;
    let rows = call.rows;
    let (window, output, scratch) = call.unary::<i8, i8>();
    let column_elements = geometry.column_elements().next_multiple_of(simd::QUAD);
    let tile_bytes = column_elements.wrapping_mul(simd::LANES * size_of::<i16>());
    let (tile, gathered) = scratch.split_at_mut_checked(tile_bytes).unwrap_or_default();
    let tile: &mut [i16] = bytemuck::try_cast_slice_mut(tile).unwrap_or(&mut []);
    let gathered: &mut [i8] = bytemuck::must_cast_slice_mut(gathered);
    let (width, outputs) = (usize::from(geometry.output_width), layer.channels.len().max(1));
    let (mut row, mut column) = (0, 0);
    for output in output.chunks_mut(outputs.wrapping_mul(simd::LANES).max(1)) {
        for lane in 0..simd::LANES {
            if row == rows {
                break;
            }
            if geometry.taps() == 1 {
                let line = geometry.line(&window, row, 0);
                simd::widen(geometry.pixel(line, column, 0).unwrap_or(&[]), lane, tile);
            } else {
                gather(geometry, &window, row, column, layer.padding, gathered);
                simd::widen(gathered, lane, tile);
            }
            column += 1;
            if column == width {
                (row, column) = (row.wrapping_add(1), 0);
            }
        }
        let filters = layer.weights.chunks_exact(column_elements.max(simd::QUAD)).zip(layer.channels);
        for (index, (weights, channel)) in filters.enumerate() {
            let sums = simd::dot_tile(weights, tile, channel.bias);
            let mut place = index;
            let mut store = |stored| {
                if let Some(output) = output.get_mut(place) {
                    *output = stored;
                }
                place = place.wrapping_add(outputs);
            };
            if ONCE {
                for sum in sums {
                    store(layer.range.store(channel.factor.once(sum)));
                }
            } else {
                layer.range.requantize_each(sums, channel.factor, store);
            }
        }
    }
}

/// Copies the input under one output pixel's window into `scratch`, in the weights' order.
#[inline]
fn gather<T: Pod>(
    geometry: &Geometry,
    window: &Window<'_, T>,
    row: usize,
    column: usize,
    padding: T,
    scratch: &mut [T],
) {
    let [vertical, horizontal] = geometry.kernel.map(usize::from);
    let mut taps = scratch.chunks_exact_mut(usize::from(geometry.channels).max(1));
    for tap in 0..vertical {
        let line = geometry.line(window, row, tap);
        for (tap, pixel) in (0..horizontal).zip(&mut taps) {
            match geometry.pixel(line, column, tap) {
                Some(input) => copy(pixel, input),
                None => pixel.fill(padding),
            }
        }
    }
}
