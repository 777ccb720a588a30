//! The micro:bit with nRF51822: a Cortex-M0 with 16 KB of RAM, as QEMU emulates it (`-machine microbit`).

#![no_std]

mod timer;
mod uart;

use microception_app::Board;
use microception_app::protocol::{Stack, Tick};
use microception_cortex_m::stack;

/// The board's serial port.
pub use uart::Uart as Port;

pub use microception_mps::exit_on_panic as on_panic;

/// The longest row of a picture to be filtered, in bytes: what there is RAM for.
pub const FILTERED_ROW_BYTES: usize = 512 * 3;

/// The board's clock, and its look at the stack.
#[derive(Debug)]
pub struct Clock(());

impl Clock {
    /// Starts the clock.
    pub fn start() -> Clock {
        stack::paint();
        timer::start();
        Clock(())
    }
}

impl Board for Clock {
    const NAME: &'static str = "microbit";
    const TICK: Tick = Tick::Time { hz: timer::HZ };

    #[inline(always)]
    fn ticks(&mut self) -> u32 {
        timer::read()
    }

    fn stack_bytes(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
        Some(stack::used_by(work))
    }

    fn stack(&self) -> Option<Stack> {
        Some(Stack { used: stack::used(), size: stack::size() })
    }

    fn statics_bytes(&self) -> Option<u32> {
        Some(stack::statics_bytes())
    }
}

/// The open port, and the started clock.
pub fn start() -> (Port, Clock) {
    (Port::open(), Clock::start())
}

microception_cortex_m::embedded_model!();
