//! The inner loops for Armv7-M, which has no DSP instructions (Cortex-M3).
//!
//! A multiplication makes two products there, too: two columns lie in one word, the second times 2^16, and so do
//! their products with a weight. Two products in a row fit into 16 bits, with an offset that keeps the lower half
//! from borrowing; then both halves go to sums of their own. That is 1.5 instructions and 2.5 cycles a product.
//! SMLAL would keep both sums apart by itself, in a third fewer instructions, but it takes 4 to 7 cycles where MLA
//! and an addition take 3.

use core::arch::{asm, naked_asm};
use core::mem::offset_of;

use bytemuck::must_cast;

use super::planes::Planes;
use super::{FILTERS, LANES, Pair, QUAD, Row, Sum, TAPS, TAPS_3X3};
use crate::quantized::{Channel, Factor, Range};

/// A quad becomes two pairs, stored at two distances from r2.
macro_rules! widen_quad {
    ($quad:literal, $first:literal, $second:literal) => {
        concat!(
            "sxtb r12, ",
            $quad,
            "\n",
            "sxtb lr, ",
            $quad,
            ", ror #16\n",
            "bfi r12, lr, #16, #16\n",
            "sxtb lr, ",
            $quad,
            ", ror #8\n",
            "asr ",
            $quad,
            ", ",
            $quad,
            ", #24\n",
            "bfi lr, ",
            $quad,
            ", #16, #16\n",
            "str r12, [r2, #",
            $first,
            "]\n",
            "str lr, [r2, #",
            $second,
            "]",
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

/// Twice a sum becomes a result in r7: see [`Range::requantize_bounded`]. r3 is the multiplier, r4 the last shift, r5
/// the constant.
macro_rules! requantize {
    ($doubled:literal) => {
        concat!(
            "mov r6, #0x80000000\n",
            "add r7, r5, ",
            $doubled,
            ", asr #31\n",
            "smlal r6, r7, ",
            $doubled,
            ", r3\n",
            "asr r7, r7, r4\n",
            "ssat r7, #8, r7, asr #1",
        )
    };
}

/// The sum of a value of each input: brought to one scale, requantized and stored. r1 and r2 read, r3 writes. The product
/// is that of the second value shifted by 20 bits; twice the value takes the doubled product's high half.
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

/// Adds the products of a line's values, `line` bytes behind each column's start, to the sums of six columns, r4 to r9.
/// r0 reads the columns, r2 the weights of three taps. The sums begin with `first`, or with what they are.
macro_rules! add_line {
    ($line:literal, $left:literal, $middle:literal, $right:literal) => {
        add_line!($line, $left, $middle, $right, "r4", "r5", "r6", "r7", "r8", "r9")
    };
    ($line:literal, $left:literal, $middle:literal, $right:literal, $first:literal) => {
        add_line!($line, $left, $middle, $right, $first, $first, $first, $first, $first, $first)
    };
    (
        $line:literal, $left:literal, $middle:literal, $right:literal,
        $r4:literal, $r5:literal, $r6:literal, $r7:literal, $r8:literal, $r9:literal
    ) => {
        concat!(
            "ldrsb r10, [r2, #",
            $left,
            "]\n",
            "ldrsb r11, [r2, #",
            $middle,
            "]\n",
            "ldrsb r12, [r2, #",
            $right,
            "]\n",
            "ldrsb r3, [r0, #",
            $line,
            "]\n",
            "mla r4, r3, r10, ",
            $r4,
            "\n",
            "ldrsb r3, [r0, #12 + ",
            $line,
            "]\n",
            "mla r5, r3, r10, ",
            $r5,
            "\n",
            "mla r4, r3, r11, r4\n",
            "ldrsb r3, [r0, #24 + ",
            $line,
            "]\n",
            "mla r6, r3, r10, ",
            $r6,
            "\n",
            "mla r5, r3, r11, r5\n",
            "mla r4, r3, r12, r4\n",
            "ldrsb r3, [r0, #36 + ",
            $line,
            "]\n",
            "mla r7, r3, r10, ",
            $r7,
            "\n",
            "mla r6, r3, r11, r6\n",
            "mla r5, r3, r12, r5\n",
            "ldrsb r3, [r0, #48 + ",
            $line,
            "]\n",
            "mla r8, r3, r10, ",
            $r8,
            "\n",
            "mla r7, r3, r11, r7\n",
            "mla r6, r3, r12, r6\n",
            "ldrsb r3, [r0, #60 + ",
            $line,
            "]\n",
            "mla r9, r3, r10, ",
            $r9,
            "\n",
            "mla r8, r3, r11, r8\n",
            "mla r7, r3, r12, r7\n",
            "ldrsb r3, [r0, #72 + ",
            $line,
            "]\n",
            "mla r9, r3, r11, r9\n",
            "mla r8, r3, r12, r8\n",
            "ldrsb r3, [r0, #84 + ",
            $line,
            "]\n",
            "mla r9, r3, r12, r9",
        )
    };
}

/// As [`portable::widen`](super::portable::widen), to the bit.
#[inline]
pub fn widen(column: &[i8], lane: usize, tile: &mut [Pair]) {
    let Some(lanes) = tile.get_mut(lane..) else { return };
    // Of the last quad only the second pair, behind those of the other lanes.
    let quads = (column.len() / QUAD).min(lanes.len().wrapping_add(LANES - 1) / (2 * LANES));
    if quads > 0 {
        // SAFETY: the function reads `quads` words from `column`, no more than it holds, and writes every fourth pair
        // of `lanes`, the last of them number 8 * quads - 4: quads is at most (length + 3) / 8.
        unsafe { widen_quads(column.as_ptr(), quads, lanes.as_mut_ptr()) };
    }
    if column.len() != quads.wrapping_mul(QUAD) {
        widen_rest(column, quads, lane, tile);
    }
}

/// The elements behind whole quads.
#[inline(never)]
fn widen_rest(column: &[i8], quads: usize, lane: usize, tile: &mut [Pair]) {
    let (done, pairs) = (quads.wrapping_mul(QUAD), quads.wrapping_mul(2 * LANES));
    super::portable::widen(column.get(done..).unwrap_or(&[]), lane, tile.get_mut(pairs..).unwrap_or(&mut []));
}

/// Widens `quads` (at least one) words into every fourth pair. LDR works at any alignment.
///
/// # Safety
/// See [`widen`].
#[unsafe(naked)]
unsafe extern "C" fn widen_quads(column: *const i8, quads: usize, lanes: *mut Pair) {
    naked_asm!(
        "push {{r4, lr}}",
        "tst r1, #1",
        "beq 2f",
        "ldr r3, [r0], #4",
        widen_quad!("r3", "0", "16"),
        "add r2, r2, #32",
        "2:",
        "lsrs r1, r1, #1",
        "beq 4f",
        "3:",
        "ldr r3, [r0], #4",
        "ldr r4, [r0], #4",
        "subs r1, r1, #1",
        widen_quad!("r3", "0", "16"),
        widen_quad!("r4", "32", "48"),
        "add r2, r2, #64",
        "bne 3b",
        "4:",
        "pop {{r4, pc}}",
    )
}

/// As [`portable::multiply_tile`](super::portable::multiply_tile), to the bit.
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

/// Brings every value into a range.
#[inline(never)]
fn clamp(values: &mut [i8], [least, greatest]: [i8; 2]) {
    for value in values {
        *value = crate::quantized::saturate(i32::from(*value), [least, greatest]);
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
/// All fourteen registers are at work in the loops; r0 reads the tile, r1 the weights, r12 is the offset, lr the tile's end.
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

/// As [`portable::convolve_3x3`](super::portable::convolve_3x3), to the bit: four channels at a time, six sums at once.
#[inline(never)]
pub fn convolve_3x3(row: &Row<'_>, lines: [Option<&[i8]>; 3], scratch: &mut [u32], output: &mut [i8]) {
    let channels = row.channels.len();
    let planes = Planes::of(row.width, row.output_width, row.stride, row.left);
    if !row.fits(lines, output) || size_of_val(scratch) < planes.bytes() || row.output_width == 0 {
        return;
    }
    // Sums are made for every column; a stride picks from them.
    let sums = row.output_width.wrapping_sub(1).wrapping_mul(row.stride).wrapping_add(1).next_multiple_of(COLUMNS);
    let columns = sums.wrapping_add(2);
    let pixels = row.width.min(columns.wrapping_sub(row.left));
    let padding = [row.padding; 4];
    let start = scratch.as_mut_ptr();
    let sums_start = start.wrapping_add(columns.wrapping_mul(COLUMN_WORDS));
    let mut group = Group {
        lines: lines.map(|line| line.map_or(padding.as_ptr(), |line| line.as_ptr())),
        steps: lines.map(|line| if line.is_some() { channels } else { 0 }),
        padding: i32::from_ne_bytes(padding.map(i8::cast_unsigned)),
        left: row.left,
        pixels,
        right: columns.wrapping_sub(row.left).wrapping_sub(pixels),
        scratch: start,
        weights: row.weights.as_ptr(),
        channels: row.channels.as_ptr(),
        output: output.as_mut_ptr(),
        sums: sums_start,
        step: row.stride.wrapping_mul(size_of::<i32>()),
        constant: row.range.zero_point.wrapping_mul(2).wrapping_add(1),
        stride: channels,
        outputs: row.output_width,
        sums_end: sums_start.wrapping_add(sums),
    };
    for _ in 0..channels / 4 {
        // SAFETY: of each line the function reads 4 bytes at each of `pixels` pixels, no more than `width`, `steps`
        // apart, and of a missing line the 4 bytes of `padding`; of `weights` 48, of `channels` 4. All are there for
        // each group of four channels, as was checked above. It writes `columns` columns of COLUMN_WORDS words and
        // behind them `sums` sums, and reads only those: `left` is at most 2, so no number of columns is negative, and
        // with COLUMN_WORDS + 1 words for each of six columns and two more columns they take no more than the planes, 36 words
        // for six columns and 12 more, for which `scratch` has room; it is aligned. The last sum that an output takes is
        // number (output_width - 1) * stride. It writes 4 bytes at each of `output_width` pixels, `stride`
        // apart. LDR works at any alignment for lines and weights.
        unsafe { convolve_group(&group) };
        group.lines = group.lines.map(|line| if line == padding.as_ptr() { line } else { line.wrapping_add(4) });
        group.weights = group.weights.wrapping_add(4 * TAPS_3X3.len());
        group.channels = group.channels.wrapping_add(4);
        group.output = group.output.wrapping_add(4);
    }
    if row.range.clamp != [i8::MIN, i8::MAX] {
        clamp(output.get_mut(..channels.wrapping_mul(row.output_width)).unwrap_or(&mut []), row.range.clamp);
    }
}

/// Columns whose sums are made at once.
const COLUMNS: usize = 6;

/// Words of a column in scratch: a word of each line, with four channels.
const COLUMN_WORDS: usize = 3;

/// What [`convolve_group`] works on.
#[repr(C)]
struct Group {
    /// The first pixel of each line.
    lines: [*const i8; 3],
    /// Bytes from pixel to pixel.
    steps: [usize; 3],
    /// A padded pixel.
    padding: i32,
    /// Padded columns to the left of the first pixel.
    left: usize,
    /// Columns of pixels.
    pixels: usize,
    /// Padded columns to the right of them.
    right: usize,
    /// The columns, `[column][line][channel]`.
    scratch: *mut u32,
    /// The first channel's weights.
    weights: *const i8,
    /// The first channel.
    channels: *const Channel,
    /// The first channel of the first output pixel.
    output: *mut i8,
    /// The sums of a channel.
    sums: *mut u32,
    /// Bytes from one output's sum to the next one's.
    step: usize,
    /// Twice the zero point, and one.
    constant: i32,
    /// Bytes from output pixel to output pixel.
    stride: usize,
    /// Output pixels.
    outputs: usize,
    /// Behind the last sum.
    sums_end: *mut u32,
}

/// Makes one row of four channels: gathers three lines into columns, makes a sum for every column, requantizes those
/// that a stride leaves.
///
/// # Safety
/// What `group` points to must be there: see [`convolve_3x3`].
#[unsafe(naked)]
unsafe extern "C" fn convolve_group(group: &Group) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        // What advances from channel to channel: columns, weights, channel and output, and `group`.
        "sub sp, sp, #20",
        "add r12, r0, #{scratch}",
        "ldm r12, {{r1-r4}}",
        "stm sp, {{r1-r4}}",
        "str r0, [sp, #16]",
        // Columns: r1 writes, r2 to r4 read the lines, r5, r6 and r0 are their steps, lr counts.
        "ldr r7, [r0, #{padding}]",
        "ldr lr, [r0, #{left}]",
        "mov r8, r7",
        "mov r9, r7",
        "2:",
        "subs lr, lr, #1",
        "bmi 3f",
        "stm r1!, {{r7-r9}}",
        "b 2b",
        "3:",
        "ldr lr, [r0, #{pixels}]",
        "ldm r0!, {{r2-r6}}",
        "ldr r0, [r0]",
        "lsrs lr, lr, #1",
        "bcc 4f",
        "ldr r7, [r2]",
        "ldr r8, [r3]",
        "ldr r9, [r4]",
        "add r2, r2, r5",
        "add r3, r3, r6",
        "add r4, r4, r0",
        "stm r1!, {{r7-r9}}",
        "4:",
        "subs lr, lr, #1",
        "bmi 5f",
        "ldr r7, [r2]",
        "ldr r10, [r2, r5]",
        "ldr r8, [r3]",
        "ldr r11, [r3, r6]",
        "ldr r9, [r4]",
        "ldr r12, [r4, r0]",
        "add r2, r2, r5, lsl #1",
        "add r3, r3, r6, lsl #1",
        "add r4, r4, r0, lsl #1",
        "stm r1!, {{r7-r12}}",
        "b 4b",
        "5:",
        "ldr r0, [sp, #16]",
        "ldr r7, [r0, #{padding}]",
        "ldr lr, [r0, #{right}]",
        "mov r8, r7",
        "mov r9, r7",
        "6:",
        "subs lr, lr, #1",
        "bmi 7f",
        "stm r1!, {{r7-r9}}",
        "b 6b",
        // Sums, channel by channel. r0 reads the columns, r1 writes, r2 reads the weights, lr is the bias.
        "7:",
        "ldm sp, {{r0, r2, r3}}",
        "ldr r1, [sp, #16]",
        "ldr lr, [r3, #{bias}]",
        "ldr r1, [r1, #{sums}]",
        // The taps of a line as TAPS_3X3 has them.
        "8:",
        add_line!("0", "0", "1", "4", "lr"),
        add_line!("4", "2", "3", "6"),
        add_line!("8", "5", "7", "10"),
        "stm r1!, {{r4-r9}}",
        "ldr r3, [sp, #16]",
        "add r0, r0, #{columns} * 4 * {column_words}",
        "ldr r3, [r3, #{sums_end}]",
        "cmp r1, r3",
        "bne.w 8b",
        // Results. r0 reads the sums, r1 is its step, r2 writes, r9 is its step, r3 to r5 requantize, r10 counts.
        "ldrd r8, r2, [sp, #8]",
        "ldr r12, [sp, #16]",
        "ldr r3, [r8, #{multiplier}]",
        "ldrsb r4, [r8, #{shift}]",
        "add r12, r12, #{sums}",
        "ldm r12, {{r0, r1, r5, r9, r10}}",
        "mvn r4, r4",
        "lsl r5, r5, r4",
        "lsrs r10, r10, #1",
        "bcc 9f",
        "ldr r8, [r0]",
        "add r0, r0, r1",
        "lsl r8, r8, #1",
        requantize!("r8"),
        "strb r7, [r2]",
        "add r2, r2, r9",
        "9:",
        "subs r10, r10, #1",
        "bmi 20f",
        "ldr r8, [r0]",
        "ldr r11, [r0, r1]",
        "add r0, r0, r1, lsl #1",
        "lsl r8, r8, #1",
        "lsl r11, r11, #1",
        requantize!("r8"),
        "strb r7, [r2]",
        requantize!("r11"),
        "strb r7, [r2, r9]",
        "add r2, r2, r9, lsl #1",
        "b 9b",
        "20:",
        "ldm sp, {{r0-r3}}",
        "add r0, r0, #1",
        "add r1, r1, #{channel_weights}",
        "add r2, r2, #{channel_bytes}",
        "add r3, r3, #1",
        "stm sp, {{r0-r3}}",
        // Four channels in a word.
        "tst r0, #3",
        "bne.w 7b",
        "add sp, sp, #20",
        "pop {{r4-r11, pc}}",
        scratch = const offset_of!(Group, scratch),
        padding = const offset_of!(Group, padding),
        left = const offset_of!(Group, left),
        pixels = const offset_of!(Group, pixels),
        right = const offset_of!(Group, right),
        sums = const offset_of!(Group, sums),
        sums_end = const offset_of!(Group, sums_end),
        bias = const offset_of!(Channel, bias),
        multiplier = const offset_of!(Channel, factor) + offset_of!(Factor, multiplier),
        shift = const offset_of!(Channel, factor) + offset_of!(Factor, shift),
        columns = const COLUMNS,
        column_words = const COLUMN_WORDS,
        channel_weights = const TAPS_3X3.len(),
        channel_bytes = const size_of::<Channel>(),
    )
}

/// As [`portable::add`](super::portable::add), to the bit: a sum in 18 instructions.
#[inline(never)]
pub fn add(sum: &Sum, first: &[i8], second: &[i8], output: &mut [i8]) {
    let length = output.len().min(first.len()).min(second.len());
    let Sum { zero_points: [first_zero, second_zero], factor, output: output_factor, range } = *sum;
    let exponent = u32::from(factor.shift.unsigned_abs()) & 31;
    let last = !i32::from(output_factor.shift);
    let arguments = Addition {
        second_zero: second_zero.wrapping_neg().wrapping_shl(21),
        multiplier: factor.multiplier,
        half: 1i32.wrapping_shl(exponent.wrapping_sub(1)),
        exponent,
        first_zero: first_zero.wrapping_neg().wrapping_shl(19),
        output_multiplier: output_factor.multiplier,
        last,
        constant: range.zero_point.wrapping_mul(2).wrapping_add(1).wrapping_shl(last.cast_unsigned()),
        end: output.as_mut_ptr().wrapping_add(length),
    };
    if length != 0 {
        // SAFETY: the function reads `length` (not 0) bytes from either input and writes as many to `output`, no more
        // than they hold.
        unsafe { add_elements(&arguments, first.as_ptr(), second.as_ptr(), output.as_mut_ptr()) };
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        clamp(output.get_mut(..length).unwrap_or(&mut []), range.clamp);
    }
}

/// What [`add_elements`] has to know.
#[repr(C)]
struct Addition {
    /// Minus the second input's zero point, shifted as its values are.
    second_zero: i32,
    /// The second input's factor: its mantissa,
    multiplier: i32,
    /// what rounds its shift,
    half: i32,
    /// and its shift to the right.
    exponent: u32,
    /// Minus the first input's zero point, shifted as its values are.
    first_zero: i32,
    /// What [`requantize`] takes for the output.
    output_multiplier: i32,
    /// Likewise.
    last: i32,
    /// Likewise.
    constant: i32,
    /// Behind the last element written.
    end: *mut i8,
}

/// Adds elements, two in a round, of which the first begins with the second when their number is odd.
///
/// # Safety
/// See [`add`].
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
pub fn maximum(largest: &mut [i8], values: &[i8]) {
    let (words, _) = largest.as_chunks_mut::<4>();
    let (value_words, _) = values.as_chunks::<4>();
    let done = words.len().min(value_words.len()).wrapping_mul(4);
    for (word, &values) in words.iter_mut().zip(value_words) {
        *word = must_cast(greater(must_cast(*word), must_cast(values)));
    }
    if let (Some(largest @ [_, ..]), Some(values)) = (largest.get_mut(done..), values.get(done..)) {
        super::portable::maximum(largest, values);
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
        // SAFETY: the loop reads QUAD bytes from both pointers `quads` times, no more than either slice holds. It writes
        // registers only.
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
    let taps = pixels.len().min(TAPS);
    let shortest = pixels.iter().fold(usize::MAX, |shortest, pixel| shortest.min(pixel.len()));
    // Whole groups of channels, of which every pixel, weight and sum is there.
    let groups = (shortest / 4).min(sums.len() / 4).min(weights.len() / taps.wrapping_mul(4).max(1));
    if taps != pixels.len() || taps == 0 {
        return super::portable::dot_pixels(pixels, weights, sums);
    }
    let mut starts = [core::ptr::null::<i8>(); TAPS];
    for (start, pixel) in starts.iter_mut().zip(pixels) {
        *start = pixel.as_ptr();
    }
    let mut filter = weights.as_ptr();
    let (whole, _) = sums.as_chunks_mut::<4>();
    for (group, [sum0, sum1, sum2, sum3]) in whole.iter_mut().take(groups).enumerate() {
        // SAFETY: `starts` holds `taps` (not 0) pointers, and the loop reads as many. Each points to at least 4 * groups
        // values, of which it reads the four from 4 * group on. `filter` has moved on by 4 * taps in each group before,
        // and `weights` holds 4 * taps * groups. It writes registers only.
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
    let done = groups.wrapping_mul(4);
    if let (Some(sums @ [_, ..]), Some(weights)) = (sums.get_mut(done..), weights.get(done.wrapping_mul(taps)..)) {
        super::portable::dot_pixels_from(groups, pixels, weights, sums);
    }
}
