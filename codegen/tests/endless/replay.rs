//! Replays an endless plan on an arena whose bytes remember which row of which layer they belong to. What each row
//! reads is derived from the layers' definitions; of the planner's work only the emitted steps and addresses are used.

use microception::model::{Period, Step};
use microception_codegen::graph::{Graph, Operator, Padding, Window};
use microception_codegen::plan::{LayerRows, Plan};

/// A row of a layer, from row 0 of the series on.
type Row = (usize, usize);

/// What the replay found.
#[derive(Debug)]
pub struct Replay {
    /// Of each output, how many input rows had come.
    pub outputs: Vec<usize>,
    /// The most bytes of rows and scratch that were alive at once, rows rounded up to words.
    pub alive: usize,
}

/// What a layer reads, from the definitions in Keras's documentation.
enum Reads {
    Caller,
    Same,
    /// Row r reads the rows `r * stride + k * dilation - above` for `k` below `taps`, as far as they exist.
    Taps {
        taps: usize,
        stride: usize,
        dilation: usize,
        above: usize,
    },
}

fn definition(graph: &Graph) -> Vec<Reads> {
    let taps = |window: &Window| {
        let above = match window.padding {
            Padding::Valid => 0,
            Padding::Explicit { before, .. } => before[0],
            Padding::Same => panic!("no endless model has same padding"),
        };
        Reads::Taps { taps: window.size[0], stride: window.stride[0], dilation: window.dilation[0], above }
    };
    let reads = |operator: &Operator| match operator {
        Operator::Input { .. } => Reads::Caller,
        Operator::Pad { before, .. } => Reads::Taps { taps: 1, stride: 1, dilation: 1, above: before[0] },
        Operator::Convolution { window, .. }
        | Operator::Depthwise { window, .. }
        | Operator::MaxPool { window }
        | Operator::AveragePool { window } => taps(window),
        _ => Reads::Same,
    };
    graph.layers.iter().map(|layer| reads(&layer.operator)).collect()
}

/// The rows that a row reads, from the first existing tap to the last, and where tap 0 lies from there.
fn rows_read(reads: &Reads, row: usize) -> (std::ops::Range<usize>, isize) {
    match *reads {
        Reads::Caller => (0..0, 0),
        Reads::Same => (row..row + 1, 0),
        Reads::Taps { taps, stride, dilation, above } => {
            let place = |tap: usize| (row * stride + tap * dilation).checked_sub(above);
            let first = (0..taps).find(|&tap| place(tap).is_some());
            let (Some(first), Some(end)) = (first, place(taps - 1)) else { return (0..0, 0) };
            let start = place(first).unwrap();
            (start..end + 1, -((first * dilation) as isize))
        }
    }
}

