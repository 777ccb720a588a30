//! Convolutions: a tile of columns times filters.
//!
//! As on a Cortex-M3 a multiplication makes two products: two columns lie in one word, the second times 2^16, and two
//! products in a row fit into 16 bits. Of their sum, the word goes to one sum and its upper half to another: what the
//! shift drops last is the lower half's sign, which the upper half lacks, and ADC adds it. The lower sum is in the end the
//! word's less the upper one's.
//!
//! Weights of eight filters lie side by side, as bytes: so the next weight lies as far behind as the next element of a
//! tile, and the tile's pointer is an index to both, the only way that a signed byte takes one instruction.

use core::arch::naked_asm;
use core::mem::offset_of;
use core::ops;

use bytemuck::{must_cast, must_cast_slice};

use super::clamp;
use crate::quantized::{Channel, Factor, Range};
use crate::simd::order::SIDE_BY_SIDE as PAIRS;
use crate::simd::{FILTERS, LANES, Pair, front, portable};

/// The words of a pair of filters, wherever [`Order::SideBySide`](crate::simd::Order::SideBySide) has put them.
pub fn words(weights: &[[i8; 4]], index: usize, pair_words: usize) -> impl Iterator<Item = [i8; 4]> {
    let (halves, _) = must_cast_slice::<_, i8>(weights).as_chunks::<FILTERS>();
    let elements = pair_words.wrapping_mul(2);
    let grouped = weights.len().checked_div(pair_words).unwrap_or(0) / PAIRS * PAIRS;
    let (from, step) = match index < grouped {
        true => ((index / PAIRS * PAIRS).wrapping_mul(elements).wrapping_add(index % PAIRS), PAIRS),
        false => (index.wrapping_mul(elements), 1),
    };
    let mut halves = halves.iter().skip(from).step_by(step);
    (0..pair_words).map_while(move |_| {
        let (&[first_low, second_low], &[first_high, second_high]) = (halves.next()?, halves.next()?);
        Some([first_low, second_low, first_high, second_high])
    })
}

/// As [`portable::widen`], to the bit. Columns that don't begin with words are left to it.
#[inline]
pub fn widen(run: &[i8], step: usize, lanes: ops::Range<usize>, tile: &mut [Pair]) {
    if (run.as_ptr().addr() | step).is_multiple_of(4) {
        front::widen(run, step, lanes, tile, widen_quads);
    } else {
        portable::widen(run, step, lanes, tile);
    }
}

/// See [`front::WidenQuads`]. Every other byte of a word, made 128 greater so that none is negative, becomes the lower half
/// of 16 bits; adding 2^15 - 128 carries nothing from half to half, and leaves only the top bits wrong.
///
/// # Safety
/// See [`front::widen`]; columns begin with words.
#[unsafe(naked)]
unsafe extern "C" fn widen_quads(run: *const i8, step: usize, lane: *mut Pair, quads: usize, end: *mut Pair) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "ldr r4, [sp, #36]",
        "mov lr, r4",
        "mov r12, r1",
        "lsls r3, r3, #2",
        "mov r9, r3",
        "adr r4, 4f",
        "ldm r4, {{r4-r7}}",
        // Each lane: r10 is the end of its column, r11 the next one's start.
        "2:",
        "mov r8, r2",
        "mov r1, r2",
        "mov r3, r0",
        "add r3, r9",
        "mov r10, r3",
        "mov r3, r0",
        "add r3, r12",
        "mov r11, r3",
        "3:",
        "ldm r0!, {{r2}}",
        "eors r2, r4",
        "mov r3, r5",
        "ands r3, r2",
        "adds r3, r3, r6",
        "eors r3, r7",
        "str r3, [r1]",
        "lsrs r2, r2, #8",
        "ands r2, r5",
        "adds r2, r2, r6",
        "eors r2, r7",
        "str r2, [r1, #16]",
        "adds r1, #32",
        "cmp r0, r10",
        "bne 3b",
        "mov r0, r11",
        "mov r2, r8",
        "adds r2, #4",
        "cmp r2, lr",
        "bne 2b",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
        ".p2align 2",
        "4:",
        ".word 0x80808080, 0x00ff00ff, 0x7f807f80, 0x80008000",
    )
}

