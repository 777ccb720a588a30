//! Convolutions: a tile of columns times filters.
//!
//! A multiplication makes two products without DSP instructions, too: two columns lie in one word, the second times
//! 2^16, and so do their products with a weight. Two products in a row fit into 16 bits, with an offset that keeps the
//! lower half from borrowing; then both halves go to sums of their own. That is 1.5 instructions and 2.5 cycles a
//! product. SMLAL would keep both sums apart by itself, in a third fewer instructions, but it takes 4 to 7 cycles where
//! MLA and an addition take 3.

use core::arch::naked_asm;
use core::mem::offset_of;
use core::ops;

use super::clamp;
use crate::quantized::{Channel, Factor, Range};
use crate::simd::{FILTERS, LANES, Pair, front};

/// A quad becomes two pairs, stored at two distances from r6.
macro_rules! widen_quad {
    ($quad:literal, $first:literal, $second:literal) => {
        concat!(
            concat!("sxtb r12, ", $quad, "\n"),
            concat!("sxtb lr, ", $quad, ", ror #16\n"),
            "bfi r12, lr, #16, #16\n",
            concat!("sxtb lr, ", $quad, ", ror #8\n"),
            concat!("asr ", $quad, ", ", $quad, ", #24\n"),
            concat!("bfi lr, ", $quad, ", #16, #16\n"),
            concat!("str r12, [r6, #", $first, "]\n"),
            concat!("str lr, [r6, #", $second, "]\n"),
        )
    };
}

/// Adds the products of two elements in r2 to r5, `[element][lane / 2]`, with the weights r6 and r7 to twice the sums
/// of words r8 and r10 and to the sums of their upper halves r9 and r11.
macro_rules! add_products {
    () => {
        "mla r2, r6, r2, r12
        mla r3, r6, r3, r12
        mla r2, r7, r4, r2
        mla r3, r7, r5, r3
        add.w r8, r8, r2, lsl #1
        add.w r9, r9, r2, asr #16
        add.w r10, r10, r3, lsl #1
        add.w r11, r11, r3, asr #16"
    };
}

/// As [`portable::widen`](crate::simd::portable::widen), to the bit.
#[inline]
pub fn widen(run: &[i8], step: usize, lanes: ops::Range<usize>, tile: &mut [Pair]) {
    front::widen(run, step, lanes, tile, widen_quads);
}

/// See [`front::WidenQuads`]. LDR works at any alignment.
///
/// # Safety
/// See [`front::widen`].
#[unsafe(naked)]
unsafe extern "C" fn widen_quads(run: *const i8, step: usize, lane: *mut Pair, quads: usize, end: *mut Pair) {
    naked_asm!(
        "push {{r4-r9, lr}}",
        "ldr r9, [sp, #28]",
        "2:",
        "mov r5, r0",
        "mov r6, r2",
        "add r0, r0, r1",
        "add r2, r2, #4",
        "lsrs r4, r3, #1",
        "bcc 3f",
        "ldr r7, [r5], #4",
        widen_quad!("r7", "0", "16"),
        "add r6, r6, #32",
        "3:",
        "cbz r4, 5f",
        "4:",
        "ldr r7, [r5], #4",
        "ldr r8, [r5], #4",
        "subs r4, r4, #1",
        widen_quad!("r7", "0", "16"),
        widen_quad!("r8", "32", "48"),
        "add r6, r6, #64",
        "bne 4b",
        "5:",
        "cmp r2, r9",
        "bne 2b",
        "pop {{r4-r9, pc}}",
    )
}

