//! Channels by themselves: a row of a 3x3 window, and pixels of any.

use core::arch::{asm, naked_asm};
use core::mem::offset_of;

use super::clamp;
use crate::quantized::{Channel, Factor};
use crate::simd::front::PixelGroups;
use crate::simd::planes::{PAIR_BYTES as PLANES_PAIR_BYTES, Planes};
use crate::simd::{Row, TAPS_3X3};

/// The sums of two columns: `upper` and r1 hold the upper two lines of the first and the second, `third` the third
/// line of both. Leaves the next column's upper lines in `free`, the one's after it in r1, and the third line of
/// both in `upper`.
macro_rules! two_columns {
    ($upper:literal, $third:literal, $free:literal) => {
        concat!(
            "smlad r4, ",
            $upper,
            ", r5, r10\n",
            "smlad r12, r1, r5, r10\n",
            "ldr ",
            $free,
            ", [r11, #48]\n",
            "ldr ",
            $upper,
            ", [r11, #80]\n",
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
            "str r12, [r11, #-32]",
        )
    };
}

/// As [`portable::convolve_3x3`](crate::simd::portable::convolve_3x3), to the bit: four channels at a time, two taps
/// a multiplication.
#[inline(never)]
pub fn convolve_3x3(row: &Row<'_>, lines: [Option<&[i8]>; 3], scratch: &mut [u32], output: &mut [i8]) {
    let channels = row.channels.len();
    let planes = Planes::of(row.width, row.output_width, row.stride, row.left);
    if !row.fits(lines, output) || size_of_val(scratch) < planes.bytes() || row.output_width == 0 {
        return;
    }
    let padding = [row.padding; 4];
    let after = |first: usize| {
        // Bytes from one column's sums to those `row.stride` columns further, the first of them at an
        // even or an odd column.
        let end = first.wrapping_add(row.stride);
        (end / 2).wrapping_mul(PLANES_PAIR_BYTES).wrapping_add(end % 2 * 16).wrapping_sub(first * 16)
    };
    let mut groups = Groups {
        lines: lines.map(|line| line.map_or(padding.as_ptr(), |line| line.as_ptr())),
        steps: lines.map(|line| if line.is_some() { channels } else { 0 }),
        left: planes.left,
        full: planes.full,
        odd: usize::from(planes.odd),
        right: planes.right,
        scratch: scratch.as_mut_ptr(),
        padding: padding.as_ptr(),
        rounds: planes.rounds,
        weights: row.weights.as_ptr(),
        channels: row.channels.as_ptr(),
        left_to_do: channels / 4,
        constant: row.range.zero_point.wrapping_mul(2).wrapping_add(1),
        output: output.as_mut_ptr(),
        stride: channels,
        outputs: row.output_width,
        first: planes.first.wrapping_mul(16),
        after: [after(planes.first), after(planes.first.wrapping_add(row.stride) % 2)],
    };
    if channels != 0 {
        // SAFETY: for each of `channels / 4` groups of four channels the function reads 4 bytes at each of `width`
        // pixels of each line at most, `steps` apart, and of a missing line the 4 bytes of `padding`; of `weights`
        // 48, of `channels` 4. All are there, as was checked above. It writes `rounds * ROUND + 1` pairs
        // of columns, which `scratch` holds, reads only those, and writes 4 bytes at each of
        // `output_width` pixels, `stride` apart. All words it reads and writes as such lie in `scratch`,
        // which is aligned; LDR works at any alignment for the others.
        unsafe { convolve_groups(&mut groups) };
    }
    if row.range.clamp != [i8::MIN, i8::MAX] {
        clamp(output.get_mut(..channels.wrapping_mul(row.output_width)).unwrap_or(&mut []), row.range.clamp);
    }
}

/// What [`convolve_groups`] works on: the first group, and then the next.
#[repr(C)]
struct Groups {
    /// The first pixel of each line.
    lines: [*const i8; 3],
    /// Bytes from pixel to pixel; 0 where the line is missing.
    steps: [usize; 3],
    /// As in [`Planes`].
    left: usize,
    /// As in [`Planes`].
    full: usize,
    /// As in [`Planes`]: 0 or 1.
    odd: usize,
    /// As in [`Planes`].
    right: usize,
    /// The planes.
    scratch: *mut u32,
    /// A padded pixel.
    padding: *const i8,
    /// As in [`Planes`].
    rounds: usize,
    /// The first channel's weights.
    weights: *const i8,
    /// The first channel.
    channels: *const Channel,
    /// Groups, this one included.
    left_to_do: usize,
    /// Twice the zero point, and one.
    constant: i32,
    /// The first channel of the first output pixel.
    output: *mut i8,
    /// Bytes from output pixel to output pixel.
    stride: usize,
    /// Output pixels.
    outputs: usize,
    /// Where the first output's sum lies in the planes.
    first: usize,
    /// From one output's sum to the next one's, and from that to the one after it.
    after: [usize; 2],
}

