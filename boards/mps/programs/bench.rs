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
use microception_app::Board;
use microception_app::measure::{self, Stopwatch};
use microception_app::protocol::Tick;
use microception_mps::exit_on_panic;
use microception_mps::semihosting::{print, println, process};
use static_cell::ConstStaticCell;

static ARENA: ConstStaticCell<model::Arena> = ConstStaticCell::new(model::Arena::new());
/// In flash: not every board has RAM for a frame beside the arena.
static FRAME: FrameWords = board::PATTERN;

type Network = Executor<'static, model::Network>;

#[entry]
fn main() -> ! {
    let Some(frame) = board::frame(&FRAME) else { process::exit(1) };
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
    let Ok(()) = measure::steps(&mut executor, board::rows(&FRAME), &mut stopwatch, |layer, ticks| {
        println!("step {layer} {ticks}");
        Ok::<(), Infallible>(())
    });
    process::exit(0)
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
