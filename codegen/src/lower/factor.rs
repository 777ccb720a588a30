//! Real factors as the integers of a kernel.

use microception::quantized::Factor;

/// The largest factor that there is.
const LARGEST_FACTOR: Factor = Factor { multiplier: i32::MAX, shift: 30 };

/// A real factor as mantissa and shift, as the TensorFlow Lite specification has it: zero below
/// 2^-32, the largest that there is above 2^31.
pub fn factor(real: f64) -> Factor {
    if real == 0.0 {
        return Factor { multiplier: 0, shift: 0 };
    }
    if !real.is_finite() {
        return LARGEST_FACTOR;
    }
    // real = mantissa * 2^exponent with the mantissa from 1/2 to 1, excluded
    let mut exponent = 0i32;
    let mut mantissa = real;
    while mantissa >= 1.0 {
        mantissa /= 2.0;
        exponent += 1;
    }
    while mantissa < 0.5 {
        mantissa *= 2.0;
        exponent -= 1;
    }
    let mut fixed = (mantissa * (1u64 << 31) as f64).round() as i64;
    if fixed == 1 << 31 {
        fixed /= 2;
        exponent += 1;
    }
    match exponent {
        ..-31 => Factor { multiplier: 0, shift: 0 },
        31.. => LARGEST_FACTOR,
        _ => Factor { multiplier: fixed as i32, shift: exponent as i8 },
    }
}

/// Whether a factor takes all numbers from `-largest` to `largest` to zero.
pub(super) fn vanishes(Factor { multiplier, shift }: Factor, largest: i64) -> bool {
    let product = (i128::from(largest) * i128::from(multiplier) + (1 << 30)) >> 31;
    multiplier == 0 || shift < 0 && product < 1 << (-i32::from(shift) - 1)
}

/// A factor divided by a count, as LiteRT's MEAN does it: in integers, with as many bits as fit.
pub(super) fn divided(factor: Factor, count: u64) -> Factor {
    let shift = (63 - count.leading_zeros().cast_signed()).min(32).min(31 + i32::from(factor.shift));
    let multiplier = (i64::from(factor.multiplier) << shift) / count as i64;
    Factor { multiplier: multiplier as i32, shift: factor.shift - shift as i8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_mantissa_and_shift() {
        assert_eq!(factor(1.0), Factor { multiplier: 1 << 30, shift: 1 });
        assert_eq!(factor(0.75), Factor { multiplier: 3 << 29, shift: 0 });
        assert_eq!(factor(2f64.powi(-40)), Factor { multiplier: 0, shift: 0 });
        // products of f32 may be more than f32 holds
        assert_eq!(factor(f64::INFINITY), factor(2f64.powi(40)));
        // rounds up to a power of two
        assert_eq!(factor(1.0 - 1e-12), Factor { multiplier: 1 << 30, shift: 1 });
    }

    #[test]
    fn a_factor_vanishes_where_no_sum_rounds_to_one() {
        let half = |shift| Factor { multiplier: 1 << 30, shift };
        assert!(vanishes(Factor { multiplier: 0, shift: 0 }, i64::MAX));
        for (factor, largest) in [(half(-2), 2), (half(-10), 1022), (half(-31), 1 << 30)] {
            assert!(vanishes(factor, largest) && factor.of(largest as i32) == 0);
        }
        for (factor, largest) in [(half(-1), 1), (half(-10), 1023), (half(0), 1)] {
            assert!(!vanishes(factor, largest) && factor.of(largest as i32) == 1);
        }
    }

    #[test]
    fn a_mean_of_three_thirds_its_factor() {
        let Factor { multiplier, shift } = divided(factor(1.0), 3);
        let real = f64::from(multiplier) / 2f64.powi(31) * 2f64.powi(i32::from(shift));
        assert!((real - 1.0 / 3.0).abs() < 1e-9, "{real}");
    }
}
