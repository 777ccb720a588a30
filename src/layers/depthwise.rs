//! Convolution of each channel by itself: the spatial half of a separable convolution.
//!
//! Output channel `c * multiplier + m` reads input channel `c`. int8 follows DEPTHWISE_CONV_2D of the TensorFlow Lite 8-bit
//! specification, int16x8 LiteRT's reference kernels where the bias has 64 bits. With a 1x1 window it is a scale and shift
//! per channel.

use bytemuck::Pod;

use super::{Geometry, cut};
use crate::quantized::{Channel, Range, WideChannel};
use crate::simd;
use crate::window::{Call, Window};

/// A depthwise convolution in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32<'a> {
    /// Window and widths.
    pub geometry: Geometry,
    /// As those of [`Int8`].
    pub weights: &'a [f32],
    /// Per output channel.
    pub bias: &'a [f32],
    /// The range that the fused activation leaves.
    pub clamp: [f32; 2],
}

/// A depthwise convolution in int8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8<'a> {
    /// Window and widths.
    pub geometry: Geometry,
    /// The taps in order, up to [`simd::TAPS`] to a pass: `[pass][output channel / 4][tap][output
    /// channel % 4]`, channels filled up with zeros.
    pub weights: &'a [i8],
    /// Per output channel.
    pub channels: &'a [Channel],
    /// What a padded place holds: the input's zero point.
    pub padding: i8,
    /// The output's zero point and range.
    pub range: Range,
}

/// A depthwise convolution in int16x8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16<'a> {
    /// Window and widths.
    pub geometry: Geometry,
    /// As those of [`Int8`].
    pub weights: &'a [i8],
    /// Per output channel; of multipliers the lower 16 bits are zero.
    pub channels: &'a [WideChannel],
    /// The least and greatest stored value that the fused activation leaves.
    pub clamp: [i16; 2],
}

/// A depthwise convolution in int8, with weights of four bits, which are unpacked into scratch, once for all pixels of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int4<'a> {
    /// Window and widths.
    pub geometry: Geometry,
    /// In the order of those of [`Int8`], filled up with zeros to whole words and [packed](simd::int4).
    pub weights: &'a [u32],
    /// Per output channel.
    pub channels: &'a [Channel],
    /// What a padded place holds: the input's zero point.
    pub padding: i8,
    /// The output's zero point and range.
    pub range: Range,
}

/// Makes rows `[column][output channel]`. Scratch: [`f32_scratch_bytes`]; sums are kept in the output.
///
/// ```
/// use microception::layers::{Geometry, depthwise};
/// use microception::window::Call;
/// // two channels, a horizontal difference of neighbours each
/// let geometry = Geometry { width: 3, channels: 2, output_width: 2, kernel: [1, 2], stride: [1, 1], dilation: [1, 1], left: 0 };
/// let layer = depthwise::F32 { geometry, weights: &[-1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0], bias: &[0.0; 2], clamp: [f32::MIN, f32::MAX] };
/// let line: [f32; 6] = [1.0, 10.0, 2.0, 30.0, 4.0, 60.0];
/// let mut output = [0.0f32; 4];
/// depthwise::f32(&layer, Call::on_lines(bytemuck::cast_slice(&line), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1));
/// assert_eq!(output, [1.0, 20.0, 2.0, 30.0]);
/// ```
pub fn f32(layer: &F32<'_>, call: Call<'_>) {
    let geometry = &layer.geometry;
    let rows = call.rows;
    let (window, output, scratch) = call.unary::<f32, f32>();
    let padding: &mut [f32] = bytemuck::try_cast_slice_mut(scratch).unwrap_or(&mut []);
    padding.fill(0.0);
    let padding = &*padding;
    let outputs = layer.bias.len();
    let multiplier = multiplier(geometry, outputs);
    let mut pixels = output.chunks_exact_mut(outputs.max(1));
    for row in 0..rows {
        for (column, sums) in (0..usize::from(geometry.output_width)).zip(&mut pixels) {
            super::copy(sums, layer.bias);
            let mut weights = layer.weights;
            each_pass(geometry, &window, row, column, padding, |taps| {
                let length = sums.len().next_multiple_of(4).wrapping_mul(taps.len());
                let (of_pass, rest) = weights.split_at_checked(length).unwrap_or_default();
                weights = rest;
                if multiplier == 1 {
                    simd::dot_pixels_f32(taps, of_pass, sums);
                } else {
                    spread(taps, of_pass, multiplier, sums, |sum, value, weight| *sum += value * weight);
                }
            });
            for sum in sums {
                *sum = cut(*sum, layer.clamp);
            }
        }
    }
}

/// Bytes of scratch of a depthwise convolution in f32: a pixel of padding.
pub const fn f32_scratch_bytes(geometry: &Geometry) -> usize {
    geometry.channels as usize * size_of::<f32>()
}

