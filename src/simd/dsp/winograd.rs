//! The sums and differences of Winograd's F(2, 3), two channels an instruction.

use core::arch::naked_asm;
use core::mem::offset_of;
use core::ops::Range;

use super::clamp;
use crate::quantized::{self, Channel, Factor};
use crate::simd::winograd::{INPUTS, OUTPUTS, POSITIONS, in_sequence, needed};
use crate::simd::{FILTERS, LANES, Pair, QUAD};

/// Pairs of a quad in all positions and lanes.
const QUAD_PAIRS: usize = 2 * POSITIONS * LANES;

/// As [`winograd::transform_pixels`](crate::simd::winograd::transform_pixels), to the bit: a quad of four pixels in 36
/// instructions.
#[inline]
pub fn transform_pixels(pixels: [&[i8]; INPUTS], lane: usize, tile: &mut [Pair]) {
    let quads = tile.len() / QUAD_PAIRS;
    if quads == 0 || lane >= LANES || pixels.iter().any(|pixel| pixel.len() / QUAD < quads) {
        return;
    }
    let lane = tile.as_mut_ptr().wrapping_add(lane);
    let arguments = Lanes { quads, lane, pixels: pixels.map(<[i8]>::as_ptr) };
    // SAFETY: the function reads `quads` (not 0) words from each pixel, no more than it holds, and writes every fourth pair
    // from the number of the lane, which is less than 4, on: in the first `quads * QUAD_PAIRS` pairs of `tile`, which
    // holds them.
    unsafe { transform_quads(&arguments, 0, 1) };
}

/// As [`winograd::transform_run`](crate::simd::winograd::transform_run), to the bit.
#[inline]
pub fn transform_run(run: &[i8], channels: usize, lanes: Range<usize>, tile: &mut [Pair]) {
    let quads = tile.len() / QUAD_PAIRS;
    let count = lanes.len();
    if quads == 0 || count == 0 || lanes.end > LANES || run.len() < needed(channels, count, tile) {
        return;
    }
    let pixels = [0, 1, 2, 3].map(|place: usize| run.as_ptr().wrapping_add(place.wrapping_mul(channels)));
    let arguments = Lanes { quads, lane: tile.as_mut_ptr().wrapping_add(lanes.start), pixels };
    // SAFETY: for each of `count` (not 0) lanes the function reads `quads` (not 0) words from each of four pixels, up to
    // those at `needed`, which saturates where it would wrap: `run` holds them. It writes as in `transform_pixels`, for
    // lanes that are all less than 4.
    unsafe { transform_quads(&arguments, channels.wrapping_mul(OUTPUTS), count) };
}

/// What [`transform_quads`] works on.
#[repr(C)]
struct Lanes {
    /// Quads of a pixel.
    quads: usize,
    /// The first lane.
    lane: *mut Pair,
    /// Its pixels.
    pixels: [*const i8; INPUTS],
}

/// Transforms `quads` words of four pixels into every fourth pair, for `lanes` lanes whose pixels lie `step` bytes apart.
/// None of the two is 0. LDR works at any alignment.
///
/// # Safety
/// See [`transform_pixels`] and [`transform_run`].
#[unsafe(naked)]
unsafe extern "C" fn transform_quads(arguments: &Lanes, step: usize, lanes: usize) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        // Step, lanes to come, and the next lane's arguments.
        "sub sp, sp, #8 + {lanes_bytes}",
        "strd r1, r2, [sp]",
        "ldm r0, {{r1-r6}}",
        "3:",
        "ldr r12, [sp]",
        "mov r7, r1",
        "add r8, r2, #{pair_bytes}",
        "add r9, r3, r12",
        "add r10, r4, r12",
        "add r11, r5, r12",
        "add r12, r6, r12",
        "add lr, sp, #8",
        "stm lr, {{r7-r12}}",
        "2:",
        "ldr r7, [r3], #4",
        "ldr r8, [r4], #4",
        "ldr r9, [r5], #4",
        "ldr r10, [r6], #4",
        "subs r1, r1, #1",
        // The even channels.
        "sxtb16 r11, r8",
        "sxtb16 r12, r9",
        "sadd16 r0, r11, r12",
        "ssub16 lr, r11, r12",
        "str r0, [r2]",
        "str lr, [r2, #16]",
        "sxtb16 r0, r10",
        "sxtb16 lr, r7",
        "ssub16 r0, r0, r11",
        "ssub16 lr, lr, r12",
        "str r0, [r2, #32]",
        "str lr, [r2, #48]",
        // The odd ones.
        "sxtb16 r8, r8, ror #8",
        "sxtb16 r9, r9, ror #8",
        "sxtb16 r10, r10, ror #8",
        "sxtb16 r7, r7, ror #8",
        "sadd16 r11, r8, r9",
        "ssub16 r12, r8, r9",
        "ssub16 r10, r10, r8",
        "ssub16 r7, r7, r9",
        "str r11, [r2, #64]",
        "str r12, [r2, #80]",
        "str r10, [r2, #96]",
        "str r7, [r2, #112]",
        "add r2, r2, #128",
        "bne 2b",
        "ldr r0, [sp, #4]",
        "add lr, sp, #8",
        "subs r0, r0, #1",
        "str r0, [sp, #4]",
        "ldm lr, {{r1-r6}}",
        "bne 3b",
        "add sp, sp, #8 + {lanes_bytes}",
        "pop {{r4-r11, pc}}",
        lanes_bytes = const size_of::<Lanes>(),
        pair_bytes = const size_of::<Pair>(),
    )
}

