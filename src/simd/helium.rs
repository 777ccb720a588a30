//! The inner loops with Helium, the vectors of Armv8.1-M (Cortex-M52, M55, M85): sixteen products of bytes an
//! instruction.
//!
//! A tile holds bytes: each quad of a lane is one word, `[quad][lane][element]`, the elements in the order of
//! [`PAIRS`](super::PAIRS), as [`portable::pack`] puts them there. A load that de-interleaves words
//! then reads four quads of each lane at once, and one that de-interleaves bytes sixteen weights of each filter of a
//! pair.

use core::arch::naked_asm;
use core::mem::offset_of;
use core::ops;

use super::portable::Lines;
use super::{FILTERS, LANES, Pair, QUAD, Row, Sum, TAPS_3X3, portable};
use crate::quantized::{Channel, Factor, Range, saturate};

pub use super::portable::fill_packed as fill;

/// The core, for the assembler of naked functions: it knows the target's name and forgets the target CPU.
macro_rules! core {
    () => {
        ".cpu cortex-m55"
    };
}

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

/// As [`portable::pack`], to the bit: eight quads in nine instructions.
#[inline]
pub fn widen(run: &[i8], step: usize, lanes: ops::Range<usize>, tile: &mut [Pair]) {
    let quads = tile.len() / LANES;
    if quads != 0 && portable::columns_fit(run, step, quads, &lanes) {
        for (index, lane) in lanes.enumerate() {
            let column = run.as_ptr().wrapping_add(index.wrapping_mul(step));
            // SAFETY: the function reads `quads` words from the column on, which the run holds for each lane, and
            // writes every fourth word from the lane's first on: as many as the tile has.
            unsafe { pack_quads(column, quads.wrapping_mul(QUAD), tile.as_mut_ptr().wrapping_add(lane)) };
        }
    }
}

/// Packs `elements` (at least one) bytes into every fourth word.
///
/// # Safety
/// See [`widen`].
#[unsafe(naked)]
unsafe extern "C" fn pack_quads(column: *const i8, elements: usize, lanes: *mut Pair) {
    naked_asm!(
        core!(),
        "subs r1, r1, #32",
        "blo 3f",
        // Addresses of every eighth word, less what a round adds.
        "mov r12, #0",
        "vidup.u32 q2, r12, #8",
        "sub r12, r2, #128",
        "vshl.i32 q2, q2, #2",
        "mov r3, r0",
        "vadd.i32 q2, q2, r12",
        "2:",
        // Even and odd bytes: their lower halves make the words of even quads, their upper halves those of odd ones.
        "vld20.8 {{q0, q1}}, [r0]",
        "vld21.8 {{q0, q1}}, [r0]!",
        "subs r1, r1, #32",
        "vmov q3, q0",
        "vmovnt.i32 q3, q1",
        "vsri.32 q1, q0, #16",
        "vstrw.32 q3, [q2, #128]!",
        "vstrw.32 q1, [q2, #16]",
        "bhs 2b",
        "sub r3, r0, r3",
        "add r2, r2, r3, lsl #2",
        "3:",
        "adds r1, r1, #32",
        "beq 5f",
        // Up to sixteen bytes at a time, those behind the last being zero.
        "mov r12, #0",
        "vidup.u32 q3, r12, #8",
        "vshl.i32 q3, q3, #1",
        "adr.w r12, 6f",
        "vldrw.u32 q2, [r12]",
        "4:",
        "vcmp.u8 cs, q2, r1",
        "vpnot",
        "vpst",
        "vldrbt.u8 q0, [r0, q2]",
        "add r12, r1, #3",
        "lsr r12, r12, #2",
        "vctp.32 r12",
        "vpst",
        "vstrwt.32 q0, [r2, q3]",
        "add r0, r0, #16",
        "add r2, r2, #64",
        "subs r1, r1, #16",
        "bhi 4b",
        "5:",
        "bx lr",
        ".p2align 2",
        "6:",
        ".byte 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15",
    )
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

/// As [`portable::multiply_tile_literal`](super::portable::multiply_tile_literal), to the bit, for any factors: 128
/// products in sixteen instructions. The output's zero point is an int8.
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

/// As [`portable::multiply_tile_once`](super::portable::multiply_tile_once), to the bit.
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

/// As [`portable::convolve_3x3`](super::portable::convolve_3x3), to the bit: four channels at a time, the nine taps
/// of each in one multiplication.
///
/// In scratch lie columns of four channels, of each channel one word: its values in the three lines, and one that does
/// not count.
pub fn convolve_3x3<'l>(
    row: &Row<'_>,
    rows: usize,
    line: impl Fn(usize, usize) -> Option<&'l [i8]>,
    scratch: &mut [u32],
    output: &mut [i8],
) {
    row.each(rows, line, output, |lines, output| convolve_row(row, lines, scratch, output));
}

