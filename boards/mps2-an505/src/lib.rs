//! Arm's MPS2 board with image AN505: a Cortex-M33, in its secure state, as QEMU emulates it (`-machine mps2-an505`).

#![no_std]

use microception_mps::Image;

/// Where the image has what.
#[derive(Debug)]
pub struct An505;

impl Image for An505 {
    const NAME: &'static str = "mps2-an505";
    const UART: usize = 0x5020_0000;
    const UART_RECEIVED: u16 = 32;
    const FPGAIO: usize = 0x5030_2000;
    const COUNTER_HZ: u32 = 20_000_000;
}

/// The board's serial port.
pub type Port = microception_mps::Uart<An505>;

/// The board's clock, and its look at the stack.
pub type Clock = microception_mps::Mps<An505>;

pub use microception_mps::FILTERED_ROW_BYTES;
pub use microception_mps::exit_on_panic as on_panic;

/// The open port, and the started clock.
pub fn start() -> (Port, Clock) {
    (Port::open(), Clock::start())
}

microception_cortex_m::embedded_model!();
