//! Columns of 16-bit values, multiplied with pairs of filters, and pixels with the taps of a depthwise window.

use core::arch::naked_asm;
use core::mem::offset_of;

use crate::quantized::WideChannel;
use crate::simd::{FILTERS, LANES, QUAD, TAPS, int16};

/// Bytes of a quad of both filters' weights.
const WEIGHT_BYTES: usize = QUAD * FILTERS;

/// What two lanes are multiplied with, and how far that is.
#[repr(C)]
struct Lanes {
    /// The columns of both lanes.
    columns: [*const i16; 2],
    /// Where the results of the next pair of filters go, for each lane.
    outputs: [*mut i16; 2],
    /// The channels of the next pair.
    channels: *const WideChannel,
    /// Behind those of the last.
    end: *const WideChannel,
    filters: *const i8,
    /// Bytes of a pair's weights.
    filter_bytes: usize,
}

/// As [`portable`](int16::multiply_columns_i16), to the bit: sixteen products in sixteen instructions, a result in nine. Columns
/// that do not lie on words, or have not as many quads as the filters, go the portable way.
#[inline(never)]
pub fn multiply_columns_i16(
    columns: [&[i16]; LANES],
    filters: &[i8],
    channels: &[WideChannel],
    clamp: [i16; 2],
    output: &mut [i16],
) {
    let outputs = channels.len();
    let whole = outputs / FILTERS * FILTERS;
    let quads = columns[0].len() / QUAD;
    let filter_bytes = quads.wrapping_mul(WEIGHT_BYTES);
    let fits = |column: &[i16]| column.len() / QUAD == quads && column.as_ptr().addr().is_multiple_of(4);
    let lanes = output.len().checked_div(outputs).unwrap_or(0).min(LANES);
    if quads == 0
        || whole == 0
        || !columns.iter().take(lanes).all(|column| fits(column))
        || !filters.as_ptr().addr().is_multiple_of(4)
        || filters.len().checked_div(filter_bytes).is_none_or(|pairs| pairs < whole / FILTERS)
    {
        return int16::multiply_columns_i16(columns, filters, channels, clamp, output);
    }
    let start = output.as_mut_ptr();
    for lane in (0..lanes).step_by(2) {
        // A lane that there is not does what the one before it does.
        let lanes = [lane, if lane + 1 < lanes { lane + 1 } else { lane }];
        let mut lanes = Lanes {
            columns: lanes.map(|lane| columns.get(lane).map_or(core::ptr::null(), |column| column.as_ptr())),
            outputs: lanes.map(|lane| start.wrapping_add(lane.wrapping_mul(outputs))),
            channels: channels.as_ptr(),
            end: channels.as_ptr().wrapping_add(whole),
            filters: filters.as_ptr(),
            filter_bytes,
        };
        let run = if clamp == [0, i16::MAX] { unsigned } else { signed };
        // SAFETY: for each of `whole / 2` pairs of filters, at least one, the loop reads `quads` times 8 bytes, at least once, of
        // its weights and of both columns, and two channels: by the checks above these have them, and what LDRD reads lies on
        // words. It writes a number of each lane for each of the `whole` channels, which has room in the output: `lanes` of its
        // pixels have `outputs` numbers.
        unsafe { run(&mut lanes) };
    }
    if whole < outputs {
        // The last filter beside one of zeros.
        let (rest, last) =
            (filters.get(whole / FILTERS * filter_bytes..).unwrap_or(&[]), channels.get(whole..).unwrap_or(&[]));
        int16::multiply_filters(columns, rest, last, clamp, outputs, output.get_mut(whole..).unwrap_or(&mut []));
    }
    if clamp != [i16::MIN, i16::MAX] && clamp != [0, i16::MAX] {
        let [least, greatest] = clamp;
        for value in output {
            *value = (*value).min(greatest).max(least);
        }
    }
}

