//! The inner loops in plain Rust: what every other form must equal.
//!
//! A *tile* holds [`LANES`](super::LANES) columns of int8 values, widened to i16 and interleaved:
//! `[quad][pair][lane]`, the pairs of a quad as in [`PAIRS`](super::PAIRS).
//!
//! *Interleaved weights* hold the filters two by two: `[filter / 2][quad][pair][element of the
//! pair]`, each the 16-bit number (low byte first) of the first filter's weight and 256 times the second's, so that one product
//! adds to the sums of both; an odd last filter lies beside one of zeros. They lie as [`arrange`](super::arrange) puts them.

pub(super) mod depthwise;
mod dot;
mod elementwise;
mod memory;
mod pool;
pub(super) mod tile;

pub use depthwise::{Row, convolve_3x3, dot_pixels};
pub use dot::{dot_f32, dot_i8};
pub use elementwise::{Sum, add, add_in_place};
pub use memory::{copy, set};
pub use pool::{add_pixels, maximum};
pub use tile::{fill, fill_packed, multiply_tile, multiply_tile_literal, multiply_tile_once, pack, widen};
