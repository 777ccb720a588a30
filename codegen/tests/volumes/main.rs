//! Volumes: operators on random ones against plain loops, in f32 and int8, whole and by planes.

#[path = "../common/arrays.rs"]
mod arrays;
mod keras;
mod naive;
mod random;
#[path = "../common/tolerance.rs"]
mod tolerance;

use microception_codegen::graph::{Bias, Element, Graph, Nearest, Operator, Quantization, Shape, Weights};
use microception_codegen::host::Machine;
use microception_codegen::passes;
use microception_codegen::plan::Strategy;

use naive::Volume;
use random::{Source, shape};

const STRATEGIES: [Strategy; 5] =
    [Strategy::Balanced, Strategy::Smallest, Strategy::Eager, Strategy::Whole, Strategy::Everything];

fn input(element: Element) -> Operator {
    Operator::Input { element, scale: 1.0, offset: 0.0 }
}

/// The answer, the same bits in all plans.
fn answer(graph: &Graph, frame: &[u8], case: u64) -> Vec<u8> {
    let answers = STRATEGIES.map(|strategy| {
        let machine = Machine::new(graph, strategy);
        machine.and_then(|mut machine| machine.run(frame)).unwrap_or_else(|error| panic!("case {case}: {error}"))
    });
    for (answer, strategy) in answers.iter().zip(STRATEGIES) {
        assert!(*answer == answers[0], "case {case}: other bits in {strategy:?}: {graph:#?}");
    }
    answers.into_iter().next().expect("an answer")
}

/// Chains of layers in f32, in which planes live for as long as their last reader needs them.
#[test]
fn chains_compute_what_loops_compute() {
    let mut values = 0;
    for case in 0..600 {
        let mut source = Source::new(case);
        let extents = source.extents();
        let mut graph = Graph::new("chain");
        let first = graph.push("input", input(Element::F32), vec![], shape(extents));
        let frame = source.numbers(extents.iter().product());
        let mut made = vec![Volume { extents, values: frame.iter().map(|&value| f64::from(value)).collect() }];
        let mut last = first;
        for layer in 0..source.random.usize(1..5) {
            let extents: Vec<[usize; 4]> = made.iter().map(|volume| volume.extents).collect();
            let (operator, inputs) = source.layer(&extents);
            let read: Vec<&Volume> = inputs.iter().map(|input| &made[input.0]).collect();
            made.push(naive::compute(&operator, &read));
            last = graph.push(format!("layer_{layer}"), operator, inputs, shape([0; 4]));
            if made[last.0].values.len() > 20_000 {
                break;
            }
        }
        graph.outputs = vec![last];
        let graph = passes::run(graph).unwrap_or_else(|error| panic!("case {case}: {error}"));
        let found = answer(&graph, bytemuck::cast_slice(&frame), case);
        let found: &[f32] = bytemuck::cast_slice(&found);
        let expected = &made[last.0];
        assert_eq!(found.len(), expected.values.len(), "case {case}: {graph:#?}");
        let largest =
            made.iter().flat_map(|volume| &volume.values).fold(0.0f64, |largest, value| largest.max(value.abs()));
        for (index, (&found, expected)) in found.iter().zip(&expected.values).enumerate() {
            let near = f64::from(tolerance::F32) * largest;
            assert!(
                (f64::from(found) - expected).abs() <= near,
                "case {case}: value {index} is {found}, loops have {expected}: {graph:#?}"
            );
        }
        values += found.len();
    }
    assert!(values > 40_000, "only {values} values");
}

/// A graph of one operator on an int8 volume.
fn quantized(extents: [usize; 4], operator: Operator, from: Quantization, to: Quantization) -> Graph {
    let mut graph = Graph::new("one operator");
    let input = graph.push("input", input(Element::I8), vec![], shape(extents));
    let output = graph.push("output", operator, vec![input], shape([0; 4]));
    graph.outputs = vec![output];
    for (tensor, quantization) in graph.tensors.iter_mut().zip([from, to]) {
        (tensor.element, tensor.quantization) = (Element::I8, Some(quantization));
    }
    passes::run(graph).expect("an operator that fits")
}

/// Convolutions in int8: what the sums of the stored numbers come to, to the nearest step.
#[test]
fn int8_convolutions_compute_what_loops_compute() {
    let mut values = 0;
    for case in 0..500 {
        let mut source = Source::new(case);
        let mut extents = source.extents();
        // Whole words of channels, and pairs, have kernels of their own.
        extents[3] = [1, 2, 3, 4, 8][source.random.usize(0..5)];
        let mut operator = source.weighted(extents);
        let from = Quantization { scale: 0.5, zero_point: source.random.i32(-128..128) };
        let (Operator::Convolution { weights, bias, .. } | Operator::Depthwise { weights, bias, .. }) = &mut operator
        else {
            unreachable!("a layer with weights")
        };
        let stored: Vec<i8> = (0..weights.len()).map(|_| source.random.i8(-127..=127)).collect();
        *weights = Weights::F32(stored.iter().map(|&value| f32::from(value)).collect());
        let biases =
            bias.as_ref().map(|bias| (0..bias.len()).map(|_| source.random.i32(-9000..9000)).collect::<Vec<_>>());
        *bias = biases.as_ref().map(|biases| Bias::F32(biases.iter().map(|&bias| bias as f32).collect()));
        let frame: Vec<i8> = (0..extents.iter().product()).map(|_| source.random.i8(..)).collect();
        let above = |&value: &i8| f64::from(i32::from(value) - from.zero_point);
        let sums = naive::compute(&operator, &[&Volume { extents, values: frame.iter().map(above).collect() }]);
        let largest = sums.values.iter().fold(1.0f64, |largest, sum| largest.max(sum.abs()));
        let to = Quantization { scale: (0.5 * largest / 100.0) as f32, zero_point: source.random.i32(-20..20) };
        let (Operator::Convolution { weights, bias, .. } | Operator::Depthwise { weights, bias, .. }) = &mut operator
        else {
            unreachable!("a layer with weights")
        };
        *weights = Weights::I8 { values: stored, scales: vec![1.0] };
        *bias = biases.map(Bias::I32);
        let graph = quantized(extents, operator, from, to);
        let found = answer(&graph, bytemuck::cast_slice(&frame), case);
        assert_eq!(found.len(), sums.values.len(), "case {case}");
        for (&found, sum) in found.iter().zip(&sums.values) {
            let factor = 0.5 / f64::from(to.scale);
            let expected = (sum * factor + f64::from(to.zero_point)).clamp(-128.0, 127.0);
            let difference = (f64::from(found.cast_signed()) - expected).abs();
            assert!(
                difference <= tolerance::rounded_twice(factor),
                "case {case}: {found} is {difference} steps off: {graph:#?}"
            );
        }
        values += found.len();
    }
    assert!(values > 40_000, "only {values} values");
}

