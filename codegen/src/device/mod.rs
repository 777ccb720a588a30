//! Boards: builds a model's firmware, runs it in an emulator, and talks to it over the serial line.
//!
//! - [`board`]: the boards there are.
//! - [`toolchain`]: the compiler for a board's core, wherever this machine has one.
//! - [`firmware`]: a generated module becomes a program for a board.
//! - [`qemu`]: runs such a program in QEMU.
//! - [`mod@bench`], [`size`]: instructions, stack, flash and RAM of a model on a board.
//! - [`stack`]: how much stack a program's function can need, from its machine code; [`symbols`]: the names in it.
//! - [`filter`]: a picture filtered on a board.
//! - [`link`]: the host's end of the serial protocol, over any port.
//! - [`serial`]: the ports of this computer, at which flashed boards are.
//! - [`measure`]: what an inference takes there.
//!
//! ```no_run
//! # fn main() -> Result<(), microception_codegen::error::Error> {
//! use microception_codegen::device::{board, firmware, qemu};
//!
//! let board = board::named("mps2-an386")?;
//! let elf = firmware::build("model.rs".as_ref(), board, firmware::Program::Serve)?;
//! let mut device = qemu::Device::start(board, elf.path(), qemu::Clock::Host)?;
//! let output = device.link.infer(&vec![0; 3072])?;
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "device")]
pub mod bench;
#[cfg(feature = "device")]
pub mod board;
#[cfg(feature = "device")]
pub mod filter;
#[cfg(feature = "device")]
pub mod firmware;
pub mod link;
#[cfg(feature = "device")]
mod logs;
#[cfg(feature = "device")]
pub mod measure;
#[cfg(feature = "device")]
pub mod qemu;
#[cfg(feature = "device")]
pub mod serial;
#[cfg(feature = "device")]
pub mod size;
#[cfg(feature = "device")]
pub mod stack;
#[cfg(feature = "device")]
pub mod symbols;
#[cfg(feature = "device")]
mod thumb;
#[cfg(feature = "device")]
pub mod toolchain;
