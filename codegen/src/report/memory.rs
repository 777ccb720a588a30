//! The plan as rectangles: where in the arena rows, sums and scratch lie, and from which step to which.

use std::collections::HashMap;

use serde::Serialize;

use crate::error::Error;
use crate::graph::Graph;
use crate::optimize::{Goal, Lowered, lowered};
use crate::plan::flow::Flow;
use crate::plan::{LayerRows, Plan, Strategy};

/// A model's plan, and beside it that of whole tensors.
#[derive(Debug, Clone, Serialize)]
pub struct Memory {
    /// The plan that the model runs by.
    pub planned: Arena,
    /// The same layers with whole tensors one after the other; none where their addresses are beyond the runtime's.
    pub whole: Option<Arena>,
}

/// All that lies in an arena.
#[derive(Debug, Clone, Serialize)]
pub struct Arena {
    /// Bytes.
    pub bytes: usize,
    /// The most bytes that live at once in this order: no addresses can need less.
    pub floor_bytes: usize,
    /// Steps of one inference.
    pub steps: usize,
    /// Steps behind which the plan has waited until a tensor was whole: the ends of its segments.
    pub cuts: Vec<usize>,
    /// In the order in which they begin to live.
    pub blocks: Vec<Block>,
}

/// Bytes that belong to one layer for some steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    /// Index of the layer.
    pub layer: usize,
    /// What they hold.
    pub holds: Holds,
    /// First row; of scratch, the row that is made.
    pub row: usize,
    /// Rows; none of scratch and of sums.
    pub rows: usize,
    /// Byte address of the first byte.
    pub address: usize,
    /// Bytes.
    pub bytes: usize,
    /// The step that writes them first.
    pub from: usize,
    /// The last step that reads or writes them.
    pub until: usize,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// Rows of a layer's output.
    Rows,
    /// Sums of a layer that consumes row by row.
    Sums,
    /// What a kernel needs while it runs.
    Scratch,
}

impl Memory {
    /// Plans a graph that has gone through the [passes](crate::passes).
    ///
    /// # Errors
    /// When it can't be planned.
    pub fn of(graph: &Graph, goal: Goal) -> Result<Memory, Error> {
        let arena = |goal: Goal| {
            let Lowered { layers, plan, outputs, .. } = lowered(graph, goal)?;
            Ok::<Arena, Error>(Arena::of(&layers, &plan, &outputs, goal.strategy))
        };
        Ok(Memory { planned: arena(goal)?, whole: arena(Goal { strategy: Strategy::Whole, ..goal }).ok() })
    }
}

