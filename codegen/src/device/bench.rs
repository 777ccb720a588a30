//! All figures of a model on an emulated board.

use std::path::Path;

use super::board::Board;
use super::firmware::{Program, build};
use super::link::by_layer;
use super::qemu;
use super::size;
use super::stack;
use crate::error::Error;

/// The figures. Emulators have no cycles: instructions are what is counted, exactly, and the same
/// on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// Instructions of one `predict`, input conversion and softmax included.
    pub instructions: u64,
    /// Instructions of each layer of the plan: the sum over its steps, each with its part of the
    /// executor, measured while rows are pushed.
    pub layers: Vec<u64>,
    /// Steps of one inference.
    pub steps: usize,
    /// Bytes of stack that `predict` needed.
    pub stack_bytes: u64,
    /// Bytes of stack that it can need at most, from its machine code; or why nothing bounds them.
    pub stack_bound: Result<u64, String>,
    /// Bytes of arena, scratch included.
    pub arena_bytes: u64,
    /// Bytes of statics beside the arena.
    pub static_bytes: u64,
    /// Bytes of weights, biases, factors and tables.
    pub weight_bytes: u64,
    /// Bytes of everything else that `predict` reaches: code, plan, memory routines.
    pub code_bytes: u64,
}

impl Bench {
    /// Bytes of flash: weights and code.
    pub fn flash_bytes(&self) -> u64 {
        self.weight_bytes + self.code_bytes
    }
}

/// Measures the generated module `module` on the emulated `board`.
///
/// # Errors
/// When a program does not build or does not run.
pub fn bench(module: &Path, board: &Board) -> Result<Bench, Error> {
    let elf = build(module, board, Program::Bench)?;
    let measured = qemu::bench(board, elf.path())?;
    let layers = by_layer(measured.layers, measured.steps.iter().copied());
    let stack_bound = stack::bound(elf.path(), stack::is_predict).map_err(|error| error.reason);
    let size = size::of_inference(module, board)?;
    Ok(Bench {
        instructions: measured.instructions,
        layers,
        steps: measured.steps.len(),
        stack_bytes: measured.stack_bytes,
        stack_bound,
        arena_bytes: measured.arena_bytes,
        static_bytes: size.ram.saturating_sub(measured.arena_bytes),
        weight_bytes: measured.weight_bytes,
        code_bytes: size.flash.saturating_sub(measured.weight_bytes),
    })
}
