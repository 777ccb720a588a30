//! Pixels become one: their largest values.

use core::arch::naked_asm;

/// As [`portable::maximum`](crate::simd::portable::maximum), to the bit: sixteen values at once.
#[inline]
pub fn maximum(pixels: &[i8], largest: &mut [i8]) {
    let length = largest.len();
    for pixel in pixels.chunks_exact(length.max(1)) {
        if pixel.len() == length {
            // SAFETY: the function reads `length` bytes, as many as the chunk has and so not 0, from either slice and writes
            // as many to `largest`.
            unsafe { maximum_bytes(largest.as_mut_ptr(), pixel.as_ptr(), length) };
        }
    }
}

/// # Safety
/// See [`maximum`].
#[unsafe(naked)]
unsafe extern "C" fn maximum_bytes(largest: *mut i8, values: *const i8, length: usize) {
    naked_asm!(
        core!(),
        "push {{r7, lr}}",
        "dlstp.8 lr, r2",
        "2:",
        "vldrb.u8 q0, [r0]",
        "vldrb.u8 q1, [r1], #16",
        "vmax.s8 q0, q0, q1",
        "vstrb.8 q0, [r0], #16",
        "letp lr, 2b",
        "pop {{r7, pc}}",
    )
}
