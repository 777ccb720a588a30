//! Tiles of columns, multiplied with pairs of filters.

use core::arch::naked_asm;
use core::mem::offset_of;

use super::clamp;
use crate::quantized::{Channel, Factor, Range};
use crate::simd::{FILTERS, LANES, Pair, QUAD};

/// Adds sixteen products to each sum. The first filter's sign was taken from
/// the second.
macro_rules! block {
    ($accumulate:literal) => {
        concat!(
            "vld20.8 {{q4, q5}}, [r1]\n",
            "vld21.8 {{q4, q5}}, [r1]!\n",
            "vld40.32 {{q0, q1, q2, q3}}, [r3]\n",
            "vld41.32 {{q0, q1, q2, q3}}, [r3]\n",
            "vld42.32 {{q0, q1, q2, q3}}, [r3]\n",
            "vld43.32 {{q0, q1, q2, q3}}, [r3]!\n",
            "vshr.u8 q6, q4, #7\n",
            "vadd.i8 q5, q5, q6\n",
            "vmladav",
            $accumulate,
            ".s8 r0, q0, q4\n",
            "vmladav",
            $accumulate,
            ".s8 r2, q1, q4\n",
            "vmladav",
            $accumulate,
            ".s8 r4, q2, q4\n",
            "vmladav",
            $accumulate,
            ".s8 r6, q3, q4\n",
            "vmladav",
            $accumulate,
            ".s8 r8, q0, q5\n",
            "vmladav",
            $accumulate,
            ".s8 r10, q1, q5\n",
            "vmladav",
            $accumulate,
            ".s8 r12, q2, q5\n",
            "vmladav",
            $accumulate,
            ".s8 lr, q3, q5",
        )
    };
}

/// Begins with the arguments of a function that multiplies a tile: r0 points to [`Tile`].
macro_rules! begin {
    () => {
        concat!(
            "push {{r4-r11, lr}}\n",
            "vpush {{d8-d15}}\n",
            "sub sp, sp, #56\n",
            // Offsets of sixteen weights of the first filter, and of the second's.
            "mov r2, #0\n",
            "vidup.u8 q0, r2, #2\n",
            "mov r2, #1\n",
            "vidup.u8 q1, r2, #2\n",
            "vstrw.32 q0, [sp, #{evens}]\n",
            "vstrw.32 q1, [sp, #{odds}]\n",
            "vldrw.u32 q7, [r0, #{lanes}]\n",
            "ldr r2, [r0, #{tail}]\n",
            "vctp.8 r2\n",
            "lsl r2, r2, #1\n",
            "ldr r3, [r0, #{tile}]\n",
            "ldr r4, [r0, #{last_channels}]\n",
            "ldr r6, [r0, #{zero_point}]\n",
            "ldr r11, [r0, #{skipped}]\n",
            "ldr r7, [r0, #{channels}]\n",
            "ldr r9, [r0, #{output}]\n",
            "ldr r5, [r0, #{end}]\n",
            "strd r2, r3, [sp, #{tail_bytes}]\n",
            "strd r4, r6, [sp, #{last}]\n",
            // Where the rest of a column is multiplied, and where the loop's first round begins, as addresses in
            // Thumb code.
            "ldr r4, [r0, #{ends_here}]\n",
            "adr.w r6, 9f\n",
            "cbz r2, 2f\n",
            "adr.w r6, 7f\n",
            "cbz r4, 2f\n",
            "adr.w r6, 8f\n",
            "2:\n",
            "orr r6, r6, #1\n",
            "str r6, [sp, #{rest}]\n",
            "adr.w r6, 4f\n",
            "add r11, r11, r6\n",
            "orr r11, r11, #1",
        )
    };
}

