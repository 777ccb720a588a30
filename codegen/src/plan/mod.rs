//! The plan: in which order rows are made, and where in the arena each lies. The only place that
//! knows memory.
//!
//! [`flow`] says which input rows an output row needs, [`schedule`] puts the steps in an order,
//! [`allocate`] gives every row an address for as long as it lives. Rows, running sums and
//! scratch are all counted; nothing else is in the arena. [`endless`] does both for a series without an end.

pub mod allocate;
pub mod endless;
pub mod flow;
pub mod schedule;

use microception::window::planes;

use crate::error::Error;

use allocate::Blocks;
use flow::Flow;
use schedule::Turn;

/// What the planner has to know of one layer: its rows' lengths and its flow.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRows {
    /// The layer's name, for messages.
    pub name: String,
    /// Indices of the layers whose output it reads, in the operator's order; at most two.
    pub inputs: Vec<usize>,
    /// Which input rows an output row needs.
    pub flow: Flow,
    /// Rows of the output.
    pub rows: usize,
    /// Bytes of one output row.
    pub row_bytes: usize,
    /// Bytes of scratch of a step, or of the sums that a running layer keeps.
    pub scratch: Scratch,
    /// Bytes of the lines in which the layer finds its first input's rows, where these are planes; a table of theirs has
    /// 16-bit addresses.
    pub line_bytes: Option<usize>,
    /// Whether the rows of a window can be taken one at a time, into the output row as made so far: a
    /// running maximum.
    pub folds: bool,
    /// Whether the model answers with it: all rows are made, lie one after the other, and stay to the end.
    pub answers: bool,
    /// How many rows one call had best make, where rows are so short that one alone leaves lanes of the kernel
    /// idle, or takes longer to set up than to make; 1 where that makes no difference.
    pub batch: Batch,
    /// Whether rows can be written over rows that are read for the last time.
    pub in_place: InPlace,
}

/// Which rows a layer can write over those that it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InPlace {
    /// None.
    No,
    /// Each over the same row of one input, in every call or none: that takes another kernel.
    Rows,
    /// The only row of any call over the topmost line under its window.
    Top,
}

/// Bytes of scratch of a step, as the rows that it makes ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scratch {
    /// Of a step that makes one row, or only consumes.
    pub bytes: usize,
    /// What each further row adds.
    pub further: usize,
    /// With so many rows it adds no more.
    pub rows: usize,
}

impl Scratch {
    /// Bytes for a step that makes so many rows.
    pub fn of(&self, rows: usize) -> usize {
        self.bytes + rows.min(self.rows).saturating_sub(1) * self.further
    }
}

/// Rows of one call, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Rows that fill the kernel's lanes, or are worth its set-up.
    pub rows: usize,
    /// Multiplications of an inference that are saved by that, or instead of which as much time is: which of two layers
    /// is worth more memory.
    pub saves: u64,
}

impl Batch {
    /// One row a call.
    pub const ONE: Batch = Batch { rows: 1, saves: 0 };
}

/// One call of one layer, with its places in the arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Index of the layer.
    pub layer: usize,
    /// First output row made; of a running layer, first input row consumed.
    pub row: usize,
    /// Output rows made.
    pub rows: usize,
    /// Place of the first kernel tap of the first output row among the lines.
    pub first: isize,
    /// Byte addresses of the lines read, per input. Of a step that goes on with a folded row, the second
    /// input is that row.
    pub lines: [Vec<usize>; 2],
    /// Byte address of the rows written, which lie one after the other.
    pub output: usize,
    /// Whether the rows written are whole: `false` while lines of a folded row are still to come.
    pub completes: bool,
    /// Byte address of the scratch or running sums; 0 when there is none.
    pub scratch: usize,
}

