//! Every output reads every input of a flat tensor, or every channel of its own place.
//!
//! Weights are `[output][input]`. The layer consumes its input row by row and keeps running sums
//! in its scratch, so that the rows of a flattened image need not stay; the step that consumes
//! the last row makes the output. int8 follows FULLY_CONNECTED of LiteRT's reference kernels, which
//! round once where a convolution rounds twice.

use super::{conv, cut};
use crate::quantized::{Channel, Range, WideChannel};
use crate::simd;
use crate::window::Call;

/// A dense layer in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32<'a> {
    /// Inputs in all, over all rows.
    pub inputs: u32,
    /// `[output][input]`.
    pub weights: &'a [f32],
    /// Per output.
    pub bias: &'a [f32],
    /// The range that the fused activation leaves.
    pub clamp: [f32; 2],
}

/// A dense layer in int8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8<'a> {
    /// Inputs in all, over all rows.
    pub inputs: u32,
    /// `[output][input]`.
    pub weights: &'a [i8],
    /// Per output.
    pub channels: &'a [Channel],
    /// The output's zero point and range.
    pub range: Range,
}

/// A dense layer in int16x8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16<'a> {
    /// Inputs in all, over all rows.
    pub inputs: u32,
    /// `[output][input]`.
    pub weights: &'a [i8],
    /// Per output.
    pub channels: &'a [WideChannel],
    /// The least and greatest stored value that the fused activation leaves.
    pub clamp: [i16; 2],
}

/// A dense layer in int8, with weights of four bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int4<'a> {
    /// `[output][row][input of the row]`, of each row filled up with zeros to whole words and [packed](simd::int4).
    pub weights: &'a [u32],
    /// Per output.
    pub channels: &'a [Channel],
    /// The output's zero point and range.
    pub range: Range,
}

/// Consumes rows; with the last one, makes the output `[output]`. Scratch: one f32 per output,
/// kept from step to step.
///
/// ```
/// use microception::layers::dense;
/// use microception::window::Call;
/// let layer = dense::F32 { inputs: 2, weights: &[1.0, 2.0, 3.0, 4.0], bias: &[0.5, 0.0], clamp: [f32::MIN, f32::MAX] };
/// let (mut output, mut sums) = ([0.0f32; 2], [0.0f32; 2]);
/// let [output_bytes, sums] = [&mut output, &mut sums].map(|slice| bytemuck::cast_slice_mut(slice));
/// dense::f32(&layer, Call::on_lines(bytemuck::cast_slice(&[10.0f32, 1.0]), 1, 0, output_bytes, sums, 1));
/// assert_eq!(output, [12.5, 34.0]);
/// ```
pub fn f32(layer: &F32<'_>, call: Call<'_>) {
    let (row, inputs) = (call.row, layer.inputs as usize);
    let (window, output, sums) = call.unary::<f32, f32>();
    let sums: &mut [f32] = bytemuck::try_cast_slice_mut(sums).unwrap_or(&mut []);
    if row == 0 {
        super::copy(sums, layer.bias);
    }
    for (index, line) in window.iter().enumerate() {
        let consumed = row.wrapping_add(index).wrapping_mul(line.len());
        for (sum, weights) in sums.iter_mut().zip(layer.weights.chunks_exact(inputs.max(1))) {
            *sum = simd::dot_f32(weights.get(consumed..).unwrap_or(&[]), line, *sum);
        }
    }
    for (output, &sum) in output.iter_mut().zip(&*sums) {
        *output = cut(sum, layer.clamp);
    }
}

