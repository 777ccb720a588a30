//! ST's Nucleo-H743ZI and H743ZI2: a Cortex-M7 at 400 MHz, which every revision of the chip reaches. The serial port is the
//! one of the debug probe on the board (ST-LINK).

#![no_std]

use cortex_m::Peripherals;
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::rcc::{self, Hse, HseMode, Pll, PllDiv, PllMul, PllPreDiv, PllSource, Sysclk, VoltageScale};
use embassy_stm32::time::Hertz;
use embassy_stm32::usart::{self, BufferedUart};
use embassy_stm32::{Config, bind_interrupts, peripherals};
use microception_cortex_m::silicon::{self, BAUD, Chip, Dwt, QUEUE_BYTES};
use static_cell::ConstStaticCell;

pub use microception_cortex_m::report_panic as on_panic;
pub use microception_cortex_m::silicon::FILTERED_ROW_BYTES;

/// Which board it is.
#[derive(Debug)]
pub struct NucleoH743zi;

impl Chip for NucleoH743zi {
    const NAME: &'static str = "nucleo-h743zi";
    const HZ: u32 = 400_000_000;
    type Cycles = Dwt;
}

/// The board's serial port.
pub type Port = BufferedUart<'static>;

/// The board's counter, LED and stack.
pub type Silicon = silicon::Silicon<NucleoH743zi, Output<'static>>;

bind_interrupts!(struct Interrupts {
    USART3 => usart::BufferedInterruptHandler<peripherals::USART3>;
});

static RECEIVED: ConstStaticCell<[u8; QUEUE_BYTES]> = ConstStaticCell::new([0; _]);
static TO_SEND: ConstStaticCell<[u8; QUEUE_BYTES]> = ConstStaticCell::new([0; _]);

/// The open port, and the started board.
pub fn start() -> (Port, Silicon) {
    let mut core = Peripherals::take().expect("nobody else has taken them");
    // Nothing but the core writes memory: there is no DMA that the data cache could hide anything from.
    core.SCB.enable_icache();
    core.SCB.enable_dcache(&mut core.CPUID);
    let chip = embassy_stm32::init(config());
    let mut line = usart::Config::default();
    line.baudrate = BAUD;
    let (received, to_send) = (RECEIVED.take(), TO_SEND.take());
    let port = BufferedUart::new(chip.USART3, chip.PD9, chip.PD8, to_send, received, Interrupts, line);
    let port = port.expect("this baud rate divides the clock");
    let led = Output::new(chip.PB0, Level::Low, Speed::Low);
    (port, Silicon::start(core, led))
}

/// 8 MHz from the ST-LINK, times 50; half of it for the buses, a quarter for their peripherals.
fn config() -> Config {
    let mut config = Config::default();
    config.rcc.hse = Some(Hse { freq: Hertz(8_000_000), mode: HseMode::Bypass });
    config.rcc.pll1 = Some(Pll {
        source: PllSource::HSE,
        prediv: PllPreDiv::DIV1,
        mul: PllMul::MUL100,
        fracn: None,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    config.rcc.sys = Sysclk::PLL1_P;
    config.rcc.ahb_pre = rcc::AHBPrescaler::DIV2;
    config.rcc.apb1_pre = rcc::APBPrescaler::DIV2;
    config.rcc.apb2_pre = rcc::APBPrescaler::DIV2;
    config.rcc.apb3_pre = rcc::APBPrescaler::DIV2;
    config.rcc.apb4_pre = rcc::APBPrescaler::DIV2;
    config.rcc.voltage_scale = VoltageScale::Scale1;
    config
}

microception_cortex_m::embedded_model!();
