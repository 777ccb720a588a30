//! Arm's MPS2 board with image AN386: a Cortex-M4F at 25 MHz, as QEMU emulates it
//! (`-machine mps2-an386`).
//!
//! Everything that is this board's own: UART 0 as the serial port, timer 0 as the clock, a look at
//! the stack, and semihosting for logs and exit codes. The embedded model is [`model`], the module
//! that the environment variable `MICROCEPTION_MODEL` names when this crate is built.

#![no_std]

mod stack;
pub mod testing;
mod timer;
mod uart;

use microception::model::Model;
use microception_app::Board;
use microception_app::protocol::Tick;

pub use semihosting;
pub use timer::Timer;
pub use uart::Uart;

include!(concat!(env!("OUT_DIR"), "/module.rs"));

/// What the embedded model takes.
pub type Frame = <model::Network as Model>::Frame;

/// Words that hold a [`Frame`], so that a static of zeros can be one.
pub type FrameWords = [u32; size_of::<Frame>().div_ceil(4)];

/// The board's clock, and its look at the stack.
#[derive(Debug)]
pub struct Mps2 {
    timer: Timer,
}

impl Mps2 {
    /// Starts the clock.
    pub fn new(timer: Timer) -> Mps2 {
        Mps2 { timer }
    }
}

impl Board for Mps2 {
    const NAME: &'static str = "mps2-an386";
    const TICK: Tick = Tick::Time { hz: timer::HZ };

    #[inline(always)]
    fn ticks(&mut self) -> u32 {
        self.timer.ticks()
    }

    fn stack_bytes(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
        Some(stack::used_by(work))
    }
}
