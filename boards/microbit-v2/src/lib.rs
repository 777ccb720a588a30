//! The BBC micro:bit v2: a Cortex-M4F at 64 MHz. The serial port is the one of the interface chip, at its USB socket.

#![no_std]

use cortex_m::Peripherals;
use embassy_nrf::buffered_uarte::{self, BufferedUarte};
use embassy_nrf::config::{Config, HfclkSource};
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::{bind_interrupts, pac, peripherals, uarte};
use microception_cortex_m::silicon::{self, Blocking, Chip, Dwt, QUEUE_BYTES};
use static_cell::ConstStaticCell;

pub use microception_cortex_m::report_panic as on_panic;
pub use microception_cortex_m::silicon::FILTERED_ROW_BYTES;

/// Which board it is.
#[derive(Debug)]
pub struct MicrobitV2;

impl Chip for MicrobitV2 {
    const NAME: &'static str = "microbit-v2";
    const HZ: u32 = 64_000_000;
    type Cycles = Dwt;
}

/// The board's serial port.
pub type Port = Blocking<BufferedUarte<'static>>;

/// The board's counter, LED and stack.
pub type Silicon = silicon::Silicon<MicrobitV2, Output<'static>>;

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
        chip.P1_08,
        chip.P0_06,
        Interrupts,
        // Of 115,200 bits a second, as `silicon::BAUD` has it.
        uarte::Config::default(),
        RECEIVED.take(),
        TO_SEND.take(),
    );
    // The first LED of the matrix is lit when its row is high and its column low, which it stays.
    core::mem::forget(Output::new(chip.P0_28, Level::Low, OutputDrive::Standard));
    let led = Output::new(chip.P0_21, Level::Low, OutputDrive::Standard);
    (Blocking(port), Silicon::start(Peripherals::take().expect("nobody else has taken them"), led))
}

microception_cortex_m::embedded_model!();