/// As [`portable::multiply_tile`](crate::simd::portable::multiply_tile), to the bit.
#[inline(never)]
pub fn multiply_tile(tile: &mut [Pair], weights: &[i8], channels: &[Channel], range: &Range, output: &mut [i8]) {
    let stride = channels.len();
    let pairs = tile.len() / LANES;
    let pixels = output.len().checked_div(stride).unwrap_or(0).min(LANES);
    let filter_bytes = pairs.wrapping_mul(2 * FILTERS);
    if weights.len() < filter_bytes.wrapping_mul(stride.div_ceil(FILTERS)) || pairs == 0 || pixels == 0 {
        return;
    }
    // Pairs that the first round of the unrolled loops leaves out.
    let skipped = pairs.next_multiple_of(UNROLLED).wrapping_sub(pairs);
    let start = output.as_mut_ptr();
    let range_of_tile = tile.as_mut_ptr_range();
    let end = range_of_tile.start.wrapping_add(pairs.wrapping_mul(LANES));
    let arguments = Tile {
        // A lane that has no pixel writes before the first lane does, to the same place.
        lanes: [0, 1, 2, 3].map(|lane| start.wrapping_add(if lane < pixels { lane.wrapping_mul(stride) } else { 0 })),
        skipped: [skipped.wrapping_mul(FIRST_BYTES), skipped.wrapping_mul(SECOND_BYTES)],
        filter_bytes,
        offsets: (pairs as u32).wrapping_mul(2 * OFFSET),
        tile: range_of_tile.start,
        end,
        channels: channels.as_ptr(),
        last_channels: channels.as_ptr().wrapping_add(stride),
        constant: range.zero_point.wrapping_mul(2).wrapping_add(1),
    };
    // SAFETY: the tile has `pairs` (not 0) times LANES pairs, aligned as words; both functions read them up to `end`,
    // and the first writes them. The second reads `filter_bytes` weights for every two filters, as far as the last
    // word, and `stride` (not 0, or there would be no pixels) channels: `weights` and `channels` hold them. It writes
    // `stride` bytes from the start of each lane's pixel on: `output` has room for `pixels` pixels, and the other lanes
    // write to the first.
    unsafe {
        side_by_side(arguments.tile, end);
        multiply_filters(&arguments, weights.as_ptr());
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        clamp(output, range.clamp);
    }
}

/// Puts two lanes of a tile into one word, the second times 2^16: four pairs `[lane][element]` become four words
/// `[element][lane / 2]`.
///
/// # Safety
/// All pairs from `tile` (not `end`) up to `end` must be there, fours of them.
#[unsafe(naked)]
unsafe extern "C" fn side_by_side(tile: *mut Pair, end: *mut Pair) {
    naked_asm!(
        "push {{r4-r9, lr}}",
        "2:",
        "ldm r0, {{r2-r5}}",
        "sxth r6, r2",
        "sxth r7, r4",
        "add r6, r6, r3, lsl #16",
        "add r7, r7, r5, lsl #16",
        "bfc r3, #0, #16",
        "bfc r5, #0, #16",
        "add r8, r3, r2, asr #16",
        "add r9, r5, r4, asr #16",
        "stm r0!, {{r6-r9}}",
        "cmp r0, r1",
        "bne 2b",
        "pop {{r4-r9, pc}}",
    )
}

/// What [`multiply_filters`] works on, beside the weights. It reads neighbours at once.
#[repr(C)]
struct Tile {
    /// Where each lane's next channel is written.
    lanes: [*mut i8; LANES],
    /// The tile's elements, [`side_by_side`].
    tile: *mut Pair,
    /// Bytes of code that the first round leaves out, for the first filter of two and for the second.
    skipped: [usize; FILTERS],
    /// The next filter's channel.
    channels: *const Channel,
    /// Twice the offsets in a sum.
    offsets: u32,
    /// Behind the tile's elements.
    end: *mut Pair,
    /// Bytes of two filters' weights.
    filter_bytes: usize,
    /// Twice the zero point, and one.
    constant: i32,
    /// Behind the last filter's channel.
    last_channels: *const Channel,
}

/// What makes the lower half of two products positive, each from -127 * 128 to 127 * 128.
const OFFSET: u32 = 1 << 15;

/// Pairs of elements in one round of the loops over a tile.
const UNROLLED: usize = 8;

/// Bytes of code for one pair of elements and the first filter of two.
const FIRST_BYTES: usize = 42;

/// Bytes of code for one pair of elements and the second filter of two.
const SECOND_BYTES: usize = 50;

/// Bytes of [`Tile`], kept on the stack.
const TILE_BYTES: usize = size_of::<Tile>();

