//! Serves the embedded model over UART 0.

#![no_std]
#![no_main]

use cortex_m_rt::entry;
use defmt_semihosting as _;
use microception::executor::Executor;
use microception_app::{Server, facts};
use microception_mps2_an386::{Mps2, Timer, Uart, exit_on_panic, model};
use static_cell::ConstStaticCell;

static ARENA: ConstStaticCell<model::Arena> = ConstStaticCell::new(model::Arena::new());

#[entry]
fn main() -> ! {
    let executor = Executor::new(model::NETWORK, ARENA.take());
    let mut server = Server::new(executor, facts!(model), Uart::open(), Mps2::new(Timer::start()));
    loop {
        let Ok(()) = server.serve();
    }
}

exit_on_panic!();
