//! The inner loops with the DSP instructions of Armv7E-M (Cortex-M4, M7), which Armv8-M cores can have too (Cortex-M33).

use core::arch::{asm, naked_asm};
use core::mem::offset_of;

use super::planes::{PAIR_BYTES as PLANES_PAIR_BYTES, Planes};
use super::{FILTERS, LANES, Pair, QUAD, Row, Sum, TAPS, TAPS_3X3};
use crate::quantized::{Channel, Factor, Range};

/// The core, for the assembler of naked functions: it knows the target's name and forgets the target CPU. Of Armv7E-M
/// the name says enough.
#[cfg(not(microception_armv8m))]
macro_rules! core {
    () => {
        ""
    };
}

/// As above: the first core of Armv8-M with the instructions.
#[cfg(microception_armv8m)]
macro_rules! core {
    () => {
        ".cpu cortex-m33"
    };
}

/// A quad becomes two pairs, stored at two distances from r2.
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
            "str r12, [r2, #",
            $first,
            "]\n",
            "str ",
            $quad,
            ", [r2, #",
            $second,
            "]",
        )
    };
}

/// Twice a sum becomes a result: see [`Range::requantize_bounded`].
macro_rules! requantize_doubled {
    ($sum:literal, $multiplier:literal, $last:literal, $constant:literal, $scratch:literal) => {
        concat!(
            "add ",
            $scratch,
            ", ",
            $constant,
            ", ",
            $sum,
            ", asr #31\n",
            "smmlar ",
            $sum,
            ", ",
            $sum,
            ", ",
            $multiplier,
            ", ",
            $scratch,
            "\n",
            "asr ",
            $sum,
            ", ",
            $sum,
            ", ",
            $last,
            "\n",
            "ssat ",
            $sum,
            ", #8, ",
            $sum,
            ", asr #1",
        )
    };
}

/// A sum becomes a result. `doubled` is the shift that makes twice the sum of what is there: of 256 times the sum one to
/// the right.
macro_rules! requantize {
    ($sum:literal, $multiplier:literal, $last:literal, $constant:literal, $scratch:literal) => {
        requantize!($sum, $multiplier, $last, $constant, $scratch, "lsl #1")
    };
    ($sum:literal, $multiplier:literal, $last:literal, $constant:literal, $scratch:literal, $doubled:literal) => {
        concat!(
            "mov ",
            $sum,
            ", ",
            $sum,
            ", ",
            $doubled,
            "\n",
            requantize_doubled!($sum, $multiplier, $last, $constant, $scratch),
        )
    };
}

/// The sum of a value of the second input and one of the first, each the lowest byte of its operand, brought to one
/// scale. The product is that of the value shifted by 20 bits; twice the value takes the doubled product's high half.
macro_rules! add_element {
    ($sum:literal, $second:literal, $first:literal) => {
        concat!(
            "sxtb ",
            $sum,
            ", ",
            $second,
            "\n",
            "add ",
            $sum,
            ", r6, ",
            $sum,
            ", lsl #21\n",
            "add r11, r8, ",
            $sum,
            ", asr #31\n",
            "smmlar ",
            $sum,
            ", ",
            $sum,
            ", r7, r11\n",
            "sxtb r11, ",
            $first,
            "\n",
            "asr ",
            $sum,
            ", ",
            $sum,
            ", r9\n",
            "add r11, r10, r11, lsl #19\n",
            "add ",
            $sum,
            ", ",
            $sum,
            ", r11",
        )
    };
}

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

// Behind the macros that it uses.
pub mod winograd;

/// As [`portable::widen`](super::portable::widen), to the bit: four quads in 22 instructions.
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
        core!(),
        "push {{r4-r6, lr}}",
        "subs r1, r1, #4",
        "blo 3f",
        "2:",
        "ldr r3, [r0], #4",
        "ldr r4, [r0], #4",
        "ldr r5, [r0], #4",
        "ldr r6, [r0], #4",
        "subs r1, r1, #4",
        widen_quad!("r3", "0", "16"),
        widen_quad!("r4", "32", "48"),
        widen_quad!("r5", "64", "80"),
        widen_quad!("r6", "96", "112"),
        "add r2, r2, #128",
        "bhs 2b",
        "3:",
        "adds r1, r1, #4",
        "beq 5f",
        "4:",
        "ldr r3, [r0], #4",
        "subs r1, r1, #1",
        widen_quad!("r3", "0", "16"),
        "add r2, r2, #32",
        "bne 4b",
        "5:",
        "pop {{r4-r6, pc}}",
    )
}

