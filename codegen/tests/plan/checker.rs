//! Replays a plan on an arena whose bytes are symbols instead of numbers: each remembers which
//! row of which layer was written there, and where in the row. Reading anything but the row that
//! the layer's definition asks for is a [`Fault`].
//!
//! Of the planner's work only the emitted steps and addresses are used.

use std::ops::Range;

use microception_codegen::plan::{Plan, Step};

use crate::demand::{Definition, Demand, Over, needed};

/// Bytes that one load of the target takes.
const WORD: usize = 4;

/// What a byte of the arena holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Byte {
    /// Nothing was ever written.
    Empty,
    /// What a step left in its scratch.
    Leftover,
    /// Part of a row.
    Row { layer: u32, row: u32, offset: u32 },
    /// Part of a row into which the first `lines` of the lines that it reads have gone.
    Begun { layer: u32, row: u32, offset: u32, lines: u32 },
    /// Part of the sums that a layer keeps while it consumes rows.
    Sums { layer: u32, offset: u32 },
}

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A step names a layer that does not exist, or rows outside its tensor.
    NoSuchRow { step: usize },
    /// The caller's rows of each input come from the top, one a step; this is another.
    InputOrder { step: usize, row: usize, expected: usize },
    /// A row is made a second time.
    MadeAgain { step: usize, layer: usize, row: usize },
    /// A row that the answer depends on is never made.
    NeverMade { layer: usize, row: usize },
    /// The lines listed are not those that the definition asks for.
    Lines { step: usize, input: usize, listed: usize, asked: Range<usize> },
    /// The first tap is not where the definition puts it.
    FirstTap { step: usize, first: isize },
    /// A line does not hold the row that belongs there.
    Content { step: usize, input: usize, layer: usize, row: usize, offset: usize, found: Byte },
    /// A layer that consumes row by row does not do so in order, or answers too early or too late.
    Consumption { step: usize, row: usize, rows: usize },
    /// A row that is computed line by line is gone on with at another place, out of order, or not said to be whole
    /// when it is.
    Folded { step: usize, row: usize },
    /// The sums kept from step to step were moved or overwritten, or are too short.
    Sums { step: usize, found: Byte },
    /// An address is not a multiple of the plan's unit, or of a word.
    Unaligned { step: usize, address: usize },
    /// Bytes outside the arena are read or written.
    Outside { step: usize, end: usize },
    /// What a step writes overlaps what it reads, or its scratch, other than by a row in the very place of one that the
    /// definition lets it be written over.
    Overlap { step: usize },
    /// A layer is said to write over an input, and a step does not.
    NotInPlace { step: usize },
    /// At the end, the row is not where it belongs.
    Answer { layer: usize, row: usize, found: Byte },
    /// The arena is not as long as what the steps touch, up to less than one unit.
    ArenaBytes { touched: usize, stated: usize },
    /// More bytes hold rows that are still to be read than the stated floor.
    FloorBytes { alive: usize, stated: usize },
}

/// What a good plan turned out to do.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Per layer and row, how many of the caller's rows had come when it was made.
    pub made_after: Vec<Vec<Option<usize>>>,
    /// The most bytes that held something still to be read.
    pub alive_bytes: usize,
    /// The arena after the last step.
    arena: Vec<Byte>,
}

impl Replay {
    /// Where the whole tensor of a layer lies after the last step, row after row.
    pub fn tensor(&self, definitions: &[Definition], layer: usize) -> Option<usize> {
        let start = Byte::Row { layer: layer as u32, row: 0, offset: 0 };
        let starts = self.arena.iter().enumerate().filter(|(_, byte)| **byte == start);
        starts.map(|(address, _)| address).find(|&address| self.first_strange(definitions, layer, address).is_none())
    }

    /// The first row of the tensor at `address` that is not all there, and what is there instead.
    fn first_strange(&self, definitions: &[Definition], layer: usize, address: usize) -> Option<(usize, Byte)> {
        let Definition { rows, row_bytes, .. } = definitions[layer];
        (0..rows).find_map(|row| {
            let found = mismatch(&self.arena, address + row * row_bytes, row_bytes, |offset| Byte::Row {
                layer: layer as u32,
                row: row as u32,
                offset: offset as u32,
            });
            found.map(|(_, byte)| (row, byte))
        })
    }
}