/// Steps with addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In the order of execution.
    pub steps: Vec<Step>,
    /// Bytes of arena.
    pub arena_bytes: usize,
    /// The most bytes that live at once in this order: no addresses can need less.
    pub floor_bytes: usize,
    /// Byte address of the model's output, whose rows lie one after the other.
    pub output: usize,
    /// All addresses are multiples of this power of two.
    pub unit: usize,
    /// After which layers the plan waits until a tensor is whole.
    pub cuts: Vec<usize>,
    /// Per layer: bytes of scratch of each of its steps, or of its running sums.
    pub scratch_bytes: Vec<usize>,
    /// Per layer that writes its rows over those of an input ([`InPlace::Rows`]): which input.
    pub in_place: Vec<Option<usize>>,
    /// What repeats, of an endless plan.
    pub period: Option<Period>,
}

/// The part of an endless plan that repeats: its last steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Index of its first step.
    pub step: usize,
    /// Input rows that it takes.
    pub rows: usize,
    /// The layer whose rows come out.
    pub output: usize,
    /// How many outputs, those that come first, are none: their windows begin before the series.
    pub withheld: usize,
}

/// What the planner looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Rows in the best order found, cut where that helps; several of them in one call where rows are short, as far
    /// as that takes little memory more.
    Balanced,
    /// The least memory: as before, with one row in a call.
    Smallest,
    /// Rows as early as they can be made, without a cut: the shortest delay behind a camera.
    Eager,
    /// Whole tensors one after the other, freed after their last reader.
    Whole,
    /// Whole tensors that all stay until the end, to look at them.
    Everything,
    /// A series that has no end, whose rows come one by one: an output whenever one can be made, from the steps of a
    /// period that repeats.
    Endless,
}

impl Strategy {
    /// Whether a layer waits until what it reads is whole.
    fn is_whole(self) -> bool {
        matches!(self, Strategy::Whole | Strategy::Everything)
    }
}

/// Steps and addresses for the layers of a model, in their order; `output` is the layer whose
/// tensor the model answers with. Others that it answers with as well [say so](LayerRows::answers).
///
/// # Errors
/// When a layer's numbers do not fit the runtime's steps, or the arena the addresses.
pub fn plan(layers: &[LayerRows], output: usize, strategy: Strategy) -> Result<Plan, Error> {
    if strategy == Strategy::Endless {
        return endless::plan(layers, output);
    }
    if strategy == Strategy::Balanced {
        let (single, batched) = with_batches(layers, output, strategy)?;
        return Ok(batched.unwrap_or(single));
    }
    best(&single_rows(layers), output, strategy)
}

/// As [`plan`] with [`Strategy::Smallest`], and with the batches of [`Strategy::Balanced`] where these take no more memory:
/// they change the order of rows, now and then for one that takes less.
///
/// # Errors
/// As [`plan`].
pub fn plan_in_least(layers: &[LayerRows], output: usize) -> Result<Plan, Error> {
    let (single, batched) = with_batches(layers, output, Strategy::Smallest)?;
    Ok(batched.filter(|batched| batched.arena_bytes <= single.arena_bytes).unwrap_or(single))
}

/// The layers with one row in a call.
fn single_rows(layers: &[LayerRows]) -> Vec<LayerRows> {
    layers.iter().map(|layer| LayerRows { batch: Batch::ONE, ..layer.clone() }).collect()
}

/// A plan with one row in a call, and, if any layer can make several, one in which some do.
fn with_batches(layers: &[LayerRows], output: usize, strategy: Strategy) -> Result<(Plan, Option<Plan>), Error> {
    let single_rows = single_rows(layers);
    let single = best(&single_rows, output, strategy)?;
    // What rows over others save is not taken from batches.
    let apart = best(&with_in_place(&single_rows, |_| InPlace::No), output, Strategy::Smallest)?;
    let batched = batched(layers, single_rows, output, apart.arena_bytes + apart.arena_bytes / BATCH_MEMORY)?;
    Ok((single, batched))
}

/// Batches may take one of so many parts of the least memory, without rows over others, in addition.
const BATCH_MEMORY: usize = 4;

