//! Filters pictures that come over UART 0 row by row, and sends the filtered rows back: `microception filter --board`.
//! There is no model in it.

#![no_std]
#![no_main]

use board::{Clock, FILTERED_ROW_BYTES, Port};
use cortex_m_rt::entry;
use microception_app::filter::{FilterServer, line_bytes};
use microception_mps::exit_on_panic;
use static_cell::ConstStaticCell;

static ROW: ConstStaticCell<[u8; FILTERED_ROW_BYTES]> = ConstStaticCell::new([0; _]);
static LINES: ConstStaticCell<[u8; line_bytes(FILTERED_ROW_BYTES)]> = ConstStaticCell::new([0; _]);

#[entry]
fn main() -> ! {
    let mut server = FilterServer::new(ROW.take(), LINES.take(), Port::open(), Clock::start());
    loop {
        let Ok(()) = server.serve();
    }
}

exit_on_panic!();
