//! Channels by themselves: rows of a 3x3 window, and pixels of any.

use core::arch::{asm, naked_asm};
use core::mem::{MaybeUninit, offset_of};

use super::clamp;
use crate::quantized::{Channel, Factor};
use crate::simd::front::PixelGroups;
use crate::simd::planes::{PAIR_BYTES, Planes};
use crate::simd::{ROWS, Row, TAPS_3X3};

/// The sums of two columns. `upper` and r1 hold the upper two lines of the first and the second, `third` the third line
/// of both; r4 begins the first column's sum with its upper lines, r12 is the sum of the column before. Leaves the
/// next column's upper lines in `free`, begun in r4, the one's after it in r1, and the third line of both in `upper`.
macro_rules! two_columns {
    ($upper:literal, $third:literal, $free:literal) => {
        concat!(
            "ldr ",
            $free,
            ", [r11, #48]\n",
            "ldr ",
            $upper,
            ", [r11, #80]\n",
            "smlad r12, r1, r5, r10\n",
            "smlad r4, r1, r6, r4\n",
            "smlad r4, ",
            $free,
            ", r7, r4\n",
            "smlad r4, ",
            $third,
            ", r8, r4\n",
            "smlabt r4, ",
            $upper,
            ", r9, r4\n",
            "str r4, [r11], #48\n",
            "ldr r1, [r11, #16]\n",
            "smlad r12, ",
            $free,
            ", r6, r12\n",
            "smlatb r12, ",
            $third,
            ", r8, r12\n",
            "smlad r12, ",
            $upper,
            ", r9, r12\n",
            "smlad r12, r1, r7, r12\n",
            "smlad r4, ",
            $free,
            ", r5, r10\n",
            "str r12, [r11, #-32]",
        )
    };
}

/// Two channels' results of a pixel from their doubled sums. r1 reads the planes and goes on by `step`, r10 writes.
macro_rules! pixel {
    ($step:literal) => {
        concat!(
            "ldr r8, [r1]\n",
            "ldr r9, [r1, #4]\n",
            "add r1, r1, ",
            $step,
            "\n",
            "add r10, r10, r11\n",
            requantize_doubled!("r8", "r2", "r3", "r4", "r12"),
            "\n",
            requantize_doubled!("r9", "r5", "r6", "r7", "r12"),
            "\n",
            "strb r8, [r10]\n",
            "strb r9, [r10, #1]",
        )
    };
}

