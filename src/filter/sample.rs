//! The numbers of a picture.

use core::num::NonZeroU16;

/// One channel of one pixel: `u8`, `i8` or `f32`.
///
/// | type | sum of taps times samples | divided by the divisor | out of range |
/// | --- | --- | --- | --- |
/// | `u8`, 0 to 255 | i32, exact | rounded to nearest, ties away from zero | saturates: below 0 is 0, above 255 is 255 |
/// | `i8`, -128 to 127 | i32, exact | rounded to nearest, ties away from zero | saturates |
/// | `f32` | f32, from the kernel's first tap to its last | one division | nothing saturates |
///
/// An `i8` keeps the sign of an edge, which a `u8` loses: there dark-to-bright is seen and bright-to-dark is 0.
/// A tap that is 0 takes no part, so that an infinite sample beneath it does not become NaN.
///
/// ```
/// use microception::filter::{Border, Filter, Kernel, Sample};
///
/// // half the difference between the pixels to the right and to the left
/// const SLOPE: Kernel<3> = Kernel::new([[0, 0, 0], [-1, 0, 1], [0, 0, 0]], 2).unwrap();
///
/// fn slopes<T: Sample>(row: [T; 6]) -> Vec<T> {
///     let mut memory = [T::default(); SLOPE.memory(6, 1)];
///     let mut filter = Filter::new(SLOPE, Border::Nearest, 6, 1, &mut memory).unwrap();
///     filter.push_row(&row);
///     filter.finish().unwrap().to_vec()
/// }
///
/// assert_eq!(slopes::<u8>([0, 1, 9, 9, 6, 0]), [1, 5, 4, 0, 0, 0]);
/// assert_eq!(slopes::<i8>([0, 1, 9, 9, 6, 0]), [1, 5, 4, -2, -5, -3]);
/// assert_eq!(slopes::<f32>([0.0, 1.0, 9.0, 9.0, 6.0, 0.0]), [0.5, 4.5, 4.0, -1.5, -4.5, -3.0]);
/// ```
pub trait Sample: Copy + Default + PartialEq + sealed::Sealed {
    /// What taps times samples add up to.
    type Sum: Copy + Default;

    /// `sum + tap * self`.
    fn add(sum: Self::Sum, tap: i16, sample: Self) -> Self::Sum;

    /// The sample that `sum / divisor` rounds to.
    fn rounded(sum: Self::Sum, divisor: NonZeroU16) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for i8 {}
    impl Sealed for f32 {}
}

impl Sample for u8 {
    type Sum = i32;

    #[inline]
    fn add(sum: i32, tap: i16, sample: u8) -> i32 {
        sum.wrapping_add(i32::from(tap).wrapping_mul(i32::from(sample)))
    }

    #[inline]
    fn rounded(sum: i32, divisor: NonZeroU16) -> u8 {
        quotient(sum, divisor).clamp(0, 255) as u8
    }
}

impl Sample for i8 {
    type Sum = i32;

    #[inline]
    fn add(sum: i32, tap: i16, sample: i8) -> i32 {
        sum.wrapping_add(i32::from(tap).wrapping_mul(i32::from(sample)))
    }

    #[inline]
    fn rounded(sum: i32, divisor: NonZeroU16) -> i8 {
        quotient(sum, divisor).clamp(-128, 127) as i8
    }
}

impl Sample for f32 {
    type Sum = f32;

    #[inline]
    fn add(sum: f32, tap: i16, sample: f32) -> f32 {
        sum + f32::from(tap) * sample
    }

    #[inline]
    fn rounded(sum: f32, divisor: NonZeroU16) -> f32 {
        sum / f32::from(divisor.get())
    }
}

/// `sum / divisor`, rounded to nearest, ties away from zero.
#[inline]
fn quotient(sum: i32, divisor: NonZeroU16) -> i32 {
    // Half of an odd divisor is rounded down: there are no ties.
    let half = u32::from(divisor.get() / 2);
    let magnitude = (sum.unsigned_abs().wrapping_add(half) / core::num::NonZeroU32::from(divisor)) as i32;
    if sum < 0 { magnitude.wrapping_neg() } else { magnitude }
}