/// Sums of a pair of filters. r1 and r3 read weights and tile, r5 is the end of its whole blocks or 0.
macro_rules! sums {
    () => {
        concat!(
            "3:\n",
            "ldr r3, [sp, #{tail_bytes} + 4]\n",
            "cbz r5, 6f\n",
            block!(""),
            "\n",
            "bx r11\n",
            "6:\n",
            "mov r0, #0\n",
            "mov r2, #0\n",
            "mov r4, #0\n",
            "mov r6, #0\n",
            "mov r8, #0\n",
            "mov r10, #0\n",
            "mov r12, #0\n",
            "mov lr, #0\n",
            "b 5f\n",
            // The last weights that there are: those of the rest only, byte by byte.
            "8:\n",
            "vldrw.u32 q6, [sp, #{evens}]\n",
            "vldrw.u32 q0, [sp, #{odds}]\n",
            "vpstt\n",
            "vldrbt.u8 q4, [r1, q6]\n",
            "vldrbt.u8 q5, [r1, q0]\n",
            "b 10f\n",
            "4:\n",
            ".rept {unrolled}\n",
            block!("a"),
            "\n",
            ".endr\n",
            "cmp r3, r5\n",
            "bne.w 4b\n",
            "5:\n",
            "ldr pc, [sp, #{rest}]\n",
            // The rest of a column: weights and values behind it do not count.
            "7:\n",
            "vld20.8 {{q4, q5}}, [r1]\n",
            "vld21.8 {{q4, q5}}, [r1]\n",
            "10:\n",
            "vld40.32 {{q0, q1, q2, q3}}, [r3]\n",
            "vld41.32 {{q0, q1, q2, q3}}, [r3]\n",
            "vld42.32 {{q0, q1, q2, q3}}, [r3]\n",
            "vld43.32 {{q0, q1, q2, q3}}, [r3]\n",
            "ldr r3, [sp, #{tail_bytes}]\n",
            "vshr.u8 q6, q4, #7\n",
            "vadd.i8 q5, q5, q6\n",
            "add r1, r1, r3\n",
            "vpstttt\n",
            "vmladavat.s8 r0, q0, q4\n",
            "vmladavat.s8 r2, q1, q4\n",
            "vmladavat.s8 r4, q2, q4\n",
            "vmladavat.s8 r6, q3, q4\n",
            "vpstttt\n",
            "vmladavat.s8 r8, q0, q5\n",
            "vmladavat.s8 r10, q1, q5\n",
            "vmladavat.s8 r12, q2, q5\n",
            "vmladavat.s8 lr, q3, q5\n",
            "9:\n",
            // The last lane first: see `Tile::lanes`.
            "vmov q0[2], q0[0], r6, r2\n",
            "vmov q0[3], q0[1], r4, r0\n",
            "vmov q1[2], q1[0], lr, r10\n",
            "vmov q1[3], q1[1], r12, r8\n",
            "ldrd r0, r2, [r7], #2 * {channel_bytes}\n",
            "ldrd r6, r8, [r7, #-{channel_bytes}]\n",
            "vadd.i32 q0, q0, r0\n",
            "vadd.i32 q1, q1, r6",
        )
    };
}