/// One row that [fits](Row::fitting).
#[inline(never)]
fn convolve_row(row: &Row<'_>, lines: Lines<'_>, scratch: &mut [u32], output: &mut [i8]) {
    let channels = row.channels.len();
    // Columns under all windows.
    let columns = row.output_width.wrapping_sub(1).wrapping_mul(row.stride).wrapping_add(3);
    let full = row.width.min(columns.wrapping_sub(row.left));
    let before_right = row.left.wrapping_add(full);
    // Pixels are written by four, and a window is read with the column behind it.
    let written = full.next_multiple_of(4).wrapping_add(row.left).max(columns.wrapping_add(1));
    // What is read in place is what is written over.
    let start = output.as_mut_ptr();
    let is_aligned = |line: &&[i8]| line.as_ptr().addr().is_multiple_of(4);
    let all_aligned = lines.iter().flatten().all(is_aligned) && (!row.in_place || start.addr().is_multiple_of(4));
    if !all_aligned || size_of_val(scratch) < written.wrapping_mul(COLUMN_BYTES) {
        let line = |_, tap: usize| lines.get(tap).copied().flatten();
        return super::dsp::convolve_3x3(row, 1, line, scratch, output);
    }
    let padding = i32::from_ne_bytes([row.padding.cast_unsigned(); 4]);
    let padding_pixel = core::ptr::from_ref(&padding).cast();
    let planes = scratch.as_mut_ptr();
    let mut group = Group {
        lines: lines.map(|line| line.map_or(padding_pixel, <[i8]>::as_ptr)),
        steps: lines.map(|line| if line.is_some() { channels } else { 0 }),
        left: row.left,
        full,
        right: columns.wrapping_sub(before_right),
        planes,
        right_planes: planes.wrapping_add(before_right.wrapping_mul(COLUMN_BYTES / 4)),
        padding,
        step: row.stride.wrapping_mul(COLUMN_BYTES),
        weights: row.weights.as_ptr(),
        channels: row.channels.as_ptr(),
        zero_point: row.range.zero_point,
        output: start,
        stride: channels,
        outputs: row.output_width,
    };
    if row.in_place {
        (group.lines[0], group.steps[0]) = (start.cast_const(), channels);
    }
    for _ in 0..channels / 4 {
        // SAFETY: of each line the function reads a word at each of `full` pixels, at most `width`, `steps` apart, and
        // of a missing line that of `padding`: all are aligned. In place a line is the output, of which no channels are
        // written before all of theirs have been read. Of `weights` it reads 48 bytes, of `channels` 4. All are
        // there for each group of four channels, as was checked above. It writes `left` columns to `planes`, behind
        // them `full` by four, then `right` columns where `full` end, and reads four columns at each output: of `columns`
        // and one behind them, and `scratch` holds `written`. It writes 4 bytes at each of `outputs` pixels, `stride`
        // apart.
        unsafe { convolve_group(&group) };
        group.lines = group.lines.map(|line| if line == padding_pixel { line } else { line.wrapping_add(4) });
        group.weights = group.weights.wrapping_add(4 * TAPS_3X3.len());
        group.channels = group.channels.wrapping_add(4);
        group.output = group.output.wrapping_add(4);
    }
    if row.range.clamp != [i8::MIN, i8::MAX] {
        clamp(output.get_mut(..channels.wrapping_mul(row.output_width)).unwrap_or(&mut []), row.range.clamp);
    }
}

