//! Timer 0 (CMSDK), 32 bits, as a clock.

use volatile_register::RW;

/// Ticks per second: the timer runs at the system clock.
pub(crate) const HZ: u32 = 25_000_000;

#[repr(C)]
struct Registers {
    control: RW<u32>,
    value: RW<u32>,
    reload: RW<u32>,
}

const REGISTERS: *const Registers = 0x4000_0000 as *const Registers;

const ENABLE: u32 = 1;

/// The running timer.
#[derive(Debug)]
pub struct Timer(());

impl Timer {
    /// Starts the timer, from its greatest value downwards.
    pub fn start() -> Timer {
        let timer = Timer(());
        let registers = timer.registers();
        // SAFETY: writing these registers has no effect on memory; no interrupt is enabled.
        unsafe {
            registers.reload.write(u32::MAX);
            registers.value.write(u32::MAX);
            registers.control.write(ENABLE);
        }
        timer
    }

    /// Ticks since the start; wraps around every 171 seconds.
    #[inline(always)]
    pub fn ticks(&self) -> u32 {
        !self.registers().value.read()
    }

    #[inline(always)]
    fn registers(&self) -> &'static Registers {
        // SAFETY: the registers of timer 0 are mapped there on this board for ever.
        unsafe { &*REGISTERS }
    }
}
