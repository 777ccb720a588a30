//! Tiles of columns, multiplied with pairs of filters.

use core::arch::{asm, naked_asm};
use core::array::from_fn;
use core::mem::offset_of;
use core::ops;
use core::ptr::null_mut;

use super::clamp;
use crate::quantized::{Channel, Factor, Range};
use crate::simd::{FILTERS, LANES, Pair, STREAMS, front};

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

/// The results of one filter of a group, whose channels r0 points to, in both lanes.
macro_rules! results {
    ($first:literal, $second:literal, $filter:literal, $doubled:literal) => {
        concat!(
            "ldr r2, [r0, #",
            $filter,
            " * {channel_bytes} + {multiplier}]\n",
            "ldrsb r3, [r0, #",
            $filter,
            " * {channel_bytes} + {shift}]\n",
            "ldr r12, [sp, #{constant}]\n",
            "mvn r3, r3\n",
            "lsl r12, r12, r3\n",
            requantize!($first, "r2", "r3", "r12", "lr", $doubled),
            "\n",
            requantize!($second, "r2", "r3", "r12", "lr", $doubled),
        )
    };
}

/// What a function that multiplies a tile ends with: the end of its loop, results, the next filters, and all of them again
/// for the other two lanes, before which `more` is done.
macro_rules! end {
    ($more:literal) => {
        concat!(
            "ldr r2, [sp, #{end}]\n",
            "cmp r0, r2\n",
            "bne.w 4b\n",
            "ldr r0, [sp, #{channels}]\n",
            // 256 times the sums of every other filter.
            "sub r5, r5, r4\n",
            "sub r7, r7, r6\n",
            "sub r9, r9, r8\n",
            "sub r11, r11, r10\n",
            results!("r4", "r8", "0", "lsl #1"),
            "\n",
            results!("r5", "r9", "1", "asr #7"),
            "\n",
            results!("r6", "r10", "2", "lsl #1"),
            "\n",
            results!("r7", "r11", "3", "asr #7"),
            "\n",
            "bfi r4, r5, #8, #8\n",
            "bfi r8, r9, #8, #8\n",
            "bfi r4, r6, #16, #8\n",
            "bfi r8, r10, #16, #8\n",
            "bfi r4, r7, #24, #8\n",
            "bfi r8, r11, #24, #8\n",
            "ldrd r2, r3, [sp, #{lanes}]\n",
            "add r0, r0, #4 * {channel_bytes}\n",
            "str r8, [r3], #4\n",
            "str r4, [r2], #4\n",
            "str r0, [sp, #{channels}]\n",
            "ldr r12, [sp, #{last_channels}]\n",
            "strd r2, r3, [sp, #{lanes}]\n",
            "cmp r0, r12\n",
            "bne.w 3b\n",
            // The other two lanes.
            "ldrd r2, r3, [sp, #{lanes} + 8]\n",
            "cbz r2, 5f\n",
            "strd r2, r3, [sp, #{lanes}]\n",
            $more,
            "\n",
            "ldrd r4, r5, [sp, #{tile}]\n",
            "mov r2, #0\n",
            "add r4, r4, #8\n",
            "add r5, r5, #8\n",
            "strd r4, r5, [sp, #{tile}]\n",
            "str r2, [sp, #{lanes} + 8]\n",
            "ldrd r1, r0, [sp, #{tile_bytes}]\n",
            "str r0, [sp, #{channels}]\n",
            "b.w 3b\n",
            "5:\n",
            "add sp, sp, #{tile_bytes} + 8\n",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// As [`portable::widen`](crate::simd::portable::widen), to the bit: four quads in 22 instructions.
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

/// As [`portable::multiply_tile`](crate::simd::portable::multiply_tile), to the bit: sixteen products in
/// fourteen instructions, a result in eleven.
#[inline(never)]
pub fn multiply_tile(tile: &mut [Pair], weights: &[i8], channels: &[Channel], range: &Range, output: &mut [i8]) {
    let pairs = tile.len() / LANES;
    // Pairs that the first round of the unrolled loop leaves out. The first pair is not in the loop.
    let skipped = UNROLLED.wrapping_sub(pairs.wrapping_sub(1) % UNROLLED);
    multiply(tile, weights, 2, skipped.wrapping_mul(PAIR_BYTES), channels, range, output, |arguments, weights| {
        // SAFETY: what `multiply` has found to be there is what the function takes: its first pair and the loop's.
        unsafe { multiply_filters(arguments, weights) };
    });
}

/// Multiplies a tile with all filters, whose weights for a pair of elements take `filter_bytes`: hands `run` what it works
/// on, for whole groups, then, with results of its own, for the rest. A tile has a pair then, `weights` and channels are there for
/// all filters that are run, and in the output places for each lane's results.
#[expect(clippy::too_many_arguments, reason = "what tells two kernels apart, beside what both are given")]
#[inline(always)]
fn multiply(
    tile: &[Pair],
    weights: &[i8],
    filter_bytes: usize,
    skipped: usize,
    channels: &[Channel],
    range: &Range,
    output: &mut [i8],
    run: impl Fn(&Tile, *const i8),
) {
    let stride = channels.len();
    let pairs = tile.len() / LANES;
    let group_bytes = pairs.wrapping_mul(filter_bytes * GROUP);
    if weights.len() < group_bytes.wrapping_mul(stride.div_ceil(GROUP))
        || pairs == 0
        || stride == 0
        || output.len() < stride
    {
        return;
    }
    let whole = stride / GROUP * GROUP;
    // Where a lane's pixel is, if the output has room for it.
    let (start, room) = (output.as_mut_ptr(), output.len().wrapping_sub(stride));
    let pixel = |lane: usize| match lane.wrapping_mul(stride) {
        from if from <= room => Some(start.wrapping_add(from)),
        _ => None,
    };
    let (second, third, fourth) = (pixel(1), pixel(2), pixel(3));
    let upper = third.unwrap_or(null_mut());
    let mut arguments = Tile {
        // A lane that has no pixel writes before the one on its left does, to the same place.
        lanes: [start, second.unwrap_or(start), upper, fourth.unwrap_or(upper)],
        tile: tile.as_ptr(),
        end: tile.as_ptr().wrapping_add(pairs.wrapping_mul(LANES)),
        skipped,
        channels: channels.as_ptr(),
        last_channels: channels.as_ptr().wrapping_add(whole),
        constant: range.zero_point.wrapping_mul(2).wrapping_add(1),
    };
    if whole != 0 {
        // The tile has `pairs` (not 0) times LANES pairs, and the loop reads two of each four up to `end`, once or
        // twice. It reads as often `group_bytes` weights as there are groups of filters, and `whole` (a multiple of GROUP,
        // not 0) channels: `weights` and `channels` hold them. It writes `whole` bytes, at most `stride`, from the start of
        // each lane's pixel on: `output` has room for it, or the lane writes to the one on its left or not at all.
        run(&arguments, weights.as_ptr());
    }
    let (rest, weights) = (channels.get(whole..), weights.get(whole.wrapping_mul(pairs * filter_bytes)..));
    if let (Some(rest @ [channel, ..]), Some(weights)) = (rest, weights) {
        // The last filters are less than a group: those of zeros beside them have any channel.
        let channels: [Channel; GROUP] = from_fn(|index| *rest.get(index).unwrap_or(channel));
        let mut results = [[0i8; GROUP]; LANES];
        arguments.lanes = results.each_mut().map(|pixel| pixel.as_mut_ptr());
        arguments.channels = channels.as_ptr();
        arguments.last_channels = channels.as_ptr().wrapping_add(GROUP);
        // As above, with one group of filters, its channels, and room for its bytes per lane.
        run(&arguments, weights.as_ptr());
        for (lane, results) in results.iter().enumerate() {
            let from = lane.wrapping_mul(stride).wrapping_add(whole);
            let place = output.get_mut(from..from.wrapping_add(rest.len())).unwrap_or(&mut []);
            for (place, &result) in place.iter_mut().zip(results) {
                *place = result;
            }
        }
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        clamp(output, range.clamp);
    }
}

/// What [`multiply_filters`] works on, beside the weights.
#[repr(C)]
#[derive(Clone, Copy)]
struct Tile {
    /// Where each lane's next channels are written; the third is null where only two lanes count.
    lanes: [*mut i8; LANES],
    /// The tile's elements.
    tile: *const Pair,
    /// Behind them.
    end: *const Pair,
    /// Bytes of code that the first round leaves out.
    skipped: usize,
    /// The first filter's channel.
    channels: *const Channel,
    /// Behind the last filter's channel.
    last_channels: *const Channel,
    /// Twice the zero point, and one.
    constant: i32,
}

/// Filters that are multiplied at once.
const GROUP: usize = FILTERS * STREAMS;

/// Pairs of elements in one round of the loop over a tile.
const UNROLLED: usize = 16;

/// Bytes of code for one pair of elements.
const PAIR_BYTES: usize = 56;

/// Bytes of [`Tile`], kept on the stack; behind it the first weight and the first channel.
const TILE_BYTES: usize = size_of::<Tile>();

/// Multiplies two lanes of a tile with groups of four filters.
///
/// All fourteen registers are at work in the loop: r4 to r7 are the sums of the first lane, r8 to r11 those of the
/// second: of the first filter, of the first and 256 times the second, and likewise of the others. r0 reads the tile,
/// r1 the weights. Four loads in a row take five cycles: four filters by two lanes need them in a row, two by four would
/// need five in two rows.
///
/// # Safety
/// What `arguments` and the weights point to must be there: see [`multiply_tile`].
#[unsafe(naked)]
unsafe extern "C" fn multiply_filters(arguments: &Tile, weights: *const i8) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "ldm r0, {{r2-r11}}",
        "sub sp, sp, #{tile_bytes} + 8",
        // Where the first round begins, as an address in Thumb code.
        "adr.w r12, 4f",
        "add r8, r8, r12",
        "orr r8, r8, #1",
        "stm sp, {{r2-r11}}",
        "mov r0, r9",
        "strd r1, r0, [sp, #{tile_bytes}]",
        // The next filters: biases, and the first pair.
        "3:",
        "ldr r4, [r0, #{bias}]",
        "ldr r5, [r0, #{channel_bytes} + {bias}]",
        "ldr r6, [r0, #2 * {channel_bytes} + {bias}]",
        "ldr r7, [r0, #3 * {channel_bytes} + {bias}]",
        "ldr r0, [sp, #{tile}]",
        "ldr r2, [r1], #4",
        "ldr r3, [r1], #4",
        "ldr lr, [r0, #4]",
        "ldr r12, [r0], #16",
        "add r5, r4, r5, lsl #8",
        "add r7, r6, r7, lsl #8",
        "smlad r9, r2, lr, r5",
        "smlad r5, r2, r12, r5",
        "sxtb16 r2, r2",
        "smlad r11, r3, lr, r7",
        "smlad r7, r3, r12, r7",
        "sxtb16 r3, r3",
        "smlad r8, r2, lr, r4",
        "smlad r4, r2, r12, r4",
        "smlad r10, r3, lr, r6",
        "smlad r6, r3, r12, r6",
        "ldr pc, [sp, #{skipped}]",
        ".p2align 2",
        "4:",
        ".rept {unrolled}",
        "ldr.w r2, [r1], #4",
        "ldr.w r3, [r1], #4",
        "ldr.w lr, [r0, #4]",
        "ldr.w r12, [r0], #16",
        "smlad r5, r2, r12, r5",
        "smlad r9, r2, lr, r9",
        "sxtb16 r2, r2",
        "smlad r7, r3, r12, r7",
        "smlad r11, r3, lr, r11",
        "sxtb16 r3, r3",
        "smlad r4, r2, r12, r4",
        "smlad r8, r2, lr, r8",
        "smlad r6, r3, r12, r6",
        "smlad r10, r3, lr, r10",
        ".endr",
        end!(""),
        tile_bytes = const TILE_BYTES,
        lanes = const offset_of!(Tile, lanes),
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

/// What [`multiply_packed_filters`] works on, beside the weights.
#[repr(C)]
struct PackedTile {
    tile: Tile,
    /// What is added to the sums of each lane for weights that have 8 added.
    offsets: [i32; LANES],
}

/// Pairs of elements in one round of the loop over a tile with packed weights.
const UNROLLED_PACKED: usize = 8;

/// Bytes of code for one pair of elements.
const PACKED_PAIR_BYTES: usize = 64;

/// Bytes of [`PackedTile`], kept on the stack; behind it the first weight and the first channel.
const PACKED_TILE_BYTES: usize = size_of::<PackedTile>();

/// As [`int4::multiply_tile`](crate::simd::int4::multiply_tile), to the bit: sixteen products in sixteen instructions, those of
/// unpacking among them. A weight with 8 added is only masked; what that adds to a lane's sums, 8 times all its values, is taken
/// off beforehand.
#[inline(never)]
pub fn multiply_tile_int4(tile: &mut [Pair], packed: &[u32], channels: &[Channel], range: &Range, output: &mut [i8]) {
    let pairs = tile.len() / LANES;
    let skipped = pairs.next_multiple_of(UNROLLED_PACKED).wrapping_sub(pairs);
    let offsets = sums(tile).map(|sum| sum.wrapping_mul(-8));
    let weights = bytemuck::must_cast_slice(packed);
    multiply(tile, weights, 1, skipped.wrapping_mul(PACKED_PAIR_BYTES), channels, range, output, |tile, weights| {
        // SAFETY: what `multiply` has found to be there is what the function takes; a word of weights is aligned.
        unsafe { multiply_packed_filters(&PackedTile { tile: *tile, offsets }, weights) };
    });
}

/// The sum of each lane's values.
#[inline]
fn sums(tile: &[Pair]) -> [i32; LANES] {
    let (pairs, _) = tile.as_chunks::<LANES>();
    let [mut first, mut second, mut third, mut fourth] = [0; LANES];
    if !pairs.is_empty() {
        let ops::Range { start, end } = pairs.as_ptr_range();
        // SAFETY: the loop reads four words at a time from the first pair's up to the end, which is not the start.
        unsafe {
            asm!(
                "2:",
                "ldrd {a}, {b}, [{pairs}], #8",
                "ldrd {c}, {d}, [{pairs}], #8",
                "smlad {first}, {a}, {ones}, {first}",
                "smlad {second}, {b}, {ones}, {second}",
                "smlad {third}, {c}, {ones}, {third}",
                "smlad {fourth}, {d}, {ones}, {fourth}",
                "cmp {pairs}, {end}",
                "bne 2b",
                pairs = inout(reg) start => _,
                end = in(reg) end,
                ones = in(reg) 0x0001_0001,
                a = out(reg) _,
                b = out(reg) _,
                c = out(reg) _,
                d = out(reg) _,
                first = inout(reg) first,
                second = inout(reg) second,
                third = inout(reg) third,
                fourth = inout(reg) fourth,
                options(readonly, nostack),
            );
        }
    }
    [first, second, third, fourth]
}

/// As [`multiply_filters`], with [packed](crate::simd::int4) weights, of which a word is of two pairs of filters.
///
/// # Safety
/// As there.
#[unsafe(naked)]
unsafe extern "C" fn multiply_packed_filters(arguments: &PackedTile, weights: *const i8) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "ldm r0!, {{r2-r11}}",
        "sub sp, sp, #{tile_bytes} + 8",
        // Where the first round begins, as an address in Thumb code.
        "adr.w r12, 4f",
        "add r8, r8, r12",
        "orr r8, r8, #1",
        "stm sp, {{r2-r11}}",
        "mov r8, r9",
        "ldm r0, {{r2-r5}}",
        "add r12, sp, #{offsets}",
        "stm r12, {{r2-r5}}",
        "mov r0, r8",
        "strd r1, r0, [sp, #{tile_bytes}]",
        // The next filters: biases.
        "3:",
        "ldr r4, [r0, #{bias}]",
        "ldr r5, [r0, #{channel_bytes} + {bias}]",
        "ldr r6, [r0, #2 * {channel_bytes} + {bias}]",
        "ldr r7, [r0, #3 * {channel_bytes} + {bias}]",
        "ldrd r2, r3, [sp, #{offsets}]",
        "ldr r0, [sp, #{tile}]",
        "add r8, r4, r3",
        "add r9, r5, r3",
        "add r10, r6, r3",
        "add r11, r7, r3",
        "add r4, r4, r2",
        "add r5, r5, r2",
        "add r6, r6, r2",
        "add r7, r7, r2",
        "add r5, r4, r5, lsl #8",
        "add r9, r8, r9, lsl #8",
        "add r7, r6, r7, lsl #8",
        "add r11, r10, r11, lsl #8",
        "ldr pc, [sp, #{skipped}]",
        ".p2align 2",
        "4:",
        ".rept {unrolled}",
        "ldr.w r2, [r1], #4",
        "ldr.w lr, [r0, #4]",
        "ldr.w r12, [r0], #16",
        "lsr.w r3, r2, #4",
        "and r2, r2, #0x0F0F0F0F",
        "and r3, r3, #0x0F0F0F0F",
        "smlad r5, r2, r12, r5",
        "smlad r9, r2, lr, r9",
        "uxtb16 r2, r2",
        "smlad r7, r3, r12, r7",
        "smlad r11, r3, lr, r11",
        "uxtb16 r3, r3",
        "smlad r4, r2, r12, r4",
        "smlad r8, r2, lr, r8",
        "smlad r6, r3, r12, r6",
        "smlad r10, r3, lr, r10",
        ".endr",
        end!(
            "ldrd r4, r5, [sp, #{offsets} + 8]
            strd r4, r5, [sp, #{offsets}]"
        ),
        tile_bytes = const PACKED_TILE_BYTES,
        offsets = const offset_of!(PackedTile, offsets),
        lanes = const offset_of!(Tile, lanes),
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
        unrolled = const UNROLLED_PACKED,
    )
}
