//! In which order the rows are made.
//!
//! Three orders are tried, each with cuts where they help:
//!
//! - *eager*: of all layers that could make a row, the deepest does; a row from the caller is
//!   taken only when no other layer can run, of several inputs from the one that is least far. Shortest delay.
//! - *pull*: the last layer asks for the rows that its next row needs, and so on up to the
//!   input; of two inputs the one with fewer layers behind it first (or last).
//!
//! Where a layer folds, a window's rows are taken one at a time, each as soon as it is there, into all output
//! rows that need it: the rows then need not wait for the window to fill.
//!
//! A *cut* after a layer makes everything behind it wait until everything before it is done. One
//! tensor is then whole, but the rows on both sides never live at once.

use std::ops::Range;

use super::flow::Flow;
use super::{LayerRows, Strategy};

/// One call of one layer, before it has addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Index of the layer.
    pub layer: usize,
    /// First output row made; of a running layer, first input row consumed.
    pub row: usize,
    /// Output rows made.
    pub rows: usize,
    /// Rows read of each input.
    pub reads: [Range<usize>; 2],
    /// How much of the output rows it makes.
    pub part: Part,
}

/// Which part of its rows a turn makes. All but folded rows are made at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The first lines of a row, which stays to be gone on with.
    First,
    /// More lines, and not the last.
    Middle,
    /// The last lines.
    Last,
}

impl Part {
    fn of(begins: bool, ends: bool) -> Part {
        match (begins, ends) {
            (true, true) => Part::Whole,
            (true, false) => Part::First,
            (false, false) => Part::Middle,
            (false, true) => Part::Last,
        }
    }

    /// Whether the row was begun by a turn before.
    pub fn continues(self) -> bool {
        matches!(self, Part::Middle | Part::Last)
    }

    /// Whether the row is whole after it.
    pub fn completes(self) -> bool {
        matches!(self, Part::Whole | Part::Last)
    }
}

/// How the next row is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The deepest layer that can run.
    Eager,
    /// On demand; the input with fewer layers behind it first.
    PullShallowFirst,
    /// On demand; the input with more layers behind it first.
    PullDeepFirst,
}

/// Rows that one call can name: what a step's 8-bit counts hold.
const CALL_ROWS: usize = 255;

/// The turns of whole tensors, one layer after the other, in as few calls as a step can name.
pub fn whole(layers: &[LayerRows]) -> Vec<Turn> {
    let mut turns = Vec::new();
    for (layer, LayerRows { flow, rows, inputs, .. }) in layers.iter().enumerate() {
        let input_rows = inputs.first().map_or(0, |&input| layers[input].rows);
        match *flow {
            Flow::Running => running_turns(&mut turns, layer, input_rows, CALL_ROWS),
            Flow::Input => turns.extend((0..*rows).map(|row| turn(layers, layer, row, 1))),
            _ => {
                let call_rows = if flow.makes_several() { CALL_ROWS } else { 1 };
                let mut row = 0;
                while row < *rows {
                    let lines = |rows: usize| {
                        turn(layers, layer, row, rows).reads.map(|reads| reads.len()).into_iter().max().unwrap_or(0)
                    };
                    let most = (1..=call_rows.min(rows - row))
                        .take_while(|&rows| rows == 1 || lines(rows) <= CALL_ROWS)
                        .last();
                    let made = most.unwrap_or(1);
                    turns.push(turn(layers, layer, row, made));
                    row += made;
                }
            }
        }
    }
    turns
}

/// The turns of rows in `order`, with a cut after each of the layers `cuts` (ascending). Rows
/// that nothing needs are not made, except the caller's, which are all taken.
pub fn rows(layers: &[LayerRows], output: usize, order: Order, cuts: &[usize]) -> Vec<Turn> {
    let mut schedule = Schedule {
        layers,
        needed: needed(layers, output),
        depth: depths(layers),
        next: vec![0; layers.len()],
        folded: vec![0; layers.len()],
        turns: Vec::new(),
    };
    // The executor runs nothing before a frame's first row, not even rows of padding.
    if layers.first().is_some_and(|layer| layer.flow == Flow::Input) {
        schedule.run(0);
    }
    let mut start = 0;
    for end in cuts.iter().map(|cut| cut + 1).chain([layers.len()]) {
        match order {
            Order::Eager => schedule.eager(start..end),
            Order::PullShallowFirst | Order::PullDeepFirst => {
                for layer in (start..end).rev() {
                    schedule.pull(layer, layers[layer].rows, order);
                }
            }
        }
        start = end;
    }
    schedule.turns
}

/// After which layers a cut leaves one tensor alone between before and behind.
pub fn cut_places(layers: &[LayerRows]) -> Vec<usize> {
    (1..layers.len().saturating_sub(1))
        .filter(|&place| {
            let mut crossing: Vec<usize> = layers[place + 1..]
                .iter()
                .flat_map(|layer| &layer.inputs)
                .copied()
                .filter(|&input| input <= place)
                .collect();
            crossing.sort_unstable();
            crossing.dedup();
            crossing.len() == 1
        })
        .collect()
}

