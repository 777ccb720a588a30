//! Sums of tensors, element by element.

use core::arch::naked_asm;

use super::clamp;
use crate::simd::Sum;

/// As [`portable::add`](crate::simd::portable::add), to the bit: four sums in twenty instructions.
pub fn add(sum: &Sum, first: &[i8], second: &[i8], output: &mut [i8]) {
    let length = output.len().min(first.len()).min(second.len());
    let start = output.as_mut_ptr();
    // SAFETY: all hold `length` bytes, and nothing else refers to `output` meanwhile.
    unsafe { add_bytes(sum, first.as_ptr(), second.as_ptr(), start, length) };
}

/// As [`portable::add_in_place`](crate::simd::portable::add_in_place), to the bit.
pub fn add_in_place(sum: &Sum, others: &[i8], is_first: bool, values: &mut [i8]) {
    let length = values.len().min(others.len());
    let start = values.as_mut_ptr();
    let [first, second] = if is_first { [start.cast_const(), others.as_ptr()] } else { [others.as_ptr(), start] };
    // SAFETY: both hold `length` bytes, and nothing else refers to `values` meanwhile.
    unsafe { add_bytes(sum, first, second, start, length) };
}

/// Adds `length` bytes.
///
/// # Safety
/// Either input must hold as many, and `output` room for them, of which nothing else has a reference; it may be an input.
#[inline(never)]
unsafe fn add_bytes(sum: &Sum, first: *const i8, second: *const i8, output: *mut i8, length: usize) {
    let Sum { zero_points: [first_zero, second_zero], factor, output: output_factor, range } = *sum;
    let addition = Addition {
        second_zero: second_zero.wrapping_neg(),
        multiplier: factor.multiplier,
        shift: factor.shift.into(),
        first_zero: first_zero.wrapping_neg(),
        output_multiplier: output_factor.multiplier,
        output_shift: output_factor.shift.into(),
        zero_point: range.zero_point,
        length,
    };
    if length != 0 {
        // SAFETY: the function reads `length` bytes, not 0, from either input and writes as many to `output`, each vector
        // after the same of the inputs has been read.
        unsafe { add_vectors(&addition, first, second, output) };
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        // SAFETY: `output` holds `length` bytes, which nothing else refers to, and is no null pointer.
        clamp(unsafe { core::slice::from_raw_parts_mut(output, length) }, range.clamp);
    }
}

/// What [`add_vectors`] has to know, in the order of the registers that it loads it to.
#[repr(C)]
struct Addition {
    /// Minus the second input's zero point.
    second_zero: i32,
    /// The second input's factor.
    multiplier: i32,
    /// Its shift, negative.
    shift: i32,
    /// Minus the first input's zero point.
    first_zero: i32,
    /// The output's factor.
    output_multiplier: i32,
    /// Its shift, negative.
    output_shift: i32,
    /// The output's.
    zero_point: i32,
    /// Elements, not 0.
    length: usize,
}

/// # Safety
/// See [`add`].
#[unsafe(naked)]
unsafe extern "C" fn add_vectors(addition: &Addition, first: *const i8, second: *const i8, output: *mut i8) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "ldm r0, {{r4-r11}}",
        "dlstp.32 lr, r11",
        "2:",
        "vldrb.s32 q0, [r2], #4",
        "vldrb.s32 q1, [r1], #4",
        "vadd.i32 q0, q0, r4",
        "vshl.i32 q0, q0, #20",
        "vadd.i32 q1, q1, r7",
        "vqrdmulh.s32 q0, q0, r5",
        "vshl.i32 q1, q1, #19",
        "vshr.s32 q2, q0, #31",
        "vqadd.s32 q0, q0, q2",
        "vrshl.s32 q0, r6",
        "vadd.i32 q0, q0, q1",
        "vqrdmulh.s32 q0, q0, r8",
        "vshr.s32 q2, q0, #31",
        "vqadd.s32 q0, q0, q2",
        "vrshl.s32 q0, r9",
        "vadd.i32 q0, q0, r10",
        "vqmovnb.s32 q0, q0",
        "vqmovnb.s16 q0, q0",
        "vstrb.32 q0, [r3], #4",
        "letp lr, 2b",
        "pop {{r4-r11, pc}}",
    )
}
