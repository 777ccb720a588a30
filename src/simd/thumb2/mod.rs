//! The inner loops for Armv7-M, which has no DSP instructions (Cortex-M3).

use core::arch::{asm, naked_asm};
use core::mem::offset_of;

use bytemuck::must_cast;

use super::front::{PixelGroups, clamp};
use super::sums::Addition;
use super::{QUAD, Sum};

/// Twice a sum becomes a result in r7: see [`Range::requantize_bounded`](crate::quantized::Range::requantize_bounded).
/// r3 is the multiplier, r4 the last shift, r5 the constant.
macro_rules! requantize {
    ($doubled:literal) => {
        concat!(
            "mov r6, #0x80000000\n",
            concat!("add r7, r5, ", $doubled, ", asr #31\n"),
            concat!("smlal r6, r7, ", $doubled, ", r3\n"),
            "asr r7, r7, r4\n",
            "ssat r7, #8, r7, asr #1\n",
        )
    };
}

// Behind the macro, which they use.
mod depthwise;
mod tile;

pub use depthwise::convolve_row;
pub use tile::{multiply_tile, widen};

/// The sum of a value of each input: brought to one scale, requantized and stored. r1 and r2 read, r3 writes. The
/// product is that of the second value shifted by 20 bits; twice the value takes the doubled product's high half.
macro_rules! add_element {
    () => {
        "ldrsb r0, [r2], #1
        mov r12, #0x80000000
        add r0, r4, r0, lsl #21
        add lr, r6, r0, asr #31
        smlal r12, lr, r0, r5
        ldrsb r0, [r1], #1
        asr lr, lr, r7
        add r0, r8, r0, lsl #19
        add r0, r0, lr
        mov r12, #0x80000000
        lsl r0, r0, #1
        add lr, r11, r0, asr #31
        smlal r12, lr, r0, r9
        asr lr, lr, r10
        ssat lr, #8, lr, asr #1
        strb lr, [r3], #1"
    };
}

/// Adds `length` bytes: a sum in 18 instructions.
///
/// # Safety
/// Either input must hold as many, and `output` room for them, of which nothing else has a reference; it may be an input.
#[inline(never)]
pub unsafe fn add_bytes(sum: &Sum, first: *const i8, second: *const i8, output: *mut i8, length: usize) {
    let arguments = Addition::of(sum, output.wrapping_add(length));
    if length != 0 {
        // SAFETY: the function reads `length` (not 0) bytes from either input and writes as many to `output`, each after
        // the same of the inputs has been read.
        unsafe { add_elements(&arguments, first, second, output) };
    }
    if sum.range.clamp != [i8::MIN, i8::MAX] {
        // SAFETY: `output` holds `length` bytes, which nothing else refers to, and is no null pointer.
        clamp(unsafe { core::slice::from_raw_parts_mut(output, length) }, sum.range.clamp);
    }
}

/// Adds elements, two in a round, of which the first begins with the second when their number is odd.
///
/// # Safety
/// See [`add_bytes`].
#[unsafe(naked)]
unsafe extern "C" fn add_elements(arguments: &Addition, first: *const i8, second: *const i8, output: *mut i8) {
    naked_asm!(
        "push {{r0, r4-r11, lr}}",
        "ldr r12, [r0, #{end}]",
        "ldm r0, {{r4-r11}}",
        "sub r0, r12, r3",
        "str r12, [sp]",
        "lsrs r0, r0, #1",
        "bcs 3f",
        "2:",
        add_element!(),
        "3:",
        add_element!(),
        "ldr r0, [sp]",
        "cmp r3, r0",
        "bne 2b",
        "pop {{r0, r4-r11, pc}}",
        end = const offset_of!(Addition, end),
    )
}

/// As [`portable::maximum`](super::portable::maximum), to the bit: four values at once.
#[inline(never)]
pub fn maximum(pixels: &[i8], largest: &mut [i8]) {
    let channels = largest.len();
    let (words, rest) = largest.as_chunks_mut::<4>();
    for pixel in pixels.chunks_exact(channels.max(1)) {
        let (values, rest_values) = pixel.as_chunks::<4>();
        for (word, &values) in words.iter_mut().zip(values) {
            *word = must_cast(greater(must_cast(*word), must_cast(values)));
        }
        super::portable::maximum(rest_values, rest);
    }
}