/// The first byte of a stretch that is not as `expected`.
fn mismatch(arena: &[Byte], from: usize, length: usize, expected: impl Fn(usize) -> Byte) -> Option<(usize, Byte)> {
    (0..length).find_map(|offset| {
        let found = arena.get(from + offset).copied().unwrap_or(Byte::Empty);
        (found != expected(offset)).then_some((offset, found))
    })
}

fn overlap(left: &Range<usize>, right: &Range<usize>) -> bool {
    left.start.max(right.start) < left.end.min(right.end)
}

struct Checker<'a> {
    definitions: &'a [Definition],
    /// Per layer, bytes of scratch or sums: the kernel's own affair, which no definition knows.
    scratch_bytes: &'a [usize],
    plan: &'a Plan,
    arena: Vec<Byte>,
    made_after: Vec<Vec<Option<usize>>>,
    /// Rows that came from the caller, and per layer how many of them were its own.
    taken: usize,
    taken_of: Vec<usize>,
    /// Per layer: rows consumed one by one, and where their sums are.
    consumed: Vec<(usize, usize)>,
    /// Per layer and row: lines that have gone into a row that is computed line by line.
    begun: Vec<Vec<usize>>,
    /// End of the highest byte touched.
    touched: usize,
}

/// Replays `plan` for the layers of `definitions`, of which the layers `outputs` make the answers.
pub fn check(
    definitions: &[Definition],
    scratch_bytes: &[usize],
    outputs: &[usize],
    plan: &Plan,
) -> Result<Replay, Fault> {
    let mut checker = Checker {
        definitions,
        scratch_bytes,
        plan,
        arena: vec![Byte::Empty; plan.arena_bytes],
        made_after: definitions.iter().map(|definition| vec![None; definition.rows]).collect(),
        taken: 0,
        taken_of: vec![0; definitions.len()],
        consumed: vec![(0, 0); definitions.len()],
        begun: definitions.iter().map(|definition| vec![0; definition.rows]).collect(),
        touched: 0,
    };
    if let Some(step) = plan.steps.first().filter(|step| step.layer != 0) {
        // The executor runs nothing before a frame's first row.
        return Err(Fault::InputOrder { step: 0, row: step.row, expected: 0 });
    }
    for (index, step) in plan.steps.iter().enumerate() {
        checker.step(index, step)?;
    }
    checker.end(outputs)
}