/// As [`portable::multiply_tile`](super::portable::multiply_tile), to the bit: sixteen products in
/// thirteen instructions, a result in nine.
#[inline(never)]
pub fn multiply_tile(tile: &mut [Pair], weights: &[i8], channels: &[Channel], range: &Range, output: &mut [i8]) {
    let stride = channels.len();
    let pairs = tile.len() / LANES;
    let pixels = output.len().checked_div(stride).unwrap_or(0).min(LANES);
    let filter_bytes = pairs.wrapping_mul(2 * FILTERS);
    if weights.len() < filter_bytes.wrapping_mul(stride.div_ceil(FILTERS)) || pairs == 0 || pixels == 0 {
        return;
    }
    // Pairs that the first round of the unrolled loop leaves out.
    let skipped = pairs.next_multiple_of(UNROLLED).wrapping_sub(pairs);
    let start = output.as_mut_ptr();
    let last = stride / FILTERS * FILTERS;
    let mut arguments = Tile {
        // A lane that has no pixel writes before the first lane does, to the same place.
        lanes: [0, 1, 2, 3].map(|lane| start.wrapping_add(if lane < pixels { lane.wrapping_mul(stride) } else { 0 })),
        tile: tile.as_ptr(),
        end: tile.as_ptr().wrapping_add(pairs.wrapping_mul(LANES)),
        skipped: skipped.wrapping_mul(PAIR_BYTES),
        last_channels: channels.as_ptr().wrapping_add(last),
        channels: channels.as_ptr(),
        constant: range.zero_point.wrapping_mul(2).wrapping_add(1),
    };
    if last != 0 {
        // SAFETY: the tile has `pairs` (not 0) times LANES pairs, and the loop reads them up to `end`. It reads as
        // often `filter_bytes` weights as there are pairs of filters, and `last` (a multiple of FILTERS, not 0)
        // channels: `weights` and `channels` hold them. It writes `last` bytes, at most `stride`, from the start of
        // each lane's pixel on: `output` has room for `pixels` pixels, and the other lanes write to the first.
        unsafe { multiply_filter_pairs(&arguments, weights.as_ptr()) };
    }
    if let (Some(&channel), Some(weights)) = (channels.get(last), weights.get(last.wrapping_mul(pairs * 2)..)) {
        // The last filter is alone: the one of zeros beside it makes a channel of its own.
        let channels = [channel; FILTERS];
        let mut buffer = [[0i8; FILTERS]; LANES];
        arguments.lanes = buffer.each_mut().map(|pixel| pixel.as_mut_ptr());
        arguments.channels = channels.as_ptr();
        arguments.last_channels = channels.as_ptr().wrapping_add(FILTERS);
        // SAFETY: as above, with one pair of filters, two channels, and room for two bytes per lane.
        unsafe { multiply_filter_pairs(&arguments, weights.as_ptr()) };
        for (pixel, [result, _]) in output.chunks_exact_mut(stride.max(1)).zip(buffer) {
            if let Some(place) = pixel.get_mut(last) {
                *place = result;
            }
        }
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        clamp(output, range.clamp);
    }
}

/// What [`multiply_filter_pairs`] works on, beside the weights.
#[repr(C)]
struct Tile {
    /// Where each lane's next channels are written.
    lanes: [*mut i8; LANES],
    /// The tile's elements.
    tile: *const Pair,
    /// Behind them.
    end: *const Pair,
    /// Bytes of code that the first round leaves out.
    skipped: usize,
    /// Behind the last filter's channel.
    last_channels: *const Channel,
    /// The first filter's channel.
    channels: *const Channel,
    /// Twice the zero point, and one.
    constant: i32,
}

/// Pairs of elements in one round of the loop over a tile.
const UNROLLED: usize = 16;

/// Bytes of code for one pair of elements.
const PAIR_BYTES: usize = 52;

/// Bytes of [`Tile`], kept on the stack.
const TILE_BYTES: usize = size_of::<Tile>();

