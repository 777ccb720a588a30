//! Turns trained Keras models into `no_std` Rust modules for the `microception` runtime.
//!
//! The path of the data, each stage taking the last one's result:
//!
//! - [`graph`]: what a model computes; every stage works on it.
//! - [`lower`]: graph to the runtime's kernels, with their integers.
//! - [`plan`]: in which order rows are made, and where in the arena each lies.
//! - [`host`]: runs a graph on the host, with the runtime that also runs on the target.
//! - [`error`]: what can be wrong with a model or with data.

pub mod error;
pub mod graph;
pub mod host;
pub mod lower;
pub mod plan;
