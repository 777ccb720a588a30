//! A model by hand, in the form of a generated module: eight pixels of two rows, centred around
//! zero and doubled, in int8.

use microception::golden::Golden;
use microception::layers::{add, input, pairwise};
use microception::model::{Element, Layer, Model, Plan, Port, RowBytes, Step, Tensor, Weights};
use microception::quantized::{Channel, Factor, Range};
use microception::window::Call;

const _: () = microception::model::require_format(microception::model::FORMAT);

/// The model's name.
pub const NAME: &str = "pixels";
/// The names of the classes.
pub static LABELS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// The input.
pub static INPUTS: [Port; 1] =
    [Port { name: "in", shape: &[2, 4, 1], element: Element::U8, scale: 1.0, zero_point: 128.0 }];
/// The output.
pub static OUTPUTS: [Port; 1] =
    [Port { name: "out", shape: &[2, 4, 1], element: Element::I8, scale: 0.5, zero_point: -4.0 }];
/// Bytes of arena.
pub const ARENA_BYTES: usize = 12;
/// Memory for the model.
pub type Arena = microception::executor::Arena<ARENA_BYTES>;
/// Bytes of weights.
pub const WEIGHT_BYTES: usize = 0;
/// Multiply-accumulates of one inference.
pub const MACS: u64 = 0;
/// The layers.
pub static LAYERS: [Layer; 2] =
    [Layer { name: "in", kind: "input", macs: 0 }, Layer { name: "twice", kind: "add", macs: 0 }];
/// Nothing that the layers read, but what else lies in flash: four bytes and a channel.
pub static WEIGHTS: [Weights; 2] = [Weights::Bytes(&[3, 5, 7, 11]), Weights::Channels(&CHANNELS)];
static CHANNELS: [Channel; 1] = [Channel::new(-2, 0x4000_0000, -5)];
/// CRC-32 of 3 5 7 11, -2 and 2^30 in four bytes each, -5 in one.
pub const WEIGHTS_CRC: u32 = 0x2f5d_28ab;
/// The made-up bytes 0, 81, 48, 133, 36, 204, 92, 24, less 128, doubled, less 4.
pub static GOLDEN: [Golden; 1] = [Golden::Exact { first: &[128, 158, 128, 6, 128, 127, 180, 128], crc: 0xc7fb_c760 }];

/// The model.
#[derive(Debug, Clone, Copy)]
pub struct Pixels;

/// The model.
pub type Network = Pixels;
/// The model.
pub const NETWORK: Network = Pixels;

static ROWS: [RowBytes; 2] =
    [RowBytes { inputs: [4, 0], output: 4, scratch: 0 }, RowBytes { inputs: [4, 4], output: 4, scratch: 0 }];

static STEPS: [Step; 4] = [
    Step { layer: 0, row: 0, rows: 1, first: 0, lines: [0, 0] },
    Step { layer: 1, row: 0, rows: 1, first: 0, lines: [1, 1] },
    Step { layer: 0, row: 1, rows: 1, first: 0, lines: [0, 0] },
    Step { layer: 1, row: 1, rows: 1, first: 0, lines: [1, 1] },
];

/// Lines read, row written, scratch, in units of 4 bytes.
static ADDRESSES: [u16; 12] = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0];

/// One half: both inputs have one scale.
const HALF: Factor = Factor { multiplier: 1 << 30, shift: 0 };

/// Where the output is.
static OUTPUT_TENSORS: [Tensor; 1] = [Tensor { address: 1, bytes: 8 }];

impl Model for Pixels {
    type Input = u8;
    type Output = i8;
    type Frame = [u8; 8];
    type Row = [u8; 4];
    const ARENA_BYTES: usize = ARENA_BYTES;

    fn plan(&self) -> Plan<'_> {
        Plan { inputs: 1, rows: &ROWS, steps: &STEPS, addresses: &ADDRESSES, unit: 4, outputs: &OUTPUT_TENSORS }
    }

    fn run(&self, layer: usize, call: Call<'_>) {
        static SUM: add::Int8 = add::Int8 {
            zero_points: [0, 0],
            factors: [HALF, HALF],
            output_factor: Factor { multiplier: 1 << 30, shift: -18 },
            range: Range { zero_point: -4, clamp: [-128, 127] },
        };
        match layer {
            0 => input::centre(call),
            _ => pairwise::same(&SUM, call),
        }
    }
}
