//! A model by hand, in the form of a generated module: doubles every element of `[3, 20, 2]` f32.

use microception::layers::{add, input, pairwise};
use microception::model::{Model, Plan, RowBytes, Step};
use microception::window::Call;

const _: () = microception::model::require_format(microception::model::FORMAT);

/// The model's name.
pub const NAME: &str = "doubler";
/// The names of the classes.
pub static LABELS: [&str; 3] = ["first", "second", "third"];
/// Extents of the input.
pub const INPUT_SHAPE: &[usize] = &[3, 20, 2];
/// Extents of the output.
pub const OUTPUT_SHAPE: &[usize] = &[3, 20, 2];
/// Real value of one step of the input.
pub const INPUT_SCALE: f32 = 1.0;
/// The input that stands for zero.
pub const INPUT_ZERO_POINT: f32 = 0.0;
/// Real value of one step of the output.
pub const OUTPUT_SCALE: f32 = 1.0;
/// The output that stands for zero.
pub const OUTPUT_ZERO_POINT: i32 = 0;
/// Bytes of arena.
pub const ARENA_BYTES: usize = 640;
/// Memory for the model.
pub type Arena = microception::executor::Arena<ARENA_BYTES>;
/// Bytes of weights.
pub const WEIGHT_BYTES: usize = 0;
/// Multiply-accumulates of one inference.
pub const MACS: u64 = 0;

/// The model.
#[derive(Debug, Clone, Copy)]
pub struct Doubler;

/// The model.
pub type Network = Doubler;
/// The model.
pub const NETWORK: Network = Doubler;

static ROWS: [RowBytes; 2] =
    [RowBytes { inputs: [160, 0], output: 160, scratch: 0 }, RowBytes { inputs: [160, 160], output: 160, scratch: 0 }];

static STEPS: [Step; 6] = [
    Step { layer: 0, row: 0, rows: 1, first: 0, lines: [0, 0] },
    Step { layer: 1, row: 0, rows: 1, first: 0, lines: [1, 1] },
    Step { layer: 0, row: 1, rows: 1, first: 0, lines: [0, 0] },
    Step { layer: 1, row: 1, rows: 1, first: 0, lines: [1, 1] },
    Step { layer: 0, row: 2, rows: 1, first: 0, lines: [0, 0] },
    Step { layer: 1, row: 2, rows: 1, first: 0, lines: [1, 1] },
];

/// Lines read, row written, scratch, in units of 16 bytes.
static ADDRESSES: [u16; 18] = [0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 30, 0];

impl Model for Doubler {
    type Input = f32;
    type Output = f32;
    type Frame = [f32; 120];
    type Row = [f32; 40];
    const ARENA_BYTES: usize = ARENA_BYTES;

    fn plan(&self) -> Plan<'_> {
        Plan { inputs: 1, rows: &ROWS, steps: &STEPS, addresses: &ADDRESSES, unit: 16, output: 10, output_bytes: 480 }
    }

    fn run(&self, layer: usize, call: Call<'_>) {
        static SUM: add::F32 = add::F32 { clamp: [f32::MIN, f32::MAX] };
        match layer {
            0 => input::copy(call),
            _ => pairwise::same(&SUM, call),
        }
    }
}