/// As [`portable::convolve_3x3`](crate::simd::portable::convolve_3x3), to the bit: four channels at a time, two taps
/// a multiplication, all rows behind one another.
#[inline(never)]
pub fn convolve_3x3<'l>(
    row: &Row<'_>,
    rows: usize,
    line: impl Fn(usize, usize) -> Option<&'l [i8]>,
    scratch: &mut [u32],
    output: &mut [i8],
) {
    let channels = row.channels.len();
    let Row { width, output_width, stride, left, .. } = *row;
    let planes = Planes::of(width, output_width, stride, left);
    let at_once = planes.rows_in(size_of_val(scratch));
    let Some(output) = row.fitting(rows, output) else { return };
    if at_once == 0 {
        return;
    }
    // What is read in place is what is written over.
    let start = output.as_mut_ptr();
    let held = Line { start: start.cast_const(), step: channels };
    let padding = [row.padding; 4];
    let missing = Line { start: padding.as_ptr(), step: 0 };
    // From an output's sum to that of the one after the next, and from the first one's to the next.
    let two = stride.wrapping_mul(PAIR_BYTES);
    let second = planes.first.wrapping_add(stride);
    let mut after =
        (second / 2).wrapping_mul(PAIR_BYTES).wrapping_add((second % 2).wrapping_sub(planes.first).wrapping_mul(16));
    let mut next = [after, two.wrapping_sub(after)];
    let is_odd = output_width % 2 == 1;
    if is_odd {
        next.reverse();
    } else {
        after = 0;
    }
    let behind = (output_width / 2).wrapping_mul(two).wrapping_add(after);
    let counts = output_width.next_multiple_of(2).wrapping_mul(COUNT);
    let mut groups = Groups {
        lines: [const { [const { MaybeUninit::uninit() }; 3] }; ROWS],
        rows: 0,
        left: planes.left,
        pixels: planes.pixels.wrapping_sub(2),
        right: planes.right,
        scratch: scratch.as_mut_ptr(),
        padding: padding.as_ptr(),
        pairs: 0,
        skipped: 0,
        weights: row.weights.as_ptr(),
        channels: row.channels.as_ptr(),
        channel: 0,
        end: channels,
        constant: row.range.zero_point.wrapping_mul(2).wrapping_add(1),
        sums: scratch.as_mut_ptr().wrapping_add(planes.first.wrapping_mul(4)),
        output: start.wrapping_sub(channels),
        stride: channels,
        next,
        first_row: counts.wrapping_sub(if is_odd { COUNT } else { 2 * COUNT }),
        more_rows: 0,
        next_row: [planes.row.wrapping_mul(PAIR_BYTES).wrapping_sub(behind), counts],
    };
    let mut first = 0;
    while first < rows {
        let these = rows.wrapping_sub(first).min(at_once);
        for (row_of_these, lines) in groups.lines.iter_mut().take(these).enumerate() {
            for (tap, place) in lines.iter_mut().enumerate() {
                let line = line(first.wrapping_add(row_of_these), tap).filter(|line| line.len() >= row.line_length());
                place.write(line.map_or(missing, |line| Line { start: line.as_ptr(), step: channels }));
            }
        }
        if let ([[topmost, ..], ..], true) = (&mut groups.lines, row.in_place) {
            topmost.write(held);
        }
        groups.rows = these;
        groups.channel = 0;
        let more = these.wrapping_sub(1);
        groups.more_rows = more.wrapping_mul(COUNT);
        groups.pairs = more.wrapping_mul(planes.row).wrapping_add(planes.sums);
        // The loop makes three pairs a round, and begins the first round with the second or the third of them.
        groups.skipped = groups.pairs.wrapping_mul(2) % 3;
        // SAFETY: for each group of four of the channels, of which there is one at least where a row has output, the function
        // reads 4 bytes at each of `pixels` pixels, no more than `width`, of each line, `step` apart, and of a missing
        // line the 4 bytes of `padding`; of `weights` 48, of `channels` 4. All are there, as was checked above, in place the
        // output's too; of a group it has read all pixels of all lines before it writes any, and no other channels'. Of the
        // planes of `these` rows, which `scratch` holds, it writes no more than there are and reads only those, and it
        // writes 4 bytes at each of `output_width` pixels of each row, `stride` apart: `output` has as many rows as are
        // asked for. All words it reads and writes as such lie in `scratch`, which is aligned; LDR works at any alignment
        // for the others.
        unsafe { convolve_groups(&mut groups) };
        groups.output = groups.output.wrapping_add(channels.wrapping_mul(output_width).wrapping_mul(these));
        first = first.wrapping_add(these);
    }
    if row.range.clamp != [i8::MIN, i8::MAX] {
        clamp(output, row.range.clamp);
    }
}

/// One of a loop that counts above the lowest byte of a register, in which a shift is.
const COUNT: usize = 1 << 8;

/// Where a line lies.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Line {
    /// The first pixel.
    start: *const i8,
    /// Bytes from pixel to pixel; 0 where the line is missing.
    step: usize,
}

/// What [`convolve_groups`] works on.
#[repr(C)]
struct Groups {
    /// Of each row that there is.
    lines: [[MaybeUninit<Line>; 3]; ROWS],
    /// Rows.
    rows: usize,
    /// As in [`Planes`].
    left: usize,
    /// Two less than in [`Planes`].
    pixels: usize,
    /// As in [`Planes`].
    right: usize,
    /// The planes.
    scratch: *mut u32,
    /// A padded pixel.
    padding: *const i8,
    /// Pairs of sums, from the first row's first to the last row's last.
    pairs: usize,
    /// As many as are missing from whole rounds of three pairs.
    skipped: usize,
    /// The first channel's weights.
    weights: *const i8,
    /// The first channel.
    channels: *const Channel,
    /// The first channel of the group.
    channel: usize,
    /// All channels.
    end: usize,
    /// Twice the zero point, and one.
    constant: i32,
    /// The first output's sum.
    sums: *mut u32,
    /// The first channel of the output pixel before the first.
    output: *mut i8,
    /// Bytes from output pixel to output pixel.
    stride: usize,
    /// From one output's sum to the next one's, and from that to the one after it; the other way round where a row has
    /// an odd number of them.
    next: [usize; 2],
    /// In units of [`COUNT`], what a row's outputs count down below zero from, two at a time: an odd number of them
    /// begins with the second of two.
    first_row: usize,
    /// In units of [`COUNT`]: rows after the first.
    more_rows: usize,
    /// What a row's end adds: from behind its last sum to the next row's first, and to the count of outputs.
    next_row: [usize; 2],
}

