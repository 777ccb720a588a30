//! The larger of two operands, see [`pairwise`](super::pairwise). int8 follows MAXIMUM of LiteRT's reference
//! kernels, where both operands and the output have one scale and one zero point.

use super::cut;
use super::pairwise::Pair;

/// The larger in f32.
///
/// ```
/// use microception::layers::pairwise::Pair;
/// use microception::layers::maximum;
/// assert_eq!(maximum::F32 { clamp: [f32::MIN, 6.0] }.of(2.5, 1.0), 2.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32 {
    /// The range that the fused activation leaves.
    pub clamp: [f32; 2],
}

/// The larger in int8.
///
/// ```
/// use microception::layers::{maximum, pairwise};
/// use microception::window::Call;
/// let layer = maximum::Int8 { clamp: [-128, 127] };
/// let mut output = [0u8; 2];
/// pairwise::same(&layer, Call::on_lines(&[5, 3], 1, 0, &mut output, &mut [], 1).and_lines(&[7, 2], 1));
/// assert_eq!(output, [7, 3]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8 {
    /// The least and greatest stored value that the fused activation leaves.
    pub clamp: [i8; 2],
}

/// The larger in int16.
///
/// ```
/// use microception::layers::{maximum, pairwise::Pair};
/// assert_eq!(maximum::Int16 { clamp: [-500, 500] }.of(300, 200), 300);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16 {
    /// The least and greatest stored value that the fused activation leaves.
    pub clamp: [i16; 2],
}

impl Pair<i16> for Int16 {
    #[inline]
    fn of(self, first: i16, second: i16) -> i16 {
        let [least, greatest] = self.clamp;
        first.max(second).min(greatest).max(least)
    }
}

impl Pair<f32> for F32 {
    #[inline]
    fn of(self, first: f32, second: f32) -> f32 {
        cut(if first > second { first } else { second }, self.clamp)
    }
}

impl Pair<i8> for Int8 {
    #[inline]
    fn of(self, first: i8, second: i8) -> i8 {
        let [least, greatest] = self.clamp;
        first.max(second).min(greatest).max(least)
    }
}
