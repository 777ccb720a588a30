//! The first operand minus the second, see [`pairwise`](super::pairwise). int8 follows SUB of LiteRT's
//! reference kernels, which brings both to one scale as [`add`](super::add) does.

use super::add::{scaled, scaled_int16};
use super::cut;
use super::pairwise::Pair;
use crate::quantized::{Factor, Range, saturate_i16};

/// A difference in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32 {
    /// The range that the fused activation leaves.
    pub clamp: [f32; 2],
}

/// A difference in int8.
///
/// ```
/// use microception::layers::{pairwise, subtract};
/// use microception::quantized::{Factor, Range};
/// use microception::window::Call;
/// // equal scales: each operand's factor is one half, the output's is 2 / 2^20
/// let half = Factor { multiplier: 1 << 30, shift: 0 };
/// let layer = subtract::Int8 {
///     zero_points: [0, 0],
///     factors: [half, half],
///     output_factor: Factor { multiplier: 1 << 30, shift: -18 },
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let mut output = [0u8; 1];
/// pairwise::same(&layer, Call::on_lines(&[9], 1, 0, &mut output, &mut [], 1).and_lines(&[7], 1));
/// assert_eq!(output, [2]);
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

/// A difference in int16.
///
/// ```
/// use microception::layers::{pairwise::Pair, subtract};
/// use microception::quantized::Factor;
/// // equal scales: each operand's factor is one half, the output's is 2 / 2^15
/// let half = Factor { multiplier: 1 << 30, shift: 0 };
/// let layer = subtract::Int16 {
///     factors: [half, half],
///     output_factor: Factor { multiplier: 1 << 30, shift: -13 },
///     clamp: [i16::MIN, i16::MAX],
/// };
/// assert_eq!(layer.of(900, 700), 200);
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

impl Pair<i16> for Int16 {
    #[inline]
    fn of(self, first: i16, second: i16) -> i16 {
        let [first_factor, second_factor] = self.factors;
        let difference = scaled_int16(first, first_factor).wrapping_sub(scaled_int16(second, second_factor));
        saturate_i16(self.output_factor.of(difference), self.clamp)
    }
}

impl Pair<f32> for F32 {
    #[inline]
    fn of(self, first: f32, second: f32) -> f32 {
        cut(first - second, self.clamp)
    }
}

impl Pair<i8> for Int8 {
    #[inline]
    fn of(self, first: i8, second: i8) -> i8 {
        let [first_zero, second_zero] = self.zero_points;
        let [first_factor, second_factor] = self.factors;
        let difference =
            scaled(first, first_zero, first_factor).wrapping_sub(scaled(second, second_zero, second_factor));
        self.range.requantize(difference, self.output_factor)
    }
}
