//! Runs a module whose weights and arena are in sections of their own.

#![no_std]
#![no_main]

mod model {
    include!("model.rs");
}

use cortex_m_rt::entry;
use microception::executor::Executor;
use microception_mps::semihosting::{println, process};
use static_cell::ConstStaticCell;

include!("case.rs");

model::in_arena_section! {
    static ARENA: ConstStaticCell<model::Arena> = ConstStaticCell::new(model::Arena::new());
}

#[entry]
fn main() -> ! {
    let mut network = Executor::new(model::NETWORK, ARENA.take());
    assert_eq!(network.predict(&FRAME), &EXPECTED);
    println!("right");
    process::exit(0)
}

microception_mps::exit_on_panic!();
