//! Runs generated modules one after the other on the target, each on an input of its own, and ends with the
//! first answer that is not the expected one.

#![no_std]
#![no_main]

mod cases;

use cortex_m_rt::entry;
use microception::bytemuck::{self, Pod};
use microception::executor::{Arena, Executor, Progress};
use microception::model::{Frames, Model};
use microception_mps::semihosting::{println, process};
use static_cell::ConstStaticCell;

/// All models run in one arena, over what the one before left.
static ARENA: ConstStaticCell<SharedArena> = ConstStaticCell::new(SharedArena::new());

type SharedArena = Arena<{ cases::ARENA_BYTES }>;

#[entry]
fn main() -> ! {
    let count = cases::check_all(ARENA.take());
    println!("{count} models");
    process::exit(0)
}

/// Runs `model` on `frame` in all three ways; every element of its output must be within `near` of `expected`.
fn check<M>(name: &str, model: M, arena: &mut SharedArena, frame: &M::Frame, expected: &[M::Output], near: f32)
where
    M: Model<Row: Pod, Output: Copy + Into<f32>>,
{
    let compare = |way: &str, output: &[M::Output]| {
        assert_eq!(output.len(), expected.len(), "{name}: {way}");
        for (index, (&found, &expected)) in output.iter().zip(expected).enumerate() {
            let (found, expected): (f32, f32) = (found.into(), expected.into());
            let difference = found - expected;
            assert!(
                (-near..=near).contains(&difference),
                "{name}: {way}: output {index} is {found} where {expected} is expected"
            );
        }
    };
    let rows = || {
        frame.frame(0).chunks_exact(size_of::<M::Row>()).map(bytemuck::from_bytes::<M::Row>)
    };
    let mut executor = Executor::new(model, arena);
    compare("predict", executor.predict(frame));

    let mut answers = 0;
    for row in rows() {
        if let Some(output) = executor.push_row(row) {
            compare("push_row", output);
            answers += 1;
        }
    }
    assert_eq!(answers, 1, "{name}: push_row answers once a frame");

    executor.reset();
    let mut rows = rows();
    loop {
        match executor.step() {
            Progress::Ran { .. } => {}
            Progress::NeedsRow { .. } => executor.begin_row(rows.next().unwrap()),
            Progress::Done => break,
        }
    }
    compare("step", executor.output());
}

microception_mps::exit_on_panic!();
