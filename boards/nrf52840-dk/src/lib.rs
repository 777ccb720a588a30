//! Nordic's nRF52840-DK: a Cortex-M4F at 64 MHz. The serial port is the first of the debug probe on the board (J-Link).

#![no_std]

use cortex_m::Peripherals;
use embassy_nrf::buffered_uarte::{self, BufferedUarte};
use embassy_nrf::config::{Config, HfclkSource};
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::{bind_interrupts, pac, peripherals, uarte};
use embedded_hal::digital::PinState;
use microception_cortex_m::silicon::{self, Blocking, Chip, Dwt, QUEUE_BYTES};
use static_cell::ConstStaticCell;

pub use microception_cortex_m::report_panic as on_panic;
pub use microception_cortex_m::silicon::FILTERED_ROW_BYTES;

/// Which board it is.
#[derive(Debug)]
pub struct Nrf52840Dk;

impl Chip for Nrf52840Dk {
    const NAME: &'static str = "nrf52840-dk";
    const HZ: u32 = 64_000_000;
    const LIT: PinState = PinState::Low;
    type Cycles = Dwt;
}

/// The board's serial port.
pub type Port = Blocking<BufferedUarte<'static>>;

/// The board's counter, LED and stack.
pub type Silicon = silicon::Silicon<Nrf52840Dk, Output<'static>>;

bind_interrupts!(struct Interrupts {
    UARTE0 => buffered_uarte::InterruptHandler<peripherals::UARTE0>;
});

static RECEIVED: ConstStaticCell<[u8; QUEUE_BYTES]> = ConstStaticCell::new([0; _]);
static TO_SEND: ConstStaticCell<[u8; QUEUE_BYTES]> = ConstStaticCell::new([0; _]);

/// The open port, and the started board.
pub fn start() -> (Port, Silicon) {
    let mut config = Config::default();
    // The oscillator inside is not exact enough for a serial line at all temperatures.
    config.hfclk_source = HfclkSource::ExternalXtal;
    let chip = embassy_nrf::init(config);
    // The flash's cache is off after reset.
    pac::NVMC.icachecnf().modify(|cache| cache.set_cacheen(true));
    let port = BufferedUarte::new(
        chip.UARTE0,
        chip.TIMER0,
        chip.PPI_CH0,
        chip.PPI_CH1,
        chip.PPI_GROUP0,
        chip.P0_08,
        chip.P0_06,
        Interrupts,
        // Of 115,200 bits a second, as `silicon::BAUD` has it.
        uarte::Config::default(),
        RECEIVED.take(),
        TO_SEND.take(),
    );
    let led = Output::new(chip.P0_13, Level::High, OutputDrive::Standard);
    (Blocking(port), Silicon::start(Peripherals::take().expect("nobody else has taken them"), led))
}

microception_cortex_m::embedded_model!();