/// A plan in at most `most` bytes in which as many layers as possible make the rows of a batch in one call, those
/// first that save most; `None` where none can.
fn batched(
    layers: &[LayerRows],
    mut chosen: Vec<LayerRows>,
    output: usize,
    most: usize,
) -> Result<Option<Plan>, Error> {
    let needed = schedule::needed(layers, output);
    let all_needed = |layer: usize| needed[layer].iter().all(|&needed| needed);
    let mut wanted: Vec<usize> = (0..layers.len())
        .filter(|&layer| {
            // A call makes all rows of its batch, and reads all from the first to the last.
            let LayerRows { flow, batch, ref inputs, .. } = layers[layer];
            let whole = all_needed(layer) && inputs.iter().all(|&input| all_needed(input));
            batch.rows > 1 && flow.makes_several() && whole
        })
        .collect();
    wanted.sort_by_key(|&layer| std::cmp::Reverse(layers[layer].batch.saves));
    let mut batches = Vec::new();
    for layer in wanted {
        chosen[layer].batch = layers[layer].batch;
        if candidates(&chosen, output, Strategy::Balanced).iter().any(|candidate| candidate.floor <= most) {
            batches.push(layer);
        } else {
            chosen[layer].batch = Batch::ONE;
        }
    }
    // What may fit does not always.
    while let Some(last) = batches.pop() {
        let plan = best(&chosen, output, Strategy::Balanced)?;
        if plan.arena_bytes <= most {
            return Ok(Some(plan));
        }
        chosen[last].batch = Batch::ONE;
    }
    Ok(None)
}

/// An order that may be good.
struct Candidate {
    turns: Vec<Turn>,
    cuts: Vec<usize>,
    /// Per layer: which rows it writes over others, as far as that serves.
    in_place: Vec<InPlace>,
    /// The least bytes that it takes.
    floor: usize,
}

impl Candidate {
    /// Whether a layer takes another kernel, and with it more code, so that rows can be written over others.
    fn takes_kernels(&self) -> bool {
        self.in_place.contains(&InPlace::Rows)
    }
}

/// The layers with other rows written over others.
fn with_in_place(layers: &[LayerRows], of: impl Fn(InPlace) -> InPlace) -> Vec<LayerRows> {
    layers.iter().map(|layer| LayerRows { in_place: of(layer.in_place), ..layer.clone() }).collect()
}

/// The blocks of an order.
fn blocks(layers: &[LayerRows], output: usize, turns: &[Turn], strategy: Strategy) -> Blocks {
    let keep_all = strategy == Strategy::Everything;
    let blocks = Blocks::of(layers, output, turns, strategy.is_whole(), keep_all);
    if keep_all { blocks } else { blocks.in_place(layers, output, turns) }
}

fn candidates(layers: &[LayerRows], output: usize, strategy: Strategy) -> Vec<Candidate> {
    let floor = |layers: &[LayerRows], turns: &[Turn]| blocks(layers, output, turns, strategy).floor(turns.len(), 4);
    // What is written over others by another kernel, and lowers the floor by nothing, is not.
    let candidate = |mut layers: Vec<LayerRows>, turns: Vec<Turn>, cuts| {
        let least = floor(&layers, &turns);
        for layer in 0..layers.len() {
            if layers[layer].in_place == InPlace::Rows {
                layers[layer].in_place = InPlace::No;
                if floor(&layers, &turns) > least {
                    layers[layer].in_place = InPlace::Rows;
                }
            }
        }
        Candidate { floor: least, turns, cuts, in_place: layers.iter().map(|layer| layer.in_place).collect() }
    };
    let orders = |layers: &[LayerRows]| -> Vec<Candidate> {
        if strategy.is_whole() {
            return vec![candidate(layers.to_vec(), schedule::whole(layers), Vec::new())];
        }
        let orders = schedule::best(layers, output, strategy, |turns| floor(layers, turns)).into_iter();
        let of = |(order, cuts): (_, Vec<usize>)| {
            candidate(layers.to_vec(), schedule::rows(layers, output, order, &cuts), cuts)
        };
        orders.map(of).collect()
    };
    let unfolded: Vec<LayerRows> = layers.iter().map(|layer| LayerRows { folds: false, ..layer.clone() }).collect();
    let folds = layers.iter().any(|layer| layer.folds) && !strategy.is_whole();
    let folded = [&unfolded[..], layers].into_iter().take(1 + usize::from(folds));
    // Folding takes more steps and kernels in place more code, so that they come later and have to be better.
    let has = |form: InPlace| layers.iter().any(|layer| layer.in_place == form);
    let apart = |_| InPlace::No;
    let over_top = |form| if form == InPlace::Top { form } else { InPlace::No };
    let mut candidates: Vec<Candidate> =
        folded.clone().flat_map(|layers| orders(&with_in_place(layers, apart))).collect();
    if has(InPlace::Top) {
        candidates.extend(folded.clone().flat_map(|layers| orders(&with_in_place(layers, over_top))));
    }
    if has(InPlace::Rows) {
        candidates.extend(folded.flat_map(orders));
    }
    candidates
}