/// Bytes of a column of four channels.
const COLUMN_BYTES: usize = 16;

/// What [`convolve_group`] works on.
#[repr(C)]
struct Group {
    /// The first pixel of each line.
    lines: [*const i8; 3],
    /// Bytes from pixel to pixel.
    steps: [usize; 3],
    /// Columns of padding to the left of the first pixel.
    left: usize,
    /// Columns of pixels.
    full: usize,
    /// Columns of padding behind them.
    right: usize,
    /// All columns.
    planes: *mut u32,
    /// Where those of padding to the right begin.
    right_planes: *mut u32,
    /// Four padded values.
    padding: i32,
    /// Bytes in the planes from output to output.
    step: usize,
    /// The first channel's weights.
    weights: *const i8,
    /// The first channel.
    channels: *const Channel,
    /// The output's.
    zero_point: i32,
    /// The first channel of the first output pixel.
    output: *mut i8,
    /// Bytes from output pixel to output pixel.
    stride: usize,
    /// Output pixels, not 0.
    outputs: usize,
}

/// Makes one row of four channels: three lines become columns, each window of which is a vector per channel.
///
/// # Safety
/// What `group` points to must be there: see [`convolve_3x3`].
#[unsafe(naked)]
unsafe extern "C" fn convolve_group(group: &Group) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "sub sp, sp, #52",
        // Columns: q4 to q6 are the addresses of four pixels of each line, r7 to r9 what they advance.
        "ldm r0, {{r4-r11}}",
        "ldr r1, [r0, #{planes}]",
        "ldr r2, [r0, #{padding}]",
        "ldr r3, [r0, #{right}]",
        "vdup.32 q0, r2",
        "cmp r10, #0",
        "beq 3f",
        "2:",
        "vstrw.32 q0, [r1], #{column_bytes}",
        "subs r10, r10, #1",
        "bne 2b",
        "3:",
        "mov r12, #0",
        "vidup.u32 q1, r12, #1",
        "vmul.i32 q4, q1, r7",
        "vmul.i32 q5, q1, r8",
        "vmul.i32 q6, q1, r9",
        "vadd.i32 q4, q4, r4",
        "vadd.i32 q5, q5, r5",
        "vadd.i32 q6, q6, r6",
        "lsl r7, r7, #2",
        "lsl r8, r8, #2",
        "lsl r9, r9, #2",
        "cmp r11, #0",
        "beq 5f",
        "4:",
        "vctp.32 r11",
        "vpsttt",
        "vldrwt.u32 q0, [q4]",
        "vldrwt.u32 q1, [q5]",
        "vldrwt.u32 q2, [q6]",
        "vadd.i32 q4, q4, r7",
        "vadd.i32 q5, q5, r8",
        "vadd.i32 q6, q6, r9",
        "vst40.8 {{q0, q1, q2, q3}}, [r1]",
        "vst41.8 {{q0, q1, q2, q3}}, [r1]",
        "vst42.8 {{q0, q1, q2, q3}}, [r1]",
        "vst43.8 {{q0, q1, q2, q3}}, [r1]!",
        "subs r11, r11, #4",
        "bhi 4b",
        "5:",
        "cbz r3, 7f",
        "ldr r1, [r0, #{right_planes}]",
        "vdup.32 q0, r2",
        "6:",
        "vstrw.32 q0, [r1], #{column_bytes}",
        "subs r3, r3, #1",
        "bne 6b",
        "7:",
        // Biases, multipliers and shifts go to the stack, weights to q4 to q7: by columns, as the planes.
        "ldr r4, [r0, #{channels}]",
        "mov r12, #0",
        "mov r5, #{channel_bytes}",
        "vidup.u32 q0, r12, #1",
        "vmul.i32 q0, q0, r5",
        "add r6, r4, #{multiplier}",
        "add r7, r4, #{shift}",
        "vldrw.u32 q1, [r4, q0]",
        "vldrw.u32 q2, [r6, q0]",
        "vldrb.s32 q3, [r7, q0]",
        "vstrw.32 q1, [sp]",
        "vstrw.32 q2, [sp, #16]",
        "vstrw.32 q3, [sp, #32]",
        "adr.w r5, 9f",
        "ldr r4, [r0, #{weights}]",
        "vldrw.u32 q0, [r5]",
        "movw r12, #0x0777",
        "vmsr p0, r12",
        "add r5, r4, #12",
        "add r6, r4, #24",
        "add r7, r4, #36",
        "vpstttt",
        "vldrbt.u8 q4, [r4, q0]",
        "vldrbt.u8 q5, [r5, q0]",
        "vldrbt.u8 q6, [r6, q0]",
        "vldrbt.u8 q7, [r7, q0]",
        // r1 reads the planes, r2 writes.
        "ldr r1, [r0, #{planes}]",
        "ldr r3, [r0, #{step}]",
        "ldr r7, [r0, #{zero_point}]",
        "ldr r2, [r0, #{output}]",
        "ldr r5, [r0, #{stride}]",
        "ldr r9, [r0, #{outputs}]",
        "8:",
        "vld40.32 {{q0, q1, q2, q3}}, [r1]",
        "vld41.32 {{q0, q1, q2, q3}}, [r1]",
        "vld42.32 {{q0, q1, q2, q3}}, [r1]",
        "vld43.32 {{q0, q1, q2, q3}}, [r1]",
        "add r1, r1, r3",
        "vmladav.s8 r4, q0, q4",
        "vmladav.s8 r6, q1, q5",
        "vmladav.s8 r8, q2, q6",
        "vmladav.s8 r10, q3, q7",
        "vldrw.u32 q1, [sp]",
        "vldrw.u32 q2, [sp, #16]",
        "vldrw.u32 q3, [sp, #32]",
        "vmov q0[2], q0[0], r4, r8",
        "vmov q0[3], q0[1], r6, r10",
        "subs r9, r9, #1",
        "vadd.i32 q0, q0, q1",
        "vqrdmulh.s32 q0, q0, q2",
        "vshr.s32 q1, q0, #31",
        "vqadd.s32 q0, q0, q1",
        "vrshl.s32 q0, q0, q3",
        "vadd.i32 q0, q0, r7",
        "vqmovnb.s32 q0, q0",
        "vqmovnb.s16 q0, q0",
        "vstrb.32 q0, [r2]",
        "add r2, r2, r5",
        "bne 8b",
        "add sp, sp, #52",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        // Where the taps of a column are among a channel's weights, three columns, each with a byte that does not count.
        ".p2align 2",
        "9:",
        ".byte 0, 2, 5, 0, 1, 3, 7, 0, 4, 6, 10, 0, 0, 0, 0, 0",
        planes = const offset_of!(Group, planes),
        right_planes = const offset_of!(Group, right_planes),
        right = const offset_of!(Group, right),
        padding = const offset_of!(Group, padding),
        step = const offset_of!(Group, step),
        weights = const offset_of!(Group, weights),
        channels = const offset_of!(Group, channels),
        zero_point = const offset_of!(Group, zero_point),
        output = const offset_of!(Group, output),
        stride = const offset_of!(Group, stride),
        outputs = const offset_of!(Group, outputs),
        multiplier = const offset_of!(Channel, factor) + offset_of!(Factor, multiplier),
        shift = const offset_of!(Channel, factor) + offset_of!(Factor, shift),
        channel_bytes = const size_of::<Channel>(),
        column_bytes = const COLUMN_BYTES,
    )
}

