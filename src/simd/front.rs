//! What stands in front of the loops of more than one form.

#[cfg(any(microception_thumb2, all(microception_dsp, not(microception_helium))))]
use super::Sum;
#[cfg(not(microception_thumb1))]
use super::TAPS;
#[cfg(any(microception_thumb1, microception_thumb2, all(microception_dsp, not(microception_helium))))]
use super::{LANES, Pair, portable};

/// A [`Sum`], as the loops of `add` take it. They read neighbours at once.
#[cfg(any(microception_thumb2, all(microception_dsp, not(microception_helium))))]
#[repr(C)]
pub(super) struct Addition {
    /// Minus the second input's zero point, shifted as its values are: by 21 bits, since twice a value takes the doubled
    /// product's high half.
    pub second_zero: i32,
    /// The second input's factor: its mantissa,
    pub multiplier: i32,
    /// what rounds its shift,
    pub half: i32,
    /// and its shift to the right.
    pub exponent: u32,
    /// Minus the first input's zero point, shifted as its values are: by 19 bits.
    pub first_zero: i32,
    /// The output's factor: its mantissa,
    pub output_multiplier: i32,
    /// and its shift to the right, less the last bit.
    pub last: i32,
    /// Twice the output's zero point, and one, shifted by [`last`](Addition::last).
    pub constant: i32,
    /// Behind the last element written.
    pub end: *mut i8,
}

#[cfg(any(microception_thumb2, all(microception_dsp, not(microception_helium))))]
impl Addition {
    pub fn of(sum: &Sum, end: *mut i8) -> Addition {
        let Sum { zero_points: [first_zero, second_zero], factor, output, range } = *sum;
        let exponent = u32::from(factor.shift.unsigned_abs()) & 31;
        let last = !i32::from(output.shift);
        Addition {
            second_zero: second_zero.wrapping_neg().wrapping_shl(21),
            multiplier: factor.multiplier,
            half: 1i32.wrapping_shl(exponent.wrapping_sub(1)),
            exponent,
            first_zero: first_zero.wrapping_neg().wrapping_shl(19),
            output_multiplier: output.multiplier,
            last,
            constant: range.zero_point.wrapping_mul(2).wrapping_add(1).wrapping_shl(last.cast_unsigned()),
            end,
        }
    }
}

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
            super::portable::dot_pixels_from(self.count, pixels, weights, sums);
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
    if quads != 0 && portable::columns_fit(run, step, quads, &lanes) {
        let lanes = tile.as_mut_ptr().wrapping_add(lanes.start)..tile.as_mut_ptr().wrapping_add(lanes.end);
        // SAFETY: the function reads `quads` words for each lane, `step` bytes behind those of the one before: the run
        // holds them. It writes every fourth pair from each lane's first on, 2 * quads of them: as many as the tile has.
        unsafe { widen_quads(run.as_ptr(), step, lanes.start, quads, lanes.end) };
    }
}
