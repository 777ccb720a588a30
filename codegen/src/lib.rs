//! Turns trained Keras models into `no_std` Rust modules for the `microception` runtime.
//!
//! The path of the data, each stage taking the last one's result:
//!
//! - [`graph`]: what a model computes; every stage works on it.
//! - [`read`]: the file of a trained model to a graph; the only place that knows a file format.
//! - [`passes`]: folds batch norms, fuses activations, infers shapes.
//! - [`quantize`]: f32 graph and activation ranges to a quantized graph.
//! - [`optimize`]: time against memory; [`target`] the cores, and what each does well.
//! - [`lower`]: graph to the runtime's kernels, with their integers.
//! - [`plan`]: in which order rows are made, and where in the arena each lies.
//! - [`endless`]: which models can run on a series without an end, and on how many rows an output depends.
//! - [`host`]: runs a graph on the host, with the runtime that also runs on the target.
//! - [`emit`]: kernels and plan to Rust source.
//! - [`device`]: builds a board's firmware, runs it in an emulator, talks to it.
//! - [`data`]: frames from NumPy's files and pictures, and what a model answers.
//! - [`convert`]: the whole path as one call, for the command and for a `build.rs`.
//! - [`filter`]: whole pictures through the runtime's classic kernels.
//! - [`report`]: what is in a model, what it takes and where it loses, as data and as a page.
//! - [`visualize`]: what a network looks for, and where in a picture it looks: gradients of a float graph.
//! - [`error`]: what can be wrong with a model or with data.

pub mod convert;
pub mod data;
#[cfg(feature = "link")]
pub mod device;
pub mod emit;
pub mod endless;
pub mod error;
pub mod filter;
pub mod graph;
pub mod host;
pub mod lower;
pub mod optimize;
pub mod passes;
pub mod plan;
pub mod quantize;
pub mod read;
#[cfg(feature = "command")]
pub mod report;
pub mod target;
#[cfg(feature = "command")]
pub mod visualize;

pub use convert::Convert;