impl Checker<'_> {
    fn step(&mut self, index: usize, step: &Step) -> Result<(), Fault> {
        let definition = self.definitions.get(step.layer).ok_or(Fault::NoSuchRow { step: index })?;
        if !self.plan.unit.is_power_of_two() {
            return Err(Fault::Unaligned { step: index, address: self.plan.unit });
        }
        for &address in step.lines.iter().flatten().chain([&step.output, &step.scratch]) {
            if !address.is_multiple_of(self.plan.unit) {
                return Err(Fault::Unaligned { step: index, address });
            }
        }
        // Scratch holds accumulators of four bytes. Rows that can lie on multiples of four do.
        let whole_words = definition.row_bytes.is_multiple_of(WORD) && step.rows > 0;
        for address in [Some(step.scratch), whole_words.then_some(step.output)].into_iter().flatten() {
            if !address.is_multiple_of(WORD) {
                return Err(Fault::Unaligned { step: index, address });
            }
        }
        let made = match definition.demand {
            Demand::EveryRow { sums } => self.consume(index, step, sums)?,
            _ => step.row..step.row + step.rows,
        };
        if made.end > definition.rows || (made.is_empty() && !matches!(definition.demand, Demand::EveryRow { .. })) {
            return Err(Fault::NoSuchRow { step: index });
        }
        if let Some(lines) = self.begins_or_continues(index, step)? {
            return self.fold(index, step, lines);
        }
        if !step.completes {
            return Err(Fault::Folded { step: index, row: step.row });
        }
        let read = self.read(index, step)?;
        self.write(index, step, made, &read)
    }

    /// Of a step that takes only some of the lines that a row reads: which of them, counted from the first.
    fn begins_or_continues(&self, index: usize, step: &Step) -> Result<Option<Range<usize>>, Fault> {
        let definition = &self.definitions[step.layer];
        if !definition.by_lines || step.rows != 1 {
            return Ok(None);
        }
        let asked = definition.reads(step.row, 0, self.definitions[definition.inputs[0]].rows).len();
        let before = self.begun[step.layer][step.row];
        let after = before + step.lines[0].len();
        if before == 0 && after >= asked {
            return Ok(None);
        }
        // The row as made so far is the second input, unless it is only begun.
        let own: &[usize] = if before == 0 { &[] } else { std::slice::from_ref(&step.output) };
        let in_order = after > before && after <= asked && step.lines[1] == own && step.completes == (after == asked);
        match in_order {
            true => Ok(Some(before..after)),
            false => Err(Fault::Folded { step: index, row: step.row }),
        }
    }

    /// Checks and records a step that takes the lines `lines` of those that its row reads.
    fn fold(&mut self, index: usize, step: &Step, lines: Range<usize>) -> Result<(), Fault> {
        let definition = &self.definitions[step.layer];
        let Demand::Taps { top, stride, dilation: 1, .. } = definition.demand else {
            return Err(Fault::Folded { step: index, row: step.row });
        };
        let input = definition.inputs[0];
        let row_bytes = self.definitions[input].row_bytes;
        let rows = definition.reads(step.row, 0, self.definitions[input].rows);
        // The kernel counts its taps from here.
        let line_zero = top + (step.row * stride).cast_signed() - step.first;
        if line_zero != rows[lines.start].cast_signed() {
            return Err(Fault::FirstTap { step: index, first: step.first });
        }
        let (layer, row) = (step.layer as u32, step.row as u32);
        let output = step.output..step.output + definition.row_bytes;
        for (&read, &address) in rows[lines.clone()].iter().zip(&step.lines[0]) {
            if address + row_bytes > self.arena.len() {
                return Err(Fault::Outside { step: index, end: address + row_bytes });
            }
            let expected = |offset| Byte::Row { layer: input as u32, row: read as u32, offset: offset as u32 };
            if let Some((offset, found)) = mismatch(&self.arena, address, row_bytes, expected) {
                return Err(Fault::Content { step: index, input: 0, layer: input, row: read, offset, found });
            }
            if overlap(&(address..address + row_bytes), &output) {
                return Err(Fault::Overlap { step: index });
            }
            self.touched = self.touched.max(address + row_bytes);
        }
        if output.end > self.arena.len() {
            return Err(Fault::Outside { step: index, end: output.end });
        }
        self.touched = self.touched.max(output.end);
        if lines.start > 0 {
            let begun = |offset| Byte::Begun { layer, row, offset: offset as u32, lines: lines.start as u32 };
            if let Some((offset, found)) = mismatch(&self.arena, output.start, definition.row_bytes, begun) {
                return Err(Fault::Content { step: index, input: 1, layer: step.layer, row: step.row, offset, found });
            }
        }
        for (offset, byte) in self.arena[output].iter_mut().enumerate() {
            let offset = offset as u32;
            *byte = match step.completes {
                true => Byte::Row { layer, row, offset },
                false => Byte::Begun { layer, row, offset, lines: lines.end as u32 },
            };
        }
        self.begun[step.layer][step.row] = lines.end;
        if step.completes && self.made_after[step.layer][step.row].replace(self.taken).is_some() {
            return Err(Fault::MadeAgain { step: index, layer: step.layer, row: step.row });
        }
        Ok(())
    }

    /// Keeps account of a layer that reads all rows, some at a time. Returns the rows made.
    fn consume(&mut self, index: usize, step: &Step, sums: usize) -> Result<Range<usize>, Fault> {
        let input_rows = self.definitions[self.definitions[step.layer].inputs[0]].rows;
        let (before, address) = self.consumed[step.layer];
        let after = before + step.lines[0].len();
        let (begins, ends) = (before == 0, after == input_rows);
        let in_order = step.row == before && after > before && step.rows == usize::from(ends);
        if !in_order {
            return Err(Fault::Consumption { step: index, row: step.row, rows: step.rows });
        }
        let length = self.scratch_bytes[step.layer];
        if !(begins && ends) && length < sums {
            return Err(Fault::Sums { step: index, found: Byte::Empty });
        }
        if !begins {
            let expected = |offset| Byte::Sums { layer: step.layer as u32, offset: offset as u32 };
            let moved = (address != step.scratch).then_some((0, Byte::Leftover));
            if let Some((_, found)) = moved.or(mismatch(&self.arena, step.scratch, length, expected)) {
                return Err(Fault::Sums { step: index, found });
            }
        }
        self.consumed[step.layer] = (after, step.scratch);
        Ok(0..step.rows)
    }

    /// The rows whose lines a step must list, of each input.
    ///
    /// A kernel finds its taps by counting lines, so that the lines are rows in succession, from the first
    /// tap that exists to the last. Where taps are apart, rows between them and rows between the outer
    /// ones and the border may be listed as well.
    fn listed(&self, index: usize, step: &Step, input: usize) -> Result<Range<usize>, Fault> {
        let definition = &self.definitions[step.layer];
        let input_rows = self.definitions[definition.inputs[input]].rows;
        let lines = step.lines[input].len();
        let (first, end) = (step.row, step.row + step.rows);
        let reads = |row: usize| definition.reads(row, input, input_rows);
        let of_call = (first..end).flat_map(reads);
        let (low, high) = of_call.fold((usize::MAX, 0), |(low, high), row| (low.min(row), high.max(row + 1)));
        let rows = low.min(high)..high;
        let (start, asked, span) = match definition.demand {
            Demand::Caller => return Ok(0..0),
            Demand::EveryRow { .. } => (first.cast_signed(), first..first + lines, first..first + lines),
            Demand::SameRow | Demand::Behind { .. } | Demand::Elements { .. } | Demand::Every | Demand::Listed(_) => {
                (rows.start.cast_signed(), rows.clone(), rows)
            }
            Demand::Taps { top, stride, dilation, taps } => {
                let place = top + (first * stride).cast_signed();
                let last = top + ((end - 1) * stride + (taps - 1) * dilation).cast_signed();
                let within = |row: isize| row.clamp(0, input_rows.cast_signed()).unsigned_abs();
                (place, rows, within(place)..within(last + 1))
            }
        };
        let wrong = Fault::Lines { step: index, input, listed: lines, asked: asked.clone() };
        if lines == 0 && asked.is_empty() {
            return Ok(0..0);
        }
        // A kernel that repeats or leaves out rows can't tell which line is whose.
        if matches!(definition.demand, Demand::Listed(_)) && step.rows != 1 {
            return Err(wrong);
        }
        // The kernel looks for tap 0 at line `first`, which makes line 0 this row:
        let line_zero =
            usize::try_from(start - step.first).map_err(|_| Fault::FirstTap { step: index, first: step.first })?;
        let listed = line_zero..line_zero + lines;
        if lines != 0 && (line_zero < span.start || line_zero > asked.start.max(span.start)) {
            return Err(Fault::FirstTap { step: index, first: step.first });
        }
        if lines == 0 || listed.end < asked.end || listed.end > span.end {
            return Err(wrong);
        }
        Ok(listed)
    }

    /// Checks what a step reads; returns where it lies, of each input.
    fn read(&mut self, index: usize, step: &Step) -> Result<[Vec<Range<usize>>; 2], Fault> {
        let definition = &self.definitions[step.layer];
        let mut read = [Vec::new(), Vec::new()];
        for (input, lines) in step.lines.iter().enumerate() {
            let Some(&layer) = definition.inputs.get(input) else {
                if !lines.is_empty() {
                    return Err(Fault::Lines { step: index, input, listed: lines.len(), asked: 0..0 });
                }
                continue;
            };
            let row_bytes = self.definitions[layer].row_bytes;
            for (row, &address) in self.listed(index, step, input)?.zip(lines) {
                if address + row_bytes > self.arena.len() {
                    return Err(Fault::Outside { step: index, end: address + row_bytes });
                }
                let expected = |offset| Byte::Row { layer: layer as u32, row: row as u32, offset: offset as u32 };
                if let Some((offset, found)) = mismatch(&self.arena, address, row_bytes, expected) {
                    return Err(Fault::Content { step: index, input, layer, row, offset, found });
                }
                self.touched = self.touched.max(address + row_bytes);
                read[input].push(address..address + row_bytes);
            }
        }
        Ok(read)
    }

    /// Checks and records what a step writes: the rows `made`, and its scratch.
    fn write(
        &mut self,
        index: usize,
        step: &Step,
        made: Range<usize>,
        read: &[Vec<Range<usize>>; 2],
    ) -> Result<(), Fault> {
        let definition = &self.definitions[step.layer];
        let scratch = step.scratch..step.scratch + self.scratch_bytes[step.layer];
        let output = step.output..step.output + made.len() * definition.row_bytes;
        let rows: Vec<_> = made
            .clone()
            .map(|row| step.output + (row - made.start) * definition.row_bytes)
            .map(|from| from..from + definition.row_bytes)
            .collect();
        let in_place = self.plan.in_place[step.layer];
        if in_place.is_some_and(|input| definition.over != Over::SamePlaces || read[input] != rows) {
            return Err(Fault::NotInPlace { step: index });
        }
        for written in [&output, &scratch].into_iter().filter(|written| !written.is_empty()) {
            if written.end > self.arena.len() {
                return Err(Fault::Outside { step: index, end: written.end });
            }
            for (input, read) in read.iter().enumerate() {
                for (line, read) in read.iter().enumerate().filter(|(_, read)| overlap(read, written)) {
                    let may_be = match definition.over {
                        Over::Nothing => false,
                        Over::SamePlaces => in_place == Some(input),
                        // Line 0 is under the first tap.
                        Over::TopmostLine => (line, step.first, made.len()) == (0, 0, 1),
                    };
                    if !may_be || rows.get(line) != Some(read) || overlap(read, &scratch) {
                        return Err(Fault::Overlap { step: index });
                    }
                }
            }
            self.touched = self.touched.max(written.end);
        }
        if overlap(&output, &scratch) {
            return Err(Fault::Overlap { step: index });
        }
        if definition.demand == Demand::Caller {
            let expected = self.taken_of[step.layer];
            if step.row != expected || made.len() != 1 {
                return Err(Fault::InputOrder { step: index, row: step.row, expected });
            }
            self.taken_of[step.layer] += 1;
            self.taken += 1;
        }
        let consumes_more = matches!(definition.demand, Demand::EveryRow { .. }) && made.is_empty();
        for (offset, byte) in self.arena[scratch.clone()].iter_mut().enumerate() {
            *byte = match consumes_more {
                true => Byte::Sums { layer: step.layer as u32, offset: offset as u32 },
                false => Byte::Leftover,
            };
        }
        for (place, row) in made.enumerate() {
            if self.made_after[step.layer][row].replace(self.taken).is_some() {
                return Err(Fault::MadeAgain { step: index, layer: step.layer, row });
            }
            let from = step.output + place * definition.row_bytes;
            for (offset, byte) in self.arena[from..from + definition.row_bytes].iter_mut().enumerate() {
                *byte = Byte::Row { layer: step.layer as u32, row: row as u32, offset: offset as u32 };
            }
        }
        Ok(())
    }

    /// Checks what is left when all steps have run.
    fn end(self, outputs: &[usize]) -> Result<Replay, Fault> {
        let Checker { definitions, scratch_bytes, plan, arena, made_after, touched, .. } = self;
        let mut needed = needed(definitions, outputs);
        for (definition, needed) in definitions.iter().zip(&mut needed) {
            if definition.demand == Demand::Caller {
                needed.fill(true);
            }
        }
        for (layer, needed) in needed.iter().enumerate() {
            let missing = needed.iter().zip(&made_after[layer]).position(|(needed, made)| *needed && made.is_none());
            if let Some(row) = missing {
                return Err(Fault::NeverMade { layer, row });
            }
        }
        let alive_bytes = alive_bytes(definitions, scratch_bytes, outputs, &plan.steps);
        let replay = Replay { made_after, alive_bytes, arena };
        for (index, &layer) in outputs.iter().enumerate() {
            let address = if index == 0 { Some(plan.output) } else { plan.tensor(layer) };
            let address = address.ok_or(Fault::NeverMade { layer, row: 0 })?;
            if let Some((row, found)) = replay.first_strange(definitions, layer, address) {
                return Err(Fault::Answer { layer, row, found });
            }
        }
        if plan.arena_bytes < touched || plan.arena_bytes - touched >= plan.unit.max(WORD) {
            return Err(Fault::ArenaBytes { touched, stated: plan.arena_bytes });
        }
        if alive_bytes > plan.floor_bytes || plan.floor_bytes > plan.arena_bytes {
            return Err(Fault::FloorBytes { alive: alive_bytes, stated: plan.floor_bytes });
        }
        Ok(replay)
    }
}