/// As [`winograd::multiply_transformed`](crate::simd::winograd::multiply_transformed), to the bit: sixteen products,
/// which stand for twenty-four, in fourteen instructions.
#[inline(never)]
pub fn multiply_transformed(
    tile: &[Pair],
    weights: &[Pair],
    channels: &[Channel],
    range: &quantized::Range,
    pixels: [usize; LANES],
    output: &mut [i8],
) {
    let stride = channels.len();
    let pairs = tile.len() / (POSITIONS * LANES);
    let filter_pairs = pairs.wrapping_mul(POSITIONS * FILTERS);
    let (pixels, made) = in_sequence(pixels);
    if weights.len() < filter_pairs.wrapping_mul(stride.div_ceil(FILTERS))
        || output.len() < made.wrapping_mul(stride)
        || pairs == 0
        || made == 0
    {
        return;
    }
    // Pairs that the first round of the unrolled loop leaves out.
    let skipped = pairs.next_multiple_of(UNROLLED).wrapping_sub(pairs);
    let start = output.as_mut_ptr();
    let last = stride / FILTERS * FILTERS;
    let mut arguments = Tile {
        second: [start; LANES],
        first: [start; LANES],
        tile: tile.as_ptr(),
        end: tile.as_ptr().wrapping_add(pairs.wrapping_mul(POSITIONS * LANES)),
        back: pairs.wrapping_mul(POSITION_BYTES * POSITIONS).wrapping_sub(POSITION_BYTES),
        skipped: skipped.wrapping_mul(PAIR_BYTES),
        channels: channels.as_ptr(),
        last_channels: channels.as_ptr().wrapping_add(last),
        constant: range.zero_point.wrapping_mul(2).wrapping_add(1),
    };
    // What is no pixel goes where a pixel is written later: second pixels come before the first ones, the last lane
    // before the others.
    let mut place = start;
    for ((first, second), &count) in arguments.first.iter_mut().zip(&mut arguments.second).zip(&pixels) {
        if count > 0 {
            *first = place;
        }
        *second = if count > 1 { place.wrapping_add(stride) } else { *first };
        place = place.wrapping_add(count.wrapping_mul(stride));
    }
    if last != 0 {
        // SAFETY: the tile has `pairs` (not 0) times POSITIONS times LANES pairs, and the loop reads those of one
        // position after the other up to `end`. It reads as often `filter_pairs` weights as there are pairs of filters,
        // and `last` (a multiple of FILTERS, not 0) channels: `weights` and `channels` hold them. It writes `last`
        // bytes, at most `stride`, from the start of each of `made` pixels on: `output` has room for them.
        unsafe { multiply_filter_pairs(&arguments, weights.as_ptr()) };
    }
    if let (Some(&channel), Some(weights)) =
        (channels.get(last), weights.get((last / FILTERS).wrapping_mul(filter_pairs)..))
    {
        // The last filter is alone: the one of zeros beside it makes a channel of its own.
        let channels = [channel; FILTERS];
        let mut buffers = [[[0i8; FILTERS]; OUTPUTS]; LANES];
        for ((first, second), [of_first, of_second]) in
            arguments.first.iter_mut().zip(&mut arguments.second).zip(&mut buffers)
        {
            (*first, *second) = (of_first.as_mut_ptr(), of_second.as_mut_ptr());
        }
        arguments.channels = channels.as_ptr();
        arguments.last_channels = channels.as_ptr().wrapping_add(FILTERS);
        // SAFETY: as above, with one pair of filters, two channels, and room for two bytes for each pixel of each lane.
        unsafe { multiply_filter_pairs(&arguments, weights.as_ptr()) };
        let results = buffers.iter().zip(pixels).flat_map(|(results, count)| results.iter().take(count));
        for (pixel, &[result, _]) in output.chunks_exact_mut(stride.max(1)).zip(results) {
            if let Some(place) = pixel.get_mut(last) {
                *place = result;
            }
        }
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        clamp(output.get_mut(..made.wrapping_mul(stride)).unwrap_or(&mut []), range.clamp);
    }
}

