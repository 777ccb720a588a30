//! The counter of the FPGA's system registers, 32 bits, as a clock.

use volatile_register::{RO, RW};

#[repr(C)]
struct Registers {
    leds: RW<u32>,
    _reserved: u32,
    buttons: RO<u32>,
    _reserved2: u32,
    clock_1_hz: RW<u32>,
    clock_100_hz: RW<u32>,
    counter: RW<u32>,
    prescale: RW<u32>,
}

/// Lets the counter count at its full rate.
pub(crate) fn start(fpgaio: usize) {
    // SAFETY: writing this register has no effect on memory.
    unsafe { registers(fpgaio).prescale.write(0) }
}

/// Ticks since reset; wraps around.
#[inline(always)]
pub(crate) fn read(fpgaio: usize) -> u32 {
    registers(fpgaio).counter.read()
}

#[inline(always)]
fn registers(fpgaio: usize) -> &'static Registers {
    // SAFETY: the registers are mapped there for ever, as an `Image` says.
    unsafe { &*(fpgaio as *const Registers) }
}
