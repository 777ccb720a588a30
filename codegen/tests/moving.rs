//! Operators that move values: the runtime's kernels against plain loops, whole and by rows, in f32 and int8; and
//! the modules that are generated of them.

mod common;
#[path = "common/crates.rs"]
mod crates;
#[path = "common/gallery.rs"]
mod gallery;

use common::{naive, random_graph};
use crates::Program;
use microception_codegen::emit;
use microception_codegen::graph::{Axis, Element, Graph, Nearest, Operator, Quantization, Shape, TensorId};
use microception_codegen::host::Machine;
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::quantize::{Method, calibrate, quantize};

const STRATEGIES: [Strategy; 5] =
    [Strategy::Balanced, Strategy::Smallest, Strategy::Eager, Strategy::Whole, Strategy::Everything];

fn reals(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks::<4>();
    values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// Random networks of all operators on the runtime's own kernels: what plain loops compute, and the same bits
/// whole and by rows.
#[test]
fn random_graphs_compute_what_loops_compute() {
    for seed in 1000..1400 {
        let mut read = random_graph::graph(seed);
        read.outputs.truncate(1);
        let graph = passes::run(read).unwrap();
        let Operator::Input { element, .. } = graph.layers[0].operator else { panic!("no input") };
        let caller = random_graph::pixels(&graph, seed);
        let frame: Vec<u8> = match element {
            Element::U8 => caller.iter().map(|&pixel| pixel as u8).collect(),
            _ => caller.iter().flat_map(|&pixel| (pixel as f32).to_le_bytes()).collect(),
        };
        let expected = &naive::outputs(&graph, &caller)[0];
        let answers = STRATEGIES.map(|strategy| Machine::new(&graph, strategy).unwrap().run(&frame).unwrap());
        let values = reals(&answers[0]).into_iter().map(f64::from).collect();
        let actual = naive::Image { values, ..expected.clone() };
        naive::agree(expected, &actual, 1e-4)
            .unwrap_or_else(|difference| panic!("seed {seed}: {difference}\n{graph:#?}"));
        assert!(answers.iter().all(|answer| *answer == answers[0]), "seed {seed}: not the same bits in all plans");
    }
}

/// A graph of one operator on int8 tensors of one scale, and its twin in f32 for the loops: there a value is its
/// stored number.
fn twins(shape: &[usize], operator: impl Fn(f32) -> Operator, stored: i8) -> [Graph; 2] {
    let quantization = Quantization { scale: 0.37, zero_point: -5 };
    let real = quantization.scale * (i32::from(stored) - quantization.zero_point) as f32;
    [(Element::I8, Some(quantization), real), (Element::F32, None, f32::from(stored))].map(
        |(element, quantization, value)| {
            let mut graph = Graph::new("one operator");
            let input = Operator::Input { element, scale: 1.0, offset: 0.0 };
            let input = graph.push("input", input, vec![], Shape(shape.to_vec()));
            let operator = operator(value);
            let inputs = match operator {
                // With a longer one of other numbers.
                Operator::Concatenate { axis } => {
                    let mut before = [0; 4];
                    before[axis as usize] = 2;
                    let other = Operator::Pad { before, after: [0; 4], value };
                    vec![input, graph.push("other", other, vec![input], Shape(vec![]))]
                }
                _ => vec![input],
            };
            let output = graph.push("output", operator, inputs, Shape(vec![]));
            graph.outputs = vec![output];
            for tensor in &mut graph.tensors {
                (tensor.element, tensor.quantization) = (element, quantization);
            }
            passes::run(graph).unwrap()
        },
    )
}

#[test]
fn int8_values_move_as_loops_move_them() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut moved = 0;
    for case in 0..600 {
        let [height, width, channels] = [1..9, 1..7, 1..6].map(|range| random.usize(range));
        let shape = if random.u8(0..5) == 0 { vec![height, channels] } else { vec![height, width, channels] };
        let kind = random.u8(0..8);
        let stored = random.i8(..);
        let around = [(); 2].map(|()| [random.usize(0..4), 0, random.usize(0..4), random.usize(0..3)]);
        let [mut before, mut after] = around;
        if shape.len() == 2 {
            (before[2], after[2]) = (0, 0);
        }
        let axis = [Axis::Rows, Axis::Columns, Axis::Channels][random.usize(0..3)];
        let nearest = Nearest { align_corners: false, half_pixel_centers: random.bool() };
        let factor = [1, 2, 4][random.usize(0..3)];
        let to = match shape[..] {
            [height, width, channels] => Shape(vec![width, height * channels]),
            _ => Shape(vec![channels, 1, height]),
        };
        let mut axes: Vec<usize> = (0..shape.len()).collect();
        random.shuffle(&mut axes);
        let cut: Vec<usize> = shape.iter().map(|&extent| random.usize(0..extent)).collect();
        let kept = Shape(shape.iter().zip(&cut).map(|(extent, cut)| random.usize(1..=extent - cut)).collect());
        let operator = |value: f32| match kind {
            0 | 1 => Operator::Pad { before, after, value },
            2 if axis.place(&Shape(shape.clone())).is_some() => Operator::Concatenate { axis },
            6 => Operator::Transpose { axes: axes.clone() },
            7 => Operator::Crop { before: cut.clone(), shape: kept.clone() },
            3 => Operator::Reshape { shape: to.clone() },
            4 if shape.len() == 3 => Operator::ResizeNearest { size: [height * factor, 1, width * 2], nearest },
            _ => Operator::GlobalMaxPool { keep_dims: case % 2 == 0 },
        };
        let [int8, float] = twins(&shape, operator, stored);
        let frame: Vec<i8> = (0..shape.iter().product()).map(|_| random.i8(..)).collect();
        let caller: Vec<f64> = frame.iter().map(|&value| f64::from(value)).collect();
        let expected: Vec<i8> = naive::outputs(&float, &caller)[0].values.iter().map(|&value| value as i8).collect();
        for strategy in STRATEGIES {
            let answer = Machine::new(&int8, strategy).unwrap().run(bytemuck::cast_slice(&frame)).unwrap();
            let answer: Vec<i8> = answer.into_iter().map(u8::cast_signed).collect();
            assert_eq!(answer, expected, "case {case}, {strategy:?}: {:?}", int8.layers.last());
        }
        moved += expected.len();
    }
    assert!(moved > 20_000, "only {moved} values moved");
}

