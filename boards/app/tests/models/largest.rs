//! A model by hand, in the form of a generated module: the largest of the last three rows of a series that has no end,
//! element by element, every second row; `[300]` i8.

use microception::golden::Golden;
use microception::layers::{Geometry, input, max_pool};
use microception::model::{Element, Layer, Model, Period, Plan, Port, RowBytes, Step, Tensor, Weights};
use microception::window::Call;

const _: () = microception::model::require_format(microception::model::FORMAT);

/// The model's name.
pub const NAME: &str = "largest";
/// The names of the classes.
pub static LABELS: [&str; 0] = [];
/// The input.
pub static INPUTS: [Port; 1] =
    [Port { name: "in", shape: &[3, 300], element: Element::I8, scale: 1.0, zero_point: 0.0 }];
/// The output.
pub static OUTPUTS: [Port; 1] =
    [Port { name: "out", shape: &[1, 300], element: Element::I8, scale: 1.0, zero_point: 0.0 }];
/// Bytes of arena.
pub const ARENA_BYTES: usize = 1500;
/// Memory for the model.
pub type Arena = microception::executor::Arena<ARENA_BYTES>;
/// Bytes of weights.
pub const WEIGHT_BYTES: usize = 0;
/// Multiply-accumulates of one inference.
pub const MACS: u64 = 0;
/// The layers.
pub static LAYERS: [Layer; 2] =
    [Layer { name: "in", kind: "input", macs: 0 }, Layer { name: "largest", kind: "max_pool", macs: 0 }];
/// Nothing in flash.
pub static WEIGHTS: [Weights; 0] = [];
/// That of no byte.
pub const WEIGHTS_CRC: u32 = 0;
/// The largest of the made-up rows 6, 7 and 8, as Python's `zlib.crc32` has it.
pub static GOLDEN: [Golden; 1] = [Golden::Exact { first: &[19, 123, 28, 58, 96, 114, 46, 60], crc: 0x399d_a6d8 }];

/// The model.
#[derive(Debug, Clone, Copy)]
pub struct Largest;

/// The model.
pub type Network = Largest;
/// The model.
pub const NETWORK: Network = Largest;

static ROWS: [RowBytes; 2] = [RowBytes { inputs: [300, 0], output: 300, scratch: 0 }; 2];

static STEPS: [Step; 6] = [
    Step::new(0, 0, 1, 0, [0, 0]),
    Step::new(1, 0, 1, 0, [3, 0]),
    Step::new(0, 1, 1, 0, [0, 0]),
    Step::new(0, 2, 1, 0, [0, 0]),
    Step::new(1, 1, 1, 0, [3, 0]),
    Step::new(0, 3, 1, 0, [0, 0]),
];

/// Lines read, row written, scratch, in units of 300 bytes: four rows in turn, then the output.
static ADDRESSES: [u16; 18] = [0, 0, 2, 3, 0, 4, 0, 1, 0, 2, 0, 0, 1, 2, 4, 0, 3, 0];

/// Where the output is.
static OUTPUT_TENSORS: [Tensor; 1] = [Tensor { address: 4, bytes: 300 }];

impl Model for Largest {
    type Input = i8;
    type Output = i8;
    type Frame = [i8; 900];
    type Row = [i8; 300];
    const ARENA_BYTES: usize = ARENA_BYTES;

    fn plan(&self) -> Plan<'_> {
        Plan { inputs: 1, rows: &ROWS, steps: &STEPS, addresses: &ADDRESSES, unit: 300, outputs: &OUTPUT_TENSORS }
    }

    fn period(&self) -> Option<Period> {
        Some(Period { step: 0, address: 0, output: 1, withheld: 1 })
    }

    fn run(&self, layer: usize, call: Call<'_>) {
        let geometry = Geometry {
            width: 1,
            channels: 300,
            output_width: 1,
            kernel: [3, 1],
            stride: [2, 1],
            dilation: [1, 1],
            left: 0,
        };
        match layer {
            0 => input::copy(call),
            _ => max_pool::int8(&max_pool::MaxPool { geometry }, call),
        }
    }
}
