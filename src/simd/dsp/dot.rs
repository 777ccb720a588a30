//! Dot products of dense layers.

use core::arch::asm;

/// As [`portable::dot_i8`](crate::simd::portable::dot_i8), to the bit: two taps a multiplication.
#[inline]
pub fn dot_i8(weights: &[i8], values: &[i8], accumulator: i32) -> i32 {
    let length = weights.len().min(values.len());
    let quads = length / 4;
    let mut sum = accumulator;
    if quads > 0 {
        // SAFETY: the loop reads `quads` words from both pointers, 4 * quads bytes, no more than
        // either slice holds; LDR reads at any alignment (the core's default, which
        // the runtime does not change). It writes registers only.
        unsafe {
            asm!(
                "2:",
                "ldr {weight}, [{weights}], #4",
                "ldr {value}, [{values}], #4",
                "sxtb16 {odd}, {weight}, ror #8",
                "sxtb16 {weight}, {weight}",
                "sxtb16 {value_odd}, {value}, ror #8",
                "sxtb16 {value}, {value}",
                "smlad {sum}, {odd}, {value_odd}, {sum}",
                "subs {quads}, {quads}, #1",
                "smlad {sum}, {weight}, {value}, {sum}",
                "bne 2b",
                weights = inout(reg) weights.as_ptr() => _,
                values = inout(reg) values.as_ptr() => _,
                quads = inout(reg) quads => _,
                weight = out(reg) _,
                odd = out(reg) _,
                value = out(reg) _,
                value_odd = out(reg) _,
                sum = inout(reg) sum,
                options(readonly, nostack),
            );
        }
    }
    let rest = quads.wrapping_mul(4);
    crate::simd::portable::dot_i8(weights.get(rest..).unwrap_or(&[]), values.get(rest..).unwrap_or(&[]), sum)
}
