//! Nothing but one `predict` of the embedded model. What it needs more flash and RAM than `empty`
//! is what inference costs.

#![no_std]
#![no_main]

use core::hint::black_box;

use board::{FrameWords, model};
use cortex_m_rt::entry;
use microception::executor::Executor;
use microception_mps::undefined_panic;
use static_cell::ConstStaticCell;

static ARENA: ConstStaticCell<model::Arena> = ConstStaticCell::new(model::Arena::new());
static FRAME: ConstStaticCell<FrameWords> = ConstStaticCell::new(board::NO_FRAME);

#[entry]
fn main() -> ! {
    if let (Some(arena), Some(words)) = (ARENA.try_take(), FRAME.try_take()) {
        let words: &FrameWords = black_box(words);
        if let Some(frame) = board::frame(words) {
            black_box(Executor::new(model::NETWORK, arena).predict(frame));
        }
    }
    loop {
        cortex_m::asm::wfi();
    }
}

undefined_panic!();
