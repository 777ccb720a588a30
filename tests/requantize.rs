//! The short form of requantization against the specification's own steps, in 128-bit integers.

use microception::quantized::{Factor, Range};

/// Marsaglia's xorshift with 64 bits.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Saturating rounding doubling high multiplication, then a rounding division by a power of two, as gemmlowp has
/// them: a division that truncates after a nudge, and a comparison of the remainder.
fn specified(accumulator: i32, multiplier: i32, exponent: u32, zero_point: i32) -> i8 {
    let product = i128::from(accumulator) * i128::from(multiplier);
    let nudge = if product >= 0 { 1i128 << 30 } else { 1 - (1i128 << 30) };
    let high = (product + nudge) / (1 << 31);
    let mask = (1i128 << exponent) - 1;
    let threshold = (mask >> 1) + i128::from(high < 0);
    let rounded = (high >> exponent) + i128::from(high & mask > threshold);
    (rounded + i128::from(zero_point)).clamp(-128, 127) as i8
}

fn check(accumulator: i32, multiplier: i32, exponent: i8, zero_point: i32) {
    let factor = Factor { multiplier, shift: -exponent };
    assert!(factor.is_bounded(i64::from(accumulator).abs()));
    let range = Range { zero_point, clamp: [-128, 127] };
    let expected = specified(accumulator, multiplier, exponent.unsigned_abs().into(), zero_point);
    let found = range.requantize_bounded(accumulator, factor);
    assert_eq!(found, expected, "{accumulator} by {multiplier} >> {exponent}, zero point {zero_point}");
    assert_eq!(range.requantize(accumulator, factor), expected, "the literal form");
}

#[test]
fn the_short_form_rounds_as_the_specification() {
    let mut random = Random(1);
    for exponent in 1..=23 {
        for _ in 0..100_000 {
            let multiplier = (1 << 30) | (random.next() >> 34) as i32;
            let accumulator = ((random.next() >> 32) as i32 >> 1) >> (random.next() % 31);
            let zero_point = i32::from(random.next() as i8);
            if accumulator != -1 << 30 {
                check(accumulator, multiplier, exponent, zero_point);
            }
        }
    }
}

#[test]
fn ties_and_extremes_round_as_the_specification() {
    const LARGEST: i32 = (1 << 30) - 1;
    for exponent in 1..=23 {
        for multiplier in [0, 1 << 30, (1 << 30) + 1, 3 << 29, i32::MAX - 1, i32::MAX] {
            for zero_point in [-128, -1, 0, 1, 127] {
                let mut accumulators = vec![-LARGEST, LARGEST];
                accumulators.extend(-600..600);
                // around every tie: (k + 1/2) * 2^exponent in steps of the accumulator's, which are 1 to 2 of the product's
                for k in -260i64..260 {
                    let tie = (2 * k + 1) << (exponent - 1);
                    let near = (tie << 31).checked_div(multiplier.into()).unwrap_or(0);
                    accumulators.extend((near - 3..near + 4).filter_map(|near| i32::try_from(near).ok()));
                }
                for accumulator in accumulators.into_iter().filter(|sum| sum.abs() <= LARGEST) {
                    check(accumulator, multiplier, exponent, zero_point);
                }
            }
        }
    }
}

#[test]
fn a_shift_out_of_range_or_a_sum_too_large_is_not_bounded() {
    let bounded = |shift: i8, largest: i64| Factor { multiplier: 1 << 30, shift }.is_bounded(largest);
    assert!(bounded(-1, (1 << 30) - 1) && bounded(-23, 0));
    assert!(!bounded(0, 1) && !bounded(5, 1) && !bounded(-24, 1) && !bounded(-31, 1));
    assert!(!bounded(-1, 1 << 30));
}
