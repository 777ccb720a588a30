//! What `inference` is without inference: start-up, the vector table, and the input frame.

#![no_std]
#![no_main]

use core::hint::black_box;

use board::{Frame, FrameWords};
use cortex_m_rt::entry;
use microception_mps::undefined_panic;
use static_cell::ConstStaticCell;

static FRAME: ConstStaticCell<FrameWords> = ConstStaticCell::new([0; _]);

#[entry]
fn main() -> ! {
    if let Some(words) = FRAME.try_take() {
        let bytes: &[u8] = bytemuck::must_cast_slice(black_box(words));
        if let Some(Ok(frame)) = bytes.get(..size_of::<Frame>()).map(bytemuck::try_from_bytes::<Frame>) {
            black_box(frame);
        }
    }
    loop {
        cortex_m::asm::wfi();
    }
}

undefined_panic!();
