//! Depthwise convolutions with a 3x3 window.
//!
//! Three lines of four channels are gathered into columns, padding included, where the distance from tap to tap is the
//! same for all layers, as bytes without sign: those have a load with an offset. The sums begin with what that adds too much.

use core::arch::{asm, naked_asm};
use core::mem::offset_of;

use super::clamp;
use crate::quantized::{Channel, Factor};
use crate::simd::portable;
use crate::simd::portable::depthwise::Lines;
use crate::simd::{Row, TAPS_3X3};

/// Makes numbers from 0 to 255 of four signed bytes, each 128 greater.
const SIGNS: u32 = 0x8080_8080;

/// Words of a column in scratch: a word of each line, with four channels.
const COLUMN_WORDS: usize = 3;

/// One row that [fits](Row::fitting), four channels at a time; `scratch` holds the planes of one. Lines that don't begin
/// with a word are left to [`portable::convolve_3x3`].
#[inline(never)]
pub fn convolve_row(row: &Row<'_>, lines: Lines<'_>, scratch: &mut [u32], output: &mut [i8]) {
    let channels = row.channels.len();
    // What is read in place is what is written over.
    let output_start = output.as_mut_ptr();
    let mut starts = lines.map(|line| line.map(<[i8]>::as_ptr));
    if row.in_place {
        starts[0] = Some(output_start.cast_const());
    }
    if !starts.iter().flatten().all(|start| start.addr().is_multiple_of(4)) {
        let line = |_, tap: usize| lines.get(tap).copied().flatten();
        return portable::convolve_3x3(row, 1, line, scratch, output);
    }
    let columns = row.output_width.wrapping_sub(1).wrapping_mul(row.stride).wrapping_add(3);
    let (places, _) = scratch.as_chunks_mut::<COLUMN_WORDS>();
    let Some(places) = places.get_mut(..columns) else { return };
    places.fill([u32::from_ne_bytes([row.padding.cast_unsigned(); 4]) ^ SIGNS; COLUMN_WORDS]);
    let pixels = row.width.min(columns.wrapping_sub(row.left));
    let step = row.stride.wrapping_mul(COLUMN_WORDS * size_of::<u32>());
    let start = places.as_mut_ptr();
    let mut group = Group {
        columns: start.cast(),
        end: start.cast::<u8>().wrapping_add(row.output_width.wrapping_mul(step)),
        weights: row.weights.as_ptr(),
        channels: row.channels.as_ptr(),
        output: output_start,
        stride: channels,
        step: step.wrapping_sub(1),
        constant: row.range.zero_point.wrapping_mul(2).wrapping_add(1),
    };
    for index in 0..channels / 4 {
        for (tap, start_of_line) in starts.iter().enumerate() {
            let Some(start_of_line) = start_of_line.filter(|_| pixels != 0) else { continue };
            // SAFETY: the loop reads a word of each of `pixels` pixels, which is not 0 and no more than `width`: so many of
            // `channels / 4` words has the line, which is aligned, and in place the output, of which no channels are written
            // before all of theirs have been read. It writes a word of as many columns from `left` on, no more than there
            // are.
            unsafe {
                asm!(
                    "2:",
                    "ldr {word}, [{line}]",
                    "adds {line}, {line}, {step}",
                    "eors {word}, {signs}",
                    "str {word}, [{place}]",
                    "adds {place}, #{column}",
                    "cmp {place}, {end}",
                    "blo 2b",
                    word = out(reg) _,
                    line = inout(reg) start_of_line.wrapping_add(4 * index) => _,
                    step = in(reg) channels,
                    signs = in(reg) SIGNS,
                    place = inout(reg) start.cast::<u32>().wrapping_add(row.left.wrapping_mul(COLUMN_WORDS)).wrapping_add(tap) => _,
                    end = in(reg) start.wrapping_add(row.left).wrapping_add(pixels),
                    column = const COLUMN_WORDS * size_of::<u32>(),
                    options(nostack),
                );
            }
        }
        // SAFETY: of each of four channels the function reads 12 weights and the factor, which are there for each group, as
        // was checked above. For each of `output_width` outputs it reads nine bytes of three columns from `stride` times
        // its number on: the last are those of the last of `columns`. It writes 4 bytes at each of `output_width` pixels,
        // `channels` apart.
        unsafe { convolve_group(&group) };
        group.weights = group.weights.wrapping_add(4 * TAPS_3X3.len());
        group.channels = group.channels.wrapping_add(4);
        group.output = group.output.wrapping_add(4);
    }
    if row.range.clamp != [i8::MIN, i8::MAX] {
        clamp(output.get_mut(..channels.wrapping_mul(row.output_width)).unwrap_or(&mut []), row.range.clamp);
    }
}

/// What [`convolve_group`] works on.
#[repr(C)]
struct Group {
    /// The columns, `[column][line][channel]`.
    columns: *const u8,
    /// Where the last output's window would be followed by another.
    end: *const u8,
    /// The first channel's weights.
    weights: *const i8,
    /// The first channel.
    channels: *const Channel,
    /// The first channel of the first output pixel.
    output: *mut i8,
    /// Bytes from output pixel to output pixel.
    stride: usize,
    /// Bytes from window to window, less one.
    step: usize,
    /// Twice the zero point, and one.
    constant: i32,
}

