//! Every way to run the embedded model, the filters and front ends of pictures, and a panic handler that does not exist: this links
//! only when the optimizer has removed every panic path.

#![no_std]
#![no_main]

use core::hint::black_box;

use board::{FrameWords, model};
use cortex_m_rt::entry;
use microception::executor::{Executor, Progress};
use microception::filter::{Border, Filter, Kernel, Sample, kernel};
use microception::front::colour::{ByteOrder, Colours, Format, Pixel, Range};
use microception::front::{Bilinear, Crop, Nearest, Stage};
use microception_mps::undefined_panic;
use static_cell::ConstStaticCell;

static ARENA: ConstStaticCell<model::Arena> = ConstStaticCell::new(model::Arena::new());
static FRAME: ConstStaticCell<FrameWords> = ConstStaticCell::new(board::NO_FRAME);

#[entry]
fn main() -> ! {
    if let (Some(arena), Some(words)) = (ARENA.try_take(), FRAME.try_take()) {
        let words: &FrameWords = black_box(words);
        let mut executor = Executor::new(model::NETWORK, arena);
        if let Some(frame) = board::frame(words) {
            black_box(executor.predict(frame));
        }
        if let Some(row) = board::rows(words).next() {
            black_box(executor.push_row(row));
            executor.reset();
            executor.begin_row(row);
        }
        while let Progress::Ran { layer } = executor.step() {
            black_box(layer);
        }
        black_box(executor.output());
    }
    filter(black_box(kernel::EDGES), black_box(&[1_u8; 8]));
    filter(black_box(kernel::UNSHARP_5X5), black_box(&[-1_i8; 8]));
    filter(black_box(kernel::BOX_BLUR), black_box(&[1.0_f32; 8]));
    front(black_box(&[1; 8]));
    loop {
        cortex_m::asm::wfi();
    }
}

#[inline(never)]
fn filter<T: Sample, const N: usize>(kernel: Kernel<N>, row: &[T]) {
    for border in [Border::Constant(T::default()), Border::Nearest, Border::Reflect, Border::Mirror] {
        let mut memory = [T::default(); 256];
        let (width, channels) = black_box((8, 1));
        if let Ok(mut filter) = Filter::new(kernel, black_box(border), width, channels, &mut memory) {
            black_box(filter.push_row(row));
            filter.reset();
            black_box(filter.push_row(row));
            black_box(filter.finish());
            black_box(filter.into_memory());
        }
    }
}

#[inline(never)]
fn front(row: &[u8]) {
    let formats = [Format::Rgb565(ByteOrder::LowFirst), Format::Yuyv(Range::Full), Format::Uyvy(Range::Limited)];
    for (format, pixel) in formats.into_iter().zip([Pixel::Rgb, Pixel::Grey, Pixel::Rgb]) {
        let (mut line, mut small, mut large) = ([0; 12], [0; 64], [0; 64]);
        let crop = Crop::centred(black_box([4, 4]), black_box([3, 3]), pixel.channels());
        let (extents, channels) = (black_box([3, 3]), pixel.channels());
        if let Ok(bilinear) = Bilinear::new(extents, black_box([2, 2]), channels, &mut small)
            && let Ok(nearest) = Nearest::new(extents, black_box([5, 5]), channels, &mut large)
        {
            let mut stages = Colours::new(black_box(format), pixel, &mut line).then(crop).then(bilinear).then(nearest);
            stages.push_row(row, |row| {
                black_box(row);
            });
        }
    }
}

undefined_panic!();
