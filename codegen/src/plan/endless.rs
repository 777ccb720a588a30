//! Plans for a series that has no end: the steps of some rows, which repeat for ever.
//!
//! Row `row` of a layer can be made when input row `stride * row + delay` has come, its [`Rate`]. It is made then, in the
//! order of the layers. After a *period*, a number of input rows that is a multiple of every stride, everything is as it
//! was, but of later rows: so the steps of one period are enough if each row lies where the row did that was made a
//! period before, and if no row is needed for as long as a period. Which multiple it is decides how tightly the rows can
//! lie (`circle`): several are tried, and the one in the least memory is taken, of those the shortest.
//!
//! A window that is padded above reaches over the beginning of the series for a while. The steps of those first rows
//! are stored too and run once. Where nothing is padded that is not needed: the rows before the first, whatever they hold,
//! are read only by outputs that are withheld.

mod circle;

use std::ops::Range;

use self::circle::{Arc, Block};
use super::flow::Flow;
use super::{LayerRows, Period, Plan, Step};
use crate::error::Error;

/// When a layer makes its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Input rows from one row to the next.
    pub stride: usize,
    /// The input row with which row 0 can be made; negative where rows are padded before the first by a layer of its own.
    pub delay: i64,
}

/// Periods that are tried have at most so many times the rows of the shortest.
const LONGEST: usize = 2;

/// Steps of the longest period that is made: 8 bytes of flash each, and more for their addresses.
const MOST_STEPS: usize = 1 << 16;

/// When each layer makes its rows.
///
/// # Errors
/// When a layer needs a whole tensor, or reads two tensors whose rows come at different
/// rates.
pub fn rates(layers: &[LayerRows]) -> Result<Vec<Rate>, Error> {
    let mut rates: Vec<Rate> = Vec::with_capacity(layers.len());
    for layer in layers {
        let error = |reason: String| Error::layer(&layer.name, reason);
        let mut inputs = layer.inputs.iter().map(|&input| rates[input]);
        let first = inputs.next().unwrap_or(Rate { stride: 1, delay: 0 });
        let mut rate = first;
        for other in inputs {
            if other.stride != rate.stride {
                return Err(error(format!(
                    "reads two tensors, of which one has a row for every {} rows of the series and the other for every {}: \
                     an endless plan needs the same strides on both ways",
                    rate.stride, other.stride
                )));
            }
            rate.delay = rate.delay.max(other.delay);
        }
        let rows = |index: usize| layer.inputs.get(index).map_or(0, |&input| layers[input].rows);
        match layer.flow {
            Flow::Window { size, stride, dilation, before } => {
                let ahead = signed((size - 1) * dilation) - signed(before);
                rate.delay += ahead * signed(rate.stride);
                rate.stride = rate.stride.saturating_mul(stride);
            }
            // Rows left out at the end are waited for: after so many rows, there are as many of this as of the finite model.
            Flow::Cropped { .. } => rate.delay += signed(rows(0).saturating_sub(layer.rows) * rate.stride),
            Flow::Running if rows(0) == 1 => {}
            Flow::Nearest { rows: made, .. } | Flow::Linear { rows: made, .. } if rows(0) == made => {}
            Flow::Reshaped { elements, input_elements } if elements == input_elements => {}
            Flow::Input | Flow::RowByRow => {}
            Flow::Running
            | Flow::Every
            | Flow::Nearest { .. }
            | Flow::Linear { .. }
            | Flow::Reshaped { .. }
            | Flow::Joined { .. } => {
                return Err(error("needs more than the rows around one: an endless plan has no such layer".to_owned()));
            }
        }
        if rate.stride.max(rate.delay.unsigned_abs() as usize) > MOST_STEPS {
            return Err(error(format!("the strides or windows up to here reach over more than {MOST_STEPS} rows")));
        }
        rates.push(rate);
    }
    Ok(rates)
}

