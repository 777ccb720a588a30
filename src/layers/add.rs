//! The sum of two tensors of one shape. int8 follows ADD of LiteRT's reference kernels: both
//! inputs are shifted left by 20 bits and brought to one scale before they are added.

use super::cut;
use crate::quantized::{Factor, Range};
use crate::window::Call;

/// A sum in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32 {
    /// The range that the fused activation leaves.
    pub clamp: [f32; 2],
}

/// A sum in int8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8 {
    /// Zero points of the inputs.
    pub zero_points: [i32; 2],
    /// Of each input: its scale over twice the larger of both scales.
    pub factors: [Factor; 2],
    /// Twice the larger of both scales, over 2^20 times the output's scale.
    pub output_factor: Factor,
    /// The output's zero point and range.
    pub range: Range,
}

/// How far the inputs are shifted left before they are brought to one scale.
pub const LEFT_SHIFT: u32 = 20;

/// Makes rows `[column][channel]`. Scratch: none.
///
/// ```
/// use microception::layers::add;
/// use microception::window::Call;
/// let mut output = [0.0f32; 2];
/// let call = Call::on_lines(bytemuck::cast_slice(&[1.0f32, -2.0]), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1)
///     .and_lines(bytemuck::cast_slice(&[3.0f32, -4.0]), 1);
/// add::f32(&add::F32 { clamp: [0.0, f32::MAX] }, call);
/// assert_eq!(output, [4.0, 0.0]);
/// ```
pub fn f32(layer: &F32, call: Call<'_>) {
    let (first, second, mut output) = call.binary::<f32, f32>();
    for (first, second) in first.iter().zip(second.iter()) {
        let (row, rest) = output.split_at_mut_checked(first.len()).unwrap_or_default();
        output = rest;
        for ((output, first), second) in row.iter_mut().zip(first).zip(second) {
            *output = cut(first + second, layer.clamp);
        }
    }
}

/// Makes rows `[column][channel]`. Scratch: none.
///
/// ```
/// use microception::layers::add;
/// use microception::quantized::{Factor, Range};
/// use microception::window::Call;
/// // equal scales: each input's factor is one half, the output's is 2 / 2^20
/// let half = Factor { multiplier: 1 << 30, shift: 0 };
/// let layer = add::Int8 {
///     zero_points: [0, 0],
///     factors: [half, half],
///     output_factor: Factor { multiplier: 1 << 30, shift: -18 },
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let mut output = [0u8; 2];
/// add::int8(&layer, Call::on_lines(&[5, 100], 1, 0, &mut output, &mut [], 1).and_lines(&[7, 100], 1));
/// assert_eq!(output, [12, 127]);
/// ```
pub fn int8(layer: &Int8, call: Call<'_>) {
    let (first, second, mut output) = call.binary::<i8, i8>();
    let [first_zero, second_zero] = layer.zero_points;
    let [first_factor, second_factor] = layer.factors;
    let scaled = |value: i8, zero: i32, factor: Factor| factor.of((i32::from(value) - zero) << LEFT_SHIFT);
    for (first, second) in first.iter().zip(second.iter()) {
        let (row, rest) = output.split_at_mut_checked(first.len()).unwrap_or_default();
        output = rest;
        for ((output, &first), &second) in row.iter_mut().zip(first).zip(second) {
            let sum = scaled(first, first_zero, first_factor).wrapping_add(scaled(second, second_zero, second_factor));
            *output = layer.range.requantize(sum, layer.output_factor);
        }
    }
}