/// Multiplies a tile of four columns with pairs of filters.
///
/// All fourteen registers are at work in the loop: r4 to r7 are the sums of the first filter, r8 to
/// r11 those of both, the second's times 256; r0 reads the tile, r1 the weights.
///
/// # Safety
/// What `arguments` and the weights point to must be there: see [`multiply_tile`].
#[unsafe(naked)]
unsafe extern "C" fn multiply_filter_pairs(arguments: &Tile, weights: *const i8) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "ldm r0, {{r2-r11}}",
        "sub sp, sp, #{tile_bytes}",
        // Where the first round begins, as an address in Thumb code.
        "adr.w r12, 4f",
        "add r8, r8, r12",
        "orr r8, r8, #1",
        "stm sp, {{r2-r11}}",
        "mov r0, r10",
        "3:",
        "ldr r4, [r0, #{bias}]",
        "ldr r8, [r0, #{channel_bytes} + {bias}]",
        "ldr r0, [sp, #{tile}]",
        "mov r5, r4",
        "mov r6, r4",
        "mov r7, r4",
        "add r8, r4, r8, lsl #8",
        "mov r9, r8",
        "mov r10, r8",
        "mov r11, r8",
        "ldr pc, [sp, #{skipped}]",
        ".p2align 2",
        "4:",
        ".rept {unrolled}",
        "ldr.w r2, [r1], #4",
        "ldr.w r12, [r0], #4",
        "ldr.w lr, [r0], #4",
        "sxtb16 r3, r2",
        "smlad r4, r3, r12, r4",
        "smlad r8, r2, r12, r8",
        "smlad r5, r3, lr, r5",
        "smlad r9, r2, lr, r9",
        "ldrd r12, lr, [r0], #8",
        "smlad r6, r3, r12, r6",
        "smlad r10, r2, r12, r10",
        "smlad r7, r3, lr, r7",
        "smlad r11, r2, lr, r11",
        ".endr",
        "ldr r2, [sp, #{end}]",
        "cmp r0, r2",
        "bne.w 4b",
        // 256 times the second filter's sums.
        "sub r8, r8, r4",
        "sub r9, r9, r5",
        "sub r10, r10, r6",
        "sub r11, r11, r7",
        // The first filter's results.
        "ldr r0, [sp, #{channels}]",
        "ldr r12, [sp, #{constant}]",
        "ldr r2, [r0, #{multiplier}]",
        "ldrsb r3, [r0, #{shift}]",
        "mvn r3, r3",
        "lsl r12, r12, r3",
        requantize!("r4", "r2", "r3", "r12", "lr"),
        requantize!("r5", "r2", "r3", "r12", "lr"),
        requantize!("r6", "r2", "r3", "r12", "lr"),
        requantize!("r7", "r2", "r3", "r12", "lr"),
        // The second filter's.
        "ldr r12, [sp, #{constant}]",
        "ldr r2, [r0, #{channel_bytes} + {multiplier}]",
        "ldrsb r3, [r0, #{channel_bytes} + {shift}]",
        "add r0, r0, #2 * {channel_bytes}",
        "mvn r3, r3",
        "lsl r12, r12, r3",
        requantize!("r8", "r2", "r3", "r12", "lr", "asr #7"),
        requantize!("r9", "r2", "r3", "r12", "lr", "asr #7"),
        requantize!("r10", "r2", "r3", "r12", "lr", "asr #7"),
        requantize!("r11", "r2", "r3", "r12", "lr", "asr #7"),
        "bfi r4, r8, #8, #8",
        "bfi r5, r9, #8, #8",
        "bfi r6, r10, #8, #8",
        "bfi r7, r11, #8, #8",
        "ldm sp, {{r8-r11}}",
        "strh r7, [r11], #2",
        "strh r6, [r10], #2",
        "strh r5, [r9], #2",
        "strh r4, [r8], #2",
        "str r0, [sp, #{channels}]",
        "ldr r2, [sp, #{last_channels}]",
        "stm sp, {{r8-r11}}",
        "cmp r0, r2",
        "bne.w 3b",
        "add sp, sp, #{tile_bytes}",
        "pop {{r4-r11, pc}}",
        tile_bytes = const TILE_BYTES,
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

