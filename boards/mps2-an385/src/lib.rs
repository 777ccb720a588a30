//! Arm's MPS2 board with image AN385: a Cortex-M3, as QEMU emulates it (`-machine mps2-an385`).

#![no_std]

use microception_mps::Image;

/// Where the image has what.
#[derive(Debug)]
pub struct An385;

impl Image for An385 {
    const NAME: &'static str = "mps2-an385";
    const UART: usize = 0x4000_4000;
    const UART_RECEIVED: u16 = 0;
    const FPGAIO: usize = 0x4002_8000;
    const COUNTER_HZ: u32 = 25_000_000;
}

/// The board's serial port.
pub type Port = microception_mps::Uart<An385>;

/// The board's clock, and its look at the stack.
pub type Clock = microception_mps::Mps<An385>;

pub use microception_mps::FILTERED_ROW_BYTES;
pub use microception_mps::exit_on_panic as on_panic;

/// The open port, and the started clock.
pub fn start() -> (Port, Clock) {
    (Port::open(), Clock::start())
}

microception_cortex_m::embedded_model!();