/// Bytes of scratch of an int8 depthwise convolution: a sum per output channel, and a pixel of padding.
pub const fn int8_scratch_bytes(geometry: &Geometry, output_channels: usize) -> usize {
    output_channels * size_of::<i32>() + (geometry.channels as usize).next_multiple_of(4)
}

/// Makes rows `[column][output channel]`. Scratch: [`int8_scratch_bytes`].
///
/// ```
/// use microception::layers::{Geometry, depthwise};
/// use microception::quantized::{Channel, Factor, Range};
/// use microception::window::Call;
/// // the sum of three neighbours, same padding, zero point 0
/// let layer = depthwise::Int8 {
///     geometry: Geometry { width: 3, channels: 1, output_width: 3, kernel: [1, 3], stride: [1, 1], dilation: [1, 1], left: 1 },
///     weights: &[1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
///     channels: &[Channel { bias: 0, factor: Factor { multiplier: 1 << 30, shift: 1 } }],
///     padding: 0,
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let (mut output, mut scratch) = ([0u8; 3], [0u32; 2]);
/// depthwise::int8(&layer, Call::on_lines(&[1, 2, 3], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut scratch), 1));
/// assert_eq!(output, [3, 6, 5]);
/// ```
pub fn int8(layer: &Int8<'_>, call: Call<'_>) {
    let geometry = &layer.geometry;
    let rows = call.rows;
    let (window, output, scratch) = call.unary::<i8, i8>();
    let outputs = layer.channels.len();
    let (sums, padding) = scratch.split_at_mut_checked(outputs.wrapping_mul(size_of::<i32>())).unwrap_or_default();
    let sums: &mut [i32] = bytemuck::try_cast_slice_mut(sums).unwrap_or(&mut []);
    let padding: &mut [i8] = bytemuck::must_cast_slice_mut(padding);
    padding.fill(layer.padding);
    let padding = &*padding;
    let multiplier = multiplier(geometry, outputs);
    let mut pixels = output.chunks_exact_mut(outputs.max(1));
    for row in 0..rows {
        for (column, output) in (0..usize::from(geometry.output_width)).zip(&mut pixels) {
            for (sum, channel) in sums.iter_mut().zip(layer.channels) {
                *sum = channel.bias;
            }
            let mut weights = layer.weights;
            each_pass(geometry, &window, row, column, padding, |taps| {
                let length = sums.len().next_multiple_of(4).wrapping_mul(taps.len());
                let (of_pass, rest) = weights.split_at_checked(length).unwrap_or_default();
                weights = rest;
                if multiplier == 1 {
                    simd::dot_pixels(taps, of_pass, sums);
                } else {
                    spread(taps, of_pass, multiplier, sums, |sum, value, weight| {
                        *sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
                    });
                }
            });
            for ((output, &sum), channel) in output.iter_mut().zip(&*sums).zip(layer.channels) {
                *output = layer.range.requantize(sum, channel.factor);
            }
        }
    }
}

/// Makes rows `[column][output channel]`. Scratch: [`int16_scratch_bytes`]. Every channel must be
/// [bounded](WideChannel::is_bounded) for its sums; for others there is [`int16_literal`].
///
/// ```
/// use microception::layers::{Geometry, depthwise};
/// use microception::quantized::WideChannel;
/// use microception::window::Call;
/// // a quarter of the sum of three neighbours, same padding
/// let layer = depthwise::Int16 {
///     geometry: Geometry { width: 3, channels: 1, output_width: 3, kernel: [1, 3], stride: [1, 1], dilation: [1, 1], left: 1 },
///     weights: &[1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
///     channels: &[WideChannel::new(0, 32767 << 16, -2)],
///     clamp: [i16::MIN, i16::MAX],
/// };
/// let (mut output, mut scratch) = ([0i16; 3], [0u32; 2]);
/// let [output_bytes, scratch] = [bytemuck::cast_slice_mut(&mut output), bytemuck::cast_slice_mut(&mut scratch)];
/// depthwise::int16(&layer, Call::on_lines(bytemuck::cast_slice(&[100i16, 200, 300]), 1, 0, output_bytes, scratch, 1));
/// assert_eq!(output, [75, 150, 125]);
/// ```
pub fn int16(layer: &Int16<'_>, call: Call<'_>) {
    each_int16_pixel(layer, call, |sum, channel| channel.store_bounded(sum, layer.clamp));
}

/// As [`int16`], for any factors and biases, of at most [`simd::int16::EXACT`] taps.
pub fn int16_literal(layer: &Int16<'_>, call: Call<'_>) {
    each_int16_pixel(layer, call, |sum, channel| channel.store(sum.into(), layer.clamp));
}