/// Kernels that write rows over others are worth their code where they save one of so many parts of the arena.
const KERNEL_MEMORY: usize = 32;

/// The plan in the least memory, each layer in batches of its own.
fn best(layers: &[LayerRows], output: usize, strategy: Strategy) -> Result<Plan, Error> {
    let mut best: Option<Plan> = None;
    for candidate in candidates(layers, output, strategy) {
        let is_better = |bytes: usize| {
            best.as_ref().is_none_or(|best| {
                let spares = strategy != Strategy::Smallest && candidate.takes_kernels();
                bytes < best.arena_bytes - if spares { best.arena_bytes / KERNEL_MEMORY } else { 0 }
            })
        };
        // An order whose floor is above a plan that stands can't win.
        if is_better(candidate.floor) {
            let form = &candidate.in_place;
            let layers: Vec<LayerRows> =
                layers.iter().zip(form).map(|(layer, &in_place)| LayerRows { in_place, ..layer.clone() }).collect();
            let plan = addressed(&layers, output, &candidate, strategy)?;
            if is_better(plan.arena_bytes) {
                best = Some(plan);
            }
        }
    }
    best.ok_or_else(|| Error::model("the model has no layers to plan"))
}

/// Gives the turns of a schedule their addresses.
fn addressed(
    layers: &[LayerRows],
    output: usize,
    Candidate { turns, cuts, .. }: &Candidate,
    strategy: Strategy,
) -> Result<Plan, Error> {
    let together = strategy.is_whole();
    let blocks = blocks(layers, output, turns, strategy);
    let mut unit = if blocks.unaligned(layers) { 1 } else { 4 };
    let (addresses, floor_bytes) = loop {
        // Blocks begin aligned even where the rows inside them are not: sums are read as words.
        let floor = blocks.floor(turns.len(), unit.max(4));
        let addresses = allocate::place(&blocks.blocks, unit.max(4), floor);
        if addresses.end / unit <= usize::from(u16::MAX) {
            break (addresses, floor);
        }
        // A larger unit keeps the addresses in 16 bits; rows that share a block must be multiples of it.
        unit *= 2;
        let misfit = layers.iter().enumerate().find(|(index, layer)| {
            (together || *index == output || layer.answers) && layer.rows > 1 && layer.row_bytes % unit != 0
        });
        if let Some((_, layer)) = misfit {
            return Err(Error::layer(
                &layer.name,
                format!(
                    "its rows of {} bytes lie one after the other in an arena of {} bytes, which 16-bit addresses in steps of {} bytes can't reach",
                    layer.row_bytes,
                    addresses.end,
                    unit / 2
                ),
            ));
        }
    };
    let address = |layer: usize, row: usize| {
        blocks.row(layers, layer, row).map_or(0, |(block, offset)| addresses.of[block] + offset)
    };
    let steps = turns
        .iter()
        .enumerate()
        .map(|(index, turn)| {
            let layer = &layers[turn.layer];
            let running = layer.flow == Flow::Running;
            let mut lines = [Vec::new(), Vec::new()];
            for ((lines, &input), reads) in lines.iter_mut().zip(&layer.inputs).zip(&turn.reads) {
                lines.extend(reads.clone().map(|row| address(input, row)));
            }
            let output = if turn.rows == 0 { 0 } else { address(turn.layer, if running { 0 } else { turn.row }) };
            if turn.part.continues() {
                lines[1].push(output);
            }
            Step {
                layer: turn.layer,
                row: turn.row,
                rows: turn.rows,
                first: layer.flow.first(turn.row, &turn.reads[0]),
                lines,
                output,
                completes: turn.part.completes(),
                scratch: blocks.scratch(index).map_or(0, |block| addresses.of[block]),
            }
        })
        .collect();
    let plan = Plan {
        steps,
        arena_bytes: addresses.end,
        floor_bytes,
        output: address(output, 0),
        unit,
        cuts: cuts.clone(),
        scratch_bytes: blocks.scratch_bytes,
        in_place: blocks.in_place,
        period: None,
    };
    plan.check_counts(layers)?;
    Ok(plan)
}

