//! What stands in front of the loops of more than one form.

#[cfg(any(microception_thumb1, microception_thumb2))]
use super::Row;
#[cfg(not(microception_thumb1))]
use super::TAPS;
#[cfg(microception_thumb1)]
use super::thumb1::convolve_row;
#[cfg(microception_thumb2)]
use super::thumb2::convolve_row;
#[cfg(any(microception_thumb1, microception_thumb2, all(microception_dsp, not(microception_helium))))]
use super::{LANES, Pair, portable};

/// Groups of four channels in `dot_pixels`, of which every pixel, weight and sum is there.
#[cfg(not(microception_thumb1))]
pub(super) struct PixelGroups {
    /// How many there are.
    pub count: usize,
    /// Pixels: at least one, at most [`TAPS`].
    pub taps: usize,
    /// Where they begin: `taps` pointers to `4 * count` values.
    pub starts: [*const i8; TAPS],
}

#[cfg(not(microception_thumb1))]
impl PixelGroups {
    /// `None` where there are no pixels, or too many.
    #[inline]
    pub fn of(pixels: &[&[i8]], weights: &[i8], sums: &[i32]) -> Option<PixelGroups> {
        let taps = pixels.len();
        if taps == 0 || taps > TAPS {
            return None;
        }
        let shortest = pixels.iter().fold(usize::MAX, |shortest, pixel| shortest.min(pixel.len()));
        let count = (shortest / 4).min(sums.len() / 4).min(weights.len() / taps.wrapping_mul(4).max(1));
        let mut starts = [core::ptr::null::<i8>(); TAPS];
        for (start, pixel) in starts.iter_mut().zip(pixels) {
            *start = pixel.as_ptr();
        }
        Some(PixelGroups { count, taps, starts })
    }

    /// What the channels behind whole groups add.
    #[inline]
    pub fn rest(&self, pixels: &[&[i8]], weights: &[i8], sums: &mut [i32]) {
        let done = self.count.wrapping_mul(4);
        if let (Some(sums @ [_, ..]), Some(weights)) =
            (sums.get_mut(done..), weights.get(done.wrapping_mul(self.taps)..))
        {
            super::portable::depthwise::dot_pixels_from(self.count, pixels, weights, sums);
        }
    }
}

/// Widens `quads` (at least one) words into every fourth pair from `lane` on, then those `step` bytes behind into the next
/// lane's, up to `end` (not `lane`): `(run, step, lane, quads, end)`.
#[cfg(any(microception_thumb1, microception_thumb2, all(microception_dsp, not(microception_helium))))]
pub(super) type WidenQuads = unsafe extern "C" fn(*const i8, usize, *mut Pair, usize, *mut Pair);

/// As [`portable::widen`], with a form's own loop.
#[cfg(any(microception_thumb1, microception_thumb2, all(microception_dsp, not(microception_helium))))]
#[inline(always)]
pub(super) fn widen(
    run: &[i8],
    step: usize,
    lanes: core::ops::Range<usize>,
    tile: &mut [Pair],
    widen_quads: WidenQuads,
) {
    let quads = tile.len() / (2 * LANES);
    if quads != 0 && portable::tile::columns_fit(run, step, quads, &lanes) {
        let lanes = tile.as_mut_ptr().wrapping_add(lanes.start)..tile.as_mut_ptr().wrapping_add(lanes.end);
        // SAFETY: the function reads `quads` words for each lane, `step` bytes behind those of the one before: the run
        // holds them. It writes every fourth pair from each lane's first on, 2 * quads of them: as many as the tile has.
        unsafe { widen_quads(run.as_ptr(), step, lanes.start, quads, lanes.end) };
    }
}

/// As [`portable::convolve_3x3`], to the bit, with the core's own `convolve_row`.
#[cfg(any(microception_thumb1, microception_thumb2))]
pub fn convolve_3x3<'l>(
    row: &Row<'_>,
    rows: usize,
    line: impl Fn(usize, usize) -> Option<&'l [i8]>,
    scratch: &mut [u32],
    output: &mut [i8],
) {
    if size_of_val(scratch) >= Row::scratch_bytes(row.width, row.output_width, row.stride, row.left, 1) {
        row.each(rows, line, output, |lines, output| convolve_row(row, lines, scratch, output));
    }
}

/// Brings every value into a range.
#[cfg(any(microception_thumb1, microception_thumb2, microception_helium))]
#[inline(never)]
pub(super) fn clamp(values: &mut [i8], range: [i8; 2]) {
    for value in values {
        *value = crate::quantized::saturate(i32::from(*value), range);
    }
}