/// The order and cuts of a strategy that streams rows: for [`Strategy::Smallest`] the best that
/// `peak` (bytes alive at once) finds by adding and removing single cuts.
pub fn best(
    layers: &[LayerRows],
    output: usize,
    strategy: Strategy,
    peak: impl Fn(&[Turn]) -> usize,
) -> Vec<(Order, Vec<usize>)> {
    if strategy == Strategy::Eager {
        return vec![(Order::Eager, Vec::new())];
    }
    let places = cut_places(layers);
    let mut found = Vec::new();
    for order in [Order::Eager, Order::PullShallowFirst, Order::PullDeepFirst] {
        for mut cuts in [Vec::new(), places.clone()] {
            let mut least = peak(&rows(layers, output, order, &cuts));
            loop {
                let toggled = places.iter().map(|&place| {
                    let mut cuts = cuts.clone();
                    match cuts.binary_search(&place) {
                        Ok(index) => {
                            cuts.remove(index);
                        }
                        Err(index) => cuts.insert(index, place),
                    }
                    (peak(&rows(layers, output, order, &cuts)), cuts)
                });
                match toggled.min() {
                    // Of equal peaks the one with fewer cuts: a shorter delay.
                    Some((bytes, fewer)) if (bytes, fewer.len()) < (least, cuts.len()) => {
                        (least, cuts) = (bytes, fewer)
                    }
                    _ => break,
                }
            }
            found.push((least, cuts.len(), order, cuts));
        }
    }
    found.sort_by_key(|(bytes, cuts, ..)| (*bytes, *cuts));
    found.dedup_by(|left, right| left.2 == right.2 && left.3 == right.3);
    found.into_iter().map(|(_, _, order, cuts)| (order, cuts)).collect()
}

struct Schedule<'a> {
    layers: &'a [LayerRows],
    /// Per layer and output row: whether anything reads it.
    needed: Vec<Vec<bool>>,
    /// Layers on the longest way from the input.
    depth: Vec<usize>,
    /// Per layer the next output row; of a running layer the next input row.
    next: Vec<usize>,
    /// Per layer that folds: the next input row.
    folded: Vec<usize>,
    turns: Vec<Turn>,
}