/// As [`portable::maximum`](super::portable::maximum), to the bit: four values at once.
#[inline(never)]
pub fn maximum(largest: &mut [i8], values: &[i8]) {
    let words = (largest.len() / 4).min(values.len() / 4);
    if words > 0 {
        // SAFETY: the loop reads `words` words from either slice and writes as many to `largest`, no more than
        // they hold. LDR and STR work at any alignment.
        unsafe {
            asm!(
                "tst {words}, #1",
                "beq 3f",
                "ldr {a}, [{largest}]",
                "ldr {b}, [{values}], #4",
                "ssub8 {c}, {a}, {b}",
                "sel {a}, {a}, {b}",
                "str {a}, [{largest}], #4",
                "3:",
                "lsrs {words}, {words}, #1",
                "beq 4f",
                "2:",
                "ldr {a}, [{largest}]",
                "ldr {b}, [{values}], #4",
                "ldr {c}, [{largest}, #4]",
                "ldr {d}, [{values}], #4",
                "subs {words}, {words}, #1",
                "ssub8 {e}, {a}, {b}",
                "sel {a}, {a}, {b}",
                "ssub8 {e}, {c}, {d}",
                "sel {c}, {c}, {d}",
                "str {a}, [{largest}], #4",
                "str {c}, [{largest}], #4",
                "bne 2b",
                "4:",
                largest = inout(reg) largest.as_mut_ptr() => _,
                values = inout(reg) values.as_ptr() => _,
                words = inout(reg) words => _,
                a = out(reg) _,
                b = out(reg) _,
                c = out(reg) _,
                d = out(reg) _,
                e = out(reg) _,
                options(nostack),
            );
        }
    }
    let done = words.wrapping_mul(4);
    if let (Some(largest @ [_, ..]), Some(values)) = (largest.get_mut(done..), values.get(done..)) {
        super::portable::maximum(largest, values);
    }
}

/// As [`portable::add`](super::portable::add), to the bit: four sums in 66 instructions.
#[inline(never)]
pub fn add(sum: &Sum, first: &[i8], second: &[i8], output: &mut [i8]) {
    let length = output.len().min(first.len()).min(second.len());
    let done = length / 4 * 4;
    let Sum { zero_points: [first_zero, second_zero], factor, output: output_factor, range } = *sum;
    let exponent = u32::from(factor.shift.unsigned_abs()) & 31;
    let last = !i32::from(output_factor.shift);
    let mut arguments = Words {
        second_zero: second_zero.wrapping_neg().wrapping_shl(21),
        multiplier: factor.multiplier,
        half: 1i32.wrapping_shl(exponent.wrapping_sub(1)),
        exponent,
        first_zero: first_zero.wrapping_neg().wrapping_shl(19),
        output_multiplier: output_factor.multiplier,
        last,
        constant: range.zero_point.wrapping_mul(2).wrapping_add(1).wrapping_shl(last.cast_unsigned()),
        end: output.as_mut_ptr().wrapping_add(done),
    };
    if done != 0 {
        // SAFETY: the function reads `done` bytes, whole words and at least one, from either input and writes as many to
        // `output`, no more than they hold. LDR and STR work at any alignment.
        unsafe { add_words(&arguments, first.as_ptr(), second.as_ptr(), output.as_mut_ptr()) };
    }
    if length != done {
        // The last word is put together aside.
        let mut words = [[0i8; 4]; 3];
        let [first_word, second_word, sums] = &mut words;
        let places = first_word.iter_mut().zip(second_word.iter_mut());
        for ((first_place, second_place), (&first, &second)) in places.zip(first.iter().zip(second).skip(done)) {
            (*first_place, *second_place) = (first, second);
        }
        arguments.end = sums.as_mut_ptr().wrapping_add(4);
        // SAFETY: as above, with one word of each.
        unsafe { add_words(&arguments, first_word.as_ptr(), second_word.as_ptr(), sums.as_mut_ptr()) };
        for (output, &sum) in output.iter_mut().take(length).skip(done).zip(&*sums) {
            *output = sum;
        }
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        clamp(output.get_mut(..length).unwrap_or(&mut []), range.clamp);
    }
}

/// What [`add_words`] has to know.
#[repr(C)]
struct Words {
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
    /// Behind the last word written.
    end: *mut i8,
}

/// Adds words of four values. r1 and r2 read, r3 writes; r6 to r10 hold what brings inputs to one scale, then r6 to r8
/// what requantizes; r0, r12, lr and r5 become the sums.
///
/// # Safety
/// See [`add`].
#[unsafe(naked)]
unsafe extern "C" fn add_words(arguments: &Words, first: *const i8, second: *const i8, output: *mut i8) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "ldm r0, {{r4-r12}}",
        "sub sp, sp, #{bytes}",
        "stm sp, {{r4-r12}}",
        "2:",
        "ldr r4, [r1], #4",
        "ldr r5, [r2], #4",
        "ldm sp, {{r6-r10}}",
        add_element!("r0", "r5", "r4"),
        add_element!("r12", "r5, ror #8", "r4, ror #8"),
        add_element!("lr", "r5, ror #16", "r4, ror #16"),
        add_element!("r5", "r5, ror #24", "r4, ror #24"),
        "ldr r6, [sp, #{output_multiplier}]",
        "ldr r7, [sp, #{last}]",
        "ldr r8, [sp, #{constant}]",
        requantize!("r0", "r6", "r7", "r8", "r11"),
        requantize!("r12", "r6", "r7", "r8", "r11"),
        requantize!("lr", "r6", "r7", "r8", "r11"),
        requantize!("r5", "r6", "r7", "r8", "r11"),
        "bfi r0, r12, #8, #8",
        "bfi r0, lr, #16, #8",
        "bfi r0, r5, #24, #8",
        "str r0, [r3], #4",
        "ldr r6, [sp, #{end}]",
        "cmp r3, r6",
        "bne 2b",
        "add sp, sp, #{bytes}",
        "pop {{r4-r11, pc}}",
        bytes = const size_of::<Words>(),
        output_multiplier = const offset_of!(Words, output_multiplier),
        last = const offset_of!(Words, last),
        constant = const offset_of!(Words, constant),
        end = const offset_of!(Words, end),
    )
}