/// Sums up the products of each output pixel, of which `store` makes the stored values.
#[inline]
fn each_int16_pixel(layer: &Int16<'_>, call: Call<'_>, store: impl Fn(i32, &WideChannel) -> i16) {
    let geometry = &layer.geometry;
    let rows = call.rows;
    let (window, output, scratch) = call.unary::<i16, i16>();
    let outputs = layer.channels.len();
    let (sums, padding) = scratch.split_at_mut_checked(outputs.wrapping_mul(size_of::<i32>())).unwrap_or_default();
    let sums: &mut [i32] = bytemuck::try_cast_slice_mut(sums).unwrap_or(&mut []);
    let padding: &mut [i16] = bytemuck::try_cast_slice_mut(padding).unwrap_or(&mut []);
    padding.fill(0);
    let padding = &*padding;
    let multiplier = multiplier(geometry, outputs);
    let mut pixels = output.chunks_exact_mut(outputs.max(1));
    for row in 0..rows {
        for (column, output) in (0..usize::from(geometry.output_width)).zip(&mut pixels) {
            sums.fill(0);
            let mut weights = layer.weights;
            each_pass(geometry, &window, row, column, padding, |taps| {
                let length = sums.len().next_multiple_of(4).wrapping_mul(taps.len());
                let (of_pass, rest) = weights.split_at_checked(length).unwrap_or_default();
                weights = rest;
                if multiplier == 1 {
                    simd::dot_pixels_i16(taps, of_pass, sums);
                } else {
                    spread(taps, of_pass, multiplier, sums, |sum, value, weight| {
                        *sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
                    });
                }
            });
            for ((output, &sum), channel) in output.iter_mut().zip(&*sums).zip(layer.channels) {
                *output = store(sum, channel);
            }
        }
    }
}

/// Bytes of scratch of a depthwise convolution in int16x8: a sum per output channel, and a pixel of padding.
pub const fn int16_scratch_bytes(geometry: &Geometry, output_channels: usize) -> usize {
    output_channels * size_of::<i32>() + (geometry.channels as usize * size_of::<i16>()).next_multiple_of(4)
}

/// Calls `pass` with the pixels under the taps of one output pixel in their order, at most [`simd::TAPS`] at a
/// time; on padding they are `padding`.
#[inline]
fn each_pass<T: Pod>(
    geometry: &Geometry,
    window: &Window<'_, T>,
    row: usize,
    column: usize,
    padding: &[T],
    mut pass: impl FnMut(&[&[T]]),
) {
    let [vertical, horizontal] = geometry.kernel.map(usize::from);
    let mut taps = [padding; simd::TAPS];
    let mut filled = 0;
    for tap in 0..vertical {
        let line = geometry.line(window, row, tap);
        for tap in 0..horizontal {
            if filled == simd::TAPS {
                pass(&taps);
                filled = 0;
            }
            if let Some(place) = taps.get_mut(filled) {
                *place = geometry.pixel(line, column, tap).unwrap_or(padding);
            }
            filled = filled.wrapping_add(1);
        }
    }
    pass(taps.get(..filled).unwrap_or(&[]));
}

/// Whether [`int8_3x3`] can run a layer of this shape: a dense 3x3 window, and whole words of channels, each of
/// which makes one.
pub const fn is_3x3(geometry: &Geometry, output_channels: usize) -> bool {
    let Geometry { kernel: [vertical, horizontal], dilation: [_, dilation], channels, left, .. } = *geometry;
    let dense = vertical == 3 && horizontal == 3 && dilation == 1 && left <= 2;
    dense && channels as usize == output_channels && output_channels.is_multiple_of(4)
}

/// Bytes of scratch of [`int8_3x3`] where a call makes so many `rows`; more than [`simd::ROWS`] take no more, and with less,
/// if it is enough for one, fewer are made at once.
pub const fn int8_3x3_scratch_bytes(geometry: &Geometry, rows: usize) -> usize {
    let Geometry { width, output_width, stride: [_, stride], left, .. } = *geometry;
    simd::Row::scratch_bytes(width as usize, output_width as usize, stride as usize, left as usize, rows)
}

