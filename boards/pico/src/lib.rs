//! Raspberry Pi's Pico: a Cortex-M0+ at 125 MHz. The serial port is UART 0, on pins 1 (out) and 2 (in), for the UART of a Debug Probe.

#![no_std]

use cortex_m::Peripherals;
use embassy_rp::clocks::ClockConfig;
use embassy_rp::config::Config;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::uart::{self, BufferedUart};
use embassy_rp::{Peri, bind_interrupts, peripherals};
use microception_cortex_m::silicon::{self, BAUD, Chip, QUEUE_BYTES, SystemTimer};
use static_cell::ConstStaticCell;

pub use microception_cortex_m::report_panic as on_panic;
pub use microception_cortex_m::silicon::FILTERED_ROW_BYTES;

/// Which board it is.
#[derive(Debug)]
pub struct Pico;

impl Chip for Pico {
    const NAME: &'static str = "pico";
    const HZ: u32 = 125_000_000;
    type Cycles = SystemTimer;
}

/// The board's serial port.
pub type Port = BufferedUart;

/// The board's counter, LED and stack.
pub type Silicon = silicon::Silicon<Pico, Output<'static>>;

bind_interrupts!(struct Interrupts {
    UART0_IRQ => uart::BufferedInterruptHandler<peripherals::UART0>;
});

static RECEIVED: ConstStaticCell<[u8; QUEUE_BYTES]> = ConstStaticCell::new([0; _]);
static TO_SEND: ConstStaticCell<[u8; QUEUE_BYTES]> = ConstStaticCell::new([0; _]);

/// The open port, and the started board.
pub fn start() -> (Port, Silicon) {
    let chip = chip();
    let port = open(chip.UART0, chip.PIN_0, chip.PIN_1);
    let led = Output::new(chip.PIN_25, Level::Low);
    (port, Silicon::start(Peripherals::take().expect("nobody else has taken them"), led))
}

/// The chip at its full speed.
fn chip() -> embassy_rp::Peripherals {
    let clock = ClockConfig::system_freq(Pico::HZ).expect("the oscillator reaches this frequency");
    embassy_rp::init(Config::new(clock))
}

fn open(
    uart: Peri<'static, peripherals::UART0>,
    sends: Peri<'static, peripherals::PIN_0>,
    receives: Peri<'static, peripherals::PIN_1>,
) -> Port {
    let mut line = uart::Config::default();
    line.baudrate = BAUD;
    let (received, to_send) = (RECEIVED.take(), TO_SEND.take());
    BufferedUart::new(uart, sends, receives, Interrupts, to_send, received, line)
}

#[cfg(feature = "camera")]
pub use with_camera::start_with_camera;

/// An ArduCAM at SPI 0 and I2C 0.
#[cfg(feature = "camera")]
mod with_camera {
    use embassy_rp::gpio::{Level, Output};
    use embassy_rp::i2c::{self, I2c};
    use embassy_rp::peripherals::{I2C0, SPI0};
    use embassy_rp::spi::{self, Spi};
    use embassy_time::Delay;
    use embedded_hal_bus::spi::ExclusiveDevice;

    use super::{Port, chip, open};

    /// What the camera's controller takes is 8 MHz; over wires rather less.
    const SPI_HZ: u32 = 4_000_000;

    type OnSpi = ExclusiveDevice<Spi<'static, SPI0, spi::Blocking>, Output<'static>, Delay>;
    type OnI2c = I2c<'static, I2C0, i2c::Blocking>;

    /// The open port, and the camera's buses: clock, data out and in on GP18, GP19 and GP16, select on GP17, SCL and SDA
    /// on GP5 and GP4.
    pub fn start_with_camera() -> (Port, OnSpi, OnI2c, Delay) {
        let chip = chip();
        let port = open(chip.UART0, chip.PIN_0, chip.PIN_1);
        let mut settings = spi::Config::default();
        settings.frequency = SPI_HZ;
        let bus = Spi::new_blocking(chip.SPI0, chip.PIN_18, chip.PIN_19, chip.PIN_16, settings);
        let select = Output::new(chip.PIN_17, Level::High);
        let spi = ExclusiveDevice::new(bus, select, Delay).unwrap_or_else(|error| match error {});
        let i2c = I2c::new_blocking(chip.I2C0, chip.PIN_5, chip.PIN_4, i2c::Config::default());
        (port, spi, i2c, Delay)
    }
}

microception_cortex_m::embedded_model!();
