//! Proves plans: the checker of this folder derives what every output row needs from the layers'
//! definitions and replays the emitted steps and addresses, over random graphs and the shipped model.

mod checker;
mod demand;
mod faults;
mod limits;
mod random;
mod shipped;

use std::collections::BTreeSet;

use microception_codegen::graph::Graph;
use microception_codegen::lower;
use microception_codegen::plan::{InPlace, LayerRows, Plan, Strategy, plan};

use crate::checker::{Replay, check};
use crate::demand::{Definition, Demand, needed, rows_before};

/// Random graphs per strategy.
const GRAPHS: u64 = 3000;
/// The largest graphs have about this many blocks.
const LARGEST: usize = 12;
/// `number:size` of one random graph to plan alone, as a failure prints it.
const ALONE: &str = "PLAN_GRAPH";

/// A graph's plan, and what the checker found that it does.
struct Checked {
    definitions: Vec<Definition>,
    outputs: Vec<usize>,
    plan: Plan,
    replay: Replay,
}

impl Checked {
    /// How many of the caller's rows each row needs before it, by the definitions.
    fn rows_before(&self) -> Vec<Vec<usize>> {
        // As they did: the checker has seen that those of each input come from the top, one a step.
        let arrivals = |layer: usize| self.replay.made_after[layer].iter().map(|row| row.unwrap_or(0)).collect();
        rows_before(&self.definitions, &needed(&self.definitions, &self.outputs), arrivals)
    }
}

/// Plans a graph and checks the plan in every way that holds for the strategy.
fn planned(graph: &Graph, strategy: Strategy) -> Result<Checked, String> {
    graph.check().map_err(|error| error.to_string())?;
    let definitions = Definition::of(graph);
    let layers = lower::rows(graph, &BTreeSet::new()).map_err(|error| error.to_string())?;
    for (definition, layer) in definitions.iter().zip(&layers) {
        let same = (definition.rows, definition.row_bytes) == (layer.rows, layer.row_bytes);
        if !same || definition.inputs != layer.inputs {
            return Err(format!("{definition:?} became {layer:?}"));
        }
    }
    let maker = |output| graph.layers.iter().position(|layer| layer.output == output).ok_or("no output");
    let outputs: Vec<usize> = graph.outputs.iter().map(|&output| maker(output)).collect::<Result<_, _>>()?;
    let plan = plan(&layers, outputs[0], strategy).map_err(|error| error.to_string())?;
    let mut scratch: Vec<usize> = layers.iter().map(|layer| layer.scratch.bytes).collect();
    for step in &plan.steps {
        scratch[step.layer] = scratch[step.layer].max(layers[step.layer].scratch.of(step.rows));
    }
    if scratch != plan.scratch_bytes {
        return Err(format!("{:?} bytes of scratch, where the steps take {scratch:?}", plan.scratch_bytes));
    }
    let replay = check(&definitions, &scratch, &outputs, &plan).map_err(|fault| format!("{fault:?}\n{plan:#?}"))?;
    same_at_run_time(&plan)?;
    let checked = Checked { definitions, outputs, plan, replay };
    let ends = graph.inputs().len() + graph.outputs.len();
    match strategy {
        Strategy::Eager => no_hidden_buffering(&checked, 0..layers.len())?,
        Strategy::Smallest if checked.plan.cuts.is_empty() && ends == 2 => {
            let output = checked.outputs[0];
            no_hidden_buffering(&checked, output..output + 1)?;
        }
        Strategy::Balanced => little_more_memory(&checked, &layers)?,
        Strategy::Smallest | Strategy::Whole => {}
        Strategy::Everything => all_kept(&checked)?,
        Strategy::Endless => return Err("endless plans are proven by the test of that name".to_owned()),
    }
    Ok(checked)
}

/// The runtime's form of the steps says the same as the plan.
fn same_at_run_time(plan: &Plan) -> Result<(), String> {
    let (steps, addresses) = plan.to_runtime();
    let mut rest = addresses.iter().map(|&address| usize::from(address) * plan.unit);
    for (index, (step, emitted)) in plan.steps.iter().zip(&steps).enumerate() {
        let numbers = [emitted.layer, emitted.row, emitted.rows.into()].map(usize::from);
        let same = numbers == [step.layer, step.row, step.rows]
            && isize::from(emitted.first) == step.first
            && emitted.lines.map(usize::from) == [step.lines[0].len(), step.lines[1].len()]
            && step
                .lines
                .iter()
                .flatten()
                .chain([&step.output, &step.scratch])
                .all(|&there| rest.next() == Some(there));
        if !same {
            return Err(format!("step {index}, {step:?}, became {emitted:?} or other addresses"));
        }
    }
    if rest.next().is_some() || steps.len() != plan.steps.len() {
        return Err(format!("{} steps became {}, or there are addresses left", plan.steps.len(), steps.len()));
    }
    if !plan.output.is_multiple_of(plan.unit) || plan.output / plan.unit > usize::from(u16::MAX) {
        return Err(format!("the output's address {} is not one of the runtime's", plan.output));
    }
    Ok(())
}

