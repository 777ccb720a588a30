//! The one firmware of all boards.
//!
//! A board brings a serial port ([`embedded_io`]'s traits) and a [`Board`]; a generated module
//! brings the model and its [`Facts`]; [`Server`] answers the requests of
//! [`microception_protocol`]. Rows are computed as they arrive, so that the only memory beside
//! the arena is one input row, the receiver's frame and the sender's.
//!
//! ```text
//! let executor = Executor::new(model::NETWORK, arena);
//! Server::new(executor, facts!(model), port, board).serve()
//! ```
//!
//! Without a model, [`FilterServer`](filter::FilterServer) filters pictures: an example of pre-processing by rows.
//! `camera`, with the feature of that name, looks through a camera instead of serving.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "camera")]
pub mod camera;
pub mod filter;
mod line;
pub mod measure;
mod self_test;
mod server;
mod weights;

use bytemuck::Pod;
use microception::golden::Golden;
use microception::model::{Layer, Port, Weights};
use microception_protocol::{Quantization, Stack, Tick};

pub use server::Server;

/// What a board offers beside its serial port: a clock, a light, and a look at its stack.
pub trait Board {
    /// The board's name on the command line.
    const NAME: &'static str;
    /// What [`ticks`](Board::ticks) counts.
    const TICK: Tick;

    /// A counter that goes up all the time and wraps around.
    fn ticks(&mut self) -> u32;

    /// Shows that it computes, or that it no longer does, if it has anything to show it with.
    fn busy(&mut self, _busy: bool) {}

    /// Runs `work` and says how many bytes of stack it needed. A board that can't tell only
    /// runs it.
    fn stack_bytes(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
        work();
        None
    }

    /// The stack, and how much of it was in use since reset. `None` of a board that can't tell.
    fn stack(&self) -> Option<Stack> {
        None
    }

    /// Bytes that the linker has placed in RAM. `None` of a board that can't tell.
    fn statics_bytes(&self) -> Option<u32> {
        None
    }
}

/// What a generated module says about its model; made by [`facts!`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Facts {
    /// The model's name.
    pub name: &'static str,
    /// The names of the classes, in the order of the output.
    pub labels: &'static [&'static str],
    /// The inputs; at least one.
    pub inputs: &'static [Port],
    /// The outputs; at least one.
    pub outputs: &'static [Port],
    /// Bytes of arena, scratch included.
    pub arena_bytes: usize,
    /// Bytes of weights.
    pub weight_bytes: usize,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Layers of the plan.
    pub layers: &'static [Layer],
    /// The arrays in flash.
    pub weights: &'static [Weights],
    /// CRC-32/ISO-HDLC of their bytes, one after the other.
    pub weights_crc: u32,
    /// What the outputs are for the made-up frame; none where the conversion did not run the model.
    pub golden: &'static [Golden],
}

/// The [`Facts`] in a generated module: `facts!(model)` for `mod model`.
#[macro_export]
macro_rules! facts {
    ($model:path) => {{
        use $model as model;
        $crate::Facts {
            name: model::NAME,
            labels: &model::LABELS,
            inputs: &model::INPUTS,
            outputs: &model::OUTPUTS,
            arena_bytes: model::ARENA_BYTES,
            weight_bytes: model::WEIGHT_BYTES,
            macs: model::MACS,
            layers: &model::LAYERS,
            weights: &model::WEIGHTS,
            weights_crc: model::WEIGHTS_CRC,
            golden: &model::GOLDEN,
        }
    }};
}

pub use microception;
#[cfg(feature = "camera")]
pub use microception_arducam as arducam;
pub use microception_protocol as protocol;

/// An element of an input or output tensor.
pub trait Number: Pod + PartialOrd {
    /// Its name in the protocol.
    const ELEMENT: protocol::Element;

    /// The real number that it stands for.
    fn real(self, quantization: Quantization) -> f32;

    /// The number of a byte, for made-up frames: its bits, or 0 to 1 in f32.
    fn from_byte(byte: u8) -> Self;
}

impl Number for u8 {
    const ELEMENT: protocol::Element = protocol::Element::U8;

    fn real(self, quantization: Quantization) -> f32 {
        dequantize(f32::from(self), quantization)
    }

    fn from_byte(byte: u8) -> u8 {
        byte
    }
}

impl Number for i8 {
    const ELEMENT: protocol::Element = protocol::Element::I8;

    fn real(self, quantization: Quantization) -> f32 {
        dequantize(f32::from(self), quantization)
    }

    fn from_byte(byte: u8) -> i8 {
        byte as i8
    }
}

impl Number for i16 {
    const ELEMENT: protocol::Element = protocol::Element::I16;

    fn real(self, quantization: Quantization) -> f32 {
        dequantize(f32::from(self), quantization)
    }

    fn from_byte(byte: u8) -> i16 {
        i16::from(byte.cast_signed()) << 8
    }
}

impl Number for f32 {
    const ELEMENT: protocol::Element = protocol::Element::F32;

    fn real(self, _: Quantization) -> f32 {
        self
    }

    fn from_byte(byte: u8) -> f32 {
        f32::from(byte) / 255.0
    }
}

fn dequantize(stored: f32, Quantization { scale, zero_point }: Quantization) -> f32 {
    scale * (stored - zero_point)
}
