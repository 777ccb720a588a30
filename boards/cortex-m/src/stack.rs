//! How much stack a piece of work needs: paint the free stack, work, see how far the paint is gone.

use core::arch::asm;
use core::ptr;

unsafe extern "C" {
    /// The end of the statics, from `cortex-m-rt`'s linker script; below it is no stack.
    #[link_name = "__sheap"]
    static STATICS_END: u32;
}

/// How much of the free stack is painted, in bytes, where there is as much; work that needs more shows as this much.
const PAINTED: usize = 256 * 1024;

const PAINT: u32 = 0xC0DE_57AC;

/// Runs `work`, and returns how many bytes of stack it needed.
#[inline(never)]
pub fn used_by(work: &mut dyn FnMut()) -> u32 {
    let statics_end = ptr::addr_of!(STATICS_END) as usize;
    let bottom: usize;
    // SAFETY: writes only free stack: below the stack pointer, which does not move in between, and
    // above the end of the statics. Interrupts, the only others to write there, find nothing that they
    // need.
    unsafe {
        asm!(
            "mov {top}, sp",
            "subs {bottom}, {top}, {bottom}",
            "cmp {bottom}, {at}",
            "bhs 2f",
            "mov {bottom}, {at}",
            "2:",
            "mov {at}, {bottom}",
            "3:",
            "str {paint}, [{at}]",
            "adds {at}, #4",
            "cmp {at}, {top}",
            "blo 3b",
            top = out(reg) _,
            bottom = inout(reg) PAINTED => bottom,
            at = inout(reg) statics_end => _,
            paint = in(reg) PAINT,
        );
    }
    work();
    let used: usize;
    // SAFETY: reads the stretch painted above, which is RAM.
    unsafe {
        asm!(
            "2:",
            "ldr {word}, [{at}]",
            "cmp {word}, {paint}",
            "bne 3f",
            "adds {at}, #4",
            "cmp {at}, sp",
            "blo 2b",
            "3:",
            "mov {word}, sp",
            "subs {at}, {word}, {at}",
            word = out(reg) _,
            at = inout(reg) bottom => used,
            paint = in(reg) PAINT,
            options(readonly),
        );
    }
    used as u32
}
