//! Sums of two tensors, in front of the core's own loop.

use super::Sum;
#[cfg(not(any(microception_helium, microception_thumb2)))]
use super::dsp::add_bytes;
#[cfg(microception_helium)]
use super::helium::add_bytes;
#[cfg(microception_thumb2)]
use super::thumb2::add_bytes;

/// As [`portable::add`](super::portable::add), to the bit.
pub fn add(sum: &Sum, first: &[i8], second: &[i8], output: &mut [i8]) {
    let length = output.len().min(first.len()).min(second.len());
    let start = output.as_mut_ptr();
    // SAFETY: all hold `length` bytes, and nothing else refers to `output` meanwhile.
    unsafe { add_bytes(sum, first.as_ptr(), second.as_ptr(), start, length) };
}

/// As [`portable::add_in_place`](super::portable::add_in_place), to the bit.
pub fn add_in_place(sum: &Sum, others: &[i8], is_first: bool, values: &mut [i8]) {
    let length = values.len().min(others.len());
    let start = values.as_mut_ptr();
    let [first, second] = if is_first { [start.cast_const(), others.as_ptr()] } else { [others.as_ptr(), start] };
    // SAFETY: both hold `length` bytes, and nothing else refers to `values` meanwhile.
    unsafe { add_bytes(sum, first, second, start, length) };
}

/// A [`Sum`], as the loops of `add` take it. They read neighbours at once.
#[cfg(not(microception_helium))]
#[repr(C)]
pub(super) struct Addition {
    /// Minus the second input's zero point, shifted as its values are: by 21 bits, since twice a value takes the doubled
    /// product's high half.
    pub second_zero: i32,
    /// The second input's factor: its mantissa,
    pub multiplier: i32,
    /// what rounds its shift,
    pub half: i32,
    /// and its shift to the right.
    pub exponent: u32,
    /// Minus the first input's zero point, shifted as its values are: by 19 bits.
    pub first_zero: i32,
    /// The output's factor: its mantissa,
    pub output_multiplier: i32,
    /// and its shift to the right, less the last bit.
    pub last: i32,
    /// Twice the output's zero point, and one, shifted by [`last`](Addition::last).
    pub constant: i32,
    /// Behind the last element written.
    pub end: *mut i8,
}

#[cfg(not(microception_helium))]
impl Addition {
    pub fn of(sum: &Sum, end: *mut i8) -> Addition {
        let Sum { zero_points: [first_zero, second_zero], factor, output, range } = *sum;
        let exponent = u32::from(factor.shift.unsigned_abs()) & 31;
        let last = !i32::from(output.shift);
        Addition {
            second_zero: second_zero.wrapping_neg().wrapping_shl(21),
            multiplier: factor.multiplier,
            half: 1i32.wrapping_shl(exponent.wrapping_sub(1)),
            exponent,
            first_zero: first_zero.wrapping_neg().wrapping_shl(19),
            output_multiplier: output.multiplier,
            last,
            constant: range.zero_point.wrapping_mul(2).wrapping_add(1).wrapping_shl(last.cast_unsigned()),
            end,
        }
    }
}
