//! Convolution over all input channels, pointwise included.
//!
//! Weights are `[output channel][vertical][horizontal][input channel]`. The input values under an
//! output pixel, in the same order, are that pixel's *column*: gathered into scratch (im2col, one
//! pixel at a time), or, of a pointwise convolution, the input pixel where it lies.
//!
//! int8 follows CONV_2D of the [TensorFlow Lite 8-bit specification]: int8 x int8 into i32,
//! requantized per output channel with two roundings.
//!
//! [TensorFlow Lite 8-bit specification]: https://ai.google.dev/edge/litert/models/quantization_spec

use bytemuck::Pod;

use super::{Geometry, copy, cut};
use crate::quantized::{Channel, Range};
use crate::simd;
use crate::window::{Call, Window};

/// A convolution in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32<'a> {
    /// Window and widths.
    pub geometry: Geometry,
    /// `[output channel][vertical][horizontal][input channel]`.
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
    /// `[output channel][vertical][horizontal][input channel]`.
    pub weights: &'a [i8],
    /// Per output channel.
    pub channels: &'a [Channel],
    /// What a padded place holds: the input's zero point.
    pub padding: i8,
    /// The output's zero point and range.
    pub range: Range,
}

/// Makes rows `[column][output channel]`. Scratch: one column, [`Geometry::column_elements`]
/// f32; none for a pointwise convolution.
///
/// The course's example, kernel [[1, 0], [0, 1]] over the first two rows of its matrix:
///
/// ```
/// use microception::layers::{Geometry, conv};
/// use microception::window::Call;
/// let geometry = Geometry { width: 4, channels: 1, output_width: 3, kernel: [2, 2], stride: [1, 1], dilation: [1, 1], left: 0 };
/// let layer = conv::F32 { geometry, weights: &[1.0, 0.0, 0.0, 1.0], bias: &[0.0], clamp: [f32::MIN, f32::MAX] };
/// let lines: [f32; 8] = [4.0, 5.0, 4.0, 4.0, 4.0, 2.0, 3.0, 5.0];
/// let (mut output, mut scratch) = ([0.0f32; 3], [0.0f32; 4]);
/// let [output_bytes, scratch] = [&mut output[..], &mut scratch[..]].map(|slice| bytemuck::cast_slice_mut(slice));
/// conv::f32(&layer, Call::on_lines(bytemuck::cast_slice(&lines), 2, 0, output_bytes, scratch, 1));
/// assert_eq!(output, [6.0, 8.0, 9.0]);
/// ```
pub fn f32(layer: &F32<'_>, call: Call<'_>) {
    let (rows, column_elements) = (call.rows, layer.geometry.column_elements().max(1));
    let (window, output, scratch) = call.unary::<f32, f32>();
    let scratch = bytemuck::try_cast_slice_mut(scratch).unwrap_or(&mut []);
    each_column(&layer.geometry, &window, rows, layer.bias.len(), output, 0.0, scratch, |column, output| {
        let filters = layer.weights.chunks_exact(column_elements).zip(layer.bias);
        for (output, (weights, &bias)) in output.iter_mut().zip(filters) {
            *output = cut(simd::dot_f32(weights, column, bias), layer.clamp);
        }
    });
}

/// Makes rows `[column][output channel]`. Scratch: one column, [`Geometry::column_elements`]
/// bytes; none for a pointwise convolution.
///
/// ```
/// use microception::layers::{Geometry, conv};
/// use microception::quantized::{Channel, Factor, Range};
/// use microception::window::Call;
/// // pointwise, two channels to one, halved: (3*10 + 1*20 + 6) / 2
/// let layer = conv::Int8 {
///     geometry: Geometry { width: 1, channels: 2, output_width: 1, kernel: [1, 1], stride: [1, 1], dilation: [1, 1], left: 0 },
///     weights: &[3, 1],
///     channels: &[Channel { bias: 6, factor: Factor { multiplier: 1 << 30, shift: 0 } }],
///     padding: 0,
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let mut output = [0u8];
/// conv::int8(&layer, Call::on_lines(&[10, 20], 1, 0, &mut output, &mut [], 1));
/// assert_eq!(output, [28]);
/// ```
pub fn int8(layer: &Int8<'_>, call: Call<'_>) {
    let (rows, column_elements) = (call.rows, layer.geometry.column_elements().max(1));
    let (window, output, scratch) = call.unary::<i8, i8>();
    let scratch = bytemuck::try_cast_slice_mut(scratch).unwrap_or(&mut []);
    each_column(
        &layer.geometry,
        &window,
        rows,
        layer.channels.len(),
        output,
        layer.padding,
        scratch,
        |column, output| {
            let filters = layer.weights.chunks_exact(column_elements).zip(layer.channels);
            for (output, (weights, channel)) in output.iter_mut().zip(filters) {
                *output = layer.range.requantize(simd::dot_i8(weights, column, channel.bias), channel.factor);
            }
        },
    );
}

/// Calls `filter` with the column and the output `[output channel]` of every output pixel.
#[inline]
#[expect(
    clippy::too_many_arguments,
    reason = "a column's source, shape and destination; a struct would be named for one call"
)]
fn each_column<T: Pod>(
    geometry: &Geometry,
    window: &Window<'_, T>,
    rows: usize,
    output_channels: usize,
    output: &mut [T],
    padding: T,
    scratch: &mut [T],
    mut filter: impl FnMut(&[T], &mut [T]),
) {
    let output_width = usize::from(geometry.output_width);
    let mut pixels = output.chunks_exact_mut(output_channels.max(1));
    for row in 0..rows {
        for (column, output) in (0..output_width).zip(&mut pixels) {
            if geometry.taps() == 1 {
                let line = geometry.line(window, row, 0);
                filter(geometry.pixel(line, column, 0).unwrap_or(&[]), output);
            } else {
                gather(geometry, window, row, column, padding, scratch);
                filter(scratch, output);
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