impl Arena {
    /// Replays a plan of that strategy for those layers; `outputs` are the indices of those that the model answers with.
    pub fn of(layers: &[LayerRows], plan: &Plan, outputs: &[usize], strategy: Strategy) -> Arena {
        let mut blocks: Vec<Block> = Vec::new();
        // Per layer and address: the block that was written there last.
        let mut alive: HashMap<(usize, usize), usize> = HashMap::new();
        let mut sums: HashMap<usize, usize> = HashMap::new();
        let mut written = vec![0; layers.len()];
        // Rows that have one place, and are freed when nobody reads any of them any more.
        let mut together: Vec<Vec<usize>> = Vec::new();
        for (index, step) in plan.steps.iter().enumerate() {
            let layer = &layers[step.layer];
            let running = layer.flow == Flow::Running;
            for (lines, &input) in step.lines.iter().zip(&layer.inputs) {
                for &address in lines {
                    if let Some(&block) = alive.get(&(input, address)) {
                        blocks[block].until = index;
                    }
                }
            }
            let mut made_here = Vec::new();
            for made in 0..step.rows {
                let address = step.output + made * layer.row_bytes;
                let row = if running { 0 } else { step.row + made };
                let goes_on = alive.get(&(step.layer, address)).copied().filter(|&block| blocks[block].row == row);
                let block = goes_on.unwrap_or_else(|| {
                    let bytes = layer.row_bytes;
                    blocks.push(Block {
                        layer: step.layer,
                        holds: Holds::Rows,
                        row,
                        rows: 1,
                        address,
                        bytes,
                        from: index,
                        until: index,
                    });
                    blocks.len() - 1
                });
                blocks[block].until = index;
                alive.insert((step.layer, address), block);
                written[step.layer] = index;
                made_here.push(block);
            }
            together.push(made_here);
            let bytes = plan.scratch_bytes[step.layer];
            match sums.get(&step.layer).filter(|_| running) {
                Some(&block) => blocks[block].until = index,
                None if bytes > 0 => {
                    let holds = if running { Holds::Sums } else { Holds::Scratch };
                    sums.insert(step.layer, blocks.len());
                    let (row, address) = (step.row, step.scratch);
                    let layer = step.layer;
                    blocks.push(Block { layer, holds, row, rows: 0, address, bytes, from: index, until: index });
                }
                None => {}
            }
        }
        let last = plan.steps.len().saturating_sub(1);
        for block in blocks.iter_mut().filter(|block| block.holds == Holds::Rows && outputs.contains(&block.layer)) {
            block.until = last;
        }
        let whole = (0..layers.len())
            .filter(|layer| matches!(strategy, Strategy::Whole | Strategy::Everything) || outputs.contains(layer))
            .map(|layer| {
                let is_row = |&block: &usize| blocks[block].layer == layer && blocks[block].holds == Holds::Rows;
                (0..blocks.len()).filter(is_row).collect()
            });
        let whole: Vec<Vec<usize>> = whole.collect();
        for (rows, whole) in together.iter().map(|rows| (rows, false)).chain(whole.iter().map(|rows| (rows, true))) {
            let until = rows.iter().map(|&row| blocks[row].until).max().unwrap_or(0);
            let until = if strategy == Strategy::Everything { last } else { until };
            let from = rows.iter().map(|&row| blocks[row].from).min().unwrap_or(0);
            for &row in rows {
                blocks[row].until = until;
                if whole {
                    blocks[row].from = from;
                }
            }
        }
        let cuts = plan.cuts.iter().map(|&layer| written[layer]).collect();
        Arena {
            bytes: plan.arena_bytes,
            floor_bytes: plan.floor_bytes,
            steps: plan.steps.len(),
            cuts,
            blocks: merged(blocks),
        }
    }

    /// Bytes in use in each step.
    pub fn in_use(&self) -> Vec<usize> {
        let mut change = vec![0isize; self.steps + 1];
        for block in &self.blocks {
            change[block.from] += block.bytes.cast_signed();
            change[block.until + 1] -= block.bytes.cast_signed();
        }
        let mut bytes = 0;
        let sums = change.iter().take(self.steps).map(|change| {
            bytes += change;
            bytes.unsigned_abs()
        });
        sums.collect()
    }
}

/// Rows that lie one behind the other and live as long are one block, and so is scratch at one place in steps that follow each
/// other.
fn merged(blocks: Vec<Block>) -> Vec<Block> {
    let mut merged: Vec<Block> = Vec::new();
    for block in blocks {
        let before =
            merged.iter_mut().rev().take(2).find(|last| last.layer == block.layer && last.holds == block.holds);
        match before {
            Some(last)
                if block.holds == Holds::Rows
                    && (last.from, last.until, last.row + last.rows) == (block.from, block.until, block.row)
                    && last.address + last.bytes == block.address =>
            {
                last.rows += block.rows;
                last.bytes += block.bytes;
            }
            Some(last)
                if block.holds == Holds::Scratch
                    && (last.until + 1, last.address, last.bytes) == (block.from, block.address, block.bytes) =>
            {
                last.until = block.until;
            }
            _ => merged.push(block),
        }
    }
    merged
}
