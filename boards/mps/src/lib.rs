//! Arm's MPS2 and MPS3 boards, as QEMU emulates them: field-programmable, so that each *image* is another
//! core among the same peripherals.
//!
//! - [`Image`]: what differs, one implementation a board.
//! - [`Uart`]: the serial port; [`Mps`]: the clock, and a look at the stack.
//! - `remote`, with the feature `camera`: the buses of a camera that the host plays.
//! - [`fence`]: memory that is damaged on purpose, and guards around it.
//! - [`testing`]: exit codes, panics and on-target tests, through semihosting.
//!
//! `programs/` and `on_target/` beside this are what the package of every such board builds beside the app's programs.

#![no_std]

mod counter;
pub mod fence;
#[cfg(feature = "camera")]
pub mod remote;
pub mod testing;
mod uart;

use core::marker::PhantomData;

use microception_app::Board;
use microception_app::protocol::{Stack, Tick};
use microception_cortex_m::stack;

#[cfg(feature = "serve")]
use defmt_semihosting as _;

pub use semihosting;
pub use uart::Uart;

/// A core, and where its peripherals are.
pub trait Image {
    /// The board's name on the command line.
    const NAME: &'static str;
    /// Address of the registers of UART 0 (CMSDK).
    const UART: usize;
    /// The number of UART 0's receive interrupt.
    const UART_RECEIVED: u16;
    /// Address of the system registers of the image (FPGAIO), a counter among them.
    const FPGAIO: usize;
    /// How often a second that counter counts.
    const COUNTER_HZ: u32;
}

/// The longest row of a picture to be filtered, in bytes: 2,048 pixels of three colours.
pub const FILTERED_ROW_BYTES: usize = 2048 * 3;

/// The board's clock, and its look at the stack.
#[derive(Debug)]
pub struct Mps<I>(PhantomData<I>);

impl<I: Image> Mps<I> {
    /// Starts the clock.
    pub fn start() -> Mps<I> {
        stack::paint();
        counter::start(I::FPGAIO);
        Mps(PhantomData)
    }
}

impl<I: Image> Board for Mps<I> {
    const NAME: &'static str = I::NAME;
    const TICK: Tick = Tick::Time { hz: I::COUNTER_HZ };

    #[inline(always)]
    fn ticks(&mut self) -> u32 {
        counter::read(I::FPGAIO)
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