/// As [`portable::maximum`](super::portable::maximum), to the bit: sixteen values at once.
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

/// As [`portable::dot_i8`](super::portable::dot_i8), to the bit: sixteen products in four instructions.
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

/// As [`portable::add`](super::portable::add), to the bit: four sums in twenty instructions.
pub fn add(sum: &Sum, first: &[i8], second: &[i8], output: &mut [i8]) {
    let length = output.len().min(first.len()).min(second.len());
    let start = output.as_mut_ptr();
    // SAFETY: all hold `length` bytes, and nothing else refers to `output` meanwhile.
    unsafe { add_bytes(sum, first.as_ptr(), second.as_ptr(), start, length) };
}

/// As [`portable::add_in_place`](super::portable::add_in_place), to the bit.
pub fn add_in_place(sum: &Sum, others: &[i8], is_first: bool, values: &mut [i8]) {
    let length = values.len().min(others.len());
    let start = values.as_mut_ptr();
    let [first, second] = if is_first { [start.cast_const(), others.as_ptr()] } else { [others.as_ptr(), start] };
    // SAFETY: both hold `length` bytes, and nothing else refers to `values` meanwhile.
    unsafe { add_bytes(sum, first, second, start, length) };
}

/// Adds `length` bytes.
///
/// # Safety
/// Either input must hold as many, and `output` room for them, of which nothing else has a reference; it may be an input.
#[inline(never)]
unsafe fn add_bytes(sum: &Sum, first: *const i8, second: *const i8, output: *mut i8, length: usize) {
    let Sum { zero_points: [first_zero, second_zero], factor, output: output_factor, range } = *sum;
    let addition = Addition {
        second_zero: second_zero.wrapping_neg(),
        multiplier: factor.multiplier,
        shift: factor.shift.into(),
        first_zero: first_zero.wrapping_neg(),
        output_multiplier: output_factor.multiplier,
        output_shift: output_factor.shift.into(),
        zero_point: range.zero_point,
        length,
    };
    if length != 0 {
        // SAFETY: the function reads `length` bytes, not 0, from either input and writes as many to `output`, each vector
        // after the same of the inputs has been read.
        unsafe { add_vectors(&addition, first, second, output) };
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        // SAFETY: `output` holds `length` bytes, which nothing else refers to, and is no null pointer.
        clamp(unsafe { core::slice::from_raw_parts_mut(output, length) }, range.clamp);
    }
}

