//! Tiles of columns, multiplied with pairs of filters.

use core::arch::naked_asm;
use core::mem::offset_of;
use core::ops;

use super::clamp;
use crate::quantized::{Channel, Factor, Range};
use crate::simd::{FILTERS, LANES, Pair, portable};

/// A quad becomes two pairs, stored at two distances from r4.
macro_rules! widen_quad {
    ($quad:literal, $first:literal, $second:literal) => {
        concat!(
            "sxtb16 r12, ",
            $quad,
            "\n",
            "sxtb16 ",
            $quad,
            ", ",
            $quad,
            ", ror #8\n",
            "str r12, [r4, #",
            $first,
            "]\n",
            "str ",
            $quad,
            ", [r4, #",
            $second,
            "]",
        )
    };
}

/// As [`portable::widen`], to the bit: four quads in 22 instructions.
#[inline]
pub fn widen(run: &[i8], step: usize, lanes: ops::Range<usize>, tile: &mut [Pair]) {
    let quads = tile.len() / (2 * LANES);
    if quads != 0 && portable::columns_fit(run, step, quads, &lanes) {
        let lanes = tile.as_mut_ptr().wrapping_add(lanes.start)..tile.as_mut_ptr().wrapping_add(lanes.end);
        // SAFETY: the function reads `quads` words for each lane, `step` bytes behind those of the one before: the run
        // holds them. It writes every fourth pair from each lane's first on, 2 * quads of them: as many as the tile has.
        unsafe { widen_quads(run.as_ptr(), step, lanes.start, quads, lanes.end) };
    }
}

/// Widens `quads` (at least one) words into every fourth pair from `lane` on, then those `step` bytes behind into the next
/// lane's, up to `end` (not `lane`). LDR works at any alignment.
///
/// # Safety
/// See [`widen`].
#[unsafe(naked)]
unsafe extern "C" fn widen_quads(run: *const i8, step: usize, lane: *mut Pair, quads: usize, end: *mut Pair) {
    naked_asm!(
        core!(),
        "push {{r4-r10, lr}}",
        "mov lr, r3",
        "ldr r10, [sp, #32]",
        "2:",
        "mov r8, r0",
        "mov r4, r2",
        "add r0, r0, r1",
        "add r2, r2, #4",
        "subs r9, lr, #4",
        "blo 4f",
        "3:",
        "ldr r3, [r8], #4",
        "ldr r5, [r8], #4",
        "ldr r6, [r8], #4",
        "ldr r7, [r8], #4",
        "subs r9, r9, #4",
        widen_quad!("r3", "0", "16"),
        widen_quad!("r5", "32", "48"),
        widen_quad!("r6", "64", "80"),
        widen_quad!("r7", "96", "112"),
        "add r4, r4, #128",
        "bhs 3b",
        "4:",
        "adds r9, r9, #4",
        "beq 6f",
        "5:",
        "ldr r3, [r8], #4",
        "subs r9, r9, #1",
        widen_quad!("r3", "0", "16"),
        "add r4, r4, #32",
        "bne 5b",
        "6:",
        "cmp r2, r10",
        "bne 2b",
        "pop {{r4-r10, pc}}",
    )
}

