//! The inner loops of f32 with the FPU of Armv7E-M and Armv8-M (single precision, 32 registers).

use core::arch::naked_asm;
use core::marker::PhantomData;

use super::float::FILTERS;
use super::{LANES, TAPS};

/// Adds an element's products to the sums, which are in s0 to s15: each lane's value with each filter's weight.
macro_rules! products {
    ($first:literal, $second:literal, $third:literal, $fourth:literal, $weights:tt) => {
        concat!(
            products!(["s0", "s1", "s2", "s3"], $first, $weights),
            products!(["s4", "s5", "s6", "s7"], $second, $weights),
            products!(["s8", "s9", "s10", "s11"], $third, $weights),
            products!(["s12", "s13", "s14", "s15"], $fourth, $weights),
        )
    };
    ([$($sum:literal),*], $value:literal, [$($weight:literal),*]) => {
        concat!($("vmla.f32 ", $sum, ", ", $value, ", ", $weight, "\n",)*)
    };
}

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
        products!("s16", "s18", "s20", "s22", ["s24", "s25", "s26", "s27"]),
        products!("s17", "s19", "s21", "s23", ["s28", "s29", "s30", "s31"]),
        "bne 2b",
        "3:",
        "lsls r2, r2, #31",
        "beq 4f",
        "vldmia r0!, {{s24-s27}}",
        "vldr s16, [r4]",
        "vldr s18, [r5]",
        "vldr s20, [r6]",
        "vldr s22, [r7]",
        products!("s16", "s18", "s20", "s22", ["s24", "s25", "s26", "s27"]),
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
        ".irp sum, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
        "vcmp.f32 s\\sum, s16",
        "vmrs APSR_nzcv, fpscr",
        "it mi",
        "vmovmi.f32 s\\sum, s16",
        ".endr",
        "5:",
        "movw r6, #0",
        "movt r6, #0x7f80",
        "cmp r5, r6",
        "beq 6f",
        ".irp sum, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
        "vcmp.f32 s\\sum, s17",
        "vmrs APSR_nzcv, fpscr",
        "it gt",
        "vmovgt.f32 s\\sum, s17",
        ".endr",
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