/// As [`portable::multiply_tile`], to the bit.
#[inline(never)]
pub fn multiply_tile(tile: &mut [Pair], weights: &[i8], channels: &[Channel], range: &Range, output: &mut [i8]) {
    let stride = channels.len();
    let pairs = tile.len() / LANES;
    let pixels = output.len().checked_div(stride).unwrap_or(0).min(LANES);
    let pair_bytes = pairs.wrapping_mul(2 * FILTERS);
    if weights.len() < pair_bytes.wrapping_mul(stride.div_ceil(FILTERS)) || pairs == 0 || pixels == 0 {
        return;
    }
    let group_bytes = pair_bytes.wrapping_mul(PAIRS);
    let groups = weights.len().checked_div(group_bytes).unwrap_or(0);
    let filters = groups.wrapping_mul(PAIRS * FILTERS).min(stride);
    if filters < stride {
        portable::tile::multiply_tile_from(filters, tile, weights, channels, range, output);
    }
    if filters != 0 {
        side_by_side(tile);
        let start = output.as_mut_ptr();
        let addresses = tile.as_mut_ptr_range();
        // Pairs that the first round of the unrolled loop leaves out.
        let skipped = pairs.next_multiple_of(UNROLLED).wrapping_sub(pairs);
        let arguments = Tile {
            // A lane that has no pixel writes before the first lane does, to the same place.
            lanes: [0, 1, 2, 3]
                .map(|lane| start.wrapping_add(if lane < pixels { lane.wrapping_mul(stride) } else { 0 })),
            tile: addresses.start,
            end: addresses.start.wrapping_add(pairs.wrapping_mul(LANES)),
            weights: weights.as_ptr().addr().wrapping_sub(addresses.start.addr()),
            skipped: skipped.wrapping_mul(PAIR_CODE),
            channels: channels.as_ptr(),
            filters,
            next_group: group_bytes.wrapping_sub(PAIRS * FILTERS),
            constant: range.zero_point.wrapping_mul(2).wrapping_add(1),
        };
        // SAFETY: the tile has `pairs` (not 0) times LANES pairs, aligned as words: the function reads them up to `end`.
        // It reads a weight for every element of each of `filters` filters (not 0), of eight side by side in
        // `group_bytes`: `weights` holds whole groups of so many. It reads `filters` channels, no more than there are,
        // and writes as many bytes from the start of each lane's pixel on: `output` has room for `pixels` pixels, and the
        // other lanes write to the first.
        unsafe { multiply_filters(&arguments) };
    }
    if range.clamp != [i8::MIN, i8::MAX] {
        clamp(output.get_mut(..pixels.wrapping_mul(stride)).unwrap_or(&mut []), range.clamp);
    }
}

/// Puts two lanes of a tile into one word, the second times 2^16: four pairs `[lane][element]` become four words
/// `[element][lane / 2]`.
fn side_by_side(tile: &mut [Pair]) {
    let (pairs, _) = tile.as_chunks_mut::<LANES>();
    for pair in pairs {
        let [first, second, third, fourth] = pair.map(must_cast::<Pair, i32>);
        let both = |low: i32, high: i32| must_cast::<i32, Pair>(low.wrapping_add(high));
        *pair = [
            both(first << 16 >> 16, second << 16),
            both(third << 16 >> 16, fourth << 16),
            both(first >> 16, second >> 16 << 16),
            both(third >> 16, fourth >> 16 << 16),
        ];
    }
}

/// What [`multiply_filters`] works on.
#[repr(C)]
struct Tile {
    /// The pixels' first channels.
    lanes: [*mut i8; LANES],
    /// The tile's elements, [`side_by_side`].
    tile: *const Pair,
    /// Behind them.
    end: *const Pair,
    /// How far behind the tile the weights are.
    weights: usize,
    /// Bytes of code that the first round leaves out.
    skipped: usize,
    /// The next filter's channel.
    channels: *const Channel,
    /// How many filters there are.
    filters: usize,
    /// Bytes from behind the first weight of a group's last filter to the first of the next group.
    next_group: usize,
    /// Twice the zero point, and one.
    constant: i32,
}

/// Words of a [`Tile`], which are kept on the stack: three times four.
const _: () = assert!(size_of::<Tile>() == 48);

/// Pairs of elements in one round of the loop over a tile.
const UNROLLED: usize = 8;

/// Bytes of code for one pair of elements.
const PAIR_CODE: usize = 34;

