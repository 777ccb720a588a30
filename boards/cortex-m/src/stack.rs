//! How much stack a piece of work needs, and how much was in use since reset: paint the free stack, work, see how far the
//! paint is gone.

use core::arch::asm;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

// From `cortex-m-rt`'s linker script.
unsafe extern "C" {
    /// Where the statics in RAM begin.
    #[link_name = "__sdata"]
    static STATICS: u32;
    /// Their end; below it is no stack.
    #[link_name = "__sheap"]
    static STATICS_END: u32;
    /// Where the stack begins: its highest address, and the one after it.
    #[link_name = "_stack_start"]
    static STACK: u32;
}

/// How much of the free stack is painted, in bytes, where there is as much; work that needs more shows as this much.
const PAINTED: usize = 256 * 1024;

const PAINT: u32 = 0xC0DE_57AC;

/// Where the paint begins: its lowest address, or 0 before the first.
static BOTTOM: AtomicUsize = AtomicUsize::new(0);

/// The lowest address that was in use when the paint was renewed.
static LOWEST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Paints the free stack. Boards do so when they start; what is in use before stays unseen, but for its deepest frame.
#[inline(never)]
pub fn paint() {
    renew();
}

/// Runs `work`, and returns how many bytes of stack it needed.
#[inline(never)]
pub fn used_by(work: &mut dyn FnMut()) -> u32 {
    renew();
    work();
    stack_pointer().wrapping_sub(lowest_in_use()) as u32
}

/// How many bytes of stack were in use since it was [painted](paint).
pub fn used() -> u32 {
    let lowest = LOWEST.load(Ordering::Relaxed).min(lowest_in_use());
    (ptr::addr_of!(STACK) as usize).wrapping_sub(lowest) as u32
}

/// Bytes of stack that there are.
pub fn size() -> u32 {
    (ptr::addr_of!(STACK) as usize).wrapping_sub(ptr::addr_of!(STATICS_END) as usize) as u32
}

/// Bytes that the linker has placed in RAM.
pub fn statics_bytes() -> u32 {
    (ptr::addr_of!(STATICS_END) as usize).wrapping_sub(ptr::addr_of!(STATICS) as usize) as u32
}

#[inline(always)]
fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// Paints the free stack anew, and remembers how much was in use.
#[inline(always)]
fn renew() {
    if BOTTOM.load(Ordering::Relaxed) == 0 {
        let bottom = stack_pointer().saturating_sub(PAINTED).max(ptr::addr_of!(STATICS_END) as usize);
        BOTTOM.store(bottom, Ordering::Relaxed);
    } else {
        LOWEST.store(LOWEST.load(Ordering::Relaxed).min(lowest_in_use()), Ordering::Relaxed);
    }
    // SAFETY: writes only free stack: below the stack pointer, which does not move in between, and
    // above the end of the statics. Interrupts, the only others to write there, find nothing that they
    // need.
    unsafe {
        asm!(
            "mov {top}, sp",
            "b 3f",
            "2:",
            "str {paint}, [{at}]",
            "adds {at}, #4",
            "3:",
            "cmp {at}, {top}",
            "blo 2b",
            top = out(reg) _,
            at = inout(reg) BOTTOM.load(Ordering::Relaxed) => _,
            paint = in(reg) PAINT,
        );
    }
}

/// The lowest address whose paint is gone.
#[inline(always)]
fn lowest_in_use() -> usize {
    let lowest: usize;
    // SAFETY: reads the stretch that is painted, which is RAM, as far as the stack pointer.
    unsafe {
        asm!(
            "b 3f",
            "2:",
            "ldr {word}, [{at}]",
            "cmp {word}, {paint}",
            "bne 4f",
            "adds {at}, #4",
            "3:",
            "cmp {at}, sp",
            "blo 2b",
            "4:",
            word = out(reg) _,
            at = inout(reg) BOTTOM.load(Ordering::Relaxed) => lowest,
            paint = in(reg) PAINT,
            options(readonly, nostack),
        );
    }
    lowest
}
