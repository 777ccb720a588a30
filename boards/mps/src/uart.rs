//! UART 0 (CMSDK). It holds one received byte and has no queue.

use core::convert::Infallible;
use core::marker::PhantomData;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embedded_io::{ErrorType, Read, Write};
use volatile_register::{RO, RW};

use crate::Image;

#[repr(C)]
struct Registers {
    data: RW<u32>,
    state: RO<u32>,
    control: RW<u32>,
    interrupts: RW<u32>,
    baud_divisor: RW<u32>,
}

const SEND_FULL: u32 = 1 << 0;
const RECEIVE_FULL: u32 = 1 << 1;
const ENABLE_SENDER: u32 = 1 << 0;
const ENABLE_RECEIVER: u32 = 1 << 1;
const ENABLE_RECEIVE_INTERRUPT: u32 = 1 << 3;
const RECEIVE_INTERRUPT: u32 = 1 << 1;

/// The interrupt of a received byte, by its number.
#[derive(Debug, Clone, Copy)]
struct Received(u16);

// SAFETY: `Image` says which interrupt it is.
unsafe impl InterruptNumber for Received {
    fn number(self) -> u16 {
        self.0
    }
}

/// The serial port. Reading sleeps until a byte comes.
#[derive(Debug)]
pub struct Uart<I>(PhantomData<I>);

impl<I: Image> Uart<I> {
    const RECEIVED: Received = Received(I::UART_RECEIVED);

    /// Opens the port, at its greatest speed. Masks all interrupts, which this port needs only to be woken.
    pub fn open() -> Uart<I> {
        cortex_m::interrupt::disable();
        let uart = Uart(PhantomData);
        let registers = uart.registers();
        // SAFETY: writing these registers has no effect on memory. The interrupt is pended, never
        // taken: interrupts are masked, and a pending one ends WFI all the same.
        unsafe {
            registers.baud_divisor.write(16);
            registers.control.write(ENABLE_SENDER | ENABLE_RECEIVER | ENABLE_RECEIVE_INTERRUPT);
            NVIC::unmask(Self::RECEIVED);
        }
        uart
    }

    fn registers(&self) -> &'static Registers {
        // SAFETY: the registers are mapped there for ever, as an `Image` says.
        unsafe { &*(I::UART as *const Registers) }
    }
}

impl<I> ErrorType for Uart<I> {
    type Error = Infallible;
}

impl<I: Image> Read for Uart<I> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(place) = buffer.first_mut() else { return Ok(0) };
        let registers = self.registers();
        while registers.state.read() & RECEIVE_FULL == 0 {
            cortex_m::asm::wfi();
        }
        // SAFETY: writing this register has no effect on memory.
        unsafe { registers.interrupts.write(RECEIVE_INTERRUPT) };
        NVIC::unpend(Self::RECEIVED);
        *place = registers.data.read() as u8;
        Ok(1)
    }
}

impl<I: Image> Write for Uart<I> {
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