/// What [`add_vectors`] has to know, in the order of the registers that it loads it to.
#[repr(C)]
struct Addition {
    /// Minus the second input's zero point.
    second_zero: i32,
    /// The second input's factor.
    multiplier: i32,
    /// Its shift, negative.
    shift: i32,
    /// Minus the first input's zero point.
    first_zero: i32,
    /// The output's factor.
    output_multiplier: i32,
    /// Its shift, negative.
    output_shift: i32,
    /// The output's.
    zero_point: i32,
    /// Elements, not 0.
    length: usize,
}

/// # Safety
/// See [`add`].
#[unsafe(naked)]
unsafe extern "C" fn add_vectors(addition: &Addition, first: *const i8, second: *const i8, output: *mut i8) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "ldm r0, {{r4-r11}}",
        "dlstp.32 lr, r11",
        "2:",
        "vldrb.s32 q0, [r2], #4",
        "vldrb.s32 q1, [r1], #4",
        "vadd.i32 q0, q0, r4",
        "vshl.i32 q0, q0, #20",
        "vadd.i32 q1, q1, r7",
        "vqrdmulh.s32 q0, q0, r5",
        "vshl.i32 q1, q1, #19",
        "vshr.s32 q2, q0, #31",
        "vqadd.s32 q0, q0, q2",
        "vrshl.s32 q0, r6",
        "vadd.i32 q0, q0, q1",
        "vqrdmulh.s32 q0, q0, r8",
        "vshr.s32 q2, q0, #31",
        "vqadd.s32 q0, q0, q2",
        "vrshl.s32 q0, r9",
        "vadd.i32 q0, q0, r10",
        "vqmovnb.s32 q0, q0",
        "vqmovnb.s16 q0, q0",
        "vstrb.32 q0, [r3], #4",
        "letp lr, 2b",
        "pop {{r4-r11, pc}}",
    )
}

/// Brings every value into a range.
#[inline(never)]
fn clamp(values: &mut [i8], range: [i8; 2]) {
    for value in values {
        *value = saturate(i32::from(*value), range);
    }
}
