//! Measures one `predict` of the embedded model on an embedded frame, then each step of an inference
//! over the same frame's rows, and prints what it measured as `name value` lines.
//!
//! It reads nothing from outside and never sleeps: from reset to its end it runs the same instructions
//! every time.
//!
//! `bench_begin` and `bench_end` mark one inference for tools that count instructions from outside.

#![no_std]
#![no_main]

use core::arch::asm;
use core::convert::Infallible;

use board::{Clock, Frame, FrameWords, model};
use cortex_m_rt::entry;
use microception::executor::Executor;
use microception::model::Model;
use microception_app::measure::{self, Stopwatch};
use microception_app::protocol::{Element, Tick};
use microception_app::{Board, Number};
use microception_mps::exit_on_panic;
use microception_mps::semihosting::{print, println, process};
use static_cell::ConstStaticCell;

static ARENA: ConstStaticCell<model::Arena> = ConstStaticCell::new(model::Arena::new());
/// In flash: not every board has RAM for a frame beside the arena.
static FRAME: FrameWords = pattern(matches!(<model::Network as Model>::Input::ELEMENT, Element::F32));

type Network = Executor<'static, model::Network>;

#[entry]
fn main() -> ! {
    let bytes: &[u8] = &bytemuck::cast_slice(&FRAME)[..size_of::<Frame>()];
    let frame: &Frame = bytemuck::from_bytes(bytes);
    let rows: &[<model::Network as Model>::Row] = bytemuck::cast_slice(bytes);
    let mut executor = Executor::new(model::NETWORK, ARENA.take());
    let mut board = Clock::start();

    let stack = board.stack_bytes(&mut || predict(&mut executor, frame));
    let mut stopwatch = Stopwatch::new(&mut board);
    let ((), ticks) = stopwatch.time(|| predict(&mut executor, frame));
    bench_begin();
    predict(&mut executor, frame);
    bench_end();

    let (Tick::Time { hz } | Tick::Cycle { hz }) = Clock::TICK;
    println!("ticks_per_second {hz}");
    println!("ticks {ticks}");
    println!("stack_bytes {}", stack.unwrap_or(0));
    println!("arena_bytes {}", model::ARENA_BYTES);
    println!("weight_bytes {}", model::WEIGHT_BYTES);
    print!("output");
    for value in executor.output() {
        print!(" {value}");
    }
    println!();
    println!("layers {}", model::NETWORK.plan().rows.len());
    let Ok(()) = measure::steps(&mut executor, rows, &mut stopwatch, |layer, ticks| {
        println!("step {layer} {ticks}");
        Ok::<(), Infallible>(())
    });
    process::exit(0)
}

/// A pattern that is no plane and no edge: bytes 0, 37, 74, 111, ... modulo 256, or those numbers over 255 in f32.
const fn pattern<const WORDS: usize>(is_float: bool) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    let (mut place, mut byte) = (0, 0_u8);
    while place < WORDS {
        if is_float {
            words[place] = (byte as f32 / 255.0).to_bits();
            byte = byte.wrapping_add(37);
        } else {
            let next = [byte, byte.wrapping_add(37), byte.wrapping_add(2 * 37), byte.wrapping_add(3 * 37)];
            words[place] = u32::from_le_bytes(next);
            byte = byte.wrapping_add((4 * 37) as u8);
        }
        place += 1;
    }
    words
}

/// One inference: the same code wherever it is called from.
#[inline(never)]
fn predict(executor: &mut Network, frame: &Frame) {
    executor.predict(frame);
}

/// The marked inference begins after this.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn bench_begin() {
    // SAFETY: an instruction that does nothing; it keeps the function.
    unsafe { asm!("nop") };
}

/// The marked inference ends before this.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn bench_end() {
    // SAFETY: as above, and not the same code, so that the two functions stay two.
    unsafe { asm!("nop", "nop") };
}

exit_on_panic!();
