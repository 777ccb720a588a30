//! The inner loops: the fence around instructions that Rust has no safe name for.
//!
//! Every function here is safe, has a portable form in [`portable`] or [`float`] that is the truth, and on
//! targets with better instructions a form that gives the same bits. One switch, `build.rs`,
//! chooses by the target's name. All of the runtime's `unsafe` code is in this folder.

pub mod float;
pub mod portable;

#[cfg(microception_dsp)]
mod dsp;
#[cfg(microception_fpu)]
mod fpu;

#[cfg(microception_dsp)]
pub use dsp::{dot_i8, dot_pixels, dot_tile, widen};

#[cfg(not(microception_dsp))]
pub use portable::{dot_i8, dot_pixels, dot_tile, widen};

#[cfg(microception_fpu)]
pub use fpu::{Columns, dot_pixels_f32, dot_tile_f32};

#[cfg(not(microception_fpu))]
pub use float::{Columns, dot_pixels_f32, dot_tile_f32};

pub use portable::dot_f32;

/// Columns in a tile: the output pixels that are multiplied with a filter at once.
pub const LANES: usize = 4;

/// Elements of a column that lie together in a tile; columns and filters are multiples of it.
pub const QUAD: usize = 4;

/// The place of each element of a quad in a tile: the even ones, then the odd ones, as two
/// extensions of every other byte of a word leave them.
pub const ORDER: [usize; QUAD] = [0, 2, 1, 3];

/// The most taps that [`dot_pixels`] takes at once: those of a 3x3 window.
pub const TAPS: usize = 9;