/// The endless plan of a model's layers; `output` is the one whose rows come out.
///
/// # Errors
/// When a layer can't run endlessly ([`rates`]), the period is too long, or numbers do not fit the runtime's steps.
pub fn plan(layers: &[LayerRows], output: usize) -> Result<Plan, Error> {
    let rates = rates(layers)?;
    let name = layers.get(output).map_or("", |layer| &layer.name);
    if rates.get(output).is_some_and(|rate| rate.delay < 0) {
        return Err(Error::layer(
            name,
            "has rows before the series begins: an endless plan makes one when a row comes",
        ));
    }
    let too_long = || Error::model(format!("an endless plan of this model would have more than {MOST_STEPS} steps"));
    let mut multiple = 1;
    for rate in &rates {
        multiple = lcm(multiple, rate.stride);
        if multiple * layers.len() > MOST_STEPS {
            return Err(too_long());
        }
    }
    let series = Series { layers, rates, output };
    let shortest = series.shortest(multiple);
    if shortest * layers.len() > MOST_STEPS {
        return Err(too_long());
    }
    let periods: Vec<usize> = (shortest..=shortest * LONGEST)
        .step_by(multiple)
        .filter(|period| *period == shortest || period * layers.len() <= MOST_STEPS)
        .collect();
    let mut best: Option<Placed> = None;
    for &period in &periods {
        let placed = series.placed(period, periods.len())?;
        // Of equal arenas the one with fewer steps: a shorter period is tried first.
        if best.as_ref().is_none_or(|best| placed.addresses.end < best.addresses.end) {
            best = Some(placed);
        }
        if best.as_ref().is_some_and(|best| best.addresses.end <= best.floor) {
            break;
        }
    }
    let plan = series.steps(&best.ok_or_else(|| Error::model("the model has no layers to plan"))?)?;
    plan.check_counts(layers)?;
    Ok(plan)
}

fn lcm(first: usize, second: usize) -> usize {
    let (mut greater, mut rest) = (first, second);
    while rest > 0 {
        (greater, rest) = (rest, greater % rest);
    }
    first / greater.max(1) * second
}

/// A number of `usize` as a signed one: rows before the series have negative numbers.
fn signed(number: usize) -> i64 {
    number as i64
}

/// The layers, and when each makes its rows.
struct Series<'a> {
    layers: &'a [LayerRows],
    rates: Vec<Rate>,
    output: usize,
}

/// The rows of a period, and their blocks.
struct Blocks {
    blocks: Vec<Block>,
    /// Per layer and row of the period: its block, if the row is made.
    rows: Vec<Vec<Option<usize>>>,
    /// Likewise: the block of the scratch with which it is made.
    scratch: Vec<Vec<Option<usize>>>,
}

/// A period whose rows have addresses.
struct Placed {
    /// Input rows of it.
    period: usize,
    blocks: Blocks,
    addresses: super::allocate::Addresses,
    /// The most bytes alive at once.
    floor: usize,
    unit: usize,
}