/// Brings every value into a range, four at once.
#[inline(never)]
fn clamp(values: &mut [i8], [least, greatest]: [i8; 2]) {
    let (words, rest) = values.as_chunks_mut::<4>();
    let [least_word, greatest_word] = [least, greatest].map(|value| i32::from_ne_bytes([value.cast_unsigned(); 4]));
    for word in words {
        let mut value = i32::from_ne_bytes(word.map(i8::cast_unsigned));
        // SAFETY: the instructions compute on registers.
        unsafe {
            asm!(
                "ssub8 {scratch}, {value}, {least}",
                "sel {value}, {value}, {least}",
                "ssub8 {scratch}, {greatest}, {value}",
                "sel {value}, {value}, {greatest}",
                value = inout(reg) value,
                least = in(reg) least_word,
                greatest = in(reg) greatest_word,
                scratch = out(reg) _,
                options(pure, nomem, nostack),
            );
        }
        *word = value.to_ne_bytes().map(u8::cast_signed);
    }
    for value in rest {
        *value = crate::quantized::saturate(i32::from(*value), [least, greatest]);
    }
}

/// As [`portable::convolve_3x3`](super::portable::convolve_3x3), to the bit: four channels at a time, two taps
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

/// As [`portable::dot_i8`](super::portable::dot_i8), to the bit: two taps a multiplication.
#[inline]
pub fn dot_i8(weights: &[i8], values: &[i8], accumulator: i32) -> i32 {
    let length = weights.len().min(values.len());
    let quads = length / 4;
    let mut sum = accumulator;
    if quads > 0 {
        // SAFETY: the loop reads `quads` words from both pointers, 4 * quads bytes, no more than
        // either slice holds; LDR reads at any alignment (the core's default, which
        // the runtime does not change). It writes registers only.
        unsafe {
            asm!(
                "2:",
                "ldr {weight}, [{weights}], #4",
                "ldr {value}, [{values}], #4",
                "sxtb16 {odd}, {weight}, ror #8",
                "sxtb16 {weight}, {weight}",
                "sxtb16 {value_odd}, {value}, ror #8",
                "sxtb16 {value}, {value}",
                "smlad {sum}, {odd}, {value_odd}, {sum}",
                "subs {quads}, {quads}, #1",
                "smlad {sum}, {weight}, {value}, {sum}",
                "bne 2b",
                weights = inout(reg) weights.as_ptr() => _,
                values = inout(reg) values.as_ptr() => _,
                quads = inout(reg) quads => _,
                weight = out(reg) _,
                odd = out(reg) _,
                value = out(reg) _,
                value_odd = out(reg) _,
                sum = inout(reg) sum,
                options(readonly, nostack),
            );
        }
    }
    let rest = quads.wrapping_mul(4);
    super::portable::dot_i8(weights.get(rest..).unwrap_or(&[]), values.get(rest..).unwrap_or(&[]), sum)
}

/// As [`portable::dot_pixels`](super::portable::dot_pixels), to the bit: four channels at once.
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
        // SAFETY: `starts` holds `taps` pointers, and the loop reads as many. Each points to at
        // least 4 * groups values, of which it reads the four from 4 * group on. `filter` has
        // moved on by 4 * taps in each group before, and `weights` holds 4 * taps * groups. LDR
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
    let done = groups.wrapping_mul(4);
    if let (Some(sums @ [_, ..]), Some(weights)) = (sums.get_mut(done..), weights.get(done.wrapping_mul(taps)..)) {
        super::portable::dot_pixels_from(groups, pixels, weights, sums);
    }
}
