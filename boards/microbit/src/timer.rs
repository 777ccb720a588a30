//! TIMER0 as a clock of 32 bits. SysTick has 24, which an inference overflows.

use volatile_register::{RO, RW, WO};

#[repr(C)]
struct Registers {
    start: WO<u32>,
    _tasks: [u32; 15],
    capture: [WO<u32>; 4],
    _events: [u32; 302],
    width: RW<u32>,
    _reserved: u32,
    prescaler: RW<u32>,
    _reserved2: [u32; 11],
    captured: [RO<u32>; 4],
}

const TIMER0: usize = 0x4000_8000;

/// Ticks a second, undivided.
pub(crate) const HZ: u32 = 16_000_000;

/// The setting for 32 bits.
const WIDTH_32: u32 = 3;

/// Lets the timer count at its full rate.
pub(crate) fn start() {
    let timer = timer();
    // SAFETY: writing these registers has no effect on memory.
    unsafe {
        timer.width.write(WIDTH_32);
        timer.prescaler.write(0);
        timer.start.write(1);
    }
}

/// Ticks since the start; wraps around.
#[inline(always)]
pub(crate) fn read() -> u32 {
    let timer = timer();
    // SAFETY: writing this register has no effect on memory.
    unsafe { timer.capture[0].write(1) };
    timer.captured[0].read()
}

#[inline(always)]
fn timer() -> &'static Registers {
    const { assert!(core::mem::offset_of!(Registers, width) == 0x508) };
    const { assert!(core::mem::offset_of!(Registers, captured) == 0x540) };
    // SAFETY: the nRF51's registers are mapped there for ever.
    unsafe { &*(TIMER0 as *const Registers) }
}