/// As [`portable::multiply_tile`], to the bit: sixteen products in
/// thirteen instructions, a result in nine.
#[inline(never)]
pub fn multiply_tile(tile: &mut [Pair], weights: &[i8], channels: &[Channel], range: &Range, output: &mut [i8]) {
    let stride = channels.len();
    let pairs = tile.len() / LANES;
    let pixels = output.len().checked_div(stride).unwrap_or(0).min(LANES);
    let filter_bytes = pairs.wrapping_mul(2 * FILTERS);
    if weights.len() < filter_bytes.wrapping_mul(stride.div_ceil(FILTERS)) || pairs == 0 || pixels == 0 {
        return;
    }
    // Pairs that the first round of the unrolled loop leaves out.
    let skipped = pairs.next_multiple_of(UNROLLED).wrapping_sub(pairs);
    let start = output.as_mut_ptr();
    let last = stride / FILTERS * FILTERS;
    let mut arguments = Tile {
        // A lane that has no pixel writes before the first lane does, to the same place.
        lanes: [0, 1, 2, 3].map(|lane| start.wrapping_add(if lane < pixels { lane.wrapping_mul(stride) } else { 0 })),
        tile: tile.as_ptr(),
        end: tile.as_ptr().wrapping_add(pairs.wrapping_mul(LANES)),
        skipped: skipped.wrapping_mul(PAIR_BYTES),
        last_channels: channels.as_ptr().wrapping_add(last),
        channels: channels.as_ptr(),
        constant: range.zero_point.wrapping_mul(2).wrapping_add(1),
    };
    if last != 0 {
        // SAFETY: the tile has `pairs` (not 0) times LANES pairs, and the loop reads them up to `end`. It reads as
        // often `filter_bytes` weights as there are pairs of filters, and `last` (a multiple of FILTERS, not 0)
        // channels: `weights` and `channels` hold them. It writes `last` bytes, at most `stride`, from the start of
        // each lane's pixel on: `output` has room for `pixels` pixels, and the other lanes write to the first.
        unsafe { multiply_filter_pairs(&arguments, weights.as_ptr()) };
    }
    if let (Some(&channel), Some(weights)) = (channels.get(last), weights.get(last.wrapping_mul(pairs * 2)..)) {
        // The last filter is alone: the one of zeros beside it makes a channel of its own.
        let channels = [channel; FILTERS];
        let mut buffer = [[0i8; FILTERS]; LANES];
        arguments.lanes = buffer.each_mut().map(|pixel| pixel.as_mut_ptr());
        arguments.channels = channels.as_ptr();
        arguments.last_channels = channels.as_ptr().wrapping_add(FILTERS);
        // SAFETY: as above, with one pair of filters, two channels, and room for two bytes per lane.
        unsafe { multiply_filter_pairs(&arguments, weights.as_ptr()) };
        for (pixel, [result, _]) in output.chunks_exact_mut(stride.max(1)).zip(buffer) {
            if let Some(place) = pixel.get_mut(last) {
                *place = result;
            }
        }
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        clamp(output, range.clamp);
    }
}

/// What [`multiply_filter_pairs`] works on, beside the weights.
#[repr(C)]
struct Tile {
    /// Where each lane's next channels are written.
    lanes: [*mut i8; LANES],
    /// The tile's elements.
    tile: *const Pair,
    /// Behind them.
    end: *const Pair,
    /// Bytes of code that the first round leaves out.
    skipped: usize,
    /// Behind the last filter's channel.
    last_channels: *const Channel,
    /// The first filter's channel.
    channels: *const Channel,
    /// Twice the zero point, and one.
    constant: i32,
}

/// Pairs of elements in one round of the loop over a tile.
const UNROLLED: usize = 16;

/// Bytes of code for one pair of elements.
const PAIR_BYTES: usize = 52;

/// Bytes of [`Tile`], kept on the stack.
const TILE_BYTES: usize = size_of::<Tile>();