/// Generated modules of every such operator compile under the strictest lints, and answer as the host does.
#[test]
fn generated_modules_answer_as_the_host_does() {
    let graph = gallery::graph();
    let mut random = fastrand::Rng::with_seed(5);
    let frames: Vec<Vec<f32>> = (0..4).map(|_| (0..7 * 6 * 3).map(|_| random.f32() * 2.0 - 1.0).collect()).collect();
    let bytes = |frame: &Vec<f32>| frame.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let ranges = calibrate(&graph, frames.iter().map(bytes).map(Ok), Method::MinMax, |_| ()).unwrap();
    let int8 = quantize(&graph, &ranges).unwrap();
    let mut program = Program::default();
    let expected = reals(&Machine::new(&graph, Strategy::Smallest).unwrap().run(&bytes(&frames[0])).unwrap());
    let module = emit::module(&graph, Strategy::Smallest).unwrap();
    program.add("moving_f32", module, &frames[0], 6 * 3, &expected, 0.0);
    let frame: Vec<i8> = (0..7 * 6 * 3).map(|_| random.i8(..)).collect();
    let expected = Machine::new(&int8, Strategy::Smallest).unwrap().run(bytemuck::cast_slice(&frame)).unwrap();
    let expected: Vec<i8> = expected.into_iter().map(u8::cast_signed).collect();
    program.add("moving_int8", emit::module(&int8, Strategy::Smallest).unwrap(), &frame, 6 * 3, &expected, 0.0);
    program.run("generated_moving");
}

/// Rows of padding at the top of an output wait for no more than the frame's first row.
#[test]
fn padding_above_waits_for_nothing() {
    let pad = |_| Operator::Pad { before: [3, 0, 0, 0], after: [2, 0, 0, 0], value: 0.0 };
    let [graph, _] = twins(&[4, 2], pad, 0);
    let machine = Machine::new(&graph, Strategy::Eager).unwrap();
    let made: Vec<(usize, usize)> = machine
        .plan()
        .steps
        .iter()
        .filter(|step| step.layer == 1)
        .map(|step| (step.row, step.lines[0].len()))
        .collect();
    assert_eq!(made, [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (6, 1), (7, 0), (8, 0)]);
    assert_eq!(graph.outputs, [TensorId(1)]);
}
