//! A model by hand, in the form of a generated module: doubles every element of `[3, 20, 2]` f32.

use microception::golden::Golden;
use microception::layers::{add, input, pairwise};
use microception::model::{Element, Layer, Model, Plan, Port, RowBytes, Step, Tensor, Weights};
use microception::window::Call;

const _: () = microception::model::require_format(microception::model::FORMAT);

/// The model's name.
pub const NAME: &str = "doubler";
/// The names of the classes.
pub static LABELS: [&str; 3] = ["first", "second", "third"];
/// The input.
pub static INPUTS: [Port; 1] =
    [Port { name: "in", shape: &[3, 20, 2], element: Element::F32, scale: 1.0, zero_point: 0.0 }];
/// The output.
pub static OUTPUTS: [Port; 1] =
    [Port { name: "out", shape: &[3, 20, 2], element: Element::F32, scale: 1.0, zero_point: 0.0 }];
/// Bytes of arena.
pub const ARENA_BYTES: usize = 640;
/// Memory for the model.
pub type Arena = microception::executor::Arena<ARENA_BYTES>;
/// Bytes of weights.
pub const WEIGHT_BYTES: usize = 0;
/// Multiply-accumulates of one inference.
pub const MACS: u64 = 0;
/// The layers.
pub static LAYERS: [Layer; 2] =
    [Layer { name: "in", kind: "input", macs: 0 }, Layer { name: "twice", kind: "add", macs: 0 }];
/// Nothing in flash.
pub static WEIGHTS: [Weights; 0] = [];
/// That of no byte.
pub const WEIGHTS_CRC: u32 = 0;
/// 2/255 of the made-up bytes 0, 24, 204, 120, ...; the largest is 254.
pub static GOLDEN: [Golden; 1] = [Golden::Near {
    samples: &[
        0.0, 0.1882353, 1.6, 0.9411765, 1.827451, 1.1921569, 1.9529412, 0.0078431, 0.2745098, 1.9372549, 0.7137255,
        1.7411765, 0.5254902, 1.7568627, 0.454902, 0.2980392,
    ],
    largest: 1.992_156_9,
}];

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

/// Where the output is.
static OUTPUT_TENSORS: [Tensor; 1] = [Tensor { address: 10, bytes: 480 }];

impl Model for Doubler {
    type Input = f32;
    type Output = f32;
    type Frame = [f32; 120];
    type Row = [f32; 40];
    const ARENA_BYTES: usize = ARENA_BYTES;

    fn plan(&self) -> Plan<'_> {
        Plan { inputs: 1, rows: &ROWS, steps: &STEPS, addresses: &ADDRESSES, unit: 16, outputs: &OUTPUT_TENSORS }
    }

    fn run(&self, layer: usize, call: Call<'_>) {
        static SUM: add::F32 = add::F32 { clamp: [f32::MIN, f32::MAX] };
        match layer {
            0 => input::copy(call),
            _ => pairwise::same(&SUM, call),
        }
    }
}
