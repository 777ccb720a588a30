//! UART 0 (CMSDK). It holds one received byte and has no queue.

use core::convert::Infallible;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embedded_io::{ErrorType, Read, Write};
use volatile_register::{RO, RW};

#[repr(C)]
struct Registers {
    data: RW<u32>,
    state: RO<u32>,
    control: RW<u32>,
    interrupts: RW<u32>,
    baud_divisor: RW<u32>,
}

const REGISTERS: *const Registers = 0x4000_4000 as *const Registers;

const SEND_FULL: u32 = 1 << 0;
const RECEIVE_FULL: u32 = 1 << 1;
const ENABLE_SENDER: u32 = 1 << 0;
const ENABLE_RECEIVER: u32 = 1 << 1;
const ENABLE_RECEIVE_INTERRUPT: u32 = 1 << 3;
const RECEIVE_INTERRUPT: u32 = 1 << 1;

/// The interrupt of a received byte.
#[derive(Debug, Clone, Copy)]
struct Received;

// SAFETY: UART 0's receive interrupt is number 0 on this board.
unsafe impl InterruptNumber for Received {
    fn number(self) -> u16 {
        0
    }
}

/// The serial port. Reading sleeps until a byte comes.
#[derive(Debug)]
pub struct Uart(());

impl Uart {
    /// Opens the port, at its greatest speed. Masks all interrupts, which this port needs only to be woken.
    pub fn open() -> Uart {
        cortex_m::interrupt::disable();
        let uart = Uart(());
        let registers = uart.registers();
        // SAFETY: writing these registers has no effect on memory. The interrupt is pended, never
        // taken: interrupts are masked, and a pending one ends WFI all the same.
        unsafe {
            registers.baud_divisor.write(16);
            registers.control.write(ENABLE_SENDER | ENABLE_RECEIVER | ENABLE_RECEIVE_INTERRUPT);
            NVIC::unmask(Received);
        }
        uart
    }

    fn registers(&self) -> &'static Registers {
        // SAFETY: the registers of UART 0 are mapped there on this board for ever.
        unsafe { &*REGISTERS }
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(place) = buffer.first_mut() else { return Ok(0) };
        let registers = self.registers();
        while registers.state.read() & RECEIVE_FULL == 0 {
            cortex_m::asm::wfi();
        }
        // SAFETY: writing this register has no effect on memory.
        unsafe { registers.interrupts.write(RECEIVE_INTERRUPT) };
        NVIC::unpend(Received);
        *place = registers.data.read() as u8;
        Ok(1)
    }
}

impl Write for Uart {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, Infallible> {
        let registers = self.registers();
        for &byte in buffer {
            while registers.state.read() & SEND_FULL != 0 {}
            // SAFETY: writing this register has no effect on memory.
            unsafe { registers.data.write(u32::from(byte)) };
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while self.registers().state.read() & SEND_FULL != 0 {}
        Ok(())
    }
}
