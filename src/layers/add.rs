//! The sum of two operands, see [`pairwise`](super::pairwise). int8 follows ADD of LiteRT's reference
//! kernels: both operands are shifted left by 20 bits and brought to one scale before they are added.

use super::cut;
use super::pairwise::Pair;
use crate::quantized::{Factor, Range};

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

/// A stored value on the scale that both operands are brought to.
#[inline]
pub(super) fn scaled(value: i8, zero_point: i32, factor: Factor) -> i32 {
    factor.of((i32::from(value) - zero_point) << LEFT_SHIFT)
}
