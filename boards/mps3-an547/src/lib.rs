//! Arm's MPS3 board with image AN547: a Cortex-M55, in its secure state, as QEMU emulates it (`-machine mps3-an547`).

#![no_std]

use microception_mps::Image;

/// Where the image has what.
#[derive(Debug)]
pub struct An547;

impl Image for An547 {
    const NAME: &'static str = "mps3-an547";
    const UART: usize = 0x5930_3000;
    const UART_RECEIVED: u16 = 33;
    const FPGAIO: usize = 0x5930_2000;
    const COUNTER_HZ: u32 = 20_000_000;
}

/// The board's serial port.
pub type Port = microception_mps::Uart<An547>;

/// The board's clock, and its look at the stack.
pub type Clock = microception_mps::Mps<An547>;

pub use microception_mps::FILTERED_ROW_BYTES;
pub use microception_mps::exit_on_panic as on_panic;

/// The open port, and the started clock.
pub fn start() -> (Port, Clock) {
    (Port::open(), Clock::start())
}

microception_cortex_m::embedded_model!();
