//! Bytes that are set or copied, in a few instructions: `memset` and `memcpy`, which nothing else of a network may need, take
//! up to a kilobyte of code.

use core::arch::asm;

/// As [`portable::set`](crate::simd::portable::set), to the bit.
pub fn set(value: i8, values: &mut [i8]) {
    // SAFETY: the loops write as many bytes as `values` has. STR works at any alignment.
    unsafe {
        asm!(
            "subs {left}, {left}, #4",
            "blo 3f",
            "2:",
            "str {word}, [{place}], #4",
            "subs {left}, {left}, #4",
            "bhs 2b",
            "3:",
            "adds {left}, {left}, #4",
            "beq 5f",
            "4:",
            "strb {word}, [{place}], #1",
            "subs {left}, {left}, #1",
            "bne 4b",
            "5:",
            left = inout(reg) values.len() => _,
            place = inout(reg) values.as_mut_ptr() => _,
            word = in(reg) u32::from_ne_bytes([value.cast_unsigned(); 4]),
            options(nostack),
        );
    }
}

/// As [`portable::copy`](crate::simd::portable::copy), to the bit.
pub fn copy(from: &[u8], to: &mut [u8]) {
    // SAFETY: the loops read and write as many bytes as both slices have. LDR and STR work at any alignment.
    unsafe {
        asm!(
            "subs {left}, {left}, #4",
            "blo 3f",
            "2:",
            "ldr {value}, [{from}], #4",
            "subs {left}, {left}, #4",
            "str {value}, [{to}], #4",
            "bhs 2b",
            "3:",
            "adds {left}, {left}, #4",
            "beq 5f",
            "4:",
            "ldrb {value}, [{from}], #1",
            "subs {left}, {left}, #1",
            "strb {value}, [{to}], #1",
            "bne 4b",
            "5:",
            left = inout(reg) from.len().min(to.len()) => _,
            from = inout(reg) from.as_ptr() => _,
            to = inout(reg) to.as_mut_ptr() => _,
            value = out(reg) _,
            options(nostack),
        );
    }
}