/// Two times four words are copied.
const _: () = assert!(size_of::<Group>() == 32);

/// Bytes of nine weights, which lie before the copy.
const WEIGHTS_BYTES: usize = 36;

/// Keeps a weight in a word of the stack and adds it to r3. r1 reads.
macro_rules! weight {
    ($tap:literal, $place:literal) => {
        concat!(
            concat!("ldrb r2, [r1, #", $tap, "]\n"),
            "sxtb r2, r2\n",
            concat!("str r2, [sp, #4 * ", $place, "]\n"),
            "adds r3, r3, r2\n",
        )
    };
}

/// Adds the product of a byte, so many behind r6, and a weight to r0.
macro_rules! product {
    ($offset:literal, $weight:literal) => {
        concat!(
            concat!("ldrb r2, [r6, #", $offset, "]\n"),
            concat!("ldr r3, [sp, #4 * ", $weight, "]\n"),
            "muls r2, r3, r2\n",
            "adds r0, r0, r2\n",
        )
    };
}

/// Makes one row of four channels.
///
/// r6 reads the columns up to r9; r8 is what sums begin with, r12 writes.
///
/// # Safety
/// What `group` points to must be there: see [`convolve_row`].
#[unsafe(naked)]
unsafe extern "C" fn convolve_group(group: &Group) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "sub sp, sp, #{stack_bytes}",
        "add r1, sp, #{weights_bytes}",
        ".rept 2",
        "ldm r0!, {{r2-r5}}",
        "stm r1!, {{r2-r5}}",
        ".endr",
        // Each channel. The taps as TAPS_3X3 has them, line by line.
        "2:",
        "ldr r1, [sp, #{weights}]",
        "movs r3, #0",
        weight!("0", "0"),
        weight!("1", "1"),
        weight!("4", "2"),
        weight!("2", "3"),
        weight!("3", "4"),
        weight!("6", "5"),
        weight!("5", "6"),
        weight!("7", "7"),
        weight!("10", "8"),
        "adds r1, #{channel_weights}",
        "str r1, [sp, #{weights}]",
        "ldr r4, [sp, #{channels}]",
        "ldr r2, [r4, #{bias}]",
        "lsls r3, r3, #7",
        "subs r2, r2, r3",
        "mov r8, r2",
        "ldr r1, [sp, #{constant}]",
        factor!(),
        "adds r4, #{channel_bytes}",
        "str r4, [sp, #{channels}]",
        "ldr r0, [sp, #{output}]",
        "mov r12, r0",
        "adds r0, #1",
        "str r0, [sp, #{output}]",
        "ldr r0, [sp, #{end}]",
        "mov r9, r0",
        "adds r0, #1",
        "str r0, [sp, #{end}]",
        "ldr r6, [sp, #{columns}]",
        "adds r0, r6, #1",
        "str r0, [sp, #{columns}]",
        // Each output.
        "3:",
        "ldrb r2, [r6]",
        "ldr r0, [sp]",
        "muls r0, r2, r0",
        "add r0, r8",
        product!("12", "1"),
        product!("24", "2"),
        product!("4", "3"),
        product!("16", "4"),
        product!("28", "5"),
        product!("8", "6"),
        product!("20", "7"),
        // An offset is at most 31.
        "adds r6, #1",
        product!("31", "8"),
        "ldr r3, [sp, #{step}]",
        "adds r6, r6, r3",
        requantize!(),
        "mov r5, r12",
        "strb r4, [r5]",
        "ldr r3, [sp, #{stride}]",
        "add r12, r3",
        "cmp r6, r9",
        "bne 3b",
        // Four channels in a word.
        "ldr r0, [sp, #{columns}]",
        "lsls r0, r0, #30",
        "beq 4f",
        "b 2b",
        "4:",
        "add sp, sp, #{stack_bytes}",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
        stack_bytes = const WEIGHTS_BYTES + size_of::<Group>(),
        weights_bytes = const WEIGHTS_BYTES,
        columns = const WEIGHTS_BYTES + offset_of!(Group, columns),
        end = const WEIGHTS_BYTES + offset_of!(Group, end),
        weights = const WEIGHTS_BYTES + offset_of!(Group, weights),
        channels = const WEIGHTS_BYTES + offset_of!(Group, channels),
        output = const WEIGHTS_BYTES + offset_of!(Group, output),
        stride = const WEIGHTS_BYTES + offset_of!(Group, stride),
        step = const WEIGHTS_BYTES + offset_of!(Group, step),
        constant = const WEIGHTS_BYTES + offset_of!(Group, constant),
        bias = const offset_of!(Channel, bias),
        multiplier = const offset_of!(Channel, factor) + offset_of!(Factor, multiplier),
        shift = const offset_of!(Channel, factor) + offset_of!(Factor, shift),
        channel_weights = const TAPS_3X3.len(),
        channel_bytes = const size_of::<Channel>(),
    )
}
