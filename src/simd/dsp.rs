//! The inner loops with the DSP instructions of Armv7E-M (Cortex-M4, M7).

use core::arch::asm;

use super::{LANES, QUAD, TAPS};

/// As [`portable::widen`](super::portable::widen), to the bit: a quad in four instructions.
#[inline]
pub fn widen(column: &[i8], lane: usize, tile: &mut [i16]) {
    let from = lane.wrapping_mul(QUAD);
    let Some(lanes) = tile.get_mut(from..) else { return };
    let quads = (column.len() / QUAD).min(lanes.len().wrapping_add(QUAD * (LANES - 1)) / (QUAD * LANES));
    if quads > 0 {
        // SAFETY: the loop reads `quads` words from `column`, no more than it holds, and writes 8
        // bytes at every 32nd of `lanes`, the last of them at 32 * (quads - 1), which leaves room
        // for them: quads is at most (length + 12) / 16 in elements, and a multiple of 4 elements
        // remains behind each multiple of 16. STR works at any alignment.
        unsafe {
            asm!(
                "2:",
                "ldr {value}, [{column}], #4",
                "subs {quads}, {quads}, #1",
                "sxtb16 {even}, {value}",
                "sxtb16 {value}, {value}, ror #8",
                "str {even}, [{lanes}]",
                "str {value}, [{lanes}, #4]",
                "add {lanes}, {lanes}, #32",
                "bne 2b",
                column = inout(reg) column.as_ptr() => _,
                lanes = inout(reg) lanes.as_mut_ptr() => _,
                quads = inout(reg) quads => _,
                value = out(reg) _,
                even = out(reg) _,
                options(nostack),
            );
        }
    }
    let done = quads.wrapping_mul(QUAD);
    if let (Some(rest), Some(tile)) = (column.get(done..), tile.get_mut(quads.wrapping_mul(QUAD * LANES)..)) {
        super::portable::widen(rest, lane, tile);
    }
}

/// As [`portable::dot_tile`](super::portable::dot_tile), to the bit: sixteen products in eighteen
/// instructions.
#[inline]
pub fn dot_tile(filter: &[i8], tile: &[i16], accumulator: i32) -> [i32; LANES] {
    if tile.as_ptr().align_offset(4) != 0 {
        return misaligned_dot_tile(filter, tile, accumulator);
    }
    let quads = (filter.len() / QUAD).min(tile.len() / (QUAD * LANES));
    let [mut sum0, mut sum1, mut sum2, mut sum3] = [accumulator; LANES];
    if quads > 0 {
        // SAFETY: the loop reads `quads` words from `filter` and 32 bytes as often from `tile`,
        // no more than either holds. LDRD needs 4-byte alignment, which was checked; LDR none.
        // It writes registers only.
        unsafe {
            asm!(
                "2:",
                "ldr {odd}, [{filter}], #4",
                "ldrd {low}, {high}, [{tile}]",
                "sxtb16 {even}, {odd}",
                "sxtb16 {odd}, {odd}, ror #8",
                "smlad {sum0}, {even}, {low}, {sum0}",
                "smlad {sum0}, {odd}, {high}, {sum0}",
                "ldrd {low}, {high}, [{tile}, #8]",
                "subs {quads}, {quads}, #1",
                "smlad {sum1}, {even}, {low}, {sum1}",
                "smlad {sum1}, {odd}, {high}, {sum1}",
                "ldrd {low}, {high}, [{tile}, #16]",
                "smlad {sum2}, {even}, {low}, {sum2}",
                "smlad {sum2}, {odd}, {high}, {sum2}",
                "ldrd {low}, {high}, [{tile}, #24]",
                "add {tile}, {tile}, #32",
                "smlad {sum3}, {even}, {low}, {sum3}",
                "smlad {sum3}, {odd}, {high}, {sum3}",
                "bne 2b",
                filter = inout(reg) filter.as_ptr() => _,
                tile = inout(reg) tile.as_ptr() => _,
                quads = inout(reg) quads => _,
                even = out(reg) _,
                odd = out(reg) _,
                low = out(reg) _,
                high = out(reg) _,
                sum0 = inout(reg) sum0,
                sum1 = inout(reg) sum1,
                sum2 = inout(reg) sum2,
                sum3 = inout(reg) sum3,
                options(readonly, nostack),
            );
        }
    }
    [sum0, sum1, sum2, sum3]
}

/// For a tile that LDRD can't read. The arena aligns every tile: out of the way of those.
#[cold]
#[inline(never)]
fn misaligned_dot_tile(filter: &[i8], tile: &[i16], accumulator: i32) -> [i32; LANES] {
    super::portable::dot_tile(filter, tile, accumulator)
}

/// As [`portable::dot_i8`](super::portable::dot_i8), to the bit: two taps a multiplication.
#[inline]
pub fn dot_i8(weights: &[i8], values: &[i8], accumulator: i32) -> i32 {
    let length = weights.len().min(values.len());
    let quads = length / 4;
    let mut sum = accumulator;
    if quads > 0 {
        // SAFETY: the loop reads `quads` words from both pointers, 4 * quads bytes, no more than
        // either slice holds; LDR on Armv7E-M reads at any alignment (the core's default, which
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