/// Makes rows `[column][channel]` of a layer that [`is_3x3`] and whose factors are all
/// [bounded](crate::quantized::Factor::is_bounded) for their sums. Its weights are in the order of
/// [`simd::TAPS_3X3`], channel by channel. Scratch: [`int8_3x3_scratch_bytes`]. A call [in place](Call::in_place) makes one row over
/// the topmost line under its window, which is as long.
///
/// ```
/// use microception::layers::{Geometry, depthwise};
/// use microception::quantized::{Channel, Range};
/// use microception::window::Call;
/// // each channel's middle line only: the value, halved
/// let layer = depthwise::Int8 {
///     geometry: Geometry { width: 1, channels: 4, output_width: 1, kernel: [3, 3], stride: [1, 1], dilation: [1, 1], left: 1 },
///     weights: &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0].repeat(4),
///     channels: &[Channel::new(0, i32::MAX, -1); 4],
///     padding: 0,
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let (mut output, mut scratch) = ([0u8; 4], vec![0u32; depthwise::int8_3x3_scratch_bytes(&layer.geometry, 1) / 4]);
/// depthwise::int8_3x3(&layer, Call::on_lines(&[10, 20, 30, 40], 1, -1, &mut output, bytemuck::cast_slice_mut(&mut scratch), 1));
/// assert_eq!(output, [5, 10, 15, 20]);
/// ```
pub fn int8_3x3(layer: &Int8<'_>, call: Call<'_>) {
    let &Int8 { ref geometry, weights, channels, padding, range } = layer;
    let (rows, in_place) = (call.rows, call.in_place);
    let (window, output, scratch) = call.unary::<i8, i8>();
    let Geometry { width, output_width, stride: [_, stride], left, .. } = *geometry;
    let [width, output_width] = [width, output_width].map(usize::from);
    let (stride, left) = (stride.into(), left.into());
    let row = simd::Row { width, output_width, stride, left, padding, weights, channels, range, in_place };
    let scratch: &mut [u32] = bytemuck::try_cast_slice_mut(scratch).unwrap_or(&mut []);
    simd::convolve_3x3(&row, rows, |row, tap| geometry.line(&window, row, tap), scratch, output);
}

/// Bytes of scratch that so many packed words of weights take beside those of the kernel of int8.
pub const fn int4_scratch_bytes(weights: usize) -> usize {
    weights * size_of::<u32>() * 2
}

/// As [`int8`], with weights of four bits. Scratch: [`int4_scratch_bytes`] and [`int8_scratch_bytes`].
///
/// ```
/// use microception::layers::{Geometry, depthwise};
/// use microception::quantized::{Channel, Factor, Range};
/// use microception::simd::int4::pack;
/// use microception::window::Call;
/// // the sum of three neighbours, same padding, zero point 0
/// let layer = depthwise::Int4 {
///     geometry: Geometry { width: 3, channels: 1, output_width: 3, kernel: [1, 3], stride: [1, 1], dilation: [1, 1], left: 1 },
///     weights: &[pack([1, 0, 0, 0, 1, 0, 0, 0]), pack([1, 0, 0, 0, 0, 0, 0, 0])],
///     channels: &[Channel { bias: 0, factor: Factor { multiplier: 1 << 30, shift: 1 } }],
///     padding: 0,
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let (mut output, mut scratch) = ([0u8; 3], [0u32; 6]);
/// depthwise::int4(&layer, Call::on_lines(&[1, 2, 3], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut scratch), 1));
/// assert_eq!(output, [3, 6, 5]);
/// ```
pub fn int4(layer: &Int4<'_>, call: Call<'_>) {
    unpacked(layer, call, int8);
}

/// As [`int8_3x3`], with weights of four bits. Scratch: [`int4_scratch_bytes`] and [`int8_3x3_scratch_bytes`].
pub fn int4_3x3(layer: &Int4<'_>, call: Call<'_>) {
    unpacked(layer, call, int8_3x3);
}

#[inline]
fn unpacked(layer: &Int4<'_>, mut call: Call<'_>, run: impl Fn(&Int8<'_>, Call<'_>)) {
    let &Int4 { geometry, weights, channels, padding, range } = layer;
    let unpacked = call.take_scratch(int4_scratch_bytes(weights.len()));
    let unpacked: &mut [u32] = bytemuck::try_cast_slice_mut(unpacked).unwrap_or(&mut []);
    simd::int4::unpack(weights, unpacked);
    run(&Int8 { geometry, weights: bytemuck::must_cast_slice(unpacked), channels, padding, range }, call);
}

/// Adds the products of one pass of taps to the sums, where an input channel has several output channels.
#[inline]
fn spread<T: Pod, W: Pod, S>(
    taps: &[&[T]],
    weights: &[W],
    multiplier: usize,
    sums: &mut [S],
    add: impl Fn(&mut S, T, W),
) {
    let (quads, _) = weights.as_chunks::<4>();
    let mut quads = quads.iter();
    for (group, sums) in sums.chunks_mut(4).enumerate() {
        for (tap, weights) in taps.iter().zip(&mut quads) {
            for (lane, (sum, &weight)) in sums.iter_mut().zip(weights).enumerate() {
                let channel = group.wrapping_mul(4).wrapping_add(lane).checked_div(multiplier).unwrap_or(0);
                if let Some(&value) = tap.get(channel) {
                    add(sum, value, weight);
                }
            }
        }
    }
}

/// Output channels per input channel, at least one.
#[inline]
fn multiplier(geometry: &Geometry, output_channels: usize) -> usize {
    output_channels.checked_div(usize::from(geometry.channels)).unwrap_or(1).max(1)
}
