//! The UART. It queues six received bytes.

use core::convert::Infallible;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embedded_io::{ErrorType, Read, Write};
use volatile_register::{RO, RW, WO};

#[repr(C)]
struct Registers {
    start_receiver: WO<u32>,
    _stop_receiver: WO<u32>,
    start_sender: WO<u32>,
    _tasks: [u32; 63],
    received: RW<u32>,
    _events: [u32; 4],
    sent: RW<u32>,
    _events2: [u32; 121],
    enable_interrupts: RW<u32>,
    _reserved: [u32; 126],
    enable: RW<u32>,
    _reserved2: [u32; 2],
    sender_pin: RW<u32>,
    _reserved3: u32,
    receiver_pin: RW<u32>,
    received_byte: RO<u32>,
    sent_byte: WO<u32>,
    _reserved4: u32,
    baud_rate: RW<u32>,
}

const UART0: usize = 0x4000_2000;
const ENABLED: u32 = 4;
const RECEIVED_INTERRUPT: u32 = 1 << 2;
/// The pins that lead to the USB interface.
const SENDER_PIN: u32 = 24;
const RECEIVER_PIN: u32 = 25;
const BAUD_115200: u32 = 0x01D7_E000;

/// The UART's interrupt.
#[derive(Debug, Clone, Copy)]
struct Interrupt;

// SAFETY: it has this number on the nRF51.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        2
    }
}

/// The serial port. Reading sleeps until a byte comes.
#[derive(Debug)]
pub struct Uart(());

impl Uart {
    /// Opens the port. Masks all interrupts, which this port needs only to be woken.
    pub fn open() -> Uart {
        cortex_m::interrupt::disable();
        let uart = registers();
        // SAFETY: writing these registers has no effect on memory. The interrupt is pended, never
        // taken: interrupts are masked, and a pending one ends WFI all the same.
        unsafe {
            uart.sender_pin.write(SENDER_PIN);
            uart.receiver_pin.write(RECEIVER_PIN);
            uart.baud_rate.write(BAUD_115200);
            uart.enable.write(ENABLED);
            uart.enable_interrupts.write(RECEIVED_INTERRUPT);
            uart.start_receiver.write(1);
            uart.start_sender.write(1);
            NVIC::unmask(Interrupt);
        }
        Uart(())
    }
}

fn registers() -> &'static Registers {
    const { assert!(core::mem::offset_of!(Registers, received) == 0x108) };
    const { assert!(core::mem::offset_of!(Registers, enable_interrupts) == 0x304) };
    const { assert!(core::mem::offset_of!(Registers, baud_rate) == 0x524) };
    // SAFETY: the nRF51's registers are mapped there for ever.
    unsafe { &*(UART0 as *const Registers) }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(place) = buffer.first_mut() else { return Ok(0) };
        let uart = registers();
        while uart.received.read() == 0 {
            cortex_m::asm::wfi();
        }
        // Before the byte is taken: a further one in the queue then is another event.
        // SAFETY: writing this register has no effect on memory.
        unsafe { uart.received.write(0) };
        NVIC::unpend(Interrupt);
        *place = uart.received_byte.read() as u8;
        Ok(1)
    }
}

impl Write for Uart {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, Infallible> {
        let uart = registers();
        for &byte in buffer {
            // SAFETY: writing these registers has no effect on memory.
            unsafe {
                uart.sent.write(0);
                uart.sent_byte.write(u32::from(byte));
            }
            while uart.sent.read() == 0 {}
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
