//! Serves the embedded model over UART 0.

#![no_std]
#![no_main]

use board::{Clock, Port, model};
use cortex_m_rt::entry;
use microception::executor::Executor;
use microception_app::{Server, facts};
use microception_mps::exit_on_panic;
use static_cell::ConstStaticCell;

static ARENA: ConstStaticCell<model::Arena> = ConstStaticCell::new(model::Arena::new());

#[entry]
fn main() -> ! {
    let executor = Executor::new(model::NETWORK, ARENA.take());
    let mut server = Server::new(executor, facts!(model), Port::open(), Clock::start());
    loop {
        let Ok(()) = server.serve();
    }
}

exit_on_panic!();