/// Multiplies a tile of four columns with filters.
///
/// All fourteen registers are at work in the loops; r0 reads the tile, r1 the weights, r12 is the offset, lr the
/// end of the tile.
///
/// # Safety
/// What `arguments` and the weights point to must be there: see [`multiply_tile`].
#[unsafe(naked)]
unsafe extern "C" fn multiply_filters(arguments: &Tile, weights: *const i8) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "sub sp, sp, #{tile_bytes}",
        "ldm r0!, {{r2-r5}}",
        "stm sp, {{r2-r5}}",
        "ldm r0, {{r2-r10}}",
        // Where the first rounds begin, as addresses in Thumb code.
        "adr.w r11, 3f",
        "adr.w r12, 4f",
        "add r3, r3, r11",
        "add r4, r4, r12",
        "orr r3, r3, #1",
        "orr r4, r4, #1",
        "add r12, sp, #{tile}",
        "stm r12, {{r2-r10}}",
        // Each filter: what adds its products takes turns.
        "2:",
        "add r12, sp, #{tile}",
        "ldm r12, {{r0, r2-r5, lr}}",
        "strd r3, r2, [sp, #{skipped}]",
        "ldr r9, [r4, #{bias}]",
        "mov r12, #{offset}",
        "add r8, r9, r9, lsl #16",
        "rsb r8, r5, r8, lsl #1",
        "mov r10, r8",
        "mov r11, r9",
        "bx r2",
        // The second filter: 256 times its weight beside the first's, which is at least -127. That of the lower
        // half carries one at most to the upper half.
        ".p2align 2",
        "4:",
        ".rept {unrolled}",
        "ldm r0!, {{r2-r5}}",
        "ldr.w r6, [r1], #4",
        "add.w r7, r6, #0x7f007f",
        "sxtb.w r6, r7, ror #8",
        "asr.w r7, r7, #24",
        add_products!(),
        ".endr",
        "cmp r0, lr",
        "bne.w 4b",
        "b.w 5f",
        // The first filter.
        ".p2align 2",
        "3:",
        ".rept {unrolled}",
        "ldm r0!, {{r2-r5}}",
        "ldrsb.w r6, [r1], #2",
        "ldrsb.w r7, [r1], #2",
        add_products!(),
        ".endr",
        "cmp r0, lr",
        "bne.w 3b",
        "ldr r2, [sp, #{filter_bytes}]",
        "sub r1, r1, r2",
        // Results: r8 and r10 less the upper halves are twice the sums of the lower ones.
        "5:",
        "ldr r2, [sp, #{channels}]",
        "ldrd r5, r6, [sp, #{constant}]",
        "ldr r3, [r2, #{multiplier}]",
        "ldrsb r4, [r2, #{shift}]",
        "add r2, r2, #{channel_bytes}",
        "str r2, [sp, #{channels}]",
        "cmp r2, r6",
        "mvn r4, r4",
        "lsl r5, r5, r4",
        "ldm sp, {{r0, r2, r12, lr}}",
        "sub r8, r8, r9, lsl #17",
        "sub r10, r10, r11, lsl #17",
        "lsl r9, r9, #1",
        "lsl r11, r11, #1",
        requantize!("r11"),
        "strb r7, [lr], #1",
        requantize!("r10"),
        "strb r7, [r12], #1",
        requantize!("r9"),
        "strb r7, [r2], #1",
        requantize!("r8"),
        "strb r7, [r0], #1",
        "stm sp, {{r0, r2, r12, lr}}",
        "bne.w 2b",
        "add sp, sp, #{tile_bytes}",
        "pop {{r4-r11, pc}}",
        tile_bytes = const TILE_BYTES,
        skipped = const offset_of!(Tile, skipped),
        filter_bytes = const offset_of!(Tile, filter_bytes),
        tile = const offset_of!(Tile, tile),
        channels = const offset_of!(Tile, channels),
        constant = const offset_of!(Tile, constant),
        bias = const offset_of!(Channel, bias),
        multiplier = const offset_of!(Channel, factor) + offset_of!(Factor, multiplier),
        shift = const offset_of!(Channel, factor) + offset_of!(Factor, shift),
        channel_bytes = const size_of::<Channel>(),
        offset = const OFFSET,
        unrolled = const UNROLLED,
    )
}
