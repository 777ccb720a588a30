//! Filters pictures that come over the board's serial port row by row, and sends the filtered rows back: `microception
//! filter --board`. There is no model in it.

#![no_std]
#![no_main]

use board::FILTERED_ROW_BYTES;
use cortex_m_rt::entry;
use microception_app::filter::{FilterServer, line_bytes};
use static_cell::ConstStaticCell;

static ROW: ConstStaticCell<[u8; FILTERED_ROW_BYTES]> = ConstStaticCell::new([0; _]);
static LINES: ConstStaticCell<[u8; line_bytes(FILTERED_ROW_BYTES)]> = ConstStaticCell::new([0; _]);

#[entry]
fn main() -> ! {
    let (port, board) = board::start();
    let mut server = FilterServer::new(ROW.take(), LINES.take(), port, board);
    loop {
        // What a port complains about is noise on its line: the frame is lost, and the host asks again.
        let _ = server.serve();
    }
}

board::on_panic!();