/// What [`multiply_filter_pairs`] works on, beside the weights.
#[repr(C)]
struct Tile {
    /// Where each lane's next channels of its second pixel are written.
    second: [*mut i8; LANES],
    /// Likewise of its first pixel.
    first: [*mut i8; LANES],
    /// The transformed tile.
    tile: *const Pair,
    /// Behind it.
    end: *const Pair,
    /// Bytes from behind the last pair of a position to the first of the next position.
    back: usize,
    /// Bytes of code that the first round leaves out.
    skipped: usize,
    /// The first filter's channel.
    channels: *const Channel,
    /// Behind the last filter's channel.
    last_channels: *const Channel,
    /// Twice the zero point, and one.
    constant: i32,
}

/// What [`multiply_filter_pairs`] keeps on the stack.
#[repr(C)]
struct Frame {
    tile: Tile,
    /// Eight sums.
    sums: [i32; FILTERS * LANES],
    /// Where the last pair of the position ends that is being multiplied.
    end: *const Pair,
    /// Where the next position begins.
    next: *const Pair,
    /// Where the code goes on.
    after: usize,
}

/// Pairs of elements in one round of the loop over a tile.
const UNROLLED: usize = 12;

/// Bytes of code for one pair of elements.
const PAIR_BYTES: usize = 56;

/// Bytes of a pair of elements at one position, in all lanes.
const POSITION_BYTES: usize = LANES * size_of::<Pair>();

