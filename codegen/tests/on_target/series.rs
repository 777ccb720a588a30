//! Pushes series into endless models, and ends with the first output that is not the expected one.

#![no_std]
#![no_main]

mod cases;

use cortex_m_rt::entry;
use microception::bytemuck::{self, Pod};
use microception::executor::{Arena, Executor};
use microception::model::Model;
use microception_mps::semihosting::{println, process};

#[entry]
fn main() -> ! {
    cases::check_all();
    println!("right");
    process::exit(0)
}

/// Pushes `series` row by row, twice and a half: what comes out are the rows of `expected`.
fn check<M, const N: usize>(name: &str, model: M, arena: &mut Arena<N>, series: &[i8], expected: &[i8])
where
    M: Model<Output = i8, Row: Pod>,
{
    let rows = || bytemuck::cast_slice::<i8, u8>(series).chunks_exact(size_of::<M::Row>());
    let mut executor = Executor::new(model, arena);
    for half in [rows().len(), rows().len() / 2, rows().len()] {
        executor.reset();
        let mut outputs = expected.chunks_exact(executor.output().len());
        for row in rows().take(half) {
            if let Some(output) = executor.push_row(bytemuck::from_bytes(row)) {
                assert_eq!(Some(output), outputs.next(), "{name}");
            }
        }
        assert!(half < rows().len() || outputs.next().is_none(), "{name}: outputs are missing");
    }
}

microception_mps::exit_on_panic!();