/// Makes one row, four channels at a time: widens three lines into planes, makes a sum for every column, requantizes
/// those that a stride leaves.
///
/// # Safety
/// What `groups` points to must be there, for one group at least: see [`convolve_3x3`].
#[unsafe(naked)]
unsafe extern "C" fn convolve_groups(groups: &mut Groups) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        // What the loops count and keep: odd, channel, weights, stride.
        "sub sp, sp, #20",
        "2:",
        "str r0, [sp, #16]",
        // Planes: r0 writes, r1 to r3 read the lines, r4 to r6 are their steps, lr counts.
        "ldr r2, [r0, #{odd}]",
        "str r2, [sp]",
        "mov r12, r0",
        "ldr r0, [r12, #{scratch}]",
        "ldr r11, [r12, #{left}]",
        "bl 9f",
        "ldr lr, [r12, #{full}]",
        "ldm r12, {{r1-r6}}",
        "cmp lr, #0",
        "beq 4f",
        "3:",
        "ldr r7, [r1]",
        "ldr r8, [r2]",
        "ldr r9, [r1, r4]",
        "ldr r10, [r2, r5]",
        "add r1, r1, r4, lsl #1",
        "add r2, r2, r5, lsl #1",
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
        "ldr r7, [r3]",
        "ldr r8, [r3, r6]",
        "add r3, r3, r6, lsl #1",
        "subs lr, lr, #1",
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
        "bne 3b",
        "4:",
        // An odd last column: the one behind it is the padded pixel.
        "ldr r7, [sp]",
        "ldr r12, [sp, #16]",
        "cbz r7, 5f",
        "ldr r7, [r12, #{padding}]",
        "mov lr, #0",
        "str lr, [sp]",
        "mov lr, #1",
        "sub r4, r7, r1",
        "sub r5, r7, r2",
        "sub r6, r7, r3",
        "b 3b",
        "5:",
        "ldr r11, [r12, #{right}]",
        "bl 9f",
        // Sums, channel by channel. r5 to r9 are the weights, r10 the bias, r11 reads the planes, r4 and r12 are
        // the sums of two columns; of r0 to r3 three hold what the columns before had.
        "mov r1, #0",
        "ldr r2, [r12, #{weights}]",
        "6:",
        "strd r1, r2, [sp, #4]",
        "ldr r12, [sp, #16]",
        "ldr r3, [r2]",
        "ldr r4, [r2, #4]",
        "ldr r9, [r2, #8]",
        "ldr r11, [r12, #{scratch}]",
        "ldr r10, [r12, #{channels}]",
        "ldr lr, [r12, #{rounds}]",
        "sxtb16 r5, r3",
        "sxtb16 r6, r3, ror #8",
        "sxtb16 r7, r4",
        "sxtb16 r8, r4, ror #8",
        "sxtb16 r9, r9",
        // 4 bytes a channel in the planes, {channel_bytes} in the description
        "add r11, r11, r1, lsl #2",
        "mov r3, #{channel_bytes}",
        "mla r10, r1, r3, r10",
        "ldr r10, [r10, #{bias}]",
        "ldr r0, [r11]",
        "ldr r1, [r11, #16]",
        "ldr r2, [r11, #32]",
        "7:",
        two_columns!("r0", "r2", "r3"),
        two_columns!("r3", "r0", "r2"),
        two_columns!("r2", "r3", "r0"),
        "subs lr, lr, #1",
        "bne 7b",
        "ldrd r1, r2, [sp, #4]",
        "add r1, r1, #1",
        "add r2, r2, #12",
        "cmp r1, #4",
        "bne 6b",
        // Results, two channels at a time. r2 to r4 and r5 to r7 are their factors and constants, r1 reads the planes,
        // lr and r0 are its steps, r10 writes, r11 counts.
        "mov r3, #0",
        "8:",
        "str r3, [sp, #4]",
        "ldr r12, [sp, #16]",
        "ldr r1, [r12, #{scratch}]",
        "ldr r2, [r12, #{first}]",
        "ldr r10, [r12, #{output}]",
        "ldr r8, [r12, #{channels}]",
        "ldr r11, [r12, #{outputs}]",
        "ldr r0, [r12, #{stride}]",
        "str r0, [sp, #12]",
        "ldr r4, [r12, #{constant}]",
        "ldrd lr, r0, [r12, #{after}]",
        "add r1, r1, r2",
        "add r1, r1, r3, lsl #3",
        "add r10, r10, r3, lsl #1",
        "mov r2, #2 * {channel_bytes}",
        "mla r8, r3, r2, r8",
        "ldr r2, [r8, #{multiplier}]",
        "ldrsb r3, [r8, #{shift}]",
        "ldr r5, [r8, #{channel_bytes} + {multiplier}]",
        "ldrsb r6, [r8, #{channel_bytes} + {shift}]",
        "mvn r3, r3",
        "mvn r6, r6",
        "lsl r7, r4, r6",
        "lsl r4, r4, r3",
        "20:",
        "ldrd r8, r9, [r1]",
        "add r1, r1, lr",
        requantize!("r8", "r2", "r3", "r4", "r12"),
        requantize!("r9", "r5", "r6", "r7", "r12"),
        "bfi r8, r9, #8, #8",
        "strh r8, [r10]",
        "ldr r12, [sp, #12]",
        "subs r11, r11, #1",
        "add r10, r10, r12",
        "beq 21f",
        "ldrd r8, r9, [r1]",
        "add r1, r1, r0",
        requantize!("r8", "r2", "r3", "r4", "r12"),
        requantize!("r9", "r5", "r6", "r7", "r12"),
        "bfi r8, r9, #8, #8",
        "strh r8, [r10]",
        "ldr r12, [sp, #12]",
        "subs r11, r11, #1",
        "add r10, r10, r12",
        "bne 20b",
        "21:",
        "ldr r3, [sp, #4]",
        "add r3, r3, #1",
        "cmp r3, #2",
        "bne 8b",
        // The next group; a missing line stays where it is.
        "ldr r0, [sp, #16]",
        "ldr r12, [r0, #{left_to_do}]",
        "ldm r0, {{r1-r6}}",
        "ldrd r7, r8, [r0, #{weights}]",
        "ldr r9, [r0, #{output}]",
        "subs r12, r12, #1",
        "beq 22f",
        "cbz r4, 23f",
        "adds r1, r1, #4",
        "23:",
        "cbz r5, 24f",
        "adds r2, r2, #4",
        "24:",
        "cbz r6, 25f",
        "adds r3, r3, #4",
        "25:",
        "adds r7, r7, #4 * {taps}",
        "add r8, r8, #4 * {channel_bytes}",
        "add r9, r9, #4",
        "stm r0, {{r1-r3}}",
        "strd r7, r8, [r0, #{weights}]",
        "str r9, [r0, #{output}]",
        "str r12, [r0, #{left_to_do}]",
        "b 2b",
        "22:",
        "add sp, sp, #20",
        "pop {{r4-r11, pc}}",
        // Writes r11 pairs of padding from r0 on.
        "9:",
        "cmp r11, #0",
        "beq 31f",
        "ldr r7, [r12, #{padding}]",
        "ldr r7, [r7]",
        "sxtb16 r7, r7",
        "mov r8, r7",
        "mov r9, r7",
        "mov r10, r7",
        "30:",
        "stm r0!, {{r7-r10}}",
        "stm r0!, {{r7-r10}}",
        "stm r0!, {{r7-r10}}",
        "subs r11, r11, #1",
        "bne 30b",
        "31:",
        "bx lr",
        left = const offset_of!(Groups, left),
        full = const offset_of!(Groups, full),
        odd = const offset_of!(Groups, odd),
        right = const offset_of!(Groups, right),
        scratch = const offset_of!(Groups, scratch),
        padding = const offset_of!(Groups, padding),
        rounds = const offset_of!(Groups, rounds),
        weights = const offset_of!(Groups, weights),
        channels = const offset_of!(Groups, channels),
        left_to_do = const offset_of!(Groups, left_to_do),
        taps = const TAPS_3X3.len(),
        constant = const offset_of!(Groups, constant),
        output = const offset_of!(Groups, output),
        stride = const offset_of!(Groups, stride),
        outputs = const offset_of!(Groups, outputs),
        first = const offset_of!(Groups, first),
        after = const offset_of!(Groups, after),
        bias = const offset_of!(Channel, bias),
        multiplier = const offset_of!(Channel, factor) + offset_of!(Factor, multiplier),
        shift = const offset_of!(Channel, factor) + offset_of!(Factor, shift),
        channel_bytes = const size_of::<Channel>(),
        pair_bytes = const PLANES_PAIR_BYTES,
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
