//! Convolution over all input channels, pointwise included.
//!
//! Weights are `[output channel][vertical][horizontal][input channel]`. The input values under an
//! output pixel, in the same order, are that pixel's *column*: gathered into scratch (im2col, a few
//! pixels at a time), or, of a pointwise convolution, the input pixel where it lies.
//!
//! int8 follows CONV_2D of the [TensorFlow Lite 8-bit specification]: int8 x int8 into i32,
//! requantized per output channel with two roundings.
//!
//! int16x8 has i16 values around zero: int16 x int8 into i64, requantized with one rounding by 16 bits of the factor, as
//! LiteRT's reference kernels do it where the bias has 64 bits.
//!
//! [TensorFlow Lite 8-bit specification]: https://ai.google.dev/edge/litert/models/quantization_spec

pub mod int4;
pub mod winograd;

use core::ops::Range;

use super::{Geometry, copy};
use crate::quantized::{self, Channel, WideChannel};
use crate::simd::{self, float};
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
    /// Each channel's column `[vertical][horizontal][input channel]`, of each vertical tap filled up with zeros to a
    /// multiple of [`simd::QUAD`], the columns of two channels interleaved as [`simd::portable`] has it, in whole groups and
    /// in this core's order ([`simd::arrange`]).
    pub weights: &'a [i8],
    /// Per output channel.
    pub channels: &'a [Channel],
    /// What a padded place holds: the input's zero point.
    pub padding: i8,
    /// The output's zero point and range.
    pub range: quantized::Range,
}

/// A convolution in int16x8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16<'a> {
    /// Window and widths.
    pub geometry: Geometry,
    /// `[output channel / 2][quad][output channel % 2][weight]`: each channel's column `[vertical][horizontal][input
    /// channel]`, filled up with zeros to whole quads, the weights of a quad in [`simd::int16::WEIGHT_ORDER`]; an odd last
    /// channel lies beside one of zeros.
    pub weights: &'a [i8],
    /// Per output channel; of multipliers the lower 16 bits are zero.
    pub channels: &'a [WideChannel],
    /// The least and greatest stored value that the fused activation leaves.
    pub clamp: [i16; 2],
}