/// Multiplies a tile of four columns with pairs of filters.
///
/// All fourteen registers are at work in the loop: r4 to r7 are the sums of the first filter, r8 to
/// r11 those of both, the second's times 256; r0 reads the tile, r1 the weights.
///
/// # Safety
/// What `arguments` and the weights point to must be there: see [`multiply_tile`].
#[unsafe(naked)]
unsafe extern "C" fn multiply_filter_pairs(arguments: &Tile, weights: *const i8) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "ldm r0, {{r2-r11}}",
        "sub sp, sp, #{tile_bytes}",
        // Where the first round begins, as an address in Thumb code.
        "adr.w r12, 4f",
        "add r8, r8, r12",
        "orr r8, r8, #1",
        "stm sp, {{r2-r11}}",
        "mov r0, r10",
        "3:",
        "ldr r4, [r0, #{bias}]",
        "ldr r8, [r0, #{channel_bytes} + {bias}]",
        "ldr r0, [sp, #{tile}]",
        "mov r5, r4",
        "mov r6, r4",
        "mov r7, r4",
        "add r8, r4, r8, lsl #8",
        "mov r9, r8",
        "mov r10, r8",
        "mov r11, r8",
        "ldr pc, [sp, #{skipped}]",
        ".p2align 2",
        "4:",
        ".rept {unrolled}",
        "ldr.w r2, [r1], #4",
        "ldr.w r12, [r0], #4",
        "ldr.w lr, [r0], #4",
        "sxtb16 r3, r2",
        "smlad r4, r3, r12, r4",
        "smlad r8, r2, r12, r8",
        "smlad r5, r3, lr, r5",
        "smlad r9, r2, lr, r9",
        "ldrd r12, lr, [r0], #8",
        "smlad r6, r3, r12, r6",
        "smlad r10, r2, r12, r10",
        "smlad r7, r3, lr, r7",
        "smlad r11, r2, lr, r11",
        ".endr",
        "ldr r2, [sp, #{end}]",
        "cmp r0, r2",
        "bne.w 4b",
        // 256 times the second filter's sums.
        "sub r8, r8, r4",
        "sub r9, r9, r5",
        "sub r10, r10, r6",
        "sub r11, r11, r7",
        // The first filter's results.
        "ldr r0, [sp, #{channels}]",
        "ldr r12, [sp, #{constant}]",
        "ldr r2, [r0, #{multiplier}]",
        "ldrsb r3, [r0, #{shift}]",
        "mvn r3, r3",
        "lsl r12, r12, r3",
        requantize!("r4", "r2", "r3", "r12", "lr"),
        requantize!("r5", "r2", "r3", "r12", "lr"),
        requantize!("r6", "r2", "r3", "r12", "lr"),
        requantize!("r7", "r2", "r3", "r12", "lr"),
        // The second filter's.
        "ldr r12, [sp, #{constant}]",
        "ldr r2, [r0, #{channel_bytes} + {multiplier}]",
        "ldrsb r3, [r0, #{channel_bytes} + {shift}]",
        "add r0, r0, #2 * {channel_bytes}",
        "mvn r3, r3",
        "lsl r12, r12, r3",
        requantize!("r8", "r2", "r3", "r12", "lr", "asr #7"),
        requantize!("r9", "r2", "r3", "r12", "lr", "asr #7"),
        requantize!("r10", "r2", "r3", "r12", "lr", "asr #7"),
        requantize!("r11", "r2", "r3", "r12", "lr", "asr #7"),
        "bfi r4, r8, #8, #8",
        "bfi r5, r9, #8, #8",
        "bfi r6, r10, #8, #8",
        "bfi r7, r11, #8, #8",
        "ldm sp, {{r8-r11}}",
        "strh r7, [r11], #2",
        "strh r6, [r10], #2",
        "strh r5, [r9], #2",
        "strh r4, [r8], #2",
        "str r0, [sp, #{channels}]",
        "ldr r2, [sp, #{last_channels}]",
        "stm sp, {{r8-r11}}",
        "cmp r0, r2",
        "bne.w 3b",
        "add sp, sp, #{tile_bytes}",
        "pop {{r4-r11, pc}}",
        tile_bytes = const TILE_BYTES,
        channels = const offset_of!(Tile, channels),
        constant = const offset_of!(Tile, constant),
        tile = const offset_of!(Tile, tile),
        end = const offset_of!(Tile, end),
        skipped = const offset_of!(Tile, skipped),
        last_channels = const offset_of!(Tile, last_channels),
        bias = const offset_of!(Channel, bias),
        multiplier = const offset_of!(Channel, factor) + offset_of!(Factor, multiplier),
        shift = const offset_of!(Channel, factor) + offset_of!(Factor, shift),
        channel_bytes = const size_of::<Channel>(),
        unrolled = const UNROLLED,
    )
}
