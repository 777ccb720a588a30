//! The inner loops: the fence around instructions that Rust has no safe name for.
//!
//! Every function here is safe, has a portable form in [`portable`] that is the truth, and on
//! targets with better instructions a form that gives the same bits. One switch, `build.rs`,
//! chooses by the target's name. All of the runtime's `unsafe` code is in this folder.

pub mod portable;

#[cfg(microception_dsp)]
mod dsp;

#[cfg(microception_dsp)]
pub use dsp::dot_i8;

#[cfg(not(microception_dsp))]
pub use portable::dot_i8;

pub use portable::dot_f32;
