//! The mean of each channel over all places, as running sums: rows are consumed as they come.
//! int8 follows MEAN of LiteRT's reference kernels, where the number of places is part of the
//! factor and the sum is rounded once by it.

use crate::quantized::{Factor, Range, saturate_i16};
use crate::simd;
use crate::window::Call;

/// A mean in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32 {
    /// Channels of a pixel.
    pub channels: u16,
    /// Places of the whole input.
    pub places: u32,
}

/// A mean in int8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8 {
    /// Channels of a pixel.
    pub channels: u16,
    /// What the sum of stored values starts at: `-places * input zero point`.
    pub bias: i32,
    /// `input scale / output scale / places`.
    pub factor: Factor,
    /// The output's zero point and range.
    pub range: Range,
}

/// A mean in int16, of at most 65,535 places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16 {
    /// Channels of a pixel.
    pub channels: u16,
    /// `input scale / output scale / places`.
    pub factor: Factor,
}

/// Consumes rows `[column][channel]`; with the last one, makes the output `[channel]`. Scratch:
/// one f32 per channel, kept from step to step.
///
/// ```
/// use microception::layers::global_average_pool;
/// use microception::window::Call;
/// let layer = global_average_pool::F32 { channels: 2, places: 2 };
/// let (mut output, mut sums) = ([0.0f32; 2], [0.0f32; 2]);
/// let [output_bytes, sums] = [&mut output, &mut sums].map(|slice| bytemuck::cast_slice_mut(slice));
/// let row = [1.0f32, 10.0, 2.0, 30.0];
/// global_average_pool::f32(&layer, Call::on_lines(bytemuck::cast_slice(&row), 1, 0, output_bytes, sums, 1));
/// assert_eq!(output, [1.5, 20.0]);
/// ```
pub fn f32(layer: &F32, call: Call<'_>) {
    let row = call.row;
    let (window, output, sums) = call.unary::<f32, f32>();
    let sums: &mut [f32] = bytemuck::try_cast_slice_mut(sums).unwrap_or(&mut []);
    if row == 0 {
        sums.fill(0.0);
    }
    window.iter().for_each(|line| simd::add_pixels_f32(line, sums));
    for (output, sum) in output.iter_mut().zip(&*sums) {
        *output = sum / layer.places as f32;
    }
}

/// Consumes rows `[column][channel]`; with the last one, makes the output `[channel]`. Scratch:
/// one i32 per channel, kept from step to step.
///
/// ```
/// use microception::layers::global_average_pool;
/// use microception::quantized::{Factor, Range};
/// use microception::window::Call;
/// let layer = global_average_pool::Int8 {
///     channels: 1,
///     bias: 0,
///     factor: Factor { multiplier: 1 << 30, shift: 0 },
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let (mut output, mut sums) = ([0u8], [0u32]);
/// let call = Call::on_lines(&[4, 8], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut sums), 1);
/// global_average_pool::int8(&layer, call);
/// assert_eq!(output, [6]);
/// ```
pub fn int8(layer: &Int8, call: Call<'_>) {
    let row = call.row;
    let (window, output, sums) = call.unary::<i8, i8>();
    let sums: &mut [i32] = bytemuck::try_cast_slice_mut(sums).unwrap_or(&mut []);
    if row == 0 {
        sums.fill(layer.bias);
    }
    window.iter().for_each(|line| simd::add_pixels(line, sums));
    for (output, &sum) in output.iter_mut().zip(&*sums) {
        *output = layer.range.requantize(sum, layer.factor);
    }
}

/// As [`int8`], in int16.
///
/// ```
/// use microception::layers::global_average_pool;
/// use microception::quantized::Factor;
/// use microception::window::Call;
/// let layer = global_average_pool::Int16 { channels: 1, factor: Factor { multiplier: 1 << 30, shift: 0 } };
/// let (mut output, mut sums) = ([0i16], [0i32]);
/// let [output_bytes, sums] = [bytemuck::cast_slice_mut(&mut output), bytemuck::cast_slice_mut(&mut sums)];
/// global_average_pool::int16(&layer, Call::on_lines(bytemuck::cast_slice(&[400i16, 800]), 1, 0, output_bytes, sums, 1));
/// assert_eq!(output, [600]);
/// ```
pub fn int16(layer: &Int16, call: Call<'_>) {
    let row = call.row;
    let (window, output, sums) = call.unary::<i16, i16>();
    let sums: &mut [i32] = bytemuck::try_cast_slice_mut(sums).unwrap_or(&mut []);
    if row == 0 {
        sums.fill(0);
    }
    window.iter().for_each(|line| simd::add_pixels_i16(line, sums));
    for (output, &sum) in output.iter_mut().zip(&*sums) {
        *output = saturate_i16(layer.factor.of(sum), [i16::MIN, i16::MAX]);
    }
}
