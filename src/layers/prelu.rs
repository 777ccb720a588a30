//! A ReLU whose slope for negative numbers is trained: the second operand of
//! [`pairwise`](super::pairwise), one for each element, each channel, or all. int8 follows PRELU of LiteRT's
//! reference kernels.

use super::cut;
use super::pairwise::Pair;
use crate::quantized::{Factor, Range, saturate_i16};

/// A ReLU with slopes in f32.
///
/// ```
/// use microception::layers::pairwise::Pair;
/// use microception::layers::prelu;
/// let layer = prelu::F32 { clamp: [f32::MIN, f32::MAX] };
/// assert_eq!((layer.of(-2.0, 0.25), layer.of(2.0, 0.25)), (-0.5, 2.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32 {
    /// The range that a fused activation leaves.
    pub clamp: [f32; 2],
}

/// A ReLU with slopes in int8.
///
/// ```
/// use microception::layers::pairwise::Pair;
/// use microception::layers::prelu;
/// use microception::quantized::{Factor, Range};
/// // slopes in eighths
/// let layer = prelu::Int8 {
///     zero_points: [0, 0],
///     positive: Factor { multiplier: 1 << 30, shift: 1 },
///     negative: Factor { multiplier: 1 << 30, shift: -2 },
///     range: Range { zero_point: 1, clamp: [-128, 127] },
/// };
/// assert_eq!((layer.of(-24, 2), layer.of(24, 2)), (-5, 25));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8 {
    /// Zero points of the input and of the slopes.
    pub zero_points: [i32; 2],
    /// For an input that is not negative: its scale over the output's.
    pub positive: Factor,
    /// For a negative one times its slope: the product of both scales over the output's.
    pub negative: Factor,
    /// The output's zero point and range.
    pub range: Range,
}

/// A ReLU with slopes in int16.
///
/// ```
/// use microception::layers::pairwise::Pair;
/// use microception::layers::prelu;
/// use microception::quantized::Factor;
/// // slopes in eighths
/// let layer = prelu::Int16 {
///     positive: Factor { multiplier: 1 << 30, shift: 1 },
///     negative: Factor { multiplier: 1 << 30, shift: -2 },
///     clamp: [i16::MIN, i16::MAX],
/// };
/// assert_eq!((layer.of(-2400, 2), layer.of(2400, 2)), (-600, 2400));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16 {
    /// For an input that is not negative: its scale over the output's.
    pub positive: Factor,
    /// For a negative one times its slope: the product of both scales over the output's.
    pub negative: Factor,
    /// The least and greatest stored value that the fused activation leaves.
    pub clamp: [i16; 2],
}

impl Pair<i16> for Int16 {
    #[inline]
    fn of(self, x: i16, slope: i16) -> i16 {
        let scaled = match i32::from(x) {
            x @ ..0 => self.negative.of(x.wrapping_mul(slope.into())),
            x => self.positive.of(x),
        };
        saturate_i16(scaled, self.clamp)
    }
}

impl Pair<f32> for F32 {
    #[inline]
    fn of(self, x: f32, slope: f32) -> f32 {
        cut(if x < 0.0 { x * slope } else { x }, self.clamp)
    }
}

impl Pair<i8> for Int8 {
    #[inline]
    fn of(self, x: i8, slope: i8) -> i8 {
        let [zero_point, zero_slope] = self.zero_points;
        let x = i32::from(x) - zero_point;
        if x < 0 {
            self.range.requantize(x.wrapping_mul(i32::from(slope) - zero_slope), self.negative)
        } else {
            self.range.requantize(x, self.positive)
        }
    }
}