/// Multiplies a tile of four columns with filters.
///
/// In the loop r0 reads the tile and, with r1, the weights; r2, r3 and r5 are products; r8 and r9 the sums of words, r6
/// and r7 those of upper halves; r10 is the end of the tile. r12 counts filters.
///
/// # Safety
/// What `arguments` points to must be there: see [`multiply_tile`].
#[unsafe(naked)]
unsafe extern "C" fn multiply_filters(arguments: &Tile) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "sub sp, sp, #{tile_bytes}",
        "mov r1, sp",
        ".rept 3",
        "ldm r0!, {{r2-r5}}",
        "stm r1!, {{r2-r5}}",
        ".endr",
        // Where the first round begins, as an address in Thumb code.
        "adr r1, 3f",
        "ldr r0, [sp, #{skipped}]",
        "adds r0, r0, r1",
        "adds r0, #1",
        "str r0, [sp, #{skipped}]",
        "movs r0, #0",
        "mov r12, r0",
        // Each filter.
        "2:",
        "ldr r4, [sp, #{channels}]",
        "ldr r6, [r4, #{bias}]",
        "ldr r0, [sp, #{end}]",
        "mov r10, r0",
        "ldr r0, [sp, #{tile}]",
        "ldr r1, [sp, #{weights}]",
        "lsls r3, r6, #16",
        "adds r3, r3, r6",
        "mov r8, r3",
        "mov r9, r3",
        "mov r7, r6",
        "ldr r2, [sp, #{skipped}]",
        "bx r2",
        ".p2align 2",
        "3:",
        ".rept {unrolled}",
        "ldrsb r4, [r1, r0]",
        "ldm r0!, {{r2, r3}}",
        "muls r2, r4, r2",
        "muls r3, r4, r3",
        "ldrsb r4, [r1, r0]",
        "ldm r0!, {{r5}}",
        "muls r5, r4, r5",
        "adds r2, r2, r5",
        "ldm r0!, {{r5}}",
        "muls r5, r4, r5",
        "adds r3, r3, r5",
        "add r8, r2",
        "asrs r2, r2, #16",
        "adcs r6, r2",
        "add r9, r3",
        "asrs r3, r3, #16",
        "adcs r7, r3",
        ".endr",
        "cmp r0, r10",
        "beq 4f",
        "b 3b",
        // Results, from the last lane on.
        "4:",
        "lsls r0, r6, #16",
        "mov r1, r8",
        "subs r1, r1, r0",
        "mov r8, r1",
        "lsls r0, r7, #16",
        "mov r1, r9",
        "subs r1, r1, r0",
        "mov r9, r1",
        "mov r0, r7",
        "ldr r4, [sp, #{channels}]",
        "ldr r1, [sp, #{constant}]",
        factor!(),
        "adds r4, #{channel_bytes}",
        "str r4, [sp, #{channels}]",
        requantize!(),
        "ldr r5, [sp, #12]",
        "mov r3, r12",
        "strb r4, [r5, r3]",
        "mov r0, r9",
        requantize!(),
        "ldr r5, [sp, #8]",
        "mov r3, r12",
        "strb r4, [r5, r3]",
        "mov r0, r6",
        requantize!(),
        "ldr r5, [sp, #4]",
        "mov r3, r12",
        "strb r4, [r5, r3]",
        "mov r0, r8",
        requantize!(),
        "ldr r5, [sp]",
        "mov r3, r12",
        "strb r4, [r5, r3]",
        "adds r3, #1",
        "mov r12, r3",
        // The next filter's weights: a byte further, but from group to group.
        "ldr r1, [sp, #{weights}]",
        "adds r1, #1",
        "lsls r2, r3, #29",
        "bne 5f",
        "ldr r2, [sp, #{next_group}]",
        "adds r1, r1, r2",
        "5:",
        "str r1, [sp, #{weights}]",
        "ldr r2, [sp, #{filters}]",
        "cmp r2, r3",
        "beq 6f",
        "b 2b",
        "6:",
        "add sp, sp, #{tile_bytes}",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
        tile_bytes = const size_of::<Tile>(),
        tile = const offset_of!(Tile, tile),
        end = const offset_of!(Tile, end),
        weights = const offset_of!(Tile, weights),
        skipped = const offset_of!(Tile, skipped),
        channels = const offset_of!(Tile, channels),
        filters = const offset_of!(Tile, filters),
        next_group = const offset_of!(Tile, next_group),
        constant = const offset_of!(Tile, constant),
        bias = const offset_of!(Channel, bias),
        multiplier = const offset_of!(Channel, factor) + offset_of!(Factor, multiplier),
        shift = const offset_of!(Channel, factor) + offset_of!(Factor, shift),
        channel_bytes = const size_of::<Channel>(),
        unrolled = const UNROLLED,
    )
}