/// One quad of two lanes times those of two filters.
macro_rules! quad {
    () => {
        "ldrd r8, r9, [r0], #8
        sxtb16 r10, r8
        sxtb16 r8, r8, ror #8
        sxtb16 r11, r9
        sxtb16 r9, r9, ror #8
        ldrd r12, lr, [r1], #8
        smlad r4, r10, r12, r4
        smlad r5, r11, r12, r5
        smlad r4, r8, lr, r4
        smlad r5, r9, lr, r5
        ldrd r12, lr, [r2], #8
        smlad r6, r10, r12, r6
        smlad r7, r11, r12, r7
        smlad r6, r8, lr, r6
        smlad r7, r9, lr, r7"
    };
}

/// The results of one filter in both lanes, by the channel that r1 points to, which moves on; lr is 1.
macro_rules! results {
    ($first:literal, $second:literal, $saturate:literal, $bits:literal) => {
        concat!(
            "ldr r9, [r1, #{multiplier}]\n",
            "ldrsb r10, [r1, #{shift}]\n",
            "ldr r8, [r1], #{channel_bytes}\n",
            "mvn r10, r10\n",
            "sub r11, r10, #1\n",
            "lsl r11, lr, r11\n",
            result!($first, "r2", $saturate, $bits),
            result!($second, "r3", $saturate, $bits),
        )
    };
}

/// A sum becomes a result: see [`WideChannel::store_bounded`].
macro_rules! result {
    ($sum:literal, $output:literal, $saturate:literal, $bits:literal) => {
        concat!(
            "add ",
            $sum,
            ", ",
            $sum,
            ", r8\n",
            "smmla ",
            $sum,
            ", ",
            $sum,
            ", r9, r11\n",
            "asr ",
            $sum,
            ", ",
            $sum,
            ", r10\n",
            $saturate,
            " ",
            $sum,
            ", #",
            $bits,
            ", ",
            $sum,
            "\n",
            "strh ",
            $sum,
            ", [",
            $output,
            "], #2\n",
        )
    };
}

/// The results of whole pairs of filters in two lanes.
macro_rules! multiply_two_lanes {
    ($name:ident, $saturate:literal, $bits:literal) => {
        /// The results of whole pairs of filters in two lanes, cut as the name says.
        ///
        /// # Safety
        /// There is at least one pair of filters, of at least one quad; weights, columns and channels can be read as far as
        /// that, outputs written, weights and columns lie on words.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(lanes: *mut Lanes) {
            naked_asm!(
                core!(),
                "push {{r0, r4-r11, lr}}",
                "mov r12, r0",
                "ldr r0, [r12, #{filters}]",
                "2:",
                "ldrd r1, r2, [r12, #{columns}]",
                "ldr r3, [r12, #{filter_bytes}]",
                "mov r4, #0",
                "mov r5, #0",
                "mov r6, #0",
                "mov r7, #0",
                // An odd number of quads begins in the middle.
                "lsls r8, r3, #28",
                "add r3, r0, r3",
                "bne 4f",
                "3:",
                quad!(),
                "4:",
                quad!(),
                "cmp r0, r3",
                "bne 3b",
                "ldr r12, [sp]",
                "mov lr, #1",
                "ldr r1, [r12, #{channels}]",
                "ldrd r2, r3, [r12, #{outputs}]",
                results!("r4", "r6", $saturate, $bits),
                results!("r5", "r7", $saturate, $bits),
                "ldr r8, [r12, #{end}]",
                "str r1, [r12, #{channels}]",
                "strd r2, r3, [r12, #{outputs}]",
                "cmp r1, r8",
                "bne 2b",
                "pop {{r0, r4-r11, pc}}",
                filters = const offset_of!(Lanes, filters),
                columns = const offset_of!(Lanes, columns),
                filter_bytes = const offset_of!(Lanes, filter_bytes),
                channels = const offset_of!(Lanes, channels),
                outputs = const offset_of!(Lanes, outputs),
                end = const offset_of!(Lanes, end),
                multiplier = const offset_of!(WideChannel, multiplier),
                shift = const offset_of!(WideChannel, shift),
                channel_bytes = const size_of::<WideChannel>(),
            )
        }
    };
}

