//! The product of two operands, see [`pairwise`](super::pairwise). int8 follows MUL of LiteRT's reference
//! kernels: the exact product of what is above the zero points, scaled once.

use super::cut;
use super::pairwise::Pair;
use crate::quantized::{Factor, Range, saturate_i16};

/// A product in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32 {
    /// The range that the fused activation leaves.
    pub clamp: [f32; 2],
}

/// A product in int8.
///
/// ```
/// use microception::layers::{multiply, pairwise};
/// use microception::quantized::{Factor, Range};
/// use microception::window::Call;
/// let layer = multiply::Int8 {
///     zero_points: [1, 0],
///     factor: Factor { multiplier: 1 << 30, shift: 0 },
///     range: Range { zero_point: -3, clamp: [-128, 127] },
/// };
/// let mut output = [0u8; 1];
/// pairwise::same(&layer, Call::on_lines(&[5], 1, 0, &mut output, &mut [], 1).and_lines(&[6], 1));
/// assert_eq!(output, [9]); // (5 - 1) * 6 / 2 - 3
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8 {
    /// Zero points of the operands.
    pub zero_points: [i32; 2],
    /// The product of the operands' scales over the output's.
    pub factor: Factor,
    /// The output's zero point and range.
    pub range: Range,
}

/// A product in int16.
///
/// ```
/// use microception::layers::{multiply, pairwise::Pair};
/// use microception::quantized::Factor;
/// let layer = multiply::Int16 { factor: Factor { multiplier: 1 << 30, shift: -4 }, clamp: [i16::MIN, i16::MAX] };
/// assert_eq!(layer.of(400, 600), 7500); // 400 * 600 / 32
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16 {
    /// The product of the operands' scales over the output's.
    pub factor: Factor,
    /// The least and greatest stored value that the fused activation leaves.
    pub clamp: [i16; 2],
}

impl Pair<i16> for Int16 {
    #[inline]
    fn of(self, first: i16, second: i16) -> i16 {
        saturate_i16(self.factor.of(i32::from(first).wrapping_mul(second.into())), self.clamp)
    }
}

impl Pair<f32> for F32 {
    #[inline]
    fn of(self, first: f32, second: f32) -> f32 {
        cut(first * second, self.clamp)
    }
}

impl Pair<i8> for Int8 {
    #[inline]
    fn of(self, first: i8, second: i8) -> i8 {
        let [first_zero, second_zero] = self.zero_points;
        let product = (i32::from(first) - first_zero).wrapping_mul(i32::from(second) - second_zero);
        self.range.requantize(product, self.factor)
    }
}
