//! ST's Nucleo-F446RE: a Cortex-M4F at 180 MHz. The serial port is the one of the debug probe on the board (ST-LINK).

#![no_std]

use cortex_m::Peripherals;
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::rcc::{self, Hse, HseMode, Pll, PllMul, PllPDiv, PllPreDiv, PllSource, Sysclk};
use embassy_stm32::time::Hertz;
use embassy_stm32::usart::{self, BufferedUart};
use embassy_stm32::{Config, bind_interrupts, pac, peripherals};
use microception_cortex_m::silicon::{self, BAUD, Chip, Dwt, QUEUE_BYTES};
use static_cell::ConstStaticCell;

pub use microception_cortex_m::report_panic as on_panic;
pub use microception_cortex_m::silicon::FILTERED_ROW_BYTES;

/// Which board it is.
#[derive(Debug)]
pub struct NucleoF446re;

impl Chip for NucleoF446re {
    const NAME: &'static str = "nucleo-f446re";
    const HZ: u32 = 180_000_000;
    type Cycles = Dwt;
}

/// The board's serial port.
pub type Port = BufferedUart<'static>;

/// The board's counter, LED and stack.
pub type Silicon = silicon::Silicon<NucleoF446re, Output<'static>>;

bind_interrupts!(struct Interrupts {
    USART2 => usart::BufferedInterruptHandler<peripherals::USART2>;
});

static RECEIVED: ConstStaticCell<[u8; QUEUE_BYTES]> = ConstStaticCell::new([0; _]);
static TO_SEND: ConstStaticCell<[u8; QUEUE_BYTES]> = ConstStaticCell::new([0; _]);

/// The open port, and the started board.
pub fn start() -> (Port, Silicon) {
    let chip = embassy_stm32::init(config());
    // The HAL leaves prefetch and the flash's caches off; at 180 MHz each access would wait for 5 cycles.
    pac::FLASH.acr().modify(|flash| {
        flash.set_prften(true);
        flash.set_icen(true);
        flash.set_dcen(true);
    });
    let mut line = usart::Config::default();
    line.baudrate = BAUD;
    let (received, to_send) = (RECEIVED.take(), TO_SEND.take());
    let port = BufferedUart::new(chip.USART2, chip.PA3, chip.PA2, to_send, received, Interrupts, line);
    let port = port.expect("this baud rate divides the clock");
    let led = Output::new(chip.PA5, Level::Low, Speed::Low);
    (port, Silicon::start(Peripherals::take().expect("nobody else has taken them"), led))
}

/// 8 MHz from the ST-LINK, times 90 / 4.
fn config() -> Config {
    let mut config = Config::default();
    let pll = Pll { prediv: PllPreDiv::DIV4, mul: PllMul::MUL180, divp: Some(PllPDiv::DIV2), divq: None, divr: None };
    config.rcc.hse = Some(Hse { freq: Hertz(8_000_000), mode: HseMode::Bypass });
    config.rcc.pll_src = PllSource::HSE;
    config.rcc.pll = Some(pll);
    config.rcc.sys = Sysclk::PLL1_P;
    config.rcc.apb1_pre = rcc::APBPrescaler::DIV4;
    config.rcc.apb2_pre = rcc::APBPrescaler::DIV2;
    config
}

microception_cortex_m::embedded_model!();
