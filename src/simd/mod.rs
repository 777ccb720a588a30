//! The inner loops: the fence around instructions that Rust has no safe name for.
//!
//! Every function here is safe, has a portable form in [`portable`], [`winograd`], [`int16`] or [`float`] that is the truth, and on
//! targets with better instructions a form that gives the same bits. One switch, `build.rs`,
//! chooses by the target's name and, on Armv8-M, by `-Ctarget-cpu`: without it the portable form
//! runs. All of the runtime's `unsafe` code is in this folder.
//!
//! | form | cores | what it does |
//! | --- | --- | --- |
//! | `dsp` | Cortex-M4, M7, M33 | int8, two products of 16 bits an instruction |
//! | `helium` | Cortex-M55, M85 | int8, sixteen products of 8 bits an instruction |
//! | `thumb2` | Cortex-M3 | int8 without either |
//! | `thumb1` | Cortex-M0, M0+ | int8 with one multiplication, of 32 bits |
//! | `fpu` | those with `eabihf` | f32 |
//!
//! A generated module is the same for every core, and so is the order of weights; how a tile lies in its scratch is
//! the core's own.

pub mod float;
#[cfg(any(microception_thumb1, microception_thumb2, microception_dsp))]
mod front;
pub mod int16;
pub mod int4;
mod order;
mod planes;
pub mod portable;
#[cfg(any(microception_thumb2, microception_dsp))]
mod sums;
pub mod winograd;

#[cfg(microception_dsp)]
mod dsp;
#[cfg(microception_fpu)]
mod fpu;
#[cfg(microception_thumb1)]
mod thumb1;
#[cfg(microception_thumb2)]
mod thumb2;

#[cfg(microception_helium)]
mod helium;

#[cfg(microception_dsp)]
pub use dsp::winograd::{multiply_transformed, transform_pixels, transform_run};
#[cfg(all(microception_dsp, not(microception_helium)))]
pub use dsp::{add_pixels, convolve_3x3, copy, dot_i8, maximum, multiply_tile, multiply_tile_int4, set, widen};
#[cfg(microception_dsp)]
pub use dsp::{dot_pixels, dot_pixels_i16, multiply_columns_i16};

#[cfg(microception_helium)]
pub use helium::{
    convolve_3x3, dot_i8, fill, maximum, multiply_tile, multiply_tile as multiply_tile_literal, multiply_tile_once,
    widen,
};

#[cfg(not(microception_helium))]
pub use portable::{fill, multiply_tile_literal, multiply_tile_once};

#[cfg(microception_thumb2)]
pub use thumb2::{dot_i8, dot_pixels, maximum, multiply_tile, widen};

#[cfg(any(microception_thumb1, microception_thumb2))]
pub use front::convolve_3x3;

#[cfg(any(microception_thumb2, microception_dsp))]
pub use sums::{add, add_in_place};

#[cfg(microception_thumb1)]
pub use thumb1::{multiply_tile, widen};

#[cfg(microception_thumb1)]
pub use portable::{add, add_in_place, dot_i8, dot_pixels, maximum};

#[cfg(not(any(microception_dsp, microception_thumb1, microception_thumb2)))]
pub use portable::{add, add_in_place, convolve_3x3, dot_i8, dot_pixels, maximum, multiply_tile, widen};
#[cfg(not(microception_dsp))]
pub use winograd::{multiply_transformed, transform_pixels, transform_run};

#[cfg(microception_fpu)]
pub use fpu::{Columns, dot_pixels_f32, dot_tile_f32};

#[cfg(not(microception_fpu))]
pub use float::{Columns, dot_pixels_f32, dot_tile_f32};

#[cfg(not(all(microception_dsp, not(microception_helium))))]
pub use portable::{add_pixels, copy, set};

#[cfg(not(all(microception_dsp, not(microception_helium))))]
pub use int4::multiply_tile as multiply_tile_int4;

pub use float::{add_pixels_f32, maximum_f32};
pub use int16::{add_pixels_i16, dot_columns_i16, dot_i16, maximum_i16};
#[cfg(not(microception_dsp))]
pub use int16::{dot_pixels_i16, multiply_columns_i16};
pub use order::{Order, arrange};
pub use portable::{Row, Sum, dot_f32};

/// Columns in a tile: the output pixels that are multiplied with a filter at once.
pub const LANES: usize = 4;

/// Filters that are multiplied with a tile at once: their weights are interleaved.
pub const FILTERS: usize = 2;

/// Pairs of filters whose weights take turns word by word, on this core: see [`arrange`].
pub const STREAMS: usize = if cfg!(all(microception_dsp, not(microception_helium))) { MOST_STREAMS } else { 1 };

/// The same on the core that has most: a generated module has so many pairs or none.
pub const MOST_STREAMS: usize = 2;

/// Whether [`arrange`] leaves the weights of a pair of filters as two bytes, or makes a number of 16 bits of both.
pub const PLAIN_WEIGHTS: bool = cfg!(microception_thumb1);

/// Whether [`multiply_tile_int4`] is faster here than [`multiply_tile`] with weights that are unpacked beforehand.
pub const MULTIPLIES_INT4: bool = cfg!(all(microception_dsp, not(microception_helium)));

/// Sums of a convolution stay below it, so that 256 times a sum is an i32.
pub const LARGEST_SUM: i64 = 1 << 23;

/// Elements that a word of int8 values holds; columns and filters are filled up to a multiple of it.
pub const QUAD: usize = 4;

/// The elements of a quad in pairs: the even ones and the odd ones, as two extensions of every
/// other byte of a word leave them. Tiles and interleaved weights hold them in this order.
pub const PAIRS: [[usize; 2]; 2] = [[0, 2], [1, 3]];

/// Elements of a lane that a word of a tile holds: two where it is [widened](portable::widen), four where it is
/// [packed](portable::pack). There is room for it to be widened on every core.
pub const WORD_ELEMENTS: usize = if cfg!(microception_helium) { QUAD } else { QUAD / 2 };

/// Two neighbours in a tile, aligned as the word that they are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C, align(4))]
pub struct Pair(pub [i16; 2]);

// SAFETY: two i16 without padding: any 4 bytes, all zero too, are a pair.
unsafe impl bytemuck::Zeroable for Pair {}
// SAFETY: as above; it is Copy and has no lifetime.
unsafe impl bytemuck::Pod for Pair {}

/// The most taps that [`dot_pixels`] takes at once: those of a 3x3 window.
pub const TAPS: usize = 9;

/// The most rows that [`convolve_3x3`] takes at once.
pub const ROWS: usize = 4;

/// The order of a channel's weights in [`convolve_3x3`], as indices `[vertical, horizontal]`: every other byte
/// of a word makes a pair of taps, the first three pairs vertical, the last two horizontal.
pub const TAPS_3X3: [Option<[usize; 2]>; 12] = [
    Some([0, 0]),
    Some([0, 1]),
    Some([1, 0]),
    Some([1, 1]),
    Some([0, 2]),
    Some([2, 0]),
    Some([1, 2]),
    Some([2, 1]),
    Some([2, 1]),
    None,
    Some([2, 2]),
    None,
];
