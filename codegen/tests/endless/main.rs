//! Endless plans: a series pushed row by row gives what the whole series gives at once, for as long as it lasts.

#[path = "../common/arrays.rs"]
mod arrays;
#[path = "../conformance/fixture.rs"]
mod conformance;
#[path = "../common/groups.rs"]
mod groups;
#[path = "../common/naive.rs"]
mod naive;
mod random;
mod refused;
mod replay;
#[path = "../suite/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests of every tensor, which use all of it")]
mod suite;
#[path = "../common/tolerance.rs"]
mod tolerance;

use std::collections::BTreeSet;

use microception_codegen::endless::windowed;
use microception_codegen::graph::{Element, Graph, Operator, Shape, Weights, Window};
use microception_codegen::host::Machine;
use microception_codegen::plan::{Plan, Strategy, endless};
use microception_codegen::quantize::{Method, calibrate, quantize};
use microception_codegen::{lower, passes, read};

/// Random graphs.
const GRAPHS: u64 = 200;

/// Blocks of the random graph of that number: small ones first.
fn size(number: u64) -> usize {
    1 + number as usize * 6 / GRAPHS as usize
}

/// The graph on an input of so many rows.
fn with_rows(graph: &Graph, rows: usize) -> Graph {
    let mut graph = graph.clone();
    let input = graph.layers[0].output;
    graph.tensors[input.0].shape.0[0] = rows;
    passes::run(graph).expect("the same layers on another number of rows")
}

/// Numbers for a series of so many rows, as bytes of f32, or of whatever an int8 model stores.
fn series(graph: &Graph, rows: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let input = graph.layers[0].output;
    let count = rows * graph.tensor(input).shape.row_elements();
    match graph.tensor(input).element {
        Element::F32 => (0..count).flat_map(|_| (random.f32() * 4.0 - 2.0).to_le_bytes()).collect(),
        _ => (0..count).map(|_| random.u8(..)).collect(),
    }
}

fn in_int8(graph: &Graph, seed: u64) -> Graph {
    let frames = (0..2).map(|frame| Ok(series(graph, random::ROWS, seed + frame)));
    let ranges = calibrate(graph, frames, Method::MinMax, |_| {}).expect("ranges");
    let mut graph = quantize(graph, &ranges).expect("int8");
    if let Operator::Input { element, .. } = &mut graph.layers[0].operator {
        *element = Element::I8;
    }
    graph
}

/// Input rows that some periods take, and the first output before them.
fn long_enough(plan: &Plan) -> usize {
    let period = plan.period.expect("endless");
    period.step + 3 * period.rows + period.withheld + 20
}

/// All outputs of a series, row by row.
fn streamed(machine: &mut Machine, series: &[u8]) -> Vec<u8> {
    let mut outputs = Vec::new();
    machine
        .stream(series, |output| {
            outputs.extend_from_slice(output);
            Ok(())
        })
        .expect("a series");
    outputs
}

/// Compares a model's outputs over a series with those of the whole series, and starts anew in the middle.
fn check(graph: &Graph, seed: u64) -> Result<Machine, String> {
    let mut machine = Machine::new(graph, Strategy::Endless).map_err(|error| error.to_string())?;
    let rows = (machine.plan().steps.len() + long_enough(machine.plan())).min(1500);
    let whole = with_rows(graph, rows);
    let data = series(&whole, rows, seed);
    let expected = Machine::new(&whole, Strategy::Whole)
        .and_then(|mut machine| machine.run(&data))
        .map_err(|error| error.to_string())?;
    let found = streamed(&mut machine, &data);
    if found != expected {
        let first = found.iter().zip(&expected).position(|(found, expected)| found != expected);
        return Err(format!("{} bytes where {} are expected; byte {first:?} differs", found.len(), expected.len()));
    }
    // A frame is the window of the first output.
    let frame = &data[..machine.frame_bytes()];
    if machine.run(frame).map_err(|error| error.to_string())? != expected[..machine.output_bytes()] {
        return Err("a frame does not give the first output".to_owned());
    }
    // Anew after each of some rows, over what the series before left in the arena.
    let row_bytes = machine.row_bytes();
    let mut executor = machine.executor().map_err(|error| error.to_string())?;
    for rows in [1, 2, 7, 50] {
        executor.reset();
        for row in data[data.len() / 2..].chunks_exact(row_bytes).take(rows) {
            executor.push_row(row);
        }
        executor.reset();
        let mut found = Vec::new();
        for row in data.chunks_exact(row_bytes) {
            found.extend_from_slice(executor.push_row(row).unwrap_or(&[]));
        }
        if found != expected {
            return Err(format!("not the same after {rows} rows of another series"));
        }
    }
    drop(executor);
    Ok(machine)
}