/// Makes rows `[column][output channel]`. Scratch: [`f32_scratch_bytes`].
///
/// The pixels of all rows form one run, of which [`simd::LANES`] at a time are multiplied with four filters.
///
/// The course's example: the kernel [[1, 0], [0, 1]] over its matrix, which adds up a number and the one below to its
/// right. The result begins 6, 8.
///
/// ```
/// use microception::layers::{Geometry, conv};
/// use microception::window::Call;
/// let matrix: [[f32; 4]; 4] = [
///     [4.0, 5.0, 4.0, 4.0],
///     [4.0, 2.0, 3.0, 5.0],
///     [5.0, 5.0, 4.0, 4.0],
///     [7.0, 7.0, 5.0, 5.0],
/// ];
/// // one filter, and three of zeros that fill up the four
/// let weights = [
///     1.0, 0.0, 0.0, 0.0,   0.0, 0.0, 0.0, 0.0,
///     0.0, 0.0, 0.0, 0.0,   1.0, 0.0, 0.0, 0.0,
/// ];
/// let geometry = Geometry { width: 4, channels: 1, output_width: 3, kernel: [2, 2], stride: [1, 1], dilation: [1, 1], left: 0 };
/// let layer = conv::F32 { geometry, weights: &weights, bias: &[0.0], clamp: [f32::MIN, f32::MAX] };
/// let (mut output, mut scratch) = ([[0.0f32; 3]; 3], [0.0f32; 16]);
/// let call = Call::on_lines(
///     bytemuck::cast_slice(&matrix), 4, 0,
///     bytemuck::cast_slice_mut(&mut output), bytemuck::cast_slice_mut(&mut scratch), 3,
/// );
/// conv::f32(&layer, call);
/// assert_eq!(output, [
///     [ 6.0,  8.0, 9.0],
///     [ 9.0,  6.0, 7.0],
///     [12.0, 10.0, 9.0],
/// ]);
/// ```
///
/// With padding "same" zeros lie around the matrix and the result is as large as it is. What is above and to the left of
/// it is said by the first line's place (-1) and by `left`:
///
/// ```
/// # use microception::layers::{Geometry, conv};
/// # use microception::window::Call;
/// # let matrix: [[f32; 4]; 4] = [[4.0, 5.0, 4.0, 4.0], [4.0, 2.0, 3.0, 5.0], [5.0, 5.0, 4.0, 4.0], [7.0, 7.0, 5.0, 5.0]];
/// let mut weights = [[0.0; 4]; 9]; // nine taps of the first filter: each adds
/// weights.iter_mut().for_each(|taps| taps[0] = 1.0);
/// let geometry = Geometry { width: 4, channels: 1, output_width: 4, kernel: [3, 3], stride: [1, 1], dilation: [1, 1], left: 1 };
/// let layer = conv::F32 { geometry, weights: weights.as_flattened(), bias: &[0.0], clamp: [f32::MIN, f32::MAX] };
/// let (mut output, mut scratch) = ([[0.0f32; 4]; 4], [0.0f32; 36]);
/// let call = Call::on_lines(
///     bytemuck::cast_slice(&matrix), 4, -1,
///     bytemuck::cast_slice_mut(&mut output), bytemuck::cast_slice_mut(&mut scratch), 4,
/// );
/// conv::f32(&layer, call);
/// assert_eq!(output, [
///     [15.0, 22.0, 23.0, 16.0], // 4 + 5 + 4 + 2 = 15
///     [25.0, 36.0, 36.0, 24.0],
///     [30.0, 42.0, 40.0, 26.0],
///     [24.0, 33.0, 30.0, 18.0],
/// ]);
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
                gather(geometry, &window, row, column, gathered);
                *place = gathered;
            }
            column += 1;
            if column == width {
                (row, column) = (row.wrapping_add(1), 0);
            }
        }
        let columns = simd::Columns::new(filled_up(columns));
        let filters = layer.weights.chunks_exact(column_elements.wrapping_mul(float::FILTERS).max(float::FILTERS));
        for (index, (filters, bias)) in filters.zip(layer.bias.chunks(float::FILTERS)).enumerate() {
            let mut start = [0.0; float::FILTERS];
            copy(&mut start, bias);
            let sums = simd::dot_tile_f32(filters, &columns, start, layer.clamp);
            let mut from = index.wrapping_mul(float::FILTERS);
            for sums in sums {
                let pixel = output.get_mut(from..).unwrap_or(&mut []);
                match pixel.first_chunk_mut() {
                    Some(pixel) if bias.len() == float::FILTERS => *pixel = sums,
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

/// Makes rows `[column][output channel]`. Scratch: [`int16_scratch_bytes`]. Every channel must be
/// [bounded](WideChannel::is_bounded) for its sums; for others there is [`int16_literal`].
///
/// The pixels of all rows form one run, of which [`simd::LANES`] at a time are multiplied with two filters.
///
/// ```
/// use microception::layers::{Geometry, conv};
/// use microception::quantized::WideChannel;
/// use microception::window::Call;
/// // pointwise, four channels to one, a quarter: (3*1000 + 1*2000 + 6) / 4
/// let layer = conv::Int16 {
///     geometry: Geometry { width: 1, channels: 4, output_width: 1, kernel: [1, 1], stride: [1, 1], dilation: [1, 1], left: 0 },
///     weights: &[3, 0, 1, 0, 0, 0, 0, 0],
///     channels: &[WideChannel::new(6, 1 << 30, -2)],
///     clamp: [i16::MIN, i16::MAX],
/// };
/// let mut output = [0i16];
/// let pixel: [i16; 4] = [1000, 2000, 0, 0];
/// conv::int16(&layer, Call::on_lines(bytemuck::cast_slice(&pixel), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1));
/// assert_eq!(output, [626]);
/// ```
pub fn int16(layer: &Int16<'_>, call: Call<'_>) {
    each_int16_tile(layer, call, |columns, output| {
        simd::multiply_columns_i16(columns, layer.weights, layer.channels, layer.clamp, output);
    });
}

/// As [`int16`], for any factors and sums: these have 64 bits.
pub fn int16_literal(layer: &Int16<'_>, call: Call<'_>) {
    int16_wide(layer, call, WideChannel::store);
}

/// As [`int16_literal`], where biases have 32 bits ([`WideChannel::store_twice`]): all bits of multipliers count.
pub fn int16_narrow(layer: &Int16<'_>, call: Call<'_>) {
    int16_wide(layer, call, WideChannel::store_twice);
}

/// As [`int16_literal`], with what makes the stored value of a sum.
#[inline]
pub(super) fn int16_wide(layer: &Int16<'_>, call: Call<'_>, store: impl Fn(&WideChannel, i64, [i16; 2]) -> i16) {
    let outputs = layer.channels.len();
    let pair_bytes = int16_column_elements(&layer.geometry).wrapping_mul(simd::FILTERS);
    each_int16_tile(layer, call, |columns, output| {
        let pairs = layer.weights.chunks_exact(pair_bytes.max(1)).zip(layer.channels.chunks(simd::FILTERS));
        for (index, (filters, channels)) in pairs.enumerate() {
            let mut wide = [[0i64; simd::FILTERS]; simd::LANES];
            for (index, filters) in filters.chunks(simd::int16::EXACT * simd::FILTERS).enumerate() {
                let from = index.wrapping_mul(simd::int16::EXACT);
                let columns = columns.map(|column| column.get(from..).unwrap_or(&[]));
                for (wide, sums) in wide.iter_mut().zip(simd::dot_columns_i16(filters, columns)) {
                    for (wide, sum) in wide.iter_mut().zip(sums) {
                        *wide = wide.wrapping_add(sum.into());
                    }
                }
            }
            let output = output.get_mut(index.wrapping_mul(simd::FILTERS)..).unwrap_or(&mut []);
            for (sums, output) in wide.iter().zip(output.chunks_mut(outputs.max(1))) {
                for ((output, &sum), channel) in output.iter_mut().zip(sums).zip(channels) {
                    *output = store(channel, sum, layer.clamp);
                }
            }
        }
    });
}

/// Calls `multiply` with the columns of each tile and its output.
#[inline]
fn each_int16_tile(layer: &Int16<'_>, call: Call<'_>, multiply: impl Fn([&[i16]; simd::LANES], &mut [i16])) {
    let geometry = &layer.geometry;
    let rows = call.rows;
    let (window, output, scratch) = call.unary::<i16, i16>();
    let scratch: &mut [i16] = bytemuck::try_cast_slice_mut(scratch).unwrap_or(&mut []);
    let column_elements = int16_column_elements(geometry);
    let (width, outputs) = (usize::from(geometry.output_width), layer.channels.len().max(1));
    let (mut row, mut column) = (0, 0);
    for output in output.chunks_mut(outputs.wrapping_mul(simd::LANES).max(1)) {
        let mut columns: [&[i16]; simd::LANES] = [&[]; simd::LANES];
        let mut gathered = scratch.chunks_exact_mut(column_elements.max(1));
        for place in &mut columns {
            if row == rows {
                break;
            }
            if is_read_in_place(geometry) {
                *place = geometry.pixel(geometry.line(&window, row, 0), column, 0).unwrap_or(&[]);
            } else if let Some(gathered) = gathered.next() {
                gather(geometry, &window, row, column, gathered);
                *place = gathered;
            }
            column += 1;
            if column == width {
                (row, column) = (row.wrapping_add(1), 0);
            }
        }
        multiply(filled_up(columns), output);
    }
}

/// Lanes behind the last pixel compute what the first does; nobody reads it.
#[inline]
fn filled_up<T>(mut columns: [&[T]; simd::LANES]) -> [&[T]; simd::LANES] {
    let [first, others @ ..] = &mut columns;
    for column in others {
        if column.is_empty() {
            *column = first;
        }
    }
    columns
}

/// Bytes of scratch of a convolution in int16x8: a tile of columns, which a pointwise convolution of whole quads does
/// without.
pub const fn int16_scratch_bytes(geometry: &Geometry) -> usize {
    if is_read_in_place(geometry) { 0 } else { int16_column_elements(geometry) * simd::LANES * size_of::<i16>() }
}

/// Elements of an int16 column: whole quads.
const fn int16_column_elements(geometry: &Geometry) -> usize {
    geometry.column_elements().next_multiple_of(simd::QUAD)
}

/// Whether an input pixel is a column.
const fn is_read_in_place(geometry: &Geometry) -> bool {
    geometry.taps() == 1 && (geometry.channels as usize).is_multiple_of(simd::QUAD)
}

/// Bytes of scratch of an int8 convolution: a tile of columns, widened, and behind it one horizontal run of
/// taps where input pixels are not whole quads.
pub const fn int8_scratch_bytes(geometry: &Geometry) -> usize {
    let gathered = if (geometry.channels as usize).is_multiple_of(simd::QUAD) { 0 } else { run_elements(geometry) };
    column_elements(geometry) * simd::LANES * size_of::<i16>() + gathered
}

/// Bytes of the interleaved weights of a pair of filters, for [`simd::arrange`].
pub const fn pair_bytes(geometry: &Geometry) -> usize {
    column_elements(geometry) * simd::FILTERS
}

/// Elements of an int8 column: of each vertical tap whole quads.
const fn column_elements(geometry: &Geometry) -> usize {
    geometry.kernel[0] as usize * run_elements(geometry)
}

/// Elements under the horizontal taps of one line, filled up to whole quads.
const fn run_elements(geometry: &Geometry) -> usize {
    (geometry.kernel[1] as usize * geometry.channels as usize).next_multiple_of(simd::QUAD)
}

/// Makes rows `[column][output channel]`. Scratch: [`int8_scratch_bytes`]. Every channel's factor must
/// be [bounded](crate::quantized::Factor::is_bounded) for its sums, and they below [`simd::LARGEST_SUM`]; for others there is
/// [`int8_literal`].
///
/// The pixels of all rows form one run, of which [`simd::LANES`] at a time are multiplied with
/// every filter.
///
/// ```
/// use microception::layers::{Geometry, conv};
/// use microception::quantized::{Channel, Range};
/// use microception::window::Call;
/// // pointwise, two channels to one, halved: (3*10 + 1*20 + 6) / 2
/// let layer = conv::Int8 {
///     geometry: Geometry { width: 1, channels: 2, output_width: 1, kernel: [1, 1], stride: [1, 1], dilation: [1, 1], left: 0 },
///     weights: &[3, 0, 0, 0, 1, 0, 0, 0],
///     channels: &[Channel::new(6, i32::MAX, -1)],
///     padding: 0,
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let (mut output, mut scratch) = ([0u8], [0u32; 9]);
/// assert_eq!(size_of_val(&scratch), conv::int8_scratch_bytes(&layer.geometry));
/// conv::int8(&layer, Call::on_lines(&[10, 20], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut scratch), 1));
/// assert_eq!(output, [28]);
/// ```
pub fn int8(layer: &Int8<'_>, call: Call<'_>) {
    each_tile(layer, call, simd::multiply_tile);
}

/// Whether [`int8_in_place`] can run a layer of this shape: pointwise with stride 1, as many output channels as input channels,
/// and whole quads of them.
pub const fn is_in_place(geometry: &Geometry, output_channels: usize) -> bool {
    let Geometry { kernel: [vertical, horizontal], stride: [down, across], channels, width, output_width, .. } =
        *geometry;
    let pointwise = vertical == 1 && horizontal == 1 && down == 1 && across == 1 && width == output_width;
    pointwise && channels as usize == output_channels && output_channels.is_multiple_of(simd::QUAD)
}

/// As [`int8`], over the input, of a layer that [can](is_in_place). The call's lines lie one after the other, as its rows do.
///
/// ```
/// use microception::layers::{Geometry, conv};
/// use microception::quantized::{Channel, Range};
/// use microception::simd;
/// use microception::window::Call;
/// // of two pairs of filters: each channel takes its neighbour's value, doubled and halved
/// let weights = simd::arrange([0, 2, 0, 0,  2, 0, 0, 0,  0, 0, 0, 2,  0, 0, 2, 0], 8);
/// let layer = conv::Int8 {
///     geometry: Geometry { width: 1, channels: 4, output_width: 1, kernel: [1, 1], stride: [1, 1], dilation: [1, 1], left: 0 },
///     weights: bytemuck::cast_slice(&weights),
///     channels: &[Channel::new(0, i32::MAX, -1); 4],
///     padding: 0,
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let (mut values, mut scratch) = ([10u8, 20, 30, 40], [0u32; 8]);
/// conv::int8_in_place(&layer, Call::on_lines(&[], 0, 0, &mut values, bytemuck::cast_slice_mut(&mut scratch), 1));
/// assert_eq!(values, [20, 10, 40, 30]);
/// ```
pub fn int8_in_place(layer: &Int8<'_>, call: Call<'_>) {
    let channels = usize::from(layer.geometry.channels);
    let (_, pixels, scratch) = call.unary::<i8, i8>();
    let tile: &mut [simd::Pair] = bytemuck::try_cast_slice_mut(scratch).unwrap_or(&mut []);
    for pixels in pixels.chunks_mut(channels.wrapping_mul(simd::LANES).max(1)) {
        let lanes = pixels.len().checked_div(channels).unwrap_or(0);
        simd::widen(pixels, channels, 0..lanes, tile);
        simd::multiply_tile(tile, layer.weights, layer.channels, &layer.range, pixels);
    }
}

/// As [`int8`], for any factors: requantized in the literal steps of the specification.
pub fn int8_literal(layer: &Int8<'_>, call: Call<'_>) {
    each_tile(layer, call, simd::multiply_tile_literal);
}

/// Widens the columns of [`simd::LANES`] pixels at a time and hands them to `multiply`, with their place in
/// the output.
#[inline]
pub(super) fn each_tile(
    layer: &Int8<'_>,
    call: Call<'_>,
    multiply: impl Fn(&mut [simd::Pair], &[i8], &[Channel], &quantized::Range, &mut [i8]),
) {
    let rows = call.rows;
    let (window, output, scratch) = call.unary::<i8, i8>();
    let run = Run { geometry: &layer.geometry, padding: layer.padding, window, rows, outputs: layer.channels.len() };
    run.each_tile(output, scratch, |tile, output| {
        multiply(tile, layer.weights, layer.channels, &layer.range, output);
    });
}

/// The pixels of a call.
struct Run<'a> {
    geometry: &'a Geometry,
    /// What a padded place holds.
    padding: i8,
    window: Window<'a, i8>,
    /// Output rows.
    rows: usize,
    /// Output channels.
    outputs: usize,
}

impl Run<'_> {
    /// As [`each_tile`].
    #[inline]
    fn each_tile(&self, output: &mut [i8], scratch: &mut [u8], mut multiply: impl FnMut(&mut [simd::Pair], &mut [i8])) {
        let &Run { geometry, padding, window, rows, outputs } = self;
        let tile_bytes = column_elements(geometry).wrapping_mul(simd::LANES * size_of::<i16>());
        let (tile, gathered) = scratch.split_at_mut_checked(tile_bytes).unwrap_or_default();
        let tile: &mut [simd::Pair] = bytemuck::try_cast_slice_mut(tile).unwrap_or(&mut []);
        let inside = inside(geometry);
        let gathered = bytemuck::must_cast_slice_mut(gathered);
        let mut columns = Columns { geometry, window, inside, padding, gathered };
        let width = usize::from(geometry.output_width);
        let (mut row, mut column) = (0usize, 0usize);
        for output in output.chunks_mut(outputs.max(1).wrapping_mul(simd::LANES).max(1)) {
            let mut lane = 0;
            while lane < simd::LANES && row < rows {
                let end = width.min(column.wrapping_add(simd::LANES).wrapping_sub(lane));
                columns.widen(row, column..end, lane, tile);
                lane = lane.wrapping_add(end.wrapping_sub(column).max(1));
                column = end;
                if column >= width {
                    (row, column) = (row.wrapping_add(1), 0);
                }
            }
            multiply(tile, output);
        }
    }
}

/// The output columns under whose horizontal taps input pixels lie one after the other, as do those that fill the run up:
/// none is on padding.
fn inside(geometry: &Geometry) -> Range<usize> {
    let ([_, taps], [_, stride], [_, dilation]) = (geometry.kernel, geometry.stride, geometry.dilation);
    if taps != 1 && dilation != 1 {
        return 0..0;
    }
    let [width, left, stride] = [geometry.width.into(), geometry.left.into(), usize::from(stride).max(1)];
    let pixels = run_elements(geometry).div_ceil(usize::from(geometry.channels).max(1));
    left.div_ceil(stride)..left.wrapping_add(width).wrapping_add(stride).saturating_sub(pixels) / stride
}

/// The input under the windows of output pixels, in the weights' order.
struct Columns<'a> {
    geometry: &'a Geometry,
    window: Window<'a, i8>,
    /// See [`inside`].
    inside: Range<usize>,
    padding: i8,
    /// Room for one run of horizontal taps, of layers whose input pixels are not whole quads.
    gathered: &'a mut [i8],
}

