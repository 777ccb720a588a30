//! The sum of two operands, see [`pairwise`](super::pairwise). int8 follows ADD of LiteRT's reference
//! kernels: both operands are shifted left by 20 bits and brought to one scale before they are added. int16 does so by 15
//! bits.

use super::cut;
use super::pairwise::Pair;
use crate::quantized::{Factor, Range, saturate_i16};
use crate::simd;
use crate::window::Call;

/// A sum in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32 {
    /// The range that the fused activation leaves.
    pub clamp: [f32; 2],
}

/// A sum in int8.
///
/// ```
/// use microception::layers::{add, pairwise};
/// use microception::quantized::{Factor, Range};
/// use microception::window::Call;
/// // equal scales: each operand's factor is one half, the output's is 2 / 2^20
/// let half = Factor { multiplier: 1 << 30, shift: 0 };
/// let layer = add::Int8 {
///     zero_points: [0, 0],
///     factors: [half, half],
///     output_factor: Factor { multiplier: 1 << 30, shift: -18 },
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let mut output = [0u8; 2];
/// pairwise::same(&layer, Call::on_lines(&[5, 100], 1, 0, &mut output, &mut [], 1).and_lines(&[7, 100], 1));
/// assert_eq!(output, [12, 127]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8 {
    /// Zero points of the operands.
    pub zero_points: [i32; 2],
    /// Of each operand: its scale over twice the larger of both scales.
    pub factors: [Factor; 2],
    /// Twice the larger of both scales, over 2^20 times the output's scale.
    pub output_factor: Factor,
    /// The output's zero point and range.
    pub range: Range,
}

/// A sum in int16.
///
/// ```
/// use microception::layers::{add, pairwise::Pair};
/// use microception::quantized::Factor;
/// // equal scales: each operand's factor is one half, the output's is 2 / 2^15
/// let half = Factor { multiplier: 1 << 30, shift: 0 };
/// let layer = add::Int16 {
///     factors: [half, half],
///     output_factor: Factor { multiplier: 1 << 30, shift: -13 },
///     clamp: [i16::MIN, i16::MAX],
/// };
/// assert_eq!((layer.of(500, 700), layer.of(-20_000, -20_000)), (1200, i16::MIN));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16 {
    /// Of each operand: its scale over twice the larger of both scales.
    pub factors: [Factor; 2],
    /// Twice the larger of both scales, over 2^15 times the output's scale.
    pub output_factor: Factor,
    /// The least and greatest stored value that the fused activation leaves.
    pub clamp: [i16; 2],
}

impl Int8 {
    /// Whether [`int8`] can compute it: one operand is halved, the other takes a shift to the right, and the sum's
    /// factor is [bounded](Factor::is_bounded).
    pub const fn is_short(&self) -> bool {
        let (sum, swapped) = self.short();
        let [first, second] = self.factors;
        let halved = if swapped { second } else { first };
        is_half(halved) && -29 <= sum.factor.shift && sum.factor.shift <= -1 && sum.output.is_bounded(1 << 28)
    }

    /// What [`int8`] computes with, and whether the second operand comes first in it: the one with the larger scale does,
    /// since half of it is exact.
    const fn short(&self) -> (simd::Sum, bool) {
        let ([first, second], [first_zero, second_zero]) = (self.factors, self.zero_points);
        let swapped = !is_half(first);
        let other = if swapped { first } else { second };
        let zero_points = if swapped { [second_zero, first_zero] } else { [first_zero, second_zero] };
        // Half of the largest mantissa is a half for numbers of 9 bits.
        let factor = if is_half(other) { Factor { multiplier: i32::MAX, shift: -1 } } else { other };
        (simd::Sum { zero_points, factor, output: self.output_factor, range: self.range }, swapped)
    }
}

const fn is_half(factor: Factor) -> bool {
    factor.multiplier == 1 << 30 && factor.shift == 0
}

