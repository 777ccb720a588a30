//! The crate microflow in the benchmark: one of its models on an emulated Cortex-M4 ([`program!`]).
//!
//! What is measured is `predict_quantized`, which takes the int8 numbers that the model takes.

#![no_std]

#[path = "../../../boards/mps/src/counter.rs"]
mod counter;
// Public, since not all of it is needed here.
#[path = "../../../boards/cortex-m/src/stack.rs"]
pub mod stack;
mod tensor;

use core::hint::black_box;
use core::iter;

pub use cortex_m_rt;
pub use semihosting;
pub use tensor::Tensor;

use semihosting::{print, println, process};

/// Address of the system registers of MPS2 AN386, a counter among them, and how often a second that counts: 6.4 times an
/// instruction, so that it wraps around after 671 million. The longest inference here takes 415.
const FPGAIO: usize = 0x4002_8000;
const COUNTER_HZ: u32 = 25_000_000;

/// The program that runs `$network`, a type that microflow made, on the inputs in the file `$inputs`.
#[cfg(not(any(feature = "inference", feature = "empty")))]
#[macro_export]
macro_rules! program {
    ($network:path, $inputs:literal) => {
        #[$crate::cortex_m_rt::entry]
        fn main() -> ! {
            $crate::measure(include_bytes!($inputs), <$network>::predict_quantized)
        }

        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            $crate::semihosting::eprintln!("{info}");
            $crate::semihosting::process::exit(1)
        }
    };
}

/// The program to be weighed; a panic says nothing, which takes the least flash.
#[cfg(any(feature = "inference", feature = "empty"))]
#[macro_export]
macro_rules! program {
    ($network:path, $inputs:literal) => {
        #[$crate::cortex_m_rt::entry]
        fn main() -> ! {
            $crate::weigh(<$network>::predict_quantized)
        }

        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            loop {}
        }
    };
}

/// Measures `predict` on the first of `inputs`, and prints what it measured and what it answers to each, as
/// `name value` lines. The bytes of an input are int8.
pub fn measure<I: Tensor<i8>, O: Tensor<f32>>(inputs: &[u8], predict: impl Fn(I) -> O) -> ! {
    let mut inputs = inputs.chunks_exact(I::SIZE).map(|bytes| I::of(bytes.iter().map(|&byte| byte as i8)));
    let Some(first) = inputs.next() else { process::abort() };
    counter::start(FPGAIO);
    let stack_bytes = stack::used_by(&mut || {
        black_box(call(&predict, &first));
    });
    let overhead = ticks(|| ());
    let ticks = ticks(|| {
        black_box(call(&predict, &first));
    });
    println!("ticks_per_second {COUNTER_HZ}");
    println!("ticks {}", ticks.saturating_sub(overhead));
    println!("stack_bytes {stack_bytes}");
    iter::once(first).chain(inputs).for_each(|input| {
        print!("output");
        call(&predict, &input).each(|value| print!(" {value}"));
        println!();
    });
    process::exit(0)
}

/// The one call, into which `predict` is compiled: it takes its input by value.
#[inline(never)]
fn call<I: Tensor<i8>, O>(predict: &impl Fn(I) -> O, input: &I) -> O {
    predict(*input)
}

/// Ticks that `work` takes, reading the counter included.
#[inline(always)]
fn ticks(work: impl FnOnce()) -> u32 {
    let start = counter::read(FPGAIO);
    work();
    counter::read(FPGAIO).wrapping_sub(start)
}

/// Calls `predict` once on some input; with the feature `empty` has that input and nothing else.
pub fn weigh<I: Tensor<i8>, O>(predict: impl Fn(I) -> O) -> ! {
    let input = black_box(I::of(iter::repeat_with(|| black_box(0))));
    if cfg!(not(feature = "empty")) {
        black_box(predict(input));
    }
    loop {
        cortex_m::asm::wfi();
    }
}
