//! Separable-convolution networks on microcontrollers.
//!
//! A trained Keras model goes into the code generator (`microception convert`); out comes a Rust
//! module of static arrays. This crate runs that module: in f32, int8 or int16x8, from a static arena,
//! row by row, without a heap, without an interpreter, without a panic.
//!
//! # The tour
//!
//! - [`model`]: the [`Model`](model::Model) trait that a generated module implements, and the
//!   [`Plan`](model::Plan): a list of steps, each with the arena addresses of the rows it reads and writes.
//! - [`executor`]: the [`Executor`](executor::Executor) replays the plan: `predict` for a whole
//!   frame, `push_row` for a camera that hands over rows, `step` for an RTOS or a watchdog.
//! - [`window`]: what a kernel sees of the arena: the lines that exist, and one slice to write.
//! - [`layers`]: one operator a file, f32, int8 and int16x8 side by side.
//! - [`functions`]: activations of one number in f32.
//! - [`filter`]: classic kernels over a picture's rows, in front of a network or by themselves.
//! - [`front`]: front ends: a camera's colours, a part of its picture, another size, row by row.
//! - [`quantized`]: fixed-point arithmetic as the TensorFlow Lite 8-bit specification has it.
//! - [`simd`]: the inner loops; a portable form of each, and the instructions that replace it.
//! - [`top`]: the best classes of an output, with their labels.
//!
//! # Words
//!
//! A *tensor* is a sequence of *rows*, slices along its first spatial axis: for an image a row
//! is one line `[width][channels]`, for a flat tensor the whole. A *step* makes one or several
//! output rows of one layer from the *window* of input lines they need. The *arena* is the only
//! memory: rows live in it until their last reader has read them.
//!
//! # Example
//!
//! A model by hand, to show all there is to it; generated modules look the same. It doubles
//! every element by adding its input to itself.
//!
//! ```
//! use microception::executor::{Arena, Executor};
//! use microception::layers::{add, input, pairwise};
//! use microception::model::{Model, Plan, RowBytes, Step, Tensor};
//! use microception::window::Call;
//!
//! struct Doubler;
//!
//! impl Model for Doubler {
//!     type Input = f32;
//!     type Output = f32;
//!     type Frame = [f32; 6];
//!     type Row = [f32; 3];
//!     const ARENA_BYTES: usize = 36;
//!
//!     fn plan(&self) -> Plan<'_> {
//!         static ROWS: [RowBytes; 2] = [
//!             RowBytes { inputs: [12, 0], output: 12, scratch: 0 },
//!             RowBytes { inputs: [12, 12], output: 12, scratch: 0 },
//!         ];
//!         static STEPS: [Step; 4] = [
//!             Step { layer: 0, row: 0, rows: 1, first: 0, lines: [0, 0] },
//!             Step { layer: 1, row: 0, rows: 1, first: 0, lines: [1, 1] },
//!             Step { layer: 0, row: 1, rows: 1, first: 0, lines: [0, 0] },
//!             Step { layer: 1, row: 1, rows: 1, first: 0, lines: [1, 1] },
//!         ];
//!         // in units of 4 bytes: lines read, row written, scratch
//!         static ADDRESSES: [u16; 12] = [0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 6, 0];
//!         static OUTPUTS: [Tensor; 1] = [Tensor { address: 3, bytes: 24 }];
//!         Plan { inputs: 1, rows: &ROWS, steps: &STEPS, addresses: &ADDRESSES, unit: 4, outputs: &OUTPUTS }
//!     }
//!
//!     fn run(&self, layer: usize, call: Call<'_>) {
//!         match layer {
//!             0 => input::copy(call),
//!             _ => pairwise::same(&add::F32 { clamp: [f32::MIN, f32::MAX] }, call),
//!         }
//!     }
//! }
//!
//! let mut arena = Arena::<36>::new();
//! let mut executor = Executor::new(Doubler, &mut arena);
//! assert_eq!(executor.predict(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
//! ```

#![no_std]
#![forbid(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod executor;
pub mod filter;
pub mod front;
pub mod functions;
pub mod golden;
pub mod layers;
pub mod model;
pub mod quantized;
pub mod simd;
pub mod top;
pub mod window;

pub use bytemuck;