impl Series<'_> {
    /// Rows that a layer makes in `period` input rows.
    fn rows(&self, layer: usize, period: usize) -> usize {
        period / self.rates[layer].stride
    }

    /// The row that a layer makes with input row `input`, if it makes one then.
    fn row(&self, layer: usize, input: i64) -> Option<i64> {
        let Rate { stride, delay } = self.rates[layer];
        let since = input - delay;
        (since.rem_euclid(signed(stride)) == 0).then(|| since.div_euclid(signed(stride)))
    }

    /// When a row is made: input rows come `layers` moments apart, and each layer has one of these.
    fn moment(&self, layer: usize, row: i64) -> i64 {
        let Rate { stride, delay } = self.rates[layer];
        (signed(stride) * row + delay) * signed(self.layers.len()) + signed(layer)
    }

    /// The rows that a row reads of each of its inputs, those before the series included.
    fn reads(&self, layer: usize, row: i64) -> Range<i64> {
        match self.layers[layer].flow {
            Flow::Window { size, stride, dilation, before } => {
                let top = row * signed(stride) - signed(before);
                top..top + signed((size - 1) * dilation + 1)
            }
            Flow::Cropped { before } => row + signed(before)..row + signed(before) + 1,
            _ => row..row + 1,
        }
    }

    /// Per layer and row of a period, whether the output or a needed row reads it.
    fn needed(&self, period: usize) -> Vec<Vec<bool>> {
        let count = |layer: usize| self.rows(layer, period);
        let mut needed: Vec<Vec<bool>> = (0..self.layers.len()).map(|layer| vec![false; count(layer)]).collect();
        needed[self.output].fill(true);
        for (layer, LayerRows { inputs, .. }) in self.layers.iter().enumerate().rev() {
            for row in 0..needed[layer].len() {
                if needed[layer][row] {
                    for &input in inputs {
                        for read in self.reads(layer, signed(row)) {
                            let read = read.rem_euclid(signed(count(input))) as usize;
                            needed[input][read] = true;
                        }
                    }
                }
            }
        }
        needed
    }

    /// Per layer and row of a period, from when until when it must stay, if it is needed.
    fn lives(&self, period: usize) -> Vec<Vec<Option<(i64, i64)>>> {
        let needed = self.needed(period);
        let mut lives: Vec<Vec<Option<(i64, i64)>>> = needed
            .iter()
            .enumerate()
            .map(|(layer, rows)| {
                let life = |row: usize| {
                    let made = self.moment(layer, signed(row));
                    (made, made)
                };
                // The caller's rows all come, whether they are needed or not.
                let comes = self.layers[layer].flow == Flow::Input;
                rows.iter().enumerate().map(|(row, &needed)| (needed || comes).then(|| life(row))).collect()
            })
            .collect();
        for (layer, LayerRows { inputs, .. }) in self.layers.iter().enumerate() {
            for (row, _) in needed[layer].iter().enumerate().filter(|(_, needed)| **needed) {
                let moment = self.moment(layer, signed(row));
                for &input in inputs {
                    let count = signed(self.rows(input, period));
                    for read in self.reads(layer, signed(row)) {
                        // The same row of the first period is read as many periods earlier.
                        let periods = read.div_euclid(count);
                        let moment = moment - periods * signed(period * self.layers.len());
                        if let Some((_, until)) = &mut lives[input][read.rem_euclid(count) as usize] {
                            *until = (*until).max(moment);
                        }
                    }
                }
            }
        }
        lives
    }

    /// The least multiple of `multiple` input rows in which every row is made, read, and not needed any more.
    fn shortest(&self, multiple: usize) -> usize {
        let lives = self.lives(multiple);
        let longest = lives.iter().flatten().flatten().map(|(from, until)| until - from).max().unwrap_or(0);
        (longest as usize / self.layers.len() + 1).next_multiple_of(multiple)
    }

    fn blocks(&self, period: usize) -> Blocks {
        let moments = period * self.layers.len();
        let arc = |(from, until): (i64, i64)| Arc {
            from: from.rem_euclid(signed(moments)) as usize,
            length: (until - from) as usize,
        };
        let lives = self.lives(period);
        let mut blocks = Blocks {
            blocks: Vec::new(),
            rows: lives.iter().map(|rows| vec![None; rows.len()]).collect(),
            scratch: lives.iter().map(|rows| vec![None; rows.len()]).collect(),
        };
        for (layer, lives) in lives.iter().enumerate() {
            let LayerRows { row_bytes, scratch, .. } = self.layers[layer];
            let scratch_bytes = scratch.of(1);
            for (row, life) in lives.iter().enumerate() {
                let &Some((from, until)) = life else { continue };
                let next = blocks.blocks.len();
                if layer == self.output {
                    // The caller reads every output at one address, when all steps that its row made possible are done.
                    let end = from - from.rem_euclid(signed(self.layers.len())) + signed(self.layers.len()) - 1;
                    let life = arc((from, until.max(end)));
                    match blocks.rows[layer].iter().flatten().next().copied() {
                        Some(block) => {
                            blocks.blocks[block].lives.push(life);
                            blocks.rows[layer][row] = Some(block);
                        }
                        None => {
                            blocks.blocks.push(Block { bytes: row_bytes, lives: vec![life] });
                            blocks.rows[layer][row] = Some(next);
                        }
                    }
                } else {
                    blocks.blocks.push(Block { bytes: row_bytes, lives: vec![arc((from, until))] });
                    blocks.rows[layer][row] = Some(next);
                }
                if scratch_bytes > 0 {
                    blocks.scratch[layer][row] = Some(blocks.blocks.len());
                    blocks.blocks.push(Block { bytes: scratch_bytes, lives: vec![arc((from, from))] });
                }
            }
        }
        blocks
    }

    /// Addresses for a period; `candidates` share the time for the search.
    fn placed(&self, period: usize, candidates: usize) -> Result<Placed, Error> {
        let blocks = self.blocks(period);
        let moments = period * self.layers.len();
        let mut unit = 4;
        loop {
            let floor = circle::floor(&blocks.blocks, moments, unit);
            let addresses = circle::place(&blocks.blocks, moments, unit, floor, candidates);
            if addresses.end / unit <= usize::from(u16::MAX) {
                return Ok(Placed { period, blocks, addresses, floor, unit });
            }
            unit *= 2;
            if unit > 1 << 16 {
                return Err(Error::model("the rows alive are more than any arena holds"));
            }
        }
    }

    /// The first input row with which anything is made, which is negative where rows are padded by a layer of its own,
    /// and the one from which on no window reaches over the beginning.
    fn beginning(&self) -> (i64, i64) {
        let first = self.rates.iter().map(|rate| rate.delay).min().unwrap_or(0).min(0);
        let clipped = self.layers.iter().zip(&self.rates).filter_map(|(layer, rate)| match layer.flow {
            Flow::Window { stride, before, .. } if before > 0 => {
                Some(signed(rate.stride * (before.div_ceil(stride) - 1)) + rate.delay + 1)
            }
            _ => None,
        });
        // Rows that are made before the first row comes are made with it.
        let least = i64::from(first < 0);
        (first, clipped.max().unwrap_or(0).max(least))
    }

    /// The steps of the first rows and of a period.
    fn steps(&self, placed: &Placed) -> Result<Plan, Error> {
        let Placed { period, blocks, addresses, floor, unit } = placed;
        let address = |block: Option<usize>| block.map_or(0, |block| addresses.of[block]);
        let (beginning, warm) = self.beginning();
        let Rate { stride, delay } = self.rates[self.output];
        let withheld = ((delay - warm).max(0) / signed(stride)) as usize;
        if withheld > usize::from(u16::MAX) {
            return Err(Error::model(format!(
                "the first {withheld} outputs are none, and the runtime counts to 65,535"
            )));
        }
        let mut steps = Vec::new();
        let mut first_step = 0;
        for input in beginning..warm + signed(*period) {
            if input == warm {
                first_step = steps.len();
            }
            for (layer, rows) in self.layers.iter().enumerate() {
                let Some(row) = self.row(layer, input) else { continue };
                let place = |layer: usize, row: i64| row.rem_euclid(signed(self.rows(layer, *period))) as usize;
                let block = blocks.rows[layer][place(layer, row)];
                // What nobody needs, and what lies before a beginning that is not just withheld, is not made.
                if block.is_none() || (input < warm && row < 0) {
                    continue;
                }
                let mut lines = [Vec::new(), Vec::new()];
                let mut first = 0;
                for (index, (lines, &from)) in lines.iter_mut().zip(&rows.inputs).enumerate() {
                    let mut reads = self.reads(layer, row);
                    if reads.start < 0 && input < warm && row >= 0 {
                        let existing = rows.flow.needs(row as usize, index, usize::MAX / 4);
                        first = rows.flow.first(row as usize, &existing);
                        reads = signed(existing.start)..signed(existing.end);
                    }
                    lines.extend(reads.map(|read| address(blocks.rows[from][place(from, read)])));
                }
                steps.push(Step {
                    layer,
                    // Of a layer that consumes row by row, this is the first and only one.
                    row: if rows.flow == Flow::Running { 0 } else { place(layer, row) },
                    rows: 1,
                    first,
                    lines,
                    output: address(block),
                    completes: true,
                    scratch: address(blocks.scratch[layer][place(layer, row)]),
                });
            }
        }
        if beginning < 0 {
            self.begin_with_input(&mut steps)?;
        }
        Ok(Plan {
            steps,
            arena_bytes: addresses.end,
            floor_bytes: *floor,
            output: address(blocks.rows[self.output].iter().flatten().next().copied()),
            unit: *unit,
            cuts: Vec::new(),
            scratch_bytes: self.layers.iter().map(|layer| layer.scratch.of(1)).collect(),
            in_place: vec![None; self.layers.len()],
            period: Some(Period { step: first_step, rows: *period, output: self.output, withheld }),
        })
    }

    /// The runtime makes nothing before the first row comes: its step goes to the front, before those of padded rows.
    fn begin_with_input(&self, steps: &mut [Step]) -> Result<(), Error> {
        let is_input = |step: &Step| self.layers[step.layer].flow == Flow::Input;
        let Some(place) = steps.iter().position(is_input) else { return Ok(()) };
        let Some(([before @ .., input], _)) = steps.split_at_mut_checked(place + 1) else { return Ok(()) };
        let row = input.output..input.output + self.layers[input.layer].row_bytes;
        for step in before.iter() {
            let LayerRows { name, row_bytes, scratch, .. } = &self.layers[step.layer];
            let written = [(step.output, *row_bytes), (step.scratch, scratch.of(1))];
            if written.iter().any(|&(from, bytes)| bytes > 0 && from < row.end && row.start < from + bytes) {
                let reason = "is made of rows that are padded before the first, and would lie where that is: \
                              give a convolution causal padding instead";
                return Err(Error::layer(name, reason));
            }
        }
        steps[..=place].rotate_right(1);
        Ok(())
    }
}