/// The greater of each two signed bytes.
#[inline]
fn greater(a: u32, b: u32) -> u32 {
    const SIGNS: u32 = 0x8080_8080;
    let differ = a ^ b;
    // The sign of each byte is set where the lower seven bits of `a` are no less.
    let lower = (a | SIGNS).wrapping_sub(b & !SIGNS);
    // Where the signs differ, `a` is greater when `b` is the negative one.
    let no_less = (lower & !differ | b & !a) & SIGNS;
    // 0xff for each sign that is set
    let mask = no_less.wrapping_sub(no_less >> 7) | no_less;
    b ^ differ & mask
}

/// As [`portable::dot_i8`](super::portable::dot_i8), to the bit: four products in a round of 14 instructions.
#[inline(never)]
pub fn dot_i8(weights: &[i8], values: &[i8], accumulator: i32) -> i32 {
    let quads = weights.len().min(values.len()) / QUAD;
    let mut sum = accumulator;
    if quads > 0 {
        // SAFETY: the loop reads QUAD bytes from both pointers `quads` times, no more than either slice holds. It
        // writes registers only.
        unsafe {
            asm!(
                "2:",
                ".rept {quad}",
                "ldrsb {weight}, [{weights}], #1",
                "ldrsb {value}, [{values}], #1",
                "mla {sum}, {weight}, {value}, {sum}",
                ".endr",
                "subs {quads}, {quads}, #1",
                "bne 2b",
                quad = const QUAD,
                weights = inout(reg) weights.as_ptr() => _,
                values = inout(reg) values.as_ptr() => _,
                quads = inout(reg) quads => _,
                weight = out(reg) _,
                value = out(reg) _,
                sum = inout(reg) sum,
                options(readonly, nostack),
            );
        }
    }
    let rest = quads.wrapping_mul(QUAD);
    super::portable::dot_i8(weights.get(rest..).unwrap_or(&[]), values.get(rest..).unwrap_or(&[]), sum)
}

/// As [`portable::dot_pixels`](super::portable::dot_pixels), to the bit: four channels at once, a product in four
/// instructions.
#[inline]
pub fn dot_pixels(pixels: &[&[i8]], weights: &[i8], sums: &mut [i32]) {
    let Some(groups) = PixelGroups::of(pixels, weights, sums) else {
        return super::portable::dot_pixels(pixels, weights, sums);
    };
    let PixelGroups { count, taps, starts } = groups;
    let mut filter = weights.as_ptr();
    let (whole, _) = sums.as_chunks_mut::<4>();
    for (group, [sum0, sum1, sum2, sum3]) in whole.iter_mut().take(count).enumerate() {
        // SAFETY: `starts` holds `taps` (not 0) pointers, and the loop reads as many. Each points to at least 4 *
        // count values, of which it reads the four from 4 * group on. `filter` has moved on by 4 * taps in each group
        // before, and `weights` holds 4 * taps * count. It writes registers only.
        unsafe {
            asm!(
                "2:",
                "ldr {pixel}, [{start}], #4",
                "add {pixel}, {pixel}, {offset}",
                "ldrsb {value}, [{pixel}]",
                "ldrsb {weight}, [{filter}], #1",
                "mla {sum0}, {value}, {weight}, {sum0}",
                "ldrsb {value}, [{pixel}, #1]",
                "ldrsb {weight}, [{filter}], #1",
                "mla {sum1}, {value}, {weight}, {sum1}",
                "ldrsb {value}, [{pixel}, #2]",
                "ldrsb {weight}, [{filter}], #1",
                "mla {sum2}, {value}, {weight}, {sum2}",
                "ldrsb {value}, [{pixel}, #3]",
                "ldrsb {weight}, [{filter}], #1",
                "mla {sum3}, {value}, {weight}, {sum3}",
                "cmp {start}, {end}",
                "bne 2b",
                start = inout(reg) starts.as_ptr() => _,
                end = in(reg) starts.as_ptr().wrapping_add(taps),
                filter = inout(reg) filter,
                offset = in(reg) group.wrapping_mul(4),
                pixel = out(reg) _,
                value = out(reg) _,
                weight = out(reg) _,
                sum0 = inout(reg) *sum0,
                sum1 = inout(reg) *sum1,
                sum2 = inout(reg) *sum2,
                sum3 = inout(reg) *sum3,
                options(readonly, nostack),
            );
        }
    }
    groups.rest(pixels, weights, sums);
}
