//! Rows that are written over others, which are read for the last time then: both become one block, which lives as
//! long as both.

use super::super::schedule::{Part, Turn};
use super::super::{InPlace, LayerRows};
use super::Blocks;

/// A block, and the one that it goes on in, begun earlier.
type Over = (usize, usize);

impl Blocks {
    /// The same, with rows written over others wherever a layer [can](InPlace).
    pub fn in_place(mut self, layers: &[LayerRows], output: usize, turns: &[Turn]) -> Blocks {
        let mut of_layers: Vec<Vec<(usize, &Turn)>> = vec![Vec::new(); layers.len()];
        for (index, turn) in turns.iter().enumerate() {
            of_layers[turn.layer].push((index, turn));
        }
        let mut over = Vec::new();
        for (index, (layer, turns)) in layers.iter().zip(&of_layers).enumerate() {
            let over_input = |place: usize| -> Vec<Option<Over>> {
                turns.iter().map(|&(index, turn)| self.over(layers, output, index, turn, place)).collect()
            };
            match layer.in_place {
                InPlace::No => {}
                InPlace::Top => over.extend(over_input(0).into_iter().flatten()),
                InPlace::Rows => {
                    let all_over = |place| over_input(place).into_iter().collect::<Option<Vec<Over>>>();
                    let found = (0..layer.inputs.len()).find_map(|place| Some((place, all_over(place)?)));
                    if let Some((place, all)) = found {
                        self.in_place[index] = Some(place);
                        over.extend(all);
                    }
                }
            }
        }
        self.join(over);
        self
    }

    /// The block of the rows that a turn makes, and that of the rows of the input in a `place` which it can write them over:
    /// it is the last to read them, and they are as long.
    fn over(&self, layers: &[LayerRows], output: usize, index: usize, turn: &Turn, place: usize) -> Option<Over> {
        let layer = &layers[turn.layer];
        let (input, reads) = (layer.inputs[place], &turn.reads[place]);
        // Of two operands that are one tensor none can be written over while the other is read.
        let is_alone = layer.inputs.iter().filter(|&&other| other == input).count() == 1;
        let has_rows = match layer.in_place {
            InPlace::Top => turn.rows == 1 && layer.flow.first(turn.row, reads) == 0,
            _ => reads.len() == turn.rows,
        };
        if input == output
            || layers[input].answers
            || !is_alone
            || !has_rows
            || reads.is_empty()
            || turn.part != Part::Whole
        {
            return None;
        }
        let new = self.rows[turn.layer][turn.row / self.group[turn.layer]]?;
        let old = (*self.rows[input].get(reads.start / self.group[input])?)?;
        let (new_block, old_block) = (&self.blocks[new], &self.blocks[old]);
        let made = turn.rows * layer.row_bytes;
        let is_as_long = layer.row_bytes == layers[input].row_bytes
            && [new_block, old_block].iter().all(|block| block.bytes == made);
        (is_as_long && new_block.from == index && old_block.until == index).then_some((new, old))
    }

    /// Makes one block of each two.
    fn join(&mut self, mut over: Vec<Over>) {
        let mut root: Vec<usize> = (0..self.blocks.len()).collect();
        // What a block goes on in has begun, and maybe been joined, before.
        over.sort_by_key(|&(new, _)| self.blocks[new].from);
        for (new, old) in over {
            root[new] = root[old];
            let until = self.blocks[new].until;
            let whole = &mut self.blocks[root[old]];
            whole.until = whole.until.max(until);
        }
        let mut places = vec![None; root.len()];
        let mut kept = Vec::new();
        for (index, block) in self.blocks.drain(..).enumerate() {
            if root[index] == index {
                places[index] = Some(kept.len());
                kept.push(block);
            }
        }
        self.blocks = kept;
        for block in self.rows.iter_mut().flatten().chain(&mut self.sums).chain(&mut self.scratch) {
            *block = block.and_then(|block| places[root[block]]);
        }
    }
}