/// Operators in int8 that only move or compare stored numbers, and means of these: exact.
#[test]
fn int8_values_move_as_loops_move_them() {
    let mut values = 0;
    for case in 0..500 {
        let mut source = Source::new(case);
        let extents = source.extents();
        let same = Quantization { scale: 0.25, zero_point: source.random.i32(-128..128) };
        let stored = source.random.i8(..);
        let operator = match case % 5 {
            0 => Operator::AveragePool { window: source.window(extents, true) },
            _ => source.moving(extents, f32::from(stored)),
        };
        let frame: Vec<i8> = (0..extents.iter().product()).map(|_| source.random.i8(..)).collect();
        let expected = naive::compute(
            &operator,
            &[&Volume { extents, values: frame.iter().map(|&value| f64::from(value)).collect() }],
        );
        // In the graph the value to pad with is a real one.
        let operator = match operator {
            Operator::Pad { before, after, .. } => {
                Operator::Pad { before, after, value: same.scale * (i32::from(stored) - same.zero_point) as f32 }
            }
            operator => operator,
        };
        let graph = quantized(extents, operator, same, same);
        let found = answer(&graph, bytemuck::cast_slice(&frame), case);
        // A mean's ties go away from zero, as `round` has them.
        let expected: Vec<i8> = expected.values.iter().map(|value| value.round() as i8).collect();
        assert_eq!(bytemuck::cast_slice::<u8, i8>(&found), expected, "case {case}: {graph:#?}");
        values += found.len();
    }
    assert!(values > 20_000, "only {values} values");
}

/// A window of one line and one plane in turn is that of a picture's layer.
#[test]
fn a_volume_of_one_plane_is_a_picture() {
    for case in 0..100 {
        let mut source = Source::new(case);
        let [_, lines, columns, channels] = source.extents();
        let extents = [1, lines, columns, channels];
        let mut operator = source.weighted(extents);
        let (Operator::Convolution { window, .. } | Operator::Depthwise { window, .. }) = &mut operator else {
            unreachable!("a layer with weights")
        };
        let depth = window.depth.expect("a window over planes");
        if depth.size != 1 || [depth.before, depth.after] != [0; 2] {
            continue;
        }
        let mut flat = operator.clone();
        let (Operator::Convolution { window, .. } | Operator::Depthwise { window, .. }) = &mut flat else {
            unreachable!("a layer with weights")
        };
        window.depth = None;
        let graphs = [(operator, &extents[..]), (flat, &extents[1..])].map(|(operator, extents)| {
            let mut graph = Graph::new("one layer");
            let first = graph.push("input", input(Element::F32), vec![], Shape(extents.to_vec()));
            graph.outputs = vec![graph.push("layer", operator, vec![first], shape([0; 4]))];
            passes::run(graph).expect("a window that fits")
        });
        let frame = source.numbers(extents.iter().product());
        let [volume, picture] = graphs.map(|graph| answer(&graph, bytemuck::cast_slice(&frame), case));
        assert_eq!(volume, picture, "case {case}");
    }
}

/// What can't be run by rows is an error that names the layer and says why.
#[test]
fn what_volumes_cannot_is_an_error() {
    let refused = |operator: Operator, shapes: &[&[usize]]| {
        let mut graph = Graph::new("refused");
        let first = graph.push("input", input(Element::F32), vec![], Shape(shapes[0].to_vec()));
        let inputs = match shapes.get(1) {
            None => vec![first],
            Some(other) => {
                let size = [other[0], other[1], other[2]];
                let nearest = Nearest { align_corners: false, half_pixel_centers: true };
                vec![first, graph.push("other", Operator::ResizeNearest { size, nearest }, vec![first], shape([0; 4]))]
            }
        };
        graph.outputs = vec![graph.push("layer", operator, inputs, shape([0; 4]))];
        let made = passes::run(graph).and_then(|graph| Machine::new(&graph, Strategy::Whole).map(drop));
        made.expect_err("refused").to_string()
    };
    let window = Source::new(1).window([4, 4, 4, 2], true);
    let message = refused(Operator::MaxPool { window }, &[&[4, 4, 2]]);
    assert!(message.starts_with("layer \"layer\": a window of ") && message.ends_with("of shape 4x4x2"), "{message}");
    let sum = Operator::add(None);
    let message = refused(sum, &[&[4, 4, 4, 2], &[1, 4, 1]]);
    let expected = "layer \"layer\": repeats 1x4x1x2 along lines or columns of planes of 4x4x4x2: only whole planes or single places are possible";
    assert_eq!(message, expected);
}
