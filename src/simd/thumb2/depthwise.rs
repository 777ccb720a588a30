//! Depthwise convolutions with a 3x3 window.
//!
//! Three lines of four channels are gathered into columns, padding included, where the distance from tap to tap is the
//! same for all layers.

use core::arch::naked_asm;
use core::mem::offset_of;

use super::clamp;
use crate::quantized::{Channel, Factor};
use crate::simd::portable::depthwise::Lines;
use crate::simd::{Row, TAPS_3X3};

/// Loads a value of a line, `line` bytes behind the start of one of eight columns, into r3. r0 reads the columns.
macro_rules! value {
    ($column:literal, $line:literal) => {
        concat!("ldrsb r3, [r0, #4 * {column_words} * ", $column, " + ", $line, "]\n")
    };
}

/// Adds r3 times a weight to `from`.
macro_rules! product {
    ($sum:literal, $weight:literal, $from:literal) => {
        concat!("mla ", $sum, ", r3, ", $weight, ", ", $from, "\n")
    };
    ($sum:literal, $weight:literal) => {
        product!($sum, $weight, $sum)
    };
}

/// Adds the products of a line to the sums of six columns, r4 to r9, which begin with `first`, or with what they are.
/// r2 reads the weights of three taps.
macro_rules! add_line {
    ($line:literal, $weights:tt) => {
        add_line!($line, $weights, ["r4", "r5", "r6", "r7", "r8", "r9"])
    };
    ($line:literal, $weights:tt, $first:literal) => {
        add_line!($line, $weights, [$first, $first, $first, $first, $first, $first])
    };
    (
        $line:literal, [$left:literal, $middle:literal, $right:literal],
        [$r4:literal, $r5:literal, $r6:literal, $r7:literal, $r8:literal, $r9:literal]
    ) => {
        concat!(
            concat!("ldrsb r10, [r2, #", $left, "]\n"),
            concat!("ldrsb r11, [r2, #", $middle, "]\n"),
            concat!("ldrsb r12, [r2, #", $right, "]\n"),
            value!("0", $line),
            product!("r4", "r10", $r4),
            value!("1", $line),
            product!("r5", "r10", $r5),
            product!("r4", "r11"),
            value!("2", $line),
            product!("r6", "r10", $r6),
            product!("r5", "r11"),
            product!("r4", "r12"),
            value!("3", $line),
            product!("r7", "r10", $r7),
            product!("r6", "r11"),
            product!("r5", "r12"),
            value!("4", $line),
            product!("r8", "r10", $r8),
            product!("r7", "r11"),
            product!("r6", "r12"),
            value!("5", $line),
            product!("r9", "r10", $r9),
            product!("r8", "r11"),
            product!("r7", "r12"),
            value!("6", $line),
            product!("r9", "r11"),
            product!("r8", "r12"),
            value!("7", $line),
            product!("r9", "r12"),
        )
    };
}

/// One row that [fits](Row::fitting), four channels at a time, six sums at once; `scratch` holds the planes of one.
#[inline(never)]
pub fn convolve_row(row: &Row<'_>, lines: Lines<'_>, scratch: &mut [u32], output: &mut [i8]) {
    let channels = row.channels.len();
    // Sums are made for every column; a stride picks from them.
    let sums = row.output_width.wrapping_sub(1).wrapping_mul(row.stride).wrapping_add(1).next_multiple_of(COLUMNS);
    let columns = sums.wrapping_add(2);
    let pixels = row.width.min(columns.wrapping_sub(row.left));
    let padding = [row.padding; 4];
    // What is read in place is what is written over.
    let output_start = output.as_mut_ptr();
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
        output: output_start,
        sums: sums_start,
        step: row.stride.wrapping_mul(size_of::<i32>()),
        constant: row.range.zero_point.wrapping_mul(2).wrapping_add(1),
        stride: channels,
        outputs: row.output_width,
        sums_end: sums_start.wrapping_add(sums),
    };
    if row.in_place {
        (group.lines[0], group.steps[0]) = (output_start.cast_const(), channels);
    }
    for _ in 0..channels / 4 {
        // SAFETY: of each line the function reads 4 bytes at each of `pixels` pixels, no more than `width`, `steps`
        // apart, and of a missing line the 4 bytes of `padding`; of `weights` 48, of `channels` 4. All are there for
        // each group of four channels, as was checked above, in place the output's too, of which no channels are written
        // before all of theirs have been read; LDR works at any alignment. It writes `columns` columns
        // of COLUMN_WORDS words, and `sums` sums behind them, and reads only those: `left` is at most 2, so no number
        // of columns is negative. With COLUMN_WORDS + 1 words for each of six sums and two more columns they take no
        // more than the planes do, which is 36 words for six sums and 12 more: `scratch`, which is aligned, has room
        // for them. The last sum that an output takes is number (output_width - 1) * stride. The function writes 4
        // bytes at each of `output_width` pixels, `stride` apart.
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
/// What `group` points to must be there: see [`convolve_row`].
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
        add_line!("0", ["0", "1", "4"], "lr"),
        add_line!("4", ["2", "3", "6"]),
        add_line!("8", ["5", "7", "10"]),
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
