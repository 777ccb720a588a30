//! Of real boards: cycles, an LED, a serial port's buffers, and logs over a debug probe.

use core::marker::PhantomData;

use cortex_m::Peripherals;
use embassy_futures::block_on;
use embedded_hal::digital::{OutputPin, PinState};
use embedded_io::{ErrorType, Read, Write};
use microception_app::Board;
use microception_app::protocol::{Stack, Tick};

use crate::stack;

use defmt_rtt as _;

pub use panic_probe;

/// Bits a second on the serial line; 8 data bits, no parity, one stop bit.
pub const BAUD: u32 = 115_200;

/// Bytes of a port's queue: one request, while the board is still busy with what was before.
pub const QUEUE_BYTES: usize = 512;

/// The longest row of a picture to be filtered, in bytes: 2,048 pixels of three colours.
pub const FILTERED_ROW_BYTES: usize = 2048 * 3;

/// A board's name, its core's clock, and its counter.
pub trait Chip {
    /// The board's name on the command line, and of its folder.
    const NAME: &'static str;
    /// Cycles of the core's clock a second.
    const HZ: u32;
    /// At which state of its pin the LED is lit.
    const LIT: PinState = PinState::High;
    /// What counts the cycles.
    type Cycles: Cycles;
}

/// A counter of the core's cycles.
pub trait Cycles {
    /// Starts it.
    fn start(peripherals: Peripherals);

    /// Cycles so far; wraps around after 2^32.
    fn now() -> u32;
}

/// A real board: its cycles, its LED, which is lit while it computes, and the look at its stack.
#[derive(Debug)]
pub struct Silicon<C, L> {
    led: L,
    chip: PhantomData<C>,
}

impl<C: Chip, L: OutputPin> Silicon<C, L> {
    /// Starts the counter, and puts out the LED.
    pub fn start(peripherals: Peripherals, led: L) -> Silicon<C, L> {
        stack::paint();
        C::Cycles::start(peripherals);
        let mut silicon = Silicon { led, chip: PhantomData };
        silicon.busy(false);
        silicon
    }
}

impl<C: Chip, L: OutputPin> Board for Silicon<C, L> {
    const NAME: &'static str = C::NAME;
    const TICK: Tick = Tick::Cycle { hz: C::HZ };

    #[inline(always)]
    fn ticks(&mut self) -> u32 {
        C::Cycles::now()
    }

    fn busy(&mut self, busy: bool) {
        // A light that fails is no reason to stop.
        let _ = self.led.set_state(if busy { C::LIT } else { !C::LIT });
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

/// A port that answers later, as one that answers: it polls until the answer is there.
#[derive(Debug)]
pub struct Blocking<P>(pub P);

impl<P: ErrorType> ErrorType for Blocking<P> {
    type Error = P::Error;
}

impl<P: embedded_io_async::Read> Read for Blocking<P> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, P::Error> {
        block_on(self.0.read(buffer))
    }
}

impl<P: embedded_io_async::Write> Write for Blocking<P> {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, P::Error> {
        block_on(self.0.write(buffer))
    }

    fn flush(&mut self) -> Result<(), P::Error> {
        block_on(self.0.flush())
    }
}

/// Sends a panic's message to the debug probe.
#[macro_export]
macro_rules! report_panic {
    () => {
        use $crate::silicon::panic_probe as _;
    };
}

// Armv6-M has neither the unit nor compare-and-swap, and only of the latter does a stable compiler tell.
#[cfg(target_has_atomic = "32")]
mod dwt {
    use cortex_m::Peripherals;
    use cortex_m::peripheral::DWT;

    use super::Cycles;

    /// The cycle counter of the core's trace unit.
    #[derive(Debug)]
    pub struct Dwt;

    impl Cycles for Dwt {
        fn start(mut peripherals: Peripherals) {
            peripherals.DCB.enable_trace();
            DWT::unlock();
            peripherals.DWT.enable_cycle_counter();
        }

        #[inline(always)]
        fn now() -> u32 {
            DWT::cycle_count()
        }
    }
}

#[cfg(target_has_atomic = "32")]
pub use dwt::Dwt;

#[cfg(not(target_has_atomic = "32"))]
mod system_timer {
    use core::sync::atomic::{AtomicU32, Ordering};

    use cortex_m::Peripherals;
    use cortex_m::peripheral::SYST;
    use cortex_m::peripheral::syst::SystClkSource;
    use cortex_m_rt::exception;

    use super::Cycles;

    /// Of the timer, which counts down.
    const LAST: u32 = (1 << 24) - 1;

    /// How often the timer has begun again.
    static ROUNDS: AtomicU32 = AtomicU32::new(0);

    /// The core's timer of 24 bits, and its exception, which counts the rest and takes some tens of cycles in 16.8 million.
    #[derive(Debug)]
    pub struct SystemTimer;

    impl Cycles for SystemTimer {
        fn start(mut peripherals: Peripherals) {
            let timer = &mut peripherals.SYST;
            timer.set_clock_source(SystClkSource::Core);
            timer.set_reload(LAST);
            timer.clear_current();
            timer.enable_interrupt();
            timer.enable_counter();
        }

        #[inline(always)]
        fn now() -> u32 {
            loop {
                let rounds = ROUNDS.load(Ordering::Relaxed);
                let passed = LAST - SYST::get_current();
                if rounds == ROUNDS.load(Ordering::Relaxed) {
                    return rounds.wrapping_mul(LAST + 1).wrapping_add(passed);
                }
            }
        }
    }

    #[exception]
    fn SysTick() {
        // Nobody else writes it, so that two accesses do for an addition, which Armv6-M lacks.
        ROUNDS.store(ROUNDS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

#[cfg(not(target_has_atomic = "32"))]
pub use system_timer::SystemTimer;
