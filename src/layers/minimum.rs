//! The smaller of two operands, see [`pairwise`](super::pairwise). int8 follows MINIMUM of LiteRT's reference
//! kernels, where both operands and the output have one scale and one zero point.

use super::cut;
use super::pairwise::Pair;

/// The smaller in f32.
///
/// ```
/// use microception::layers::pairwise::Pair;
/// use microception::layers::minimum;
/// assert_eq!(minimum::F32 { clamp: [f32::MIN, 6.0] }.of(2.5, 1.0), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32 {
    /// The range that the fused activation leaves.
    pub clamp: [f32; 2],
}

/// The smaller in int8.
///
/// ```
/// use microception::layers::{minimum, pairwise};
/// use microception::window::Call;
/// let layer = minimum::Int8 { clamp: [-128, 127] };
/// let mut output = [0u8; 2];
/// pairwise::same(&layer, Call::on_lines(&[5, 3], 1, 0, &mut output, &mut [], 1).and_lines(&[7, 2], 1));
/// assert_eq!(output, [5, 2]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8 {
    /// The least and greatest stored value that the fused activation leaves.
    pub clamp: [i8; 2],
}

/// The smaller in int16.
///
/// ```
/// use microception::layers::{minimum, pairwise::Pair};
/// assert_eq!(minimum::Int16 { clamp: [-500, 500] }.of(300, 400), 300);
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
        first.min(second).min(greatest).max(least)
    }
}

impl Pair<f32> for F32 {
    #[inline]
    fn of(self, first: f32, second: f32) -> f32 {
        cut(if first < second { first } else { second }, self.clamp)
    }
}

impl Pair<i8> for Int8 {
    #[inline]
    fn of(self, first: i8, second: i8) -> i8 {
        let [least, greatest] = self.clamp;
        first.min(second).min(greatest).max(least)
    }
}
