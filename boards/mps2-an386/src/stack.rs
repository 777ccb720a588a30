//! How much stack a piece of work needs: paint the free stack, work, see how far the paint is gone.

use core::arch::asm;

/// How much of the free stack is painted, in bytes; work that needs more shows as this much.
const PAINTED: usize = 256 * 1024;

const PAINT: u32 = 0xC0DE_57AC;

/// Runs `work`, and returns how many bytes of stack it needed.
#[inline(never)]
pub(crate) fn used_by(work: &mut dyn FnMut()) -> u32 {
    let bottom: usize;
    // SAFETY: writes only free stack: below the stack pointer, which does not move in between, and
    // far above the end of the statics (4 MB of RAM). Interrupts, the only others to write there, find
    // nothing that they need.
    unsafe {
        asm!(
            "mov {top}, sp",
            "sub {bottom}, {top}, {painted}",
            "mov {at}, {bottom}",
            "2:",
            "str {paint}, [{at}], #4",
            "cmp {at}, {top}",
            "blo 2b",
            top = out(reg) _,
            bottom = out(reg) bottom,
            at = out(reg) _,
            painted = in(reg) PAINTED,
            paint = in(reg) PAINT,
        );
    }
    work();
    let used: usize;
    // SAFETY: reads the stretch painted above, which is RAM.
    unsafe {
        asm!(
            "2:",
            "ldr {word}, [{at}], #4",
            "cmp {word}, {paint}",
            "bne 3f",
            "cmp {at}, sp",
            "blo 2b",
            "add {at}, {at}, #4",
            "3:",
            "sub {at}, {at}, #4",
            "mov {word}, sp",
            "sub {at}, {word}, {at}",
            word = out(reg) _,
            at = inout(reg) bottom => used,
            paint = in(reg) PAINT,
            options(readonly),
        );
    }
    used as u32
}