const _: () = assert!(offset_of!(Groups, lines) == 0 && size_of::<Channel>() == TAPS_3X3.len());

/// Makes rows, four channels at a time: widens three lines of each row into planes, makes a sum for every column,
/// requantizes those that a stride leaves. Weights and biases are doubled: a product of a sum needs it so.
///
/// # Safety
/// What `groups` points to must be there, for one row and one group at least: see [`convolve_3x3`].
#[unsafe(naked)]
unsafe extern "C" fn convolve_groups(groups: &mut Groups) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        // The lines of the next row, and rows left; then the channel. `groups`.
        "sub sp, sp, #12",
        "str r0, [sp, #8]",
        "2:",
        "str r0, [sp]",
        "mov r12, r0",
        "ldr r7, [r0, #{left}]",
        "ldr r1, [r0, #{rows}]",
        "ldr r0, [r0, #{scratch}]",
        "str r1, [sp, #4]",
        "cbz r7, 3f",
        "bl 9f",
        // Planes: r0 writes, r1, r3 and r5 read the lines, r2, r4 and r6 are their steps, lr counts.
        "3:",
        "ldr r12, [sp]",
        "ldr lr, [sp, #8]",
        "ldm r12!, {{r1-r6}}",
        "str r12, [sp]",
        "ldr r7, [lr, #{channel}]",
        "ldr lr, [lr, #{pixels}]",
        // A missing line stays where it is.
        "cbz r2, 32f",
        "adds r1, r1, r7",
        "32:",
        "cbz r4, 33f",
        "adds r3, r3, r7",
        "33:",
        "cbz r6, 34f",
        "adds r5, r5, r7",
        "34:",
        "cmp lr, #0",
        "bmi 5f",
        "4:",
        "ldr r7, [r1]",
        "ldr r8, [r3]",
        "ldr r9, [r1, r2]",
        "ldr r10, [r3, r4]",
        "add r1, r1, r2, lsl #1",
        "add r3, r3, r4, lsl #1",
        "pkhbt r11, r7, r8, lsl #16",
        "pkhtb r8, r8, r7, asr #16",
        "sxtb16 r7, r11",
        "sxtb16 r11, r11, ror #8",
        "sxtb16 r12, r8",
        "sxtb16 r8, r8, ror #8",
        "str r7, [r0]",
        "str r11, [r0, #4]",
        "str r12, [r0, #8]",
        "str r8, [r0, #12]",
        "pkhbt r11, r9, r10, lsl #16",
        "pkhtb r10, r10, r9, asr #16",
        "sxtb16 r9, r11",
        "sxtb16 r11, r11, ror #8",
        "sxtb16 r12, r10",
        "sxtb16 r10, r10, ror #8",
        "str r9, [r0, #16]",
        "str r11, [r0, #20]",
        "str r12, [r0, #24]",
        "str r10, [r0, #28]",
        "ldr r7, [r5]",
        "ldr r8, [r5, r6]",
        "add r5, r5, r6, lsl #1",
        "subs lr, lr, #2",
        "pkhbt r11, r7, r8, lsl #16",
        "pkhtb r8, r8, r7, asr #16",
        "sxtb16 r7, r11",
        "sxtb16 r11, r11, ror #8",
        "sxtb16 r12, r8",
        "sxtb16 r8, r8, ror #8",
        "str r7, [r0, #32]",
        "str r11, [r0, #36]",
        "str r12, [r0, #40]",
        "str r8, [r0, #44]",
        "add r0, r0, #{pair_bytes}",
        "bpl 4b",
        "5:",
        "ldr r12, [sp, #8]",
        "adds lr, lr, #1",
        "bne 6f",
        // An odd last column: the one behind it is the padded pixel.
        "ldr r7, [r12, #{padding}]",
        "subs r2, r7, r1",
        "subs r4, r7, r3",
        "subs r6, r7, r5",
        "b 4b",
        "6:",
        "ldr r7, [r12, #{right}]",
        "cbz r7, 35f",
        "bl 9f",
        "35:",
        "ldr r7, [sp, #4]",
        "subs r7, r7, #1",
        "str r7, [sp, #4]",
        "bne 3b",
        // Sums, channel by channel. r5 to r9 are the weights, r10 the bias, r11 reads the planes, r4 and r12 are
        // the sums of two columns; of r0 to r3 three hold what the columns before had.
        "ldr r1, [r12, #{channel}]",
        "7:",
        "str r1, [sp, #4]",
        "ldr r12, [sp, #8]",
        "ldr r0, [r12, #{weights}]",
        "ldr r10, [r12, #{channels}]",
        "ldr r11, [r12, #{scratch}]",
        "ldr lr, [r12, #{pairs}]",
        "ldr r12, [r12, #{skipped}]",
        // as many bytes of weights as a channel's description has, 4 a channel in the planes
        "movs r3, #{channel_bytes}",
        "muls r3, r1, r3",
        "add r0, r0, r3",
        "add r10, r10, r3",
        "ldr r10, [r10, #{bias}]",
        "ldm r0, {{r3, r4, r9}}",
        "and r1, r1, #3",
        "add r11, r11, r1, lsl #2",
        "lsl r10, r10, #1",
        "sxtb16 r5, r3",
        "sxtb16 r6, r3, ror #8",
        "sxtb16 r7, r4",
        "sxtb16 r8, r4, ror #8",
        "sxtb16 r9, r9",
        "sadd16 r5, r5, r5",
        "sadd16 r6, r6, r6",
        "sadd16 r7, r7, r7",
        "sadd16 r8, r8, r8",
        "sadd16 r9, r9, r9",
        "ldr r4, [r11]",
        "ldr r1, [r11, #16]",
        "ldr r2, [r11, #32]",
        "smlad r4, r4, r5, r10",
        // Each of the three begins with the third line in another register.
        "mov r0, r2",
        "mov r3, r2",
        "lsrs r12, r12, #1",
        "bcs 72f",
        "bne 73f",
        "71:",
        two_columns!("r0", "r2", "r3"),
        "72:",
        two_columns!("r3", "r0", "r2"),
        "73:",
        two_columns!("r2", "r3", "r0"),
        "subs lr, lr, #3",
        "bgt 71b",
        "ldr r1, [sp, #4]",
        "adds r1, r1, #1",
        "lsls r2, r1, #30",
        "bne 7b",
        // Results, two channels at a time. r2 to r4 and r5 to r7 are their factors and constants, r1 reads the planes,
        // lr and r0 are its steps, r10 writes, r11 is its step. r3 counts outputs and r6 rows above the shift.
        "subs r3, r1, #4",
        "8:",
        "str r3, [sp, #4]",
        "ldr r12, [sp, #8]",
        "ldr r1, [r12, #{sums}]",
        "ldr r10, [r12, #{output}]",
        "ldr r8, [r12, #{channels}]",
        "ldr r11, [r12, #{stride}]",
        "ldr r9, [r12, #{first_row}]",
        "ldr r4, [r12, #{constant}]",
        "ldrd lr, r0, [r12, #{next}]",
        "ldr r12, [r12, #{more_rows}]",
        "and r2, r3, #2",
        "add r1, r1, r2, lsl #2",
        "add r10, r10, r3",
        "movs r2, #{channel_bytes}",
        "mla r8, r3, r2, r8",
        "ldr r2, [r8, #{multiplier}]",
        "ldrb r3, [r8, #{shift}]",
        "ldr r5, [r8, #{channel_bytes} + {multiplier}]",
        "ldrb r6, [r8, #{channel_bytes} + {shift}]",
        "eor r3, r3, #255",
        "eor r6, r6, #255",
        "lsl r7, r4, r6",
        "lsls r4, r4, r3",
        "add r3, r3, r9",
        "add r6, r6, r12",
        "80:",
        "lsls r12, r3, #23",
        "bmi 82f",
        "81:",
        pixel!("lr"),
        "82:",
        pixel!("r0"),
        "subs r3, r3, #2 * {count}",
        "bpl 81b",
        "ldr r12, [sp, #8]",
        "ldrd r8, r9, [r12, #{next_row}]",
        "add r1, r1, r8",
        "add r3, r3, r9",
        "subs r6, r6, #{count}",
        "bpl 80b",
        "ldr r3, [sp, #4]",
        "adds r3, r3, #2",
        "lsls r2, r3, #30",
        "bne 8b",
        // The next group.
        "ldr r0, [sp, #8]",
        "ldr r12, [r0, #{end}]",
        "str r3, [r0, #{channel}]",
        "cmp r3, r12",
        "bne.w 2b",
        "add sp, sp, #12",
        "pop {{r4-r11, pc}}",
        // Writes r7 pairs of padding from r0 on.
        "9:",
        "ldr r8, [r12, #{padding}]",
        "ldr r8, [r8]",
        "sxtb16 r8, r8",
        "mov r9, r8",
        "mov r10, r8",
        "mov r11, r8",
        "91:",
        "stm r0!, {{r8-r11}}",
        "stm r0!, {{r8-r11}}",
        "stm r0!, {{r8-r11}}",
        "subs r7, r7, #1",
        "bne 91b",
        "bx lr",
        rows = const offset_of!(Groups, rows),
        left = const offset_of!(Groups, left),
        pixels = const offset_of!(Groups, pixels),
        right = const offset_of!(Groups, right),
        scratch = const offset_of!(Groups, scratch),
        padding = const offset_of!(Groups, padding),
        pairs = const offset_of!(Groups, pairs),
        skipped = const offset_of!(Groups, skipped),
        weights = const offset_of!(Groups, weights),
        channels = const offset_of!(Groups, channels),
        channel = const offset_of!(Groups, channel),
        end = const offset_of!(Groups, end),
        constant = const offset_of!(Groups, constant),
        sums = const offset_of!(Groups, sums),
        output = const offset_of!(Groups, output),
        stride = const offset_of!(Groups, stride),
        next = const offset_of!(Groups, next),
        first_row = const offset_of!(Groups, first_row),
        more_rows = const offset_of!(Groups, more_rows),
        next_row = const offset_of!(Groups, next_row),
        count = const COUNT,
        bias = const offset_of!(Channel, bias),
        multiplier = const offset_of!(Channel, factor) + offset_of!(Factor, multiplier),
        shift = const offset_of!(Channel, factor) + offset_of!(Factor, shift),
        channel_bytes = const size_of::<Channel>(),
        pair_bytes = const PAIR_BYTES,
    )
}

