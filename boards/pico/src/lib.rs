//! Raspberry Pi's Pico: a Cortex-M0+ at 125 MHz. The serial port is UART 0, on pins 1 (out) and 2 (in), for the UART of a Debug Probe.

#![no_std]

use cortex_m::Peripherals;
use embassy_rp::clocks::ClockConfig;
use embassy_rp::config::Config;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::uart::{self, BufferedUart};
use embassy_rp::{bind_interrupts, peripherals};
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
    let clock = ClockConfig::system_freq(Pico::HZ).expect("the oscillator reaches this frequency");
    let chip = embassy_rp::init(Config::new(clock));
    let mut line = uart::Config::default();
    line.baudrate = BAUD;
    let (received, to_send) = (RECEIVED.take(), TO_SEND.take());
    let port = BufferedUart::new(chip.UART0, chip.PIN_0, chip.PIN_1, Interrupts, to_send, received, line);
    let led = Output::new(chip.PIN_25, Level::Low);
    (port, Silicon::start(Peripherals::take().expect("nobody else has taken them"), led))
}

microception_cortex_m::embedded_model!();
