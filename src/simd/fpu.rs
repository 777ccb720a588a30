//! The inner loops of f32 with the FPU of Armv7E-M and Armv8-M (single precision, 32 registers).

use core::arch::naked_asm;
use core::marker::PhantomData;

use super::float::FILTERS;
use super::{LANES, TAPS};

/// As [`float::Columns`](super::float::Columns).
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    starts: [*const f32; LANES],
    /// How many values there are at each, at least.
    length: usize,
    values: PhantomData<&'a [f32]>,
}

impl<'a> Columns<'a> {
    /// As [`float::Columns::new`](super::float::Columns::new).
    #[inline]
    pub fn new(columns: [&'a [f32]; LANES]) -> Columns<'a> {
        let length = columns.iter().fold(usize::MAX, |shortest, column| shortest.min(column.len()));
        Columns { starts: columns.map(<[f32]>::as_ptr), length, values: PhantomData }
    }
}

/// As [`float::dot_tile_f32`](super::float::dot_tile_f32), to the bit: 32 products in 39 instructions.
#[inline]
pub fn dot_tile_f32(
    filters: &[f32],
    columns: &Columns<'_>,
    start: [f32; FILTERS],
    clamp: [f32; 2],
) -> [[f32; FILTERS]; LANES] {
    let length = columns.length.min(filters.len() / FILTERS);
    let mut sums = [start; LANES];
    // SAFETY: each column holds `length` values or more, and `filters` FILTERS times as many; the function reads no
    // more than these, and of the array of pointers, the sums and the range what is there.
    unsafe { dot_tile(filters.as_ptr(), columns.starts.as_ptr(), length, &mut sums, &clamp) };
    sums
}

/// Adds `length` products to each sum, `filters` being `[element][filter]`, and brings the sums into the range;
/// `columns` points to one pointer a lane.
///
/// # Safety
/// `columns` must point to [`LANES`] pointers to `length` readable values each, `filters` to [`FILTERS`] times as many.
#[unsafe(naked)]
unsafe extern "C" fn dot_tile(
    filters: *const f32,
    columns: *const *const f32,
    length: usize,
    sums: *mut [[f32; FILTERS]; LANES],
    clamp: *const [f32; 2],
) {
    // Sums are in s0 to s15, by lanes; two values of each lane in s16 to s23, the weights of two elements in s24 to s31.
    naked_asm!(
        // The assembler forgets what the target has.
        ".fpu fpv4-sp-d16",
        "push {{r4, r5, r6, r7}}",
        "vpush {{s16-s31}}",
        "ldm r1, {{r4, r5, r6, r7}}",
        "vldmia r3, {{s0-s15}}",
        "lsrs r1, r2, #1",
        "beq 3f",
        "2:",
        "vldmia r0!, {{s24-s31}}",
        "vldmia r4!, {{s16-s17}}",
        "vldmia r5!, {{s18-s19}}",
        "vldmia r6!, {{s20-s21}}",
        "vldmia r7!, {{s22-s23}}",
        "subs r1, r1, #1",
        "vmla.f32 s0, s16, s24",
        "vmla.f32 s1, s16, s25",
        "vmla.f32 s2, s16, s26",
        "vmla.f32 s3, s16, s27",
        "vmla.f32 s4, s18, s24",
        "vmla.f32 s5, s18, s25",
        "vmla.f32 s6, s18, s26",
        "vmla.f32 s7, s18, s27",
        "vmla.f32 s8, s20, s24",
        "vmla.f32 s9, s20, s25",
        "vmla.f32 s10, s20, s26",
        "vmla.f32 s11, s20, s27",
        "vmla.f32 s12, s22, s24",
        "vmla.f32 s13, s22, s25",
        "vmla.f32 s14, s22, s26",
        "vmla.f32 s15, s22, s27",
        "vmla.f32 s0, s17, s28",
        "vmla.f32 s1, s17, s29",
        "vmla.f32 s2, s17, s30",
        "vmla.f32 s3, s17, s31",
        "vmla.f32 s4, s19, s28",
        "vmla.f32 s5, s19, s29",
        "vmla.f32 s6, s19, s30",
        "vmla.f32 s7, s19, s31",
        "vmla.f32 s8, s21, s28",
        "vmla.f32 s9, s21, s29",
        "vmla.f32 s10, s21, s30",
        "vmla.f32 s11, s21, s31",
        "vmla.f32 s12, s23, s28",
        "vmla.f32 s13, s23, s29",
        "vmla.f32 s14, s23, s30",
        "vmla.f32 s15, s23, s31",
        "bne 2b",
        "3:",
        "lsls r2, r2, #31",
        "beq 4f",
        "vldmia r0!, {{s24-s27}}",
        "vldr s16, [r4]",
        "vldr s18, [r5]",
        "vldr s20, [r6]",
        "vldr s22, [r7]",
        "vmla.f32 s0, s16, s24",
        "vmla.f32 s1, s16, s25",
        "vmla.f32 s2, s16, s26",
        "vmla.f32 s3, s16, s27",
        "vmla.f32 s4, s18, s24",
        "vmla.f32 s5, s18, s25",
        "vmla.f32 s6, s18, s26",
        "vmla.f32 s7, s18, s27",
        "vmla.f32 s8, s20, s24",
        "vmla.f32 s9, s20, s25",
        "vmla.f32 s10, s20, s26",
        "vmla.f32 s11, s20, s27",
        "vmla.f32 s12, s22, s24",
        "vmla.f32 s13, s22, s25",
        "vmla.f32 s14, s22, s26",
        "vmla.f32 s15, s22, s27",
        "4:",
        // Behind 16 bytes of registers and 64 of the FPU's.
        "ldr r1, [sp, #80]",
        "ldrd r4, r5, [r1]",
        "vldmia r1, {{s16-s17}}",
        // Without a least or a greatest value there is nothing to compare.
        "movw r6, #0",
        "movt r6, #0xff80",
        "cmp r4, r6",
        "beq 5f",
        "vcmp.f32 s0, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s0, s16",
        "vcmp.f32 s1, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s1, s16",
        "vcmp.f32 s2, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s2, s16",
        "vcmp.f32 s3, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s3, s16",
        "vcmp.f32 s4, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s4, s16",
        "vcmp.f32 s5, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s5, s16",
        "vcmp.f32 s6, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s6, s16",
        "vcmp.f32 s7, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s7, s16",
        "vcmp.f32 s8, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s8, s16",
        "vcmp.f32 s9, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s9, s16",
        "vcmp.f32 s10, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s10, s16",
        "vcmp.f32 s11, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s11, s16",
        "vcmp.f32 s12, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s12, s16",
        "vcmp.f32 s13, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s13, s16",
        "vcmp.f32 s14, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s14, s16",
        "vcmp.f32 s15, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s15, s16",
        "5:",
        "movw r6, #0",
        "movt r6, #0x7f80",
        "cmp r5, r6",
        "beq 6f",
        "vcmp.f32 s0, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s0, s17",
        "vcmp.f32 s1, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s1, s17",
        "vcmp.f32 s2, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s2, s17",
        "vcmp.f32 s3, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s3, s17",
        "vcmp.f32 s4, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s4, s17",
        "vcmp.f32 s5, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s5, s17",
        "vcmp.f32 s6, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s6, s17",
        "vcmp.f32 s7, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s7, s17",
        "vcmp.f32 s8, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s8, s17",
        "vcmp.f32 s9, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s9, s17",
        "vcmp.f32 s10, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s10, s17",
        "vcmp.f32 s11, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s11, s17",
        "vcmp.f32 s12, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s12, s17",
        "vcmp.f32 s13, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s13, s17",
        "vcmp.f32 s14, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s14, s17",
        "vcmp.f32 s15, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s15, s17",
        "6:",
        "vstmia r3, {{s0-s15}}",
        "vpop {{s16-s31}}",
        "pop {{r4, r5, r6, r7}}",
        "bx lr",
    )
}

/// As [`float::dot_pixels_f32`](super::float::dot_pixels_f32), to the bit: four channels at once.
#[inline]
pub fn dot_pixels_f32(pixels: &[&[f32]], weights: &[f32], sums: &mut [f32]) {
    let taps = pixels.len().min(TAPS);
    if taps != pixels.len() || taps == 0 {
        return super::float::dot_pixels_f32(pixels, weights, sums);
    }
    let shortest = pixels.iter().fold(usize::MAX, |shortest, pixel| shortest.min(pixel.len()));
    // Whole groups of channels, of which every pixel, weight and sum is there.
    let groups = (shortest / 4).min(sums.len() / 4).min(weights.len() / taps.wrapping_mul(4).max(1));
    let mut starts = [core::ptr::null::<f32>(); TAPS];
    for (start, pixel) in starts.iter_mut().zip(pixels) {
        *start = pixel.as_ptr();
    }
    if groups > 0 {
        let end = starts.as_ptr().wrapping_add(taps);
        // SAFETY: `starts` holds `taps` pointers to at least 4 * groups values each, `weights` 4 * taps * groups, and
        // `sums` 4 * groups: as much as the function reads and writes.
        unsafe { dot_groups(starts.as_ptr(), end, weights.as_ptr(), sums.as_mut_ptr(), groups) };
    }
    let done = groups.wrapping_mul(4);
    if let (Some(sums @ [_, ..]), Some(weights)) = (sums.get_mut(done..), weights.get(done.wrapping_mul(taps)..)) {
        super::float::dot_pixels_from(groups, pixels, weights, sums);
    }
}

/// Adds the products of `groups` times four channels to their sums; one tap a pointer from `starts` to `end`.
///
/// # Safety
/// Every tap's pointer must lead to `4 * groups` readable values, `weights` to as many for each tap, `sums` to as many
/// that can be written; `groups` and the number of taps must not be 0.
#[unsafe(naked)]
unsafe extern "C" fn dot_groups(
    starts: *const *const f32,
    end: *const *const f32,
    weights: *const f32,
    sums: *mut f32,
    groups: usize,
) {
    naked_asm!(
        // The assembler forgets what the target has.
        ".fpu fpv4-sp-d16",
        "push {{r4, r5, r6, r7}}",
        "ldr r4, [sp, #16]",
        "movs r5, #0",
        "2:",
        "vldmia r3, {{s0-s3}}",
        "mov r6, r0",
        "3:",
        "ldr r7, [r6], #4",
        "vldmia r2!, {{s8-s11}}",
        "add r7, r7, r5",
        "vldmia r7, {{s4-s7}}",
        "cmp r6, r1",
        "vmla.f32 s0, s4, s8",
        "vmla.f32 s1, s5, s9",
        "vmla.f32 s2, s6, s10",
        "vmla.f32 s3, s7, s11",
        "bne 3b",
        "vstmia r3!, {{s0-s3}}",
        "adds r5, r5, #16",
        "subs r4, r4, #1",
        "bne 2b",
        "pop {{r4, r5, r6, r7}}",
        "bx lr",
    )
}