/// As [`pairwise::same`](super::pairwise::same) with this sum, to the bit, for a layer that is [short](Int8::is_short): four
/// elements at once. Results for others are unspecified.
///
/// ```
/// use microception::layers::add;
/// use microception::quantized::{Factor, Range};
/// use microception::window::Call;
/// let half = Factor { multiplier: 1 << 30, shift: 0 };
/// let output_factor = Factor { multiplier: 1 << 30, shift: -18 };
/// let range = Range { zero_point: 0, clamp: [-128, 127] };
/// let layer = add::Int8 { zero_points: [0, 0], factors: [half, half], output_factor, range };
/// let mut output = [0u8; 2];
/// add::int8(&layer, Call::on_lines(&[5, 100], 1, 0, &mut output, &mut [], 1).and_lines(&[7, 100], 1));
/// assert_eq!(output, [12, 127]);
/// ```
pub fn int8(layer: &Int8, call: Call<'_>) {
    let (sum, swapped) = layer.short();
    let (first, second, mut output) = call.binary::<i8, i8>();
    let (first, second) = if swapped { (second, first) } else { (first, second) };
    for (first, second) in first.iter().zip(second.iter()) {
        let (row, rest) = output.split_at_mut_checked(first.len()).unwrap_or_default();
        output = rest;
        simd::add(&sum, first, second, row);
    }
}

/// As [`int8`], over the rows of the first `input`, 0, or the second.
///
/// ```
/// use microception::layers::add;
/// use microception::quantized::{Factor, Range};
/// use microception::window::Call;
/// let half = Factor { multiplier: 1 << 30, shift: 0 };
/// let output_factor = Factor { multiplier: 1 << 30, shift: -18 };
/// let range = Range { zero_point: 0, clamp: [-128, 127] };
/// let layer = add::Int8 { zero_points: [0, 0], factors: [half, half], output_factor, range };
/// let mut values = [5u8, 100];
/// add::int8_in_place(&layer, 1, Call::on_lines(&[7, 100], 1, 0, &mut values, &mut [], 1));
/// assert_eq!(values, [12, 127]);
/// ```
pub fn int8_in_place(layer: &Int8, input: usize, call: Call<'_>) {
    let (sum, swapped) = layer.short();
    let (first, second, mut values) = call.binary::<i8, i8>();
    let (others, is_first) = if input == 0 { (second, !swapped) } else { (first, swapped) };
    for others in others.iter() {
        let (row, rest) = values.split_at_mut_checked(others.len()).unwrap_or_default();
        values = rest;
        simd::add_in_place(&sum, others, is_first, row);
    }
}

/// How far the operands are shifted left before they are brought to one scale.
pub const LEFT_SHIFT: u32 = 20;

impl Pair<f32> for F32 {
    #[inline]
    fn of(self, first: f32, second: f32) -> f32 {
        cut(first + second, self.clamp)
    }
}

impl Pair<i8> for Int8 {
    #[inline]
    fn of(self, first: i8, second: i8) -> i8 {
        let [first_zero, second_zero] = self.zero_points;
        let [first_factor, second_factor] = self.factors;
        let sum = scaled(first, first_zero, first_factor).wrapping_add(scaled(second, second_zero, second_factor));
        self.range.requantize(sum, self.output_factor)
    }
}

/// As [`LEFT_SHIFT`], in int16.
pub const LEFT_SHIFT_INT16: u32 = 15;

impl Pair<i16> for Int16 {
    #[inline]
    fn of(self, first: i16, second: i16) -> i16 {
        let [first_factor, second_factor] = self.factors;
        let sum = scaled_int16(first, first_factor).wrapping_add(scaled_int16(second, second_factor));
        saturate_i16(self.output_factor.of(sum), self.clamp)
    }
}

/// As [`scaled`], of an int16.
#[inline]
pub(super) fn scaled_int16(value: i16, factor: Factor) -> i32 {
    factor.of(i32::from(value) << LEFT_SHIFT_INT16)
}

/// A stored value on the scale that both operands are brought to.
#[inline]
pub(super) fn scaled(value: i8, zero_point: i32, factor: Factor) -> i32 {
    factor.of((i32::from(value) - zero_point) << LEFT_SHIFT)
}
