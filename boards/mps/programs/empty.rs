//! What `inference` is without inference: start-up, the vector table, and the input frame.

#![no_std]
#![no_main]

use core::hint::black_box;

use board::FrameWords;
use cortex_m_rt::entry;
use microception_mps::undefined_panic;
use static_cell::ConstStaticCell;

static FRAME: ConstStaticCell<FrameWords> = ConstStaticCell::new(board::NO_FRAME);

#[entry]
fn main() -> ! {
    if let Some(words) = FRAME.try_take() {
        let words: &FrameWords = black_box(words);
        if let Some(frame) = board::frame(words) {
            black_box(frame);
        }
    }
    loop {
        cortex_m::asm::wfi();
    }
}

undefined_panic!();