/// As [`portable::dot_pixels`](crate::simd::portable::dot_pixels), to the bit: four channels at once.
#[inline]
pub fn dot_pixels(pixels: &[&[i8]], weights: &[i8], sums: &mut [i32]) {
    let Some(groups) = PixelGroups::of(pixels, weights, sums) else {
        return crate::simd::portable::dot_pixels(pixels, weights, sums);
    };
    let PixelGroups { count, taps, starts } = groups;
    let mut filter = weights.as_ptr();
    let (whole, _) = sums.as_chunks_mut::<4>();
    for (group, [sum0, sum1, sum2, sum3]) in whole.iter_mut().take(count).enumerate() {
        // SAFETY: `starts` holds `taps` pointers, and the loop reads as many. Each points to at
        // least 4 * count values, of which it reads the four from 4 * group on. `filter` has
        // moved on by 4 * taps in each group before, and `weights` holds 4 * taps * count. LDR
        // reads at any alignment. It writes registers only.
        unsafe {
            asm!(
                "2:",
                "ldr {value}, [{start}], #4",
                "ldr {weight}, [{filter}], #4",
                "ldr {value}, [{value}, {offset}]",
                "sxtb16 {even}, {value}",
                "sxtb16 {even_weight}, {weight}",
                "sxtb16 {value}, {value}, ror #8",
                "sxtb16 {weight}, {weight}, ror #8",
                "cmp {start}, {end}",
                "smlabb {sum0}, {even}, {even_weight}, {sum0}",
                "smlatt {sum2}, {even}, {even_weight}, {sum2}",
                "smlabb {sum1}, {value}, {weight}, {sum1}",
                "smlatt {sum3}, {value}, {weight}, {sum3}",
                "bne 2b",
                start = inout(reg) starts.as_ptr() => _,
                end = in(reg) starts.as_ptr().wrapping_add(taps),
                filter = inout(reg) filter,
                offset = in(reg) group.wrapping_mul(4),
                value = out(reg) _,
                weight = out(reg) _,
                even = out(reg) _,
                even_weight = out(reg) _,
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
