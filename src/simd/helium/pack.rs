//! Columns, packed into lanes of a tile.

use core::arch::naked_asm;
use core::ops;

use crate::simd::{LANES, Pair, QUAD, portable};

pub use crate::simd::portable::fill_packed as fill;

/// As [`portable::pack`], to the bit: eight quads in nine instructions.
#[inline]
pub fn widen(run: &[i8], step: usize, lanes: ops::Range<usize>, tile: &mut [Pair]) {
    let quads = tile.len() / LANES;
    if quads != 0 && portable::tile::columns_fit(run, step, quads, &lanes) {
        for (index, lane) in lanes.enumerate() {
            let column = run.as_ptr().wrapping_add(index.wrapping_mul(step));
            // SAFETY: the function reads `quads` words from the column on, which the run holds for each lane, and
            // writes every fourth word from the lane's first on: as many as the tile has.
            unsafe { pack_quads(column, quads.wrapping_mul(QUAD), tile.as_mut_ptr().wrapping_add(lane)) };
        }
    }
}

/// Packs `elements` (at least one) bytes into every fourth word.
///
/// # Safety
/// See [`widen`].
#[unsafe(naked)]
unsafe extern "C" fn pack_quads(column: *const i8, elements: usize, lanes: *mut Pair) {
    naked_asm!(
        core!(),
        "subs r1, r1, #32",
        "blo 3f",
        // Addresses of every eighth word, less what a round adds.
        "mov r12, #0",
        "vidup.u32 q2, r12, #8",
        "sub r12, r2, #128",
        "vshl.i32 q2, q2, #2",
        "mov r3, r0",
        "vadd.i32 q2, q2, r12",
        "2:",
        // Even and odd bytes: their lower halves make the words of even quads, their upper halves those of odd ones.
        "vld20.8 {{q0, q1}}, [r0]",
        "vld21.8 {{q0, q1}}, [r0]!",
        "subs r1, r1, #32",
        "vmov q3, q0",
        "vmovnt.i32 q3, q1",
        "vsri.32 q1, q0, #16",
        "vstrw.32 q3, [q2, #128]!",
        "vstrw.32 q1, [q2, #16]",
        "bhs 2b",
        "sub r3, r0, r3",
        "add r2, r2, r3, lsl #2",
        "3:",
        "adds r1, r1, #32",
        "beq 5f",
        // Up to sixteen bytes at a time, those behind the last being zero.
        "mov r12, #0",
        "vidup.u32 q3, r12, #8",
        "vshl.i32 q3, q3, #1",
        "adr.w r12, 6f",
        "vldrw.u32 q2, [r12]",
        "4:",
        "vcmp.u8 cs, q2, r1",
        "vpnot",
        "vpst",
        "vldrbt.u8 q0, [r0, q2]",
        "add r12, r1, #3",
        "lsr r12, r12, #2",
        "vctp.32 r12",
        "vpst",
        "vstrwt.32 q0, [r2, q3]",
        "add r0, r0, #16",
        "add r2, r2, #64",
        "subs r1, r1, #16",
        "bhi 4b",
        "5:",
        "bx lr",
        ".p2align 2",
        "6:",
        ".byte 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15",
    )
}
