//! Serves the embedded model over the board's serial port.

#![no_std]
#![no_main]

use board::model;
use cortex_m_rt::entry;
use microception::executor::Executor;
use microception_app::{Server, facts};
use static_cell::ConstStaticCell;

static ARENA: ConstStaticCell<model::Arena> = ConstStaticCell::new(model::Arena::new());

#[entry]
fn main() -> ! {
    let executor = Executor::new(model::NETWORK, ARENA.take());
    let (port, board) = board::start();
    let mut server = Server::new(executor, facts!(model), port, board);
    loop {
        // What a port complains about is noise on its line: the frame is lost, and the host asks again.
        let _ = server.serve();
    }
}

board::on_panic!();