/// Consumes rows; with the last one, makes the output `[output]`. Scratch: one i32 per output,
/// kept from step to step.
///
/// ```
/// use microception::layers::dense;
/// use microception::quantized::{Channel, Factor, Range};
/// use microception::window::Call;
/// let layer = dense::Int8 {
///     inputs: 2,
///     weights: &[1, 2],
///     channels: &[Channel { bias: 4, factor: Factor { multiplier: 1 << 30, shift: 0 } }],
///     range: Range { zero_point: 1, clamp: [-128, 127] },
/// };
/// let (mut output, mut sums) = ([0u8], [0u32]);
/// dense::int8(&layer, Call::on_lines(&[10, 3], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut sums), 1));
/// assert_eq!(output, [11]);
/// ```
pub fn int8(layer: &Int8<'_>, call: Call<'_>) {
    let (row, inputs) = (call.row, layer.inputs as usize);
    let (window, output, sums) = call.unary::<i8, i8>();
    let sums: &mut [i32] = bytemuck::try_cast_slice_mut(sums).unwrap_or(&mut []);
    if row == 0 {
        for (sum, channel) in sums.iter_mut().zip(layer.channels) {
            *sum = channel.bias;
        }
    }
    for (index, line) in window.iter().enumerate() {
        let consumed = row.wrapping_add(index).wrapping_mul(line.len());
        for (sum, weights) in sums.iter_mut().zip(layer.weights.chunks_exact(inputs.max(1))) {
            *sum = simd::dot_i8(weights.get(consumed..).unwrap_or(&[]), line, *sum);
        }
    }
    for ((output, &sum), channel) in output.iter_mut().zip(&*sums).zip(layer.channels) {
        *output = layer.range.store(channel.factor.once(sum));
    }
}

/// Consumes rows; with the last one, makes the output `[output]`. Scratch: one sum of 64 bits per output, kept from step to
/// step.
///
/// ```
/// use microception::layers::dense;
/// use microception::quantized::WideChannel;
/// use microception::window::Call;
/// let layer = dense::Int16 { inputs: 2, weights: &[1, 2], channels: &[WideChannel::new(4, 1 << 30, 0)], clamp: [i16::MIN, i16::MAX] };
/// let (mut output, mut sums) = ([0i16], [0u32; 2]);
/// let [output_bytes, sums] = [bytemuck::cast_slice_mut(&mut output), bytemuck::cast_slice_mut(&mut sums)];
/// dense::int16(&layer, Call::on_lines(bytemuck::cast_slice(&[1000i16, 300]), 1, 0, output_bytes, sums, 1));
/// assert_eq!(output, [802]);
/// ```
pub fn int16(layer: &Int16<'_>, call: Call<'_>) {
    sum_int16(layer, call, WideChannel::store_once);
}

/// As [`int16`], where biases have 32 bits ([`WideChannel::store_once_narrow`]).
pub fn int16_narrow(layer: &Int16<'_>, call: Call<'_>) {
    sum_int16(layer, call, WideChannel::store_once_narrow);
}

#[inline]
fn sum_int16(layer: &Int16<'_>, call: Call<'_>, store: impl Fn(&WideChannel, i64, [i16; 2]) -> i16) {
    let (row, inputs) = (call.row, layer.inputs as usize);
    let (window, output, sums) = call.unary::<i16, i16>();
    // An arena is aligned to words.
    let sums: &mut [[u32; 2]] = bytemuck::try_cast_slice_mut(sums).unwrap_or(&mut []);
    if row == 0 {
        sums.fill([0; 2]);
    }
    for (index, line) in window.iter().enumerate() {
        let consumed = row.wrapping_add(index).wrapping_mul(line.len());
        for (sum, weights) in sums.iter_mut().zip(layer.weights.chunks_exact(inputs.max(1))) {
            let weights = weights.get(consumed..).unwrap_or(&[]);
            *sum = bytemuck::must_cast(simd::dot_i16(weights, line, bytemuck::must_cast(*sum)));
        }
    }
    for ((output, &sum), channel) in output.iter_mut().zip(&*sums).zip(layer.channels) {
        *output = store(channel, bytemuck::must_cast(sum), layer.clamp);
    }
}

/// Packed words that [`int4`] unpacks at a time.
const TOGETHER: usize = 8;

