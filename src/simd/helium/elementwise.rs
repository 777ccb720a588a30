//! Sums of tensors, element by element.

use core::arch::naked_asm;

use super::clamp;
use crate::simd::Sum;

/// Adds `length` bytes: four sums in twenty instructions.
///
/// # Safety
/// Either input must hold as many, and `output` room for them, of which nothing else has a reference; it may be an input.
#[inline(never)]
pub unsafe fn add_bytes(sum: &Sum, first: *const i8, second: *const i8, output: *mut i8, length: usize) {
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
/// See [`add_bytes`].
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