impl Plan {
    /// The steps and addresses as the runtime stores them. [`plan`] has checked that they fit.
    pub fn to_runtime(&self) -> (Vec<microception::model::Step>, Vec<u16>) {
        let in_units = |address: &usize| (address / self.unit) as u16;
        let mut addresses = Vec::new();
        let steps = self
            .steps
            .iter()
            .map(|step| {
                addresses.extend(step.lines.iter().flatten().chain([&step.output, &step.scratch]).map(in_units));
                microception::model::Step {
                    layer: step.layer as u16,
                    row: step.row as u16,
                    rows: step.rows as u8,
                    first: step.first as i8,
                    lines: [step.lines[0].len() as u8, step.lines[1].len() as u8],
                }
            })
            .collect();
        (steps, addresses)
    }

    /// Where the whole tensor of a layer lies whose rows are together: an output, or any under a plan of whole tensors.
    pub fn tensor(&self, layer: usize) -> Option<usize> {
        self.steps.iter().find(|step| step.layer == layer && step.rows > 0).map(|step| step.output)
    }

    /// Errors where the planes that a step reads lie further apart than the table of their lines reaches.
    fn check_planes(&self, step: &Step, layers: &[LayerRows]) -> Result<(), Error> {
        let layer = &layers[step.layer];
        let (Some(line_bytes), Some(&input)) = (layer.line_bytes, layer.inputs.first()) else { return Ok(()) };
        let lines = &step.lines[0];
        let (Some(first), Some(last)) = (lines.iter().min(), lines.iter().max()) else { return Ok(()) };
        let unit = 1usize << planes::address_shift(self.unit, line_bytes);
        let span = last - first + layers[input].row_bytes;
        if span / unit >= usize::from(u16::MAX) {
            let reason = format!(
                "the planes that make its row {} lie in {span} bytes, which 16-bit addresses of lines of {line_bytes} bytes can't reach",
                step.row
            );
            return Err(Error::layer(&layer.name, reason));
        }
        Ok(())
    }

    /// What repeats, as the runtime stores it. [`plan`] has checked that it fits.
    pub fn runtime_period(&self) -> Option<microception::model::Period> {
        let Period { step, output, withheld, rows: _ } = self.period?;
        let addresses = |step: &Step| step.lines.iter().map(Vec::len).sum::<usize>() + 2;
        Some(microception::model::Period {
            step,
            address: self.steps.iter().take(step).map(addresses).sum(),
            output: output as u16,
            withheld: withheld as u16,
        })
    }

    /// Errors where a number does not fit its place in [`microception::model::Step`].
    fn check_counts(&self, layers: &[LayerRows]) -> Result<(), Error> {
        for step in &self.steps {
            let lines = step.lines.iter().map(Vec::len).max().unwrap_or(0);
            let fits = u16::try_from(step.layer).is_ok()
                && u16::try_from(step.row).is_ok()
                && u8::try_from(step.rows.max(lines)).is_ok()
                && i8::try_from(step.first).is_ok();
            if !fits {
                let reason = format!(
                    "row {} reads {lines} rows at once, the first tap at {}: a step holds at most 65,535 layers and rows, 255 lines, and a first tap from -128",
                    step.row, step.first
                );
                return Err(Error::layer(&layers[step.layer].name, reason));
            }
            self.check_planes(step, layers)?;
        }
        Ok(())
    }
}