/// The most bytes that hold something still to be read, taking from the steps only who reads
/// which row when. No addresses could need less.
fn alive_bytes(definitions: &[Definition], scratch_bytes: &[usize], outputs: &[usize], steps: &[Step]) -> usize {
    // Per layer and row, and per layer's sums: first and last step, and bytes.
    let mut rows: Vec<Vec<Option<(usize, usize)>>> =
        definitions.iter().map(|definition| vec![None; definition.rows]).collect();
    let mut sums: Vec<Option<(usize, usize)>> = vec![None; definitions.len()];
    let mut lives: Vec<(usize, usize, usize)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let definition = &definitions[step.layer];
        let running = matches!(definition.demand, Demand::EveryRow { .. });
        for (place, (&input, lines)) in definition.inputs.iter().zip(&step.lines).enumerate() {
            let from = match definition.demand {
                Demand::Taps { top, stride, .. } => top + (step.row * stride).cast_signed() - step.first,
                Demand::EveryRow { .. } => step.row.cast_signed(),
                // Rows in succession, from the first that is read.
                _ => {
                    let input_rows = definitions[input].rows;
                    let reads =
                        (step.row..step.row + step.rows).flat_map(|row| definition.reads(row, place, input_rows));
                    reads.min().unwrap_or(0).cast_signed()
                }
            };
            for (row, &line) in (from.unsigned_abs()..).zip(lines) {
                if let Some((_, last)) = &mut rows[input][row] {
                    // What is written over lives on as something else.
                    let written = step.output..step.output + step.rows * definition.row_bytes;
                    *last = if written.contains(&line) { index - 1 } else { index };
                }
            }
        }
        let first = if running { 0 } else { step.row };
        for made in &mut rows[step.layer][first..first + step.rows] {
            let last = if outputs.contains(&step.layer) { steps.len() - 1 } else { index };
            *made = Some((made.map_or(index, |(begun, _)| begun), last));
        }
        match &mut sums[step.layer] {
            Some((_, last)) if running => *last = index,
            sums if running => *sums = Some((index, index)),
            _ => lives.push((index, index, scratch_bytes[step.layer])),
        }
    }
    for (definition, rows) in definitions.iter().zip(&rows) {
        lives.extend(rows.iter().flatten().map(|&(first, last)| (first, last, definition.row_bytes)));
    }
    lives.extend(
        sums.iter().zip(scratch_bytes).filter_map(|(sums, &bytes)| sums.map(|(first, last)| (first, last, bytes))),
    );
    let mut change = vec![0; steps.len() + 1];
    for (first, last, bytes) in lives {
        change[first] += bytes.cast_signed();
        change[last + 1] -= bytes.cast_signed();
    }
    let alive = change.iter().scan(0, |alive, change| {
        *alive += change;
        Some(*alive)
    });
    alive.max().unwrap_or(0).unsigned_abs()
}
