//! The inner loops with Helium, the vectors of Armv8.1-M (Cortex-M52, M55, M85): sixteen products of bytes an
//! instruction. `pack` puts columns into a tile, `tile` multiplies them with filters, `depthwise` each channel by itself,
//! `dot` one column with one filter, `elementwise` adds tensors, `pool` compares pixels.
//!
//! A tile holds bytes: each quad of a lane is one word, `[quad][lane][element]`, the elements in the order of
//! [`PAIRS`](super::PAIRS), as [`portable::pack`](super::portable::pack) puts them there. A load that de-interleaves
//! words then reads four quads of each lane at once, and one that de-interleaves bytes sixteen weights of each filter of
//! a pair.

use super::front::clamp;

/// The core, for the assembler of naked functions: it knows the target's name and forgets the target CPU.
macro_rules! core {
    () => {
        ".cpu cortex-m55"
    };
}

// Behind the macro, which they use.
mod depthwise;
mod dot;
mod elementwise;
mod pack;
mod pool;
mod tile;

pub use depthwise::convolve_3x3;
pub use dot::dot_i8;
pub use elementwise::add_bytes;
pub use pack::{fill, widen};
pub use pool::maximum;
pub use tile::{multiply_tile, multiply_tile_once};