#[test]
fn a_series_row_by_row_is_the_whole_series() {
    let (mut rows, mut withheld, mut prologues, mut strided) = (0, 0, 0, 0);
    for number in 0..GRAPHS {
        let graph = passes::run(random::graph(number, size(number))).expect("a graph");
        for graph in [in_int8(&graph, number), graph] {
            let machine = check(&graph, number).unwrap_or_else(|reason| panic!("graph {number}: {reason}\n{graph:#?}"));
            let period = machine.plan().period.expect("endless");
            rows += period.rows;
            withheld += usize::from(period.withheld > 0);
            prologues += usize::from(period.step > 0);
            strided += usize::from(
                machine.plan().steps.iter().filter(|step| step.layer == period.output).count() < period.rows,
            );
        }
    }
    println!(
        "{rows} rows in all periods, {withheld} with outputs withheld, {prologues} with first rows, {strided} strided"
    );
    for count in [withheld, prologues, strided] {
        assert!(count > GRAPHS as usize / 5, "the random graphs have too few of something");
    }
}

/// The same by plain loops in f64.
#[test]
fn a_series_row_by_row_is_what_loops_compute() {
    for number in (0..GRAPHS).step_by(5) {
        let graph = passes::run(random::graph(number, size(number))).expect("a graph");
        let mut machine = Machine::new(&graph, Strategy::Endless).expect("endless");
        let whole = with_rows(&graph, random::ROWS);
        let data = series(&whole, random::ROWS, number);
        let reals = |bytes: &[u8]| -> Vec<f64> {
            bytes.as_chunks().0.iter().map(|&word| f64::from(f32::from_le_bytes(word))).collect()
        };
        let expected = &naive::outputs(&whole, &reals(&data))[0];
        let values = reals(&streamed(&mut machine, &data));
        assert_eq!(values.len(), expected.values.len(), "graph {number}");
        let actual = naive::Image { values, ..expected.clone() };
        naive::agree(expected, &actual, 1e-4).unwrap_or_else(|difference| panic!("graph {number}: {difference}"));
    }
}

/// The Conv1D, DepthwiseConv1D and SeparableConv1D of LiteRT's converter, causal and valid: what LiteRT's reference kernels
/// compute of the whole series, to the bit. Those with same padding are refused.
#[test]
fn a_series_row_by_row_is_what_litert_computes() {
    let (mut same, mut series) = (0, 0);
    for model in ["conv1d", "depthwise1d"].into_iter().flat_map(suite::group) {
        let graph = read::read_bytes(&model.bytes, &model.name).and_then(passes::run).expect("a model");
        let mut machine = match Machine::new(&graph, Strategy::Endless) {
            Ok(machine) => machine,
            Err(error) => {
                assert!(error.to_string().contains("same padding"), "{}: {error}", model.name);
                same += 1;
                continue;
            }
        };
        for case in 0..model.cases() {
            assert!(streamed(&mut machine, model.frame(case)) == model.answer().case(case), "{}: {case}", model.name);
            series += 1;
        }
    }
    println!("{series} series, {same} models with same padding");
    assert!(series > 20 && (5..20).contains(&same), "{series} series, {same} models with same padding");
}

/// The Keras models of the table of layers that have an endless form, in one and two dimensions: what Keras computes of
/// the whole input.
#[test]
fn a_series_row_by_row_is_what_keras_computes() {
    let mut endless = 0;
    for model in groups::names(&conformance::folder()).iter().flat_map(|group| conformance::group(group)) {
        let (_, file) = &model.files[0];
        let Ok(graph) = read::read_bytes(file, &model.name).and_then(passes::run) else { continue };
        let Ok(mut machine) = Machine::new(&graph, Strategy::Endless) else { continue };
        endless += 1;
        for case in 0..model.cases.count {
            let found = streamed(&mut machine, bytemuck::cast_slice(model.frame(case)));
            let found: Vec<f32> = found.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect();
            let expected = model.answer(case);
            let near = tolerance::F32 * expected.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
            assert_eq!(found.len(), expected.len(), "{}", model.name);
            let agree = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= near);
            assert!(agree, "{}: case {case}", model.name);
        }
    }
    println!("{endless} models have an endless form");
    assert!(endless > 40, "only {endless} models have an endless form");
}

/// A sum of what a valid convolution makes and the rows in the middle of its windows; rows left out at the end are waited
/// for.
#[test]
fn cropped_rows_meet_those_of_a_valid_window() {
    for (before, kept) in [(1, 38), (0, 38), (2, 38), (2, 37)] {
        let mut graph = Graph::new("cropped");
        let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
        let input = graph.push("in", input, vec![], Shape(vec![40, 2]));
        let window = Window { size: [41 - kept, 1], ..Window::POINT };
        let weights = Weights::F32((0..window.size[0] * 4).map(|index| 0.3 - 0.1 * index as f32).collect());
        let operator = Operator::Convolution { weights, bias: None, window, activation: None };
        let made = graph.push("conv", operator, vec![input], Shape(vec![]));
        let crop = Operator::Crop { before: vec![before, 0], shape: Shape(vec![kept, 2]) };
        let cropped = graph.push("crop", crop, vec![input], Shape(vec![]));
        let sum = graph.push("sum", Operator::add(None), vec![made, cropped], Shape(vec![]));
        let pool = Window { size: [2, 1], stride: [2, 1], ..Window::POINT };
        graph.outputs = vec![graph.push("pool", Operator::MaxPool { window: pool }, vec![sum], Shape(vec![]))];
        let graph = passes::run(graph).expect("a graph");
        let data = series(&graph, 40, 5);
        let expected = Machine::new(&graph, Strategy::Whole).expect("a plan").run(&data).expect("a frame");
        let mut machine = Machine::new(&graph, Strategy::Endless).expect("endless");
        assert_eq!(streamed(&mut machine, &data), expected, "{kept} rows from {before} on");
    }
}

