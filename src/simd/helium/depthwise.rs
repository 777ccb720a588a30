//! Depthwise convolutions with a 3x3 window.

use core::arch::naked_asm;
use core::mem::offset_of;

use super::clamp;
use crate::quantized::{Channel, Factor};
use crate::simd::portable::depthwise::Lines;
use crate::simd::{Row, TAPS_3X3, dsp};

/// As [`portable::convolve_3x3`](crate::simd::portable::convolve_3x3), to the bit: four channels at a time, the nine
/// taps of each in one multiplication.
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
        return dsp::convolve_3x3(row, 1, line, scratch, output);
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