impl Columns<'_> {
    /// Widens the columns of some output pixels of the row `row` of the call into lanes of a tile, from `lane` on.
    #[inline]
    fn widen(&mut self, row: usize, columns: Range<usize>, lane: usize, mut tile: &mut [simd::Pair]) {
        let geometry = self.geometry;
        let ([vertical, _], [_, stride]) = (geometry.kernel, geometry.stride);
        let step = usize::from(geometry.channels).wrapping_mul(stride.into());
        let left = usize::from(geometry.channels).wrapping_mul(geometry.left.into());
        let run_words = run_elements(geometry) / simd::WORD_ELEMENTS;
        for tap in 0..usize::from(vertical) {
            let (run, rest) = tile.split_at_mut_checked(run_words.wrapping_mul(simd::LANES)).unwrap_or_default();
            tile = rest;
            let Some(line) = geometry.line(&self.window, row, tap) else {
                simd::fill(self.padding, lane..lane.wrapping_add(columns.len()), run);
                continue;
            };
            let (mut lane, mut column) = (lane, columns.start);
            while column < columns.end {
                let from = column.wrapping_mul(step).wrapping_sub(left);
                let mut pixels = 1;
                if self.inside.contains(&column) {
                    pixels = self.inside.end.min(columns.end).wrapping_sub(column);
                    let line = line.get(from..).unwrap_or(&[]);
                    simd::widen(line, step, lane..lane.wrapping_add(pixels), run);
                } else {
                    self.widen_edge(line, from, lane, run);
                }
                column = column.wrapping_add(pixels);
                lane = lane.wrapping_add(pixels);
            }
        }
    }

    /// As [`widen`](Columns::widen), for one line and one column, whose first tap is the value `from`, tap by tap: some are
    /// on padding or apart. A place in front of the line is beyond its end too.
    #[inline(never)]
    fn widen_edge(&mut self, line: &[i8], mut from: usize, lane: usize, tile: &mut [simd::Pair]) {
        let [_, dilation] = self.geometry.dilation;
        let channels = usize::from(self.geometry.channels);
        let step = channels.wrapping_mul(dilation.into());
        let lanes = lane..lane.wrapping_add(1);
        if self.gathered.is_empty() {
            let tap_words = channels / simd::WORD_ELEMENTS;
            for tile in tile.chunks_exact_mut(tap_words.wrapping_mul(simd::LANES).max(1)) {
                match line.get(from..from.wrapping_add(channels)) {
                    Some(pixel) => simd::widen(pixel, 0, lanes.clone(), tile),
                    None => simd::fill(self.padding, lanes.clone(), tile),
                }
                from = from.wrapping_add(step);
            }
        } else {
            let neighbours = if dilation == 1 { self.gathered.len() } else { channels };
            for pixels in self.gathered.chunks_mut(neighbours.max(1)) {
                for (place, value) in pixels.iter_mut().enumerate() {
                    *value = line.get(from.wrapping_add(place)).copied().unwrap_or(self.padding);
                }
                from = from.wrapping_add(step);
            }
            simd::widen(self.gathered, 0, lanes, tile);
        }
    }
}

/// Copies the input under one output pixel's window into `scratch`, in the weights' order, zeros where it is padding.
#[inline]
fn gather<T: bytemuck::Pod>(geometry: &Geometry, window: &Window<'_, T>, row: usize, column: usize, scratch: &mut [T]) {
    let [vertical, horizontal] = geometry.kernel.map(usize::from);
    let mut taps = scratch.chunks_exact_mut(usize::from(geometry.channels).max(1));
    for tap in 0..vertical {
        let line = geometry.line(window, row, tap);
        for (tap, pixel) in (0..horizontal).zip(&mut taps) {
            match geometry.pixel(line, column, tap) {
                Some(input) => copy(pixel, input),
                None => pixel.fill(T::zeroed()),
            }
        }
    }
}