/// No row is overwritten that is still needed, and the arena is little more than the rows that are.
#[test]
fn the_arena_is_the_rows_alive() {
    let (mut arenas, mut alive, mut at_floor, mut steps) = (0, 0, 0, 0);
    for number in 0..GRAPHS {
        let graph = passes::run(random::graph(number, size(number))).expect("a graph");
        for graph in [in_int8(&graph, number), graph] {
            let window = windowed(&graph).expect("endless");
            let layers = lower::rows(&window, &BTreeSet::new()).expect("rows");
            let plan = endless::plan(&layers, lower::outputs(&window).expect("an output")[0]).expect("a plan");
            let inputs = (long_enough(&plan) * 2).min(3000);
            let replay = replay::replay(&window, &layers, &plan, inputs)
                .unwrap_or_else(|fault| panic!("graph {number}: {fault}\n{plan:#?}"));
            assert!(replay.outputs.len() > 2, "graph {number}");
            assert_eq!(plan.floor_bytes, replay.alive, "graph {number}: bytes alive, by the plan and by the replay");
            let most = replay.alive + replay.alive / 4 + 16;
            assert!(plan.arena_bytes <= most, "graph {number}: {} bytes for {}", plan.arena_bytes, replay.alive);
            arenas += plan.arena_bytes;
            alive += replay.alive;
            steps += plan.steps.len();
            at_floor += usize::from(plan.arena_bytes == replay.alive);
        }
    }
    println!(
        "{arenas} bytes of arenas for {alive} alive; {at_floor} of {} arenas are no larger; {steps} steps",
        2 * GRAPHS
    );
}

/// What comes out after the last convolution has left one row is a dense layer's over that row.
#[test]
fn a_dense_layer_over_one_row_slides_along() {
    for seed in 0..20 {
        let mut graph = random::graph(seed, 2);
        let tensor = graph.outputs[0];
        let series_graph = passes::run(graph.clone()).expect("a graph");
        let window = windowed(&series_graph).expect("endless");
        let rows = window.tensor(window.layers[0].output).shape.rows();
        graph.tensors[0].shape.0[0] = rows;
        let elements = window.tensor(window.outputs[0]).shape.elements();
        let mut random = fastrand::Rng::with_seed(seed);
        let weights = Weights::F32((0..elements * 3).map(|_| random.f32() - 0.5).collect());
        let flat = graph.push("flatten", Operator::Flatten, vec![tensor], Shape(vec![elements]));
        let dense = Operator::Dense { weights, bias: None, activation: None };
        let dense = graph.push("dense", dense, vec![flat], Shape(vec![3]));
        let scores = graph.push("softmax", Operator::Softmax, vec![dense], Shape(vec![3]));
        graph.outputs = vec![scores];
        let graph = passes::run(graph).expect("a classifier");
        let mut machine = Machine::new(&graph, Strategy::Endless).expect("endless");
        let data = series(&graph, rows + 40, seed);
        let found = streamed(&mut machine, &data);
        let mut frames = Machine::new(&graph, Strategy::Whole).expect("finite");
        let is_padded = machine.plan().period.expect("endless").step > 0;
        let mut outputs = found.chunks_exact(12);
        let first = frames.run(&data[..frames.frame_bytes()]).expect("a frame");
        assert_eq!(outputs.next(), Some(&first[..]), "seed {seed}");
        if is_padded {
            // Padding is at the beginning of the series alone, where every frame would have its own.
            continue;
        }
        let stride = 40 / (found.len() / 12 - 1).max(1);
        for (index, output) in outputs.enumerate() {
            let from = (index + 1) * stride * machine.row_bytes();
            let frame = &data[from..from + frames.frame_bytes()];
            assert_eq!(output, frames.run(frame).expect("a frame"), "seed {seed}, output {}", index + 1);
        }
    }
}

/// A finite plan of a series: its frames by rows are its frames.
#[test]
fn a_finite_series_by_rows_is_its_frame() {
    for number in 0..GRAPHS / 5 {
        let graph = passes::run(random::graph(number, size(number))).expect("a graph");
        for graph in [in_int8(&graph, number), graph] {
            let data = series(&graph, 2 * random::ROWS, number);
            let (first, second) = data.split_at(data.len() / 2);
            let mut whole = Machine::new(&graph, Strategy::Whole).expect("a plan");
            let expected = [whole.run(first).expect("a frame"), whole.run(second).expect("a frame")].concat();
            for strategy in [Strategy::Balanced, Strategy::Smallest, Strategy::Eager] {
                let mut machine = Machine::new(&graph, strategy).expect("a plan");
                assert_eq!(streamed(&mut machine, &data), expected, "graph {number}, {strategy:?}");
            }
        }
    }
}