/// Every row of `layers` that the answer depends on is made as soon as the caller's rows suffice for it.
fn no_hidden_buffering(checked: &Checked, layers: std::ops::Range<usize>) -> Result<(), String> {
    let Checked { definitions, replay, .. } = checked;
    let needed = needed(definitions, &checked.outputs);
    let least = checked.rows_before();
    for layer in layers {
        for (row, (made, &least)) in replay.made_after[layer].iter().zip(&least[layer]).enumerate() {
            if needed[layer][row] && *made != Some(least) {
                let name = &definitions[layer].name;
                return Err(format!("row {row} of {name} could be made after {least} rows, and comes after {made:?}"));
            }
        }
    }
    Ok(())
}

/// Batches take at most a quarter of the least memory without rows over others in addition, and no call more rows than its layer's batch.
fn little_more_memory(checked: &Checked, layers: &[LayerRows]) -> Result<(), String> {
    let apart: Vec<LayerRows> =
        layers.iter().map(|layer| LayerRows { in_place: InPlace::No, ..layer.clone() }).collect();
    let least = plan(&apart, checked.outputs[0], Strategy::Smallest).map_err(|error| error.to_string())?;
    if checked.plan.arena_bytes > least.arena_bytes + least.arena_bytes / 4 {
        return Err(format!("{} bytes, where {} are enough", checked.plan.arena_bytes, least.arena_bytes));
    }
    match checked.plan.steps.iter().find(|step| step.rows > layers[step.layer].batch.rows) {
        Some(step) => Err(format!("{} rows at once of {}", step.rows, layers[step.layer].name)),
        None => Ok(()),
    }
}

/// Whether all taps of some row fall on padding.
fn has_constant_rows(definitions: &[Definition]) -> bool {
    definitions.iter().filter(|definition| matches!(definition.demand, Demand::Taps { .. })).any(|definition| {
        let input_rows = definitions[definition.inputs[0]].rows;
        (0..definition.rows).any(|row| definition.reads(row, 0, input_rows).is_empty())
    })
}

/// Every tensor is still there at the end, whole and in one piece, from where its first rows were put.
fn all_kept(checked: &Checked) -> Result<(), String> {
    for (layer, definition) in checked.definitions.iter().enumerate() {
        let begins = checked.plan.steps.iter().find(|step| step.layer == layer && step.rows > 0);
        let tensor = checked.replay.tensor(&checked.definitions, layer);
        if tensor.is_none() || tensor != begins.map(|step| step.output) {
            return Err(format!("the tensor of {} is not there at the end", definition.name));
        }
    }
    Ok(())
}

/// Size of the random graph of that number: small ones first, so that what fails first is small.
fn size(number: u64) -> usize {
    1 + (number as usize * LARGEST) / GRAPHS as usize
}

/// Graphs of all sizes; of some strategies only every few of them, because they are planned so often.
fn random_graphs(strategy: Strategy, every: usize) {
    if let Some((number, size)) = std::env::var(ALONE).ok().as_deref().and_then(|alone| alone.split_once(':')) {
        let graph = random::graph(number.parse().expect("a number"), size.parse().expect("a size"));
        println!("{}", description(&graph));
        let checked = planned(&graph, strategy).unwrap_or_else(|reason| panic!("{reason}"));
        println!("{:#?}", checked.plan);
        return;
    }
    let (mut steps, mut batches, mut uncut, mut at_floor, mut in_place) = (0, 0, 0, 0, [0; 2]);
    for number in (0..GRAPHS).step_by(every) {
        let Err(reason) = planned(&random::graph(number, size(number)), strategy).map(|Checked { plan, .. }| {
            steps += plan.steps.len();
            batches += plan.steps.iter().filter(|step| step.rows > 1).count();
            uncut += usize::from(plan.cuts.is_empty());
            at_floor += usize::from(plan.arena_bytes == plan.floor_bytes);
            for step in plan.steps.iter().filter(|step| step.rows > 0 && step.lines[0].first() == Some(&step.output)) {
                in_place[usize::from(plan.in_place[step.layer].is_some())] += 1;
            }
        }) else {
            continue;
        };
        // The same number with fewer blocks begins alike, and often fails alike.
        let smaller = (1..size(number))
            .find_map(|size| planned(&random::graph(number, size), strategy).err().map(|reason| (size, reason)));
        let (size, reason) = smaller.unwrap_or((size(number), reason));
        let graph = description(&random::graph(number, size));
        panic!("{graph}{reason}\n{ALONE}={number}:{size} plans this graph alone");
    }
    let [over_top, over_rows] = in_place;
    assert!(batches > 0 || strategy != Strategy::Balanced, "nothing made several rows at once");
    assert!(over_rows > 0 || strategy == Strategy::Everything, "nothing was written over the same rows");
    assert!(
        over_top > 0 || matches!(strategy, Strategy::Whole | Strategy::Everything),
        "nothing was written over the topmost line of its window"
    );
    println!(
        "{strategy:?}: {} graphs, {steps} steps, {batches} of several rows, {over_top} and {over_rows} over a line and over rows, \
         {uncut} without cuts, {at_floor} arenas at their floor",
        GRAPHS.div_ceil(every as u64)
    );
}