/// Replays `inputs` rows of a series on the plan of a graph of one window.
pub fn replay(graph: &Graph, layers: &[LayerRows], plan: &Plan, inputs: usize) -> Result<Replay, String> {
    let (steps, addresses) = plan.to_runtime();
    let period = plan.runtime_period().ok_or("the plan is not endless")?;
    let reads = definition(graph);
    let sources: Vec<Vec<usize>> = layers.iter().map(|layer| layer.inputs.clone()).collect();
    let output = usize::from(period.output);
    // How many input rows each row needs, by the definitions; counted on as far as the replay goes.
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); layers.len()];
    for layer in 0..layers.len() {
        // Padding before the first row is rows too.
        for row in 0..2 * inputs {
            let read = rows_read(&reads[layer], row).0;
            let needed = match reads[layer] {
                Reads::Caller => Some(row + 1),
                _ => {
                    let last = |&source: &usize| match read.clone().last() {
                        None => Some(1),
                        Some(last) => needs[source].get(last).copied(),
                    };
                    sources[layer].iter().map(last).try_fold(1, |most, needed| Some(most.max(needed?)))
                }
            };
            match needed {
                Some(needed) if needed <= inputs => needs[layer].push(needed),
                _ => break,
            }
        }
    }

    // Rows that no output depends on need not be made, but that the caller's all come.
    let mut needed: Vec<Vec<bool>> = needs.iter().map(|rows| vec![false; rows.len()]).collect();
    needed[output].fill(true);
    for layer in (0..layers.len()).rev() {
        if matches!(reads[layer], Reads::Caller) {
            needed[layer].fill(true);
        }
        for row in 0..needed[layer].len() {
            if needed[layer][row] {
                for &source in &sources[layer] {
                    needed[source][rows_read(&reads[layer], row).0].fill(true);
                }
            }
        }
    }

    let mut arena: Vec<Option<(Row, usize)>> = vec![None; plan.arena_bytes];
    let mut next = vec![0; layers.len()];
    // Of each row: when it was made and when last read, to count what was alive.
    let mut lives: std::collections::HashMap<Row, (usize, usize)> = std::collections::HashMap::new();
    let mut scratch = Vec::new();
    let mut outputs = Vec::new();
    let (mut index, mut cursor, mut time, mut withheld) = (0, 0, 0, period.withheld);
    for input in 1..=inputs {
        let mut made_output = false;
        loop {
            let Step { layer, rows, first, lines, .. } = steps[index];
            let layer = usize::from(layer);
            let is_input = matches!(reads[layer], Reads::Caller);
            let fault = |what: &str| Err(format!("step {index} ({}) at input row {input}: {what}", layers[layer].name));
            if rows != 1 {
                return fault("does not make one row");
            }
            let count = lines.iter().map(|&lines| usize::from(lines)).sum::<usize>();
            let listed: Vec<usize> =
                addresses[cursor..cursor + count + 2].iter().map(|&at| usize::from(at) * plan.unit).collect();
            let (listed, writes) = listed.split_at(count);
            let bytes = layers[layer].row_bytes;
            let written = [(writes[0], bytes), (writes[1], layers[layer].scratch.of(1))];
            if written.iter().any(|&(at, bytes)| at + bytes > plan.arena_bytes) {
                return fault("writes outside the arena");
            }
            // The row that can be made now, if there is one: then the step makes it, else a row before the series.
            while needed[layer].get(next[layer]) == Some(&false) {
                next[layer] += 1;
            }
            let row = next[layer];
            let real = match needs[layer].get(row) {
                // What is padding alone can be made at any time.
                Some(&needed) if !is_input && rows_read(&reads[layer], row).0.is_empty() => needed <= input,
                needed => needed == Some(&input),
            };
            if real {
                next[layer] += 1;
                let (read, tap) = rows_read(&reads[layer], row);
                if isize::from(first) != tap {
                    return fault("has its first tap elsewhere");
                }
                let mut listed = listed.iter();
                for (&source, &lines) in sources[layer].iter().zip(&lines) {
                    if usize::from(lines) != read.len() {
                        return fault(&format!("lists {lines} lines where row {row} reads {read:?}"));
                    }
                    for read in read.clone() {
                        let &at = listed.next().unwrap();
                        let bytes = layers[source].row_bytes;
                        let there = (0..bytes).all(|byte| arena[at + byte] == Some(((source, read), byte)));
                        if !there {
                            return fault(&format!("row {read} of {} is not at {at}", layers[source].name));
                        }
                        let overlaps = written.iter().any(|&(to, length)| to < at + bytes && at < to + length);
                        if overlaps {
                            return fault("writes over what it reads");
                        }
                        lives.get_mut(&(source, read)).ok_or("a row that was not made")?.1 = time;
                    }
                }
                lives.insert((layer, row), (time, time));
            } else if is_input {
                return fault("takes a row that is not the next");
            }
            let [(to, _), (at, length)] = written;
            if length > 0 && to < at + length && at < to + bytes {
                return fault("has its scratch in its output");
            }
            arena[at..at + length].fill(None);
            for byte in 0..bytes {
                arena[to + byte] = real.then_some(((layer, row), byte));
            }
            scratch.push((time, layers[layer].scratch.of(1)));
            if layer == output {
                if to != plan.output {
                    return fault("puts the output elsewhere");
                }
                match withheld.checked_sub(1) {
                    Some(_) if real => return fault("is an output that is withheld"),
                    Some(left) => withheld = left,
                    None if !real => return fault("is no output, and not withheld"),
                    None => made_output = true,
                }
            }
            (index, cursor, time) = advance(index, cursor + count + 2, time, &steps, period);
            if matches!(reads[usize::from(steps[index].layer)], Reads::Caller) {
                break;
            }
        }
        if made_output {
            let row = next[output] - 1;
            let whole =
                (0..layers[output].row_bytes).all(|byte| arena[plan.output + byte] == Some(((output, row), byte)));
            if !whole {
                return Err(format!("output row {row} is gone before the caller can read it"));
            }
            lives.get_mut(&(output, row)).ok_or("an output that was not made")?.1 = time - 1;
            outputs.push(input);
        }
    }
    // The outputs are all that can be made, each as early as it can.
    if outputs != needs[output] {
        return Err(format!("outputs after {outputs:?} input rows, where {:?} suffice", needs[output]));
    }
    let mut change = vec![0_isize; time + 1];
    for (&(layer, _), &(from, until)) in &lives {
        let bytes = layers[layer].row_bytes.next_multiple_of(4) as isize;
        change[from] += bytes;
        change[until + 1] -= bytes;
    }
    for (moment, bytes) in scratch {
        let bytes = bytes.next_multiple_of(4) as isize;
        change[moment] += bytes;
        change[moment + 1] -= bytes;
    }
    let mut now = 0;
    let sums = change.iter().map(|change| {
        now += change;
        now
    });
    Ok(Replay { outputs, alive: sums.max().unwrap_or(0).unsigned_abs() })
}

fn advance(index: usize, cursor: usize, time: usize, steps: &[Step], period: Period) -> (usize, usize, usize) {
    if index + 1 == steps.len() { (period.step, period.address, time + 1) } else { (index + 1, cursor, time + 1) }
}
