//! Arm's MPS2 board with image AN386: a Cortex-M4F, as QEMU emulates it (`-machine mps2-an386`).

#![no_std]

use microception_mps::Image;

/// Where the image has what.
#[derive(Debug)]
pub struct An386;

impl Image for An386 {
    const NAME: &'static str = "mps2-an386";
    const UART: usize = 0x4000_4000;
    const UART_RECEIVED: u16 = 0;
    const FPGAIO: usize = 0x4002_8000;
    const COUNTER_HZ: u32 = 25_000_000;
}

/// The board's serial port.
pub type Port = microception_mps::Uart<An386>;

/// The board's clock, and its look at the stack.
pub type Clock = microception_mps::Mps<An386>;

pub use microception_mps::FILTERED_ROW_BYTES;
pub use microception_mps::exit_on_panic as on_panic;

/// The open port, and the started clock.
pub fn start() -> (Port, Clock) {
    (Port::open(), Clock::start())
}

#[cfg(feature = "camera")]
type Remote = microception_mps::remote::Remote<'static, Port>;

/// Where text goes, and the buses and the clock of a camera that the host plays, all over the open port.
#[cfg(feature = "camera")]
pub fn start_with_camera() -> (Remote, Remote, Remote, Remote) {
    use core::cell::RefCell;

    static PORT: static_cell::StaticCell<RefCell<Port>> = static_cell::StaticCell::new();
    let remote = Remote::new(PORT.init(RefCell::new(Port::open())));
    (remote, remote, remote, remote)
}

microception_cortex_m::embedded_model!();
