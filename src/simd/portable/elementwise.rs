//! Sums of tensors, element by element.

use crate::quantized::{Factor, Range};

/// What [`add`] has to know of a sum of two tensors. The first input's scale is half of the common one; the second's
/// is that or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Zero point of the first input, then of the second.
    pub zero_points: [i32; 2],
    /// The second input's scale over the common one: the shift is -29 to -1.
    pub factor: Factor,
    /// The common scale over the output's: [bounded](Factor::is_bounded) for 2^28.
    pub output: Factor,
    /// The output's zero point and range.
    pub range: Range,
}

/// The sums of two inputs, each as LiteRT's ADD brings it to a common scale: shifted left by 20 bits, multiplied, rounded
/// twice.
///
/// ```
/// use microception::quantized::{Factor, Range};
/// use microception::simd::{Sum, portable::add};
/// // equal scales, the output's twice as large
/// let sum = Sum {
///     zero_points: [10, 0],
///     factor: Factor { multiplier: i32::MAX, shift: -1 },
///     output: Factor { multiplier: 1 << 30, shift: -19 },
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let mut output = [0; 2];
/// add(&sum, &[15, -100], &[7, -110], &mut output);
/// assert_eq!(output, [6, -110]);
/// ```
#[inline]
pub fn add(sum: &Sum, first: &[i8], second: &[i8], output: &mut [i8]) {
    for ((output, &first), &second) in output.iter_mut().zip(first).zip(second) {
        *output = sum.of(first, second);
    }
}

/// As [`add`], with the sums written over `values`: the first input if `is_first`, else the second.
///
/// ```
/// use microception::quantized::{Factor, Range};
/// use microception::simd::{Sum, portable::add_in_place};
/// let sum = Sum {
///     zero_points: [10, 0],
///     factor: Factor { multiplier: i32::MAX, shift: -1 },
///     output: Factor { multiplier: 1 << 30, shift: -19 },
///     range: Range { zero_point: 0, clamp: [-128, 127] },
/// };
/// let mut values = [15, -100];
/// add_in_place(&sum, &[7, -110], true, &mut values);
/// assert_eq!(values, [6, -110]);
/// ```
#[inline]
pub fn add_in_place(sum: &Sum, others: &[i8], is_first: bool, values: &mut [i8]) {
    for (value, &other) in values.iter_mut().zip(others) {
        *value = if is_first { sum.of(*value, other) } else { sum.of(other, *value) };
    }
}

impl Sum {
    #[inline]
    fn of(&self, first: i8, second: i8) -> i8 {
        let [first_zero, second_zero] = self.zero_points;
        let second = self.factor.of((i32::from(second) - second_zero) << 20);
        let first = (i32::from(first) - first_zero) << 19;
        self.range.requantize_bounded(first.wrapping_add(second), self.output)
    }
}