/// Multiplies a transformed tile with pairs of filters.
///
/// All fourteen registers are at work in the loop: r4 to r7 are the sums of the first filter, r8 to r11 those of the
/// second; r0 reads the tile, r1 the weights.
///
/// # Safety
/// What `arguments` and the weights point to must be there: see [`multiply_transformed`].
#[unsafe(naked)]
unsafe extern "C" fn multiply_filter_pairs(arguments: &Tile, weights: *const Pair) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "sub sp, sp, #{frame_bytes}",
        "ldm r0!, {{r2-r11}}",
        "stm sp, {{r2-r11}}",
        "ldm r0, {{r2-r6}}",
        // Where the first round begins, as an address in Thumb code.
        "adr.w r12, 4f",
        "add r3, r3, r12",
        "orr r3, r3, #1",
        "add r12, sp, #{back}",
        "stm r12, {{r2-r6}}",
        "3:",
        "ldr r12, [sp, #{channels}]",
        "ldr r0, [sp, #{tile}]",
        "ldr r2, [sp, #{tile_end}]",
        "ldr r4, [r12, #{bias}]",
        "ldr r8, [r12, #{channel_bytes} + {bias}]",
        "str r2, [sp, #{end}]",
        // Twice the bias.
        "lsl r4, r4, #1",
        "lsl r8, r8, #1",
        "mov r5, r4",
        "mov r6, r4",
        "mov r7, r4",
        "mov r9, r8",
        "mov r10, r8",
        "mov r11, r8",
        // The first sums, then with the second ones: the second pixel's. The first pixel's, with the second ones taken
        // away, are twice the first sums without that.
        "bl 22f",
        "add r12, sp, #{sums}",
        "stm r12, {{r4-r11}}",
        "bl 22f",
        "ldrd r2, r3, [sp, #{sums}]",
        "ldrd r12, lr, [sp, #{sums} + 8]",
        "rsb r2, r4, r2, lsl #1",
        "rsb r3, r5, r3, lsl #1",
        "rsb r12, r6, r12, lsl #1",
        "rsb lr, r7, lr, lsl #1",
        "strd r2, r3, [sp, #{sums}]",
        "strd r12, lr, [sp, #{sums} + 8]",
        "ldrd r2, r3, [sp, #{sums} + 16]",
        "ldrd r12, lr, [sp, #{sums} + 24]",
        "rsb r2, r8, r2, lsl #1",
        "rsb r3, r9, r3, lsl #1",
        "rsb r12, r10, r12, lsl #1",
        "rsb lr, r11, lr, lsl #1",
        "strd r2, r3, [sp, #{sums} + 16]",
        "strd r12, lr, [sp, #{sums} + 24]",
        "bl 22f",
        "str r0, [sp, #{next}]",
        "bl 23f",
        "ldm sp, {{r8-r11}}",
        "strh r7, [r11], #2",
        "strh r6, [r10], #2",
        "strh r5, [r9], #2",
        "strh r4, [r8], #2",
        "stm sp, {{r8-r11}}",
        "ldr r0, [sp, #{next}]",
        "add r12, sp, #{sums}",
        "ldm r12, {{r4-r11}}",
        "bl 22f",
        "bl 23f",
        "add r12, sp, #{first}",
        "ldm r12, {{r8-r11}}",
        "strh r7, [r11], #2",
        "strh r6, [r10], #2",
        "strh r5, [r9], #2",
        "strh r4, [r8], #2",
        "stm r12, {{r8-r11}}",
        "add r0, r0, #2 * {channel_bytes}",
        "ldr r2, [sp, #{last_channels}]",
        "str r0, [sp, #{channels}]",
        "cmp r0, r2",
        "bne.w 3b",
        "add sp, sp, #{frame_bytes}",
        "pop {{r4-r11, pc}}",
        // Adds the products of one position.
        "22:",
        "str lr, [sp, #{after}]",
        "ldr pc, [sp, #{skipped}]",
        ".p2align 2",
        "4:",
        ".rept {unrolled}",
        "ldr.w r2, [r1], #4",
        "ldr.w r3, [r1], #4",
        "ldr.w r12, [r0], #4",
        "ldr.w lr, [r0], #4",
        "smlad r4, r2, r12, r4",
        "smlad r8, r3, r12, r8",
        "smlad r5, r2, lr, r5",
        "smlad r9, r3, lr, r9",
        "ldr.w r12, [r0], #4",
        "ldr.w lr, [r0], #{next_pair}",
        "smlad r6, r2, r12, r6",
        "smlad r10, r3, r12, r10",
        "smlad r7, r2, lr, r7",
        "smlad r11, r3, lr, r11",
        ".endr",
        "ldr r2, [sp, #{end}]",
        "cmp r0, r2",
        "bne.w 4b",
        "ldr r3, [sp, #{back}]",
        "add r2, r2, #{position_bytes}",
        "str r2, [sp, #{end}]",
        "sub r0, r0, r3",
        "ldr pc, [sp, #{after}]",
        // Makes results of doubled sums, those of two filters side by side in r4 to r7; leaves the channels in r0.
        "23:",
        "str lr, [sp, #{after}]",
        "ldr r0, [sp, #{channels}]",
        "ldr r12, [sp, #{constant}]",
        "ldr r2, [r0, #{multiplier}]",
        "ldrsb r3, [r0, #{shift}]",
        "mvn r3, r3",
        "lsl r12, r12, r3",
        requantize_doubled!("r4", "r2", "r3", "r12", "lr"),
        requantize_doubled!("r5", "r2", "r3", "r12", "lr"),
        requantize_doubled!("r6", "r2", "r3", "r12", "lr"),
        requantize_doubled!("r7", "r2", "r3", "r12", "lr"),
        "ldr r12, [sp, #{constant}]",
        "ldr r2, [r0, #{channel_bytes} + {multiplier}]",
        "ldrsb r3, [r0, #{channel_bytes} + {shift}]",
        "mvn r3, r3",
        "lsl r12, r12, r3",
        requantize_doubled!("r8", "r2", "r3", "r12", "lr"),
        requantize_doubled!("r9", "r2", "r3", "r12", "lr"),
        requantize_doubled!("r10", "r2", "r3", "r12", "lr"),
        requantize_doubled!("r11", "r2", "r3", "r12", "lr"),
        "bfi r4, r8, #8, #8",
        "bfi r5, r9, #8, #8",
        "bfi r6, r10, #8, #8",
        "bfi r7, r11, #8, #8",
        "ldr pc, [sp, #{after}]",
        frame_bytes = const size_of::<Frame>(),
        first = const offset_of!(Tile, first),
        tile = const offset_of!(Tile, tile),
        tile_end = const offset_of!(Tile, end),
        back = const offset_of!(Tile, back),
        skipped = const offset_of!(Tile, skipped),
        channels = const offset_of!(Tile, channels),
        last_channels = const offset_of!(Tile, last_channels),
        constant = const offset_of!(Tile, constant),
        sums = const offset_of!(Frame, sums),
        end = const offset_of!(Frame, end),
        next = const offset_of!(Frame, next),
        after = const offset_of!(Frame, after),
        bias = const offset_of!(Channel, bias),
        multiplier = const offset_of!(Channel, factor) + offset_of!(Factor, multiplier),
        shift = const offset_of!(Channel, factor) + offset_of!(Factor, shift),
        channel_bytes = const size_of::<Channel>(),
        position_bytes = const POSITION_BYTES,
        next_pair = const POSITION_BYTES * (POSITIONS - 1) + size_of::<Pair>(),
        unrolled = const UNROLLED,
    )
}