/// As [`int8`], with weights of four bits; scratch is the same. A few weights at a time are unpacked on the stack.
///
/// ```
/// use microception::layers::dense;
/// use microception::quantized::{Channel, Factor, Range};
/// use microception::simd::int4::pack;
/// use microception::window::Call;
/// let layer = dense::Int4 {
///     weights: &[pack([1, 2, 0, 0, 0, 0, 0, 0])],
///     channels: &[Channel { bias: 4, factor: Factor { multiplier: 1 << 30, shift: 0 } }],
///     range: Range { zero_point: 1, clamp: [-128, 127] },
/// };
/// let (mut output, mut sums) = ([0u8], [0u32]);
/// dense::int4(&layer, Call::on_lines(&[10, 3], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut sums), 1));
/// assert_eq!(output, [11]);
/// ```
pub fn int4(layer: &Int4<'_>, call: Call<'_>) {
    let row = call.row;
    let (window, output, sums) = call.unary::<i8, i8>();
    let sums: &mut [i32] = bytemuck::try_cast_slice_mut(sums).unwrap_or(&mut []);
    if row == 0 {
        for (sum, channel) in sums.iter_mut().zip(layer.channels) {
            *sum = channel.bias;
        }
    }
    let filter_words = layer.weights.len().checked_div(layer.channels.len()).unwrap_or(0);
    for (index, line) in window.iter().enumerate() {
        let consumed = row.wrapping_add(index).wrapping_mul(line.len().div_ceil(simd::int4::NUMBERS));
        for (sum, weights) in sums.iter_mut().zip(layer.weights.chunks_exact(filter_words.max(1))) {
            let weights = weights.get(consumed..).unwrap_or(&[]).chunks(TOGETHER);
            for (weights, values) in weights.zip(line.chunks(TOGETHER * simd::int4::NUMBERS)) {
                let mut unpacked = [0; 2 * TOGETHER];
                simd::int4::unpack(weights, &mut unpacked);
                *sum = simd::dot_i8(bytemuck::must_cast_slice(&unpacked), values, *sum);
            }
        }
    }
    for ((output, &sum), channel) in output.iter_mut().zip(&*sums).zip(layer.channels) {
        *output = layer.range.store(channel.factor.once(sum));
    }
}

/// A dense layer at every place by itself, rounded once: makes rows `[column][output]`, described and
/// with scratch as a pointwise convolution. In f32 it is one.
///
/// ```
/// use microception::layers::{Geometry, conv, dense};
/// use microception::quantized::{Channel, Factor, Range};
/// use microception::window::Call;
/// // two places of one channel, to one output each: a third
/// let layer = conv::Int8 {
///     geometry: Geometry { width: 2, channels: 1, output_width: 2, kernel: [1, 1], stride: [1, 1], dilation: [1, 1], left: 0 },
///     weights: &[1, 0, 0, 0, 0, 0, 0, 0],
///     channels: &[Channel { bias: 0, factor: Factor { multiplier: 1431655765, shift: -1 } }],
///     padding: 0,
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let (mut output, mut scratch) = ([0u8; 2], [0u32; 9]);
/// dense::positionwise_int8(&layer, Call::on_lines(&[4, 60], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut scratch), 1));
/// assert_eq!(output, [1, 20]);
/// ```
pub fn positionwise_int8(layer: &conv::Int8<'_>, call: Call<'_>) {
    conv::each_tile(layer, call, simd::multiply_tile_once);
}

/// As [`positionwise_int8`], in int16x8: described and with scratch as a convolution in int16x8, but for multipliers, of which
/// all bits count.
pub fn positionwise_int16(layer: &conv::Int16<'_>, call: Call<'_>) {
    conv::int16_wide(layer, call, WideChannel::store_once);
}

/// As [`positionwise_int16`], where biases have 32 bits.
pub fn positionwise_int16_narrow(layer: &conv::Int16<'_>, call: Call<'_>) {
    conv::int16_wide(layer, call, WideChannel::store_once_narrow);
}

/// As [`positionwise_int8`], with weights of four bits: described and with scratch as a convolution of them.
pub fn positionwise_int4(layer: &conv::int4::Int4<'_>, call: Call<'_>) {
    conv::int4::each_part(layer, call, simd::multiply_tile_once);
}