multiply_two_lanes!(signed, "ssat", "16");
multiply_two_lanes!(unsigned, "usat", "15");

// What the results' bias is read from.
const _: () = assert!(offset_of!(WideChannel, low) == 0);

/// As [`portable`](int16::dot_pixels_i16), to the bit: four products in twelve instructions. Pixels that do not lie on words
/// go the portable way.
#[inline]
pub fn dot_pixels_i16(pixels: &[&[i16]], weights: &[i8], sums: &mut [i32]) {
    let groups = sums.len() / QUAD;
    let whole = groups * QUAD;
    let fits = |pixel: &&[i16]| pixel.len() >= whole && pixel.as_ptr().addr().is_multiple_of(4);
    let mut places = [core::ptr::null(); TAPS];
    if groups == 0
        || pixels.is_empty()
        || pixels.len() > TAPS
        || !pixels.iter().all(fits)
        || weights.len() / pixels.len().max(1) < whole
    {
        return int16::dot_pixels_i16(pixels, weights, sums);
    }
    for (place, pixel) in places.iter_mut().zip(pixels) {
        *place = pixel.as_ptr();
    }
    let (of_groups, rest) = sums.split_at_mut_checked(whole).unwrap_or_default();
    let end = places.as_ptr().wrapping_add(pixels.len());
    // SAFETY: for each of `groups` quads of sums, at least one, the loop reads a quad of each of the pixels that `places` has up
    // to `end`, at least one, and of its weights: by the checks above these have as many, and pixels lie on words as LDRD needs.
    // LDM and STM are of i32, which do.
    unsafe {
        dot_groups(places.as_ptr(), end, weights.as_ptr(), of_groups.as_mut_ptr(), of_groups.as_mut_ptr_range().end);
    }
    if !rest.is_empty() {
        let weights = weights.get(whole.wrapping_mul(pixels.len())..).unwrap_or(&[]);
        for (place, &pixel) in pixels.iter().enumerate() {
            let weights = weights.get(place.wrapping_mul(QUAD)..).unwrap_or(&[]);
            int16::dot_pixels_i16(&[pixel.get(whole..).unwrap_or(&[])], weights, rest);
        }
    }
}

/// Adds to quads of sums the products of as many quads of each pixel with weights `[quad][pixel][4]`.
///
/// # Safety
/// From `pixels` up to `end` there is at least one address of a pixel, on a word, and from `sums` up to `sums_end` at least one
/// quad; of each pixel as many quads can be read, and of weights as many for each.
#[unsafe(naked)]
unsafe extern "C" fn dot_groups(
    pixels: *const *const i16,
    end: *const *const i16,
    weights: *const i8,
    sums: *mut i32,
    sums_end: *mut i32,
) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "mov r8, #0",
        "2:",
        "ldm r3, {{r4-r7}}",
        "mov lr, r0",
        "3:",
        "ldr r9, [lr], #4",
        "ldr r11, [r2], #4",
        "add r9, r9, r8",
        "ldrd r9, r10, [r9]",
        "sxtb16 r12, r11",
        "sxtb16 r11, r11, ror #8",
        "smlabb r4, r9, r12, r4",
        "smlatb r5, r9, r11, r5",
        "smlabt r6, r10, r12, r6",
        "smlatt r7, r10, r11, r7",
        "cmp lr, r1",
        "bne 3b",
        "stm r3!, {{r4-r7}}",
        "ldr r9, [sp, #36]",
        "add r8, r8, #8",
        "cmp r3, r9",
        "bne 2b",
        "pop {{r4-r11, pc}}",
    )
}