impl Schedule<'_> {
    /// Rows of the only input of a running layer.
    fn input_rows(&self, layer: usize) -> usize {
        self.layers[layer].inputs.first().map_or(0, |&input| self.layers[input].rows)
    }

    /// Passes over rows that nothing needs; returns whether rows are left.
    fn skip_unneeded(&mut self, layer: usize) -> bool {
        if self.layers[layer].flow == Flow::Running {
            return self.needed[layer].contains(&true) && self.next[layer] < self.input_rows(layer);
        }
        while self.needed[layer].get(self.next[layer]) == Some(&false) {
            self.next[layer] += 1;
        }
        let left = self.next[layer] < self.layers[layer].rows;
        if left && self.layers[layer].folds {
            let first = self.layers[layer].flow.needs(self.next[layer], 0, self.input_rows(layer)).start;
            self.folded[layer] = self.folded[layer].max(first);
        }
        left
    }

    /// Whether the rows of `layer` before `end` that anything needs are there.
    fn has(&self, layer: usize, end: usize) -> bool {
        match self.layers[layer].flow {
            Flow::Running => self.next[layer] == self.input_rows(layer),
            _ => self.next[layer] >= end,
        }
    }

    /// What the next turn of a layer reads of each input.
    fn reads(&self, layer: usize) -> [Range<usize>; 2] {
        let row = self.next[layer];
        match self.layers[layer].flow {
            _ if self.layers[layer].folds => [self.folded[layer]..self.folded[layer] + 1, 0..0],
            Flow::Running => [row..row + 1, 0..0],
            _ => turn(self.layers, layer, row, self.batch(layer)).reads,
        }
    }

    /// Rows that the next turn of a layer makes. All rows of a layer with a batch are needed.
    fn batch(&self, layer: usize) -> usize {
        let LayerRows { batch, rows, .. } = self.layers[layer];
        batch.rows.min(rows - self.next[layer])
    }

    fn run(&mut self, layer: usize) {
        if self.layers[layer].folds {
            return self.fold(layer);
        }
        let row = self.next[layer];
        let next = match self.layers[layer].flow {
            Flow::Running => {
                let rows = usize::from(row + 1 == self.input_rows(layer));
                Turn { layer, row, rows, reads: [row..row + 1, 0..0], part: Part::Whole }
            }
            _ => turn(self.layers, layer, row, self.batch(layer)),
        };
        self.next[layer] += if self.layers[layer].flow == Flow::Running { 1 } else { next.rows };
        self.turns.push(next);
        self.skip_unneeded(layer);
    }

    /// Takes the next input row into every output row that needs it.
    fn fold(&mut self, layer: usize) {
        let LayerRows { flow, rows, .. } = self.layers[layer];
        let (taken, input_rows) = (self.folded[layer], self.input_rows(layer));
        for row in self.next[layer]..rows {
            let needs = flow.needs(row, 0, input_rows);
            if needs.start > taken {
                break;
            }
            if self.needed[layer][row] && needs.contains(&taken) {
                let part = Part::of(taken == needs.start, taken + 1 == needs.end);
                self.turns.push(Turn { layer, row, rows: 1, reads: [taken..taken + 1, 0..0], part });
            }
            if needs.end <= taken + 1 {
                self.next[layer] = row + 1;
            }
        }
        self.folded[layer] = taken + 1;
        self.skip_unneeded(layer);
    }

    fn eager(&mut self, segment: Range<usize>) {
        loop {
            let deepest = segment.clone().rev().find(|&layer| {
                self.layers[layer].flow != Flow::Input && self.skip_unneeded(layer) && {
                    let reads = self.reads(layer);
                    self.layers[layer].inputs.iter().zip(&reads).all(|(&input, reads)| self.has(input, reads.end))
                }
            });
            match deepest.or_else(|| self.least_taken(segment.clone())) {
                Some(layer) => self.run(layer),
                None => break,
            }
        }
    }

    /// The input of which the smallest part is taken, of those in `segment` that have rows left.
    fn least_taken(&self, segment: Range<usize>) -> Option<usize> {
        let part = |layer: usize| ((self.next[layer] as u64) << 32) / self.layers[layer].rows as u64;
        let left =
            |&layer: &usize| self.layers[layer].flow == Flow::Input && self.next[layer] < self.layers[layer].rows;
        segment.filter(left).min_by_key(|&layer| part(layer))
    }

    /// Makes the rows of `layer` before `end`, and before them what they need.
    fn pull(&mut self, layer: usize, end: usize, order: Order) {
        while self.skip_unneeded(layer) && !self.has(layer, end) {
            let reads = self.reads(layer);
            let mut inputs: Vec<(usize, usize)> =
                self.layers[layer].inputs.iter().zip(&reads).map(|(&input, reads)| (input, reads.end)).collect();
            inputs.sort_by_key(|&(input, _)| self.depth[input]);
            if order == Order::PullDeepFirst {
                inputs.reverse();
            }
            for (input, end) in inputs {
                self.pull(input, end, order);
            }
            self.run(layer);
        }
    }
}

fn turn(layers: &[LayerRows], layer: usize, row: usize, rows: usize) -> Turn {
    let LayerRows { flow, inputs, .. } = &layers[layer];
    let mut reads = [0..0, 0..0];
    for (index, (reads, &input)) in reads.iter_mut().zip(inputs).enumerate() {
        let input_rows = layers[input].rows;
        // Not always from the first row's first to the last row's last: dilated taps interleave.
        let needs = (row..row + rows).map(|row| flow.needs(row, index, input_rows)).filter(|needs| !needs.is_empty());
        *reads = needs.reduce(|all, one| all.start.min(one.start)..all.end.max(one.end)).unwrap_or(0..0);
    }
    Turn { layer, row, rows, reads, part: Part::Whole }
}

fn running_turns(turns: &mut Vec<Turn>, layer: usize, input_rows: usize, most: usize) {
    let mut row = 0;
    while row < input_rows {
        let consumed = most.min(input_rows - row);
        let rows = usize::from(row + consumed == input_rows);
        turns.push(Turn { layer, row, rows, reads: [row..row + consumed, 0..0], part: Part::Whole });
        row += consumed;
    }
}

/// Per layer and output row, whether the output or a needed row reads it. The caller's rows are
/// all needed: they come anyway.
pub fn needed(layers: &[LayerRows], output: usize) -> Vec<Vec<bool>> {
    let taken = |layer: &LayerRows| layer.answers || layer.flow == Flow::Input;
    let mut needed: Vec<Vec<bool>> = layers.iter().map(|layer| vec![taken(layer); layer.rows]).collect();
    needed[output].fill(true);
    for (layer, LayerRows { flow, inputs, .. }) in layers.iter().enumerate().rev() {
        for row in 0..needed[layer].len() {
            if needed[layer][row] {
                for (index, &input) in inputs.iter().enumerate() {
                    let reads = flow.needs(row, index, layers[input].rows);
                    needed[input][reads].fill(true);
                }
            }
        }
    }
    needed
}

/// Layers on the longest way from the input to each layer.
fn depths(layers: &[LayerRows]) -> Vec<usize> {
    let mut depths: Vec<usize> = Vec::with_capacity(layers.len());
    for layer in layers {
        let depth = layer.inputs.iter().map(|&input| depths[input] + 1).max().unwrap_or(0);
        depths.push(depth);
    }
    depths
}
