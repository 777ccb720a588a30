//! Dot products of dense layers.

use core::arch::naked_asm;

/// As [`portable::dot_i8`](crate::simd::portable::dot_i8), to the bit: sixteen products in four instructions.
#[inline]
pub fn dot_i8(weights: &[i8], values: &[i8], accumulator: i32) -> i32 {
    let length = weights.len().min(values.len());
    if length == 0 {
        return accumulator;
    }
    // SAFETY: the function reads `length` bytes, not 0, from either slice, no more than they hold.
    unsafe { dot_bytes(weights.as_ptr(), values.as_ptr(), accumulator, length) }
}

/// # Safety
/// See [`dot_i8`].
#[unsafe(naked)]
unsafe extern "C" fn dot_bytes(weights: *const i8, values: *const i8, accumulator: i32, length: usize) -> i32 {
    naked_asm!(
        core!(),
        "push {{r7, lr}}",
        "dlstp.8 lr, r3",
        "2:",
        "vldrb.u8 q0, [r0], #16",
        "vldrb.u8 q1, [r1], #16",
        "vmladava.s8 r2, q0, q1",
        "letp lr, 2b",
        "mov r0, r2",
        "pop {{r7, pc}}",
    )
}