/// What a function that multiplies a tile ends with.
macro_rules! end {
    () => {
        concat!(
            "ldr r0, [sp, #{last}]\n",
            "cmp r7, r0\n",
            "bne.w 3b\n",
            "add sp, sp, #56\n",
            "vpop {{d8-d15}}\n",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// Blocks of sixteen elements in one round of the loop over a tile.
const UNROLLED: usize = 4;

/// Bytes of code for one block.
const BLOCK_BYTES: usize = 64;

/// Quads in a block.
const BLOCK_QUADS: usize = 4;

/// What the functions that multiply a tile work on, beside the weights.
#[repr(C)]
struct Tile {
    /// Where each lane's pixel is from `output` on, the last lane first: results are stored in this order, and a lane
    /// that has no pixel writes where the first lane does, before it.
    lanes: [usize; LANES],
    /// The tile.
    tile: *const Pair,
    /// Behind its whole blocks, or null if there is none.
    end: *const Pair,
    /// Bytes of code that the first round leaves out.
    skipped: usize,
    /// Elements behind whole blocks.
    tail: usize,
    /// Whether there may be no weights behind those of these filters.
    ends_here: usize,
    /// The first filter's channel.
    channels: *const Channel,
    /// Behind the last filter's.
    last_channels: *const Channel,
    /// The first lane's first result.
    output: *mut i8,
    /// The output's.
    zero_point: i32,
}

impl Tile {
    /// The columns of `quads` (not 0) quads, with nothing to multiply with. If there is only one quad, `tile` is
    /// [`one_block`].
    #[inline]
    fn new(tile: &[Pair], quads: usize) -> Tile {
        let blocks = quads / BLOCK_QUADS;
        let start = tile.as_ptr();
        let behind = start.wrapping_add(blocks.wrapping_mul(BLOCK_QUADS * LANES));
        // The first block begins the sums, then the loop is entered.
        let skipped = if blocks == 1 { UNROLLED } else { blocks.wrapping_sub(1).wrapping_neg() % UNROLLED };
        Tile {
            lanes: [0; LANES],
            tile: start,
            end: if blocks == 0 { core::ptr::null() } else { behind },
            skipped: skipped.wrapping_mul(BLOCK_BYTES),
            tail: quads % BLOCK_QUADS * QUAD,
            ends_here: 1,
            channels: core::ptr::null(),
            last_channels: core::ptr::null(),
            output: core::ptr::null_mut(),
            zero_point: 0,
        }
    }
}

/// A block that begins with the one quad of a tile, which has no room for it.
#[inline]
fn one_block(tile: &[Pair]) -> [Pair; BLOCK_QUADS * LANES] {
    let mut block = [Pair::default(); BLOCK_QUADS * LANES];
    for (place, &quad) in block.iter_mut().zip(tile) {
        *place = quad;
    }
    block
}

/// As [`portable::multiply_tile_literal`](crate::simd::portable::multiply_tile_literal), to the bit, for any factors:
/// 128 products in sixteen instructions. The output's zero point is an int8.
#[inline(never)]
pub fn multiply_tile(tile: &mut [Pair], weights: &[i8], channels: &[Channel], range: &Range, output: &mut [i8]) {
    let stride = channels.len();
    let quads = tile.len() / (2 * LANES);
    let pixels = output.len().checked_div(stride).unwrap_or(0).min(LANES);
    let pair_bytes = quads.wrapping_mul(FILTERS * QUAD);
    if weights.len() < pair_bytes.wrapping_mul(stride.div_ceil(FILTERS)) || quads == 0 || pixels == 0 {
        return;
    }
    let block;
    let mut arguments = if quads == 1 {
        block = one_block(tile);
        Tile::new(&block, quads)
    } else {
        Tile::new(tile, quads)
    };
    arguments.lanes = [3, 2, 1, 0].map(|lane| if lane < pixels { lane.wrapping_mul(stride) } else { 0 });
    arguments.zero_point = range.zero_point;
    arguments.channels = channels.as_ptr();
    arguments.output = output.as_mut_ptr();
    // The rest of a column is read as a block where another pair's weights are behind it, a block's at least.
    let is_read_on = arguments.tail != 0 && quads != 1;
    let inner = if is_read_on { stride.wrapping_sub(1) / FILTERS } else { stride / FILTERS };
    let done = inner.wrapping_mul(FILTERS);
    let last_weights = weights.as_ptr().wrapping_add(inner.wrapping_mul(pair_bytes));
    if inner != 0 {
        arguments.ends_here = usize::from(!is_read_on);
        arguments.last_channels = arguments.channels.wrapping_add(done);
        // SAFETY: the tile has room for 8 pairs a quad, of which the function reads 4, in whole blocks of four quads:
        // of two quads or more no more than there is room for, of one quad `block`. Of weights it reads `pair_bytes`
        // for each of `inner` pairs, and at most 24 bytes behind them where another pair's follow, of 16 bytes if of
        // two quads, of 24 or more otherwise; two quads read 16 bytes on, three 8, one never. It reads `done`
        // channels, whole pairs and not 0. It writes `done` bytes, at most `stride`, from the start of each lane's
        // pixel on: `output` has room for `pixels` pixels, and the other lanes write to the first.
        unsafe { multiply_filter_pairs(&arguments, weights.as_ptr()) };
        arguments.channels = arguments.last_channels;
        arguments.output = arguments.output.wrapping_add(done);
    }
    arguments.ends_here = 1;
    match channels.get(done..) {
        Some([_, _]) => {
            arguments.last_channels = arguments.channels.wrapping_add(FILTERS);
            // SAFETY: as above, with the last pair of filters, behind whose weights nothing is read.
            unsafe { multiply_filter_pairs(&arguments, last_weights) };
        }
        // The last filter is alone: the one of zeros beside it makes a channel of its own.
        Some(&[channel]) => {
            let channels = [channel; FILTERS];
            let mut buffer = [[0i8; FILTERS]; LANES];
            arguments.lanes = [3, 2, 1, 0].map(|lane| lane * FILTERS);
            arguments.output = buffer.as_flattened_mut().as_mut_ptr();
            arguments.channels = channels.as_ptr();
            arguments.last_channels = arguments.channels.wrapping_add(FILTERS);
            // SAFETY: as above, with two channels, and room for two bytes per lane.
            unsafe { multiply_filter_pairs(&arguments, last_weights) };
            for (pixel, [result, _]) in output.chunks_exact_mut(stride.max(1)).zip(buffer) {
                if let Some(place) = pixel.get_mut(done) {
                    *place = result;
                }
            }
        }
        _ => (),
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        clamp(output, range.clamp);
    }
}

/// As [`portable::multiply_tile_once`](crate::simd::portable::multiply_tile_once), to the bit.
pub fn multiply_tile_once(tile: &mut [Pair], weights: &[i8], channels: &[Channel], range: &Range, output: &mut [i8]) {
    let quads = tile.len() / (2 * LANES);
    let pair_bytes = quads.wrapping_mul(FILTERS * QUAD);
    if weights.len() < pair_bytes.wrapping_mul(channels.len().div_ceil(FILTERS)) || quads == 0 {
        return;
    }
    let block;
    let mut arguments = if quads == 1 {
        block = one_block(tile);
        Tile::new(&block, quads)
    } else {
        Tile::new(tile, quads)
    };
    let weights = weights.chunks_exact(pair_bytes.max(1));
    for (pair, (these, weights)) in channels.chunks(FILTERS).zip(weights).enumerate() {
        let [Some(first), second] = [these.first(), these.get(1)] else { break };
        let pair_channels = [*first, *second.unwrap_or(first)];
        let mut sums = [[0i32; LANES]; FILTERS];
        arguments.channels = pair_channels.as_ptr();
        arguments.last_channels = arguments.channels.wrapping_add(FILTERS);
        arguments.output = sums.as_flattened_mut().as_mut_ptr().cast();
        // SAFETY: as in `multiply_tile`, with one pair of filters, behind whose weights nothing is read; it writes
        // two vectors of sums, which is what there is room for.
        unsafe { sum_filter_pairs(&arguments, weights.as_ptr()) };
        for (filter, (channel, sums)) in these.iter().zip(sums).enumerate() {
            for (lane, &sum) in sums.iter().rev().enumerate() {
                let place = lane.wrapping_mul(channels.len()).wrapping_add(pair * FILTERS).wrapping_add(filter);
                if let Some(output) = output.get_mut(place) {
                    *output = range.store(channel.factor.once(sum));
                }
            }
        }
    }
}

/// Multiplies a tile with pairs of filters and stores the sums, eight a pair of filters, the last lane's first.
///
/// # Safety
/// What `arguments` and the weights point to must be there: see [`multiply_tile`].
#[unsafe(naked)]
unsafe extern "C" fn sum_filter_pairs(arguments: &Tile, weights: *const i8) {
    naked_asm!(
        core!(),
        begin!(),
        sums!(),
        "vstrw.32 q0, [r9], #16",
        "vstrw.32 q1, [r9], #16",
        end!(),
        lanes = const offset_of!(Tile, lanes),
        tile = const offset_of!(Tile, tile),
        end = const offset_of!(Tile, end),
        skipped = const offset_of!(Tile, skipped),
        tail = const offset_of!(Tile, tail),
        ends_here = const offset_of!(Tile, ends_here),
        channels = const offset_of!(Tile, channels),
        last_channels = const offset_of!(Tile, last_channels),
        output = const offset_of!(Tile, output),
        zero_point = const offset_of!(Tile, zero_point),
        channel_bytes = const size_of::<Channel>(),
        unrolled = const UNROLLED,
        // On the stack.
        evens = const 0,
        odds = const 16,
        tail_bytes = const 32,
        last = const 40,
        rest = const 48,
    )
}

/// Multiplies a tile with pairs of filters and stores the requantized sums.
///
/// r0, r2, r4 and r6 are the sums of the first filter, r8, r10, r12 and lr those of the second: all that a product's sum
/// can be.
///
/// # Safety
/// What `arguments` and the weights point to must be there: see [`multiply_tile`].
#[unsafe(naked)]
unsafe extern "C" fn multiply_filter_pairs(arguments: &Tile, weights: *const i8) {
    naked_asm!(
        core!(),
        begin!(),
        sums!(),
        "ldrsb r4, [r7, #{shift} - 2 * {channel_bytes}]",
        "ldrsb r10, [r7, #{shift} - {channel_bytes}]",
        "ands r12, r4, r10",
        "bpl 12f",
        "vqrdmulh.s32 q0, q0, r2",
        "vqrdmulh.s32 q1, q1, r8",
        "vshr.s32 q2, q0, #31",
        "vshr.s32 q3, q1, #31",
        "vqadd.s32 q0, q0, q2",
        "vqadd.s32 q1, q1, q3",
        "vrshl.s32 q0, r4",
        "vrshl.s32 q1, r10",
        "11:",
        "ldr r0, [sp, #{last} + 4]",
        "vqmovnb.s32 q0, q0",
        "vqmovnt.s32 q0, q1",
        "vqadd.s16 q0, q0, r0",
        "vqmovnb.s16 q0, q0",
        "vstrb.32 q0, [r9, q7]",
        "add r9, r9, #1",
        "vshr.u32 q0, q0, #16",
        "vstrb.32 q0, [r9, q7]",
        "add r9, r9, #1",
        end!(),
        // A shift to the left: before the product, and nothing is rounded after it.
        "12:",
        "bic r0, r4, r4, asr #31",
        "bic r6, r10, r10, asr #31",
        "vshl.s32 q0, r0",
        "vshl.s32 q1, r6",
        "and r4, r4, r4, asr #31",
        "and r10, r10, r10, asr #31",
        "vqrdmulh.s32 q0, q0, r2",
        "vqrdmulh.s32 q1, q1, r8",
        "vdup.32 q2, r4",
        "vdup.32 q3, r10",
        "vand q2, q2, q0",
        "vand q3, q3, q1",
        "vshr.s32 q2, q2, #31",
        "vshr.s32 q3, q3, #31",
        "vqadd.s32 q0, q0, q2",
        "vqadd.s32 q1, q1, q3",
        "vrshl.s32 q0, r4",
        "vrshl.s32 q1, r10",
        "b 11b",
        lanes = const offset_of!(Tile, lanes),
        tile = const offset_of!(Tile, tile),
        end = const offset_of!(Tile, end),
        skipped = const offset_of!(Tile, skipped),
        tail = const offset_of!(Tile, tail),
        ends_here = const offset_of!(Tile, ends_here),
        channels = const offset_of!(Tile, channels),
        last_channels = const offset_of!(Tile, last_channels),
        output = const offset_of!(Tile, output),
        zero_point = const offset_of!(Tile, zero_point),
        shift = const offset_of!(Channel, factor) + offset_of!(Factor, shift),
        channel_bytes = const size_of::<Channel>(),
        unrolled = const UNROLLED,
        // On the stack.
        evens = const 0,
        odds = const 16,
        tail_bytes = const 32,
        last = const 40,
        rest = const 48,
    )
}

const _: () = assert!(
    offset_of!(Channel, bias) == 0 && offset_of!(Channel, factor) + offset_of!(Factor, multiplier) == size_of::<i32>(),
    "a bias and its factor's multiplier are read at once"
);