fn description(graph: &Graph) -> String {
    let layers = Definition::of(graph).into_iter().enumerate();
    layers.map(|(index, definition)| format!("{index}: {definition:?}\n")).collect()
}

#[test]
fn random_graphs_balanced() {
    random_graphs(Strategy::Balanced, 3);
}

#[test]
fn random_graphs_smallest() {
    random_graphs(Strategy::Smallest, 1);
}

#[test]
fn random_graphs_eager() {
    random_graphs(Strategy::Eager, 1);
}

#[test]
fn random_graphs_whole() {
    random_graphs(Strategy::Whole, 1);
}

#[test]
fn random_graphs_everything() {
    random_graphs(Strategy::Everything, 1);
}

/// The random graphs have what they are for.
#[test]
fn random_graphs_vary() {
    let mut seen = std::collections::BTreeMap::<&str, u64>::new();
    for number in 0..GRAPHS {
        let graph = random::graph(number, size(number));
        let definitions = Definition::of(&graph);
        let several_readers = graph.layers.iter().any(|layer| graph.readers(layer.output) > 1);
        let taps = |wanted: fn(usize, usize, usize) -> bool| {
            definitions.iter().any(|definition| match definition.demand {
                Demand::Taps { stride, dilation, taps, .. } => wanted(taps, stride, (taps - 1) * dilation + 1),
                _ => false,
            })
        };
        let tall = definitions.iter().any(|definition| match definition.demand {
            Demand::Taps { dilation, taps, .. } if taps > 2 => {
                definitions[definition.inputs[0]].rows > 3 * ((taps - 1) * dilation + 1)
            }
            _ => false,
        });
        let output = definitions.last().expect("layers");
        let has = |wanted: &dyn Fn(&Demand) -> bool| definitions.iter().any(|definition| wanted(&definition.demand));
        for (what, there) in [
            ("several readers of a tensor", several_readers),
            ("a sum of two tensors", definitions.iter().any(|definition| definition.inputs.len() == 2)),
            (
                "an operand of one row for many",
                definitions.iter().any(|definition| {
                    definition.demand == Demand::SameRow
                        && definition.rows > 1
                        && definition.inputs.iter().any(|&input| definitions[input].rows == 1)
                }),
            ),
            ("a height above three times the window", tall),
            ("one or two rows", definitions[0].rows <= 2),
            ("a stride of 3", taps(|_, stride, _| stride == 3)),
            ("a stride above the window", taps(|_, stride, reach| stride > reach)),
            ("even taps", taps(|taps, _, _| taps % 2 == 0)),
            ("five taps", taps(|taps, _, _| taps == 5)),
            ("dilation", taps(|taps, _, reach| reach > taps)),
            ("several rows of answer", output.rows > 1),
            ("rows of odd length", definitions.iter().any(|definition| definition.row_bytes % 4 != 0)),
            ("ten layers", definitions.len() >= 10),
            ("a time series", graph.tensors[0].shape.0.len() == 2),
            ("rows without a line", has_constant_rows(&definitions)),
            ("rows of two tensors", has(&|demand| matches!(demand, Demand::Behind { .. }))),
            ("rows of another length", has(&|demand| matches!(demand, Demand::Elements { .. }))),
            ("several inputs", graph.inputs().len() > 1),
            ("several outputs", graph.outputs.len() > 1),
            (
                "an output that layers read",
                graph.outputs.iter().any(|output| graph.layers.iter().any(|layer| layer.inputs.contains(output))),
            ),
            ("repeated rows", has(&|demand| matches!(demand, Demand::Listed(_)))),
        ] {
            *seen.entry(what).or_default() += u64::from(there);
        }
    }
    for (what, count) in seen {
        println!("{count:6} of {GRAPHS} graphs have {what}");
        assert!(count > GRAPHS / 50, "only {count} graphs have {what}");
    }
}
