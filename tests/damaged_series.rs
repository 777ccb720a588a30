//! An endless plan of which a flipped bit has left no step that takes a row: whoever pushes rows gets an answer all the same.

use std::cell::Cell;

use microception::executor::{Arena, Executor, Progress};
use microception::layers::{Geometry, input, max_pool};
use microception::model::{Input, Model, Period, Plan, RowBytes, Step, Tensor, flip_plan_bit};
use microception::window::Call;

/// A series as it is, number by number: a window of one row, so that one step of the period takes a row and one does not.
struct Same {
    steps: [Step; 2],
    addresses: [u16; 5],
    /// Steps that ran.
    ran: Cell<usize>,
}

impl Same {
    fn whole() -> Same {
        let steps = [Step::new(0, 0, 1, 0, [0, 0]), Step::new(1, 0, 1, 0, [1, 0])];
        Same { steps, addresses: [0, 0, 0, 1, 0], ran: Cell::new(0) }
    }

    /// With that bit of the plan flipped.
    fn damaged(bit: usize) -> Same {
        let mut same = Same::whole();
        flip_plan_bit(&mut same.steps, &mut same.addresses, bit);
        same
    }
}

/// More than any call runs of a plan of two steps, from one row to the next or from a frame's begin to its end.
const FOR_EVER: usize = 100;

impl Model for &Same {
    type Input = i8;
    type Output = i8;
    type Frame = [i8; 1];
    type Row = [i8; 1];
    const ARENA_BYTES: usize = 8;

    fn plan(&self) -> Plan<'_> {
        static ROWS: [RowBytes; 2] = [RowBytes { inputs: [1, 0], output: 1, scratch: 0 }; 2];
        static OUTPUTS: [Tensor; 1] = [Tensor { address: 1, bytes: 1 }];
        Plan { inputs: 1, rows: &ROWS, steps: &self.steps, addresses: &self.addresses, unit: 4, outputs: &OUTPUTS }
    }

    fn period(&self) -> Option<Period> {
        Some(Period { step: 0, address: 0, output: 1, withheld: 0 })
    }

    fn run(&self, layer: usize, call: Call<'_>) {
        self.ran.set(self.ran.get() + 1);
        assert!(self.ran.get() < FOR_EVER, "it runs for ever");
        let geometry = Geometry {
            width: 1,
            channels: 1,
            output_width: 1,
            kernel: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            left: 0,
        };
        match layer {
            0 => input::copy(call),
            _ => max_pool::int8(&max_pool::MaxPool { geometry }, call),
        }
    }
}

#[test]
fn the_series_comes_out_as_it_went_in() {
    let same = Same::whole();
    let mut arena = Arena::<8>::new();
    let mut executor = Executor::new(&same, &mut arena);
    assert_eq!(
        [3, -4, 5].map(|row| executor.push_row(&[row]).map(<[i8]>::to_vec)),
        [3, -4, 5].map(|row| Some(vec![row]))
    );
    assert_eq!(executor.predict(&[7]), [7]);
}

#[test]
fn no_flipped_bit_of_the_plan_keeps_a_row_for_ever() {
    const SERIES: Input<i8, 1> = Input::new(0);
    let bits = (&Same::whole()).plan().bits();
    assert_eq!(bits, 2 * 64 + 5 * 16);
    for bit in 0..bits {
        let same = Same::damaged(bit);
        let mut arena = Arena::<8>::new();
        let mut executor = Executor::new(&same, &mut arena);
        for row in [1, 2, 3] {
            executor.push_row(&[row]);
            same.ran.set(0);
            let progress = executor.push_row_of(SERIES, &[row]);
            assert!(!matches!(progress, Progress::Ran { .. }), "bit {bit}: {progress:?}");
            same.ran.set(0);
        }
        executor.predict(&[4]);
    }
}
