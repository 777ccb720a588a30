//! A small network over a volume, with every operator that makes one line by line or lies around its lines.

use microception_codegen::graph::{
    Axis, Bias, Element, Function, Graph, Nearest, Operator, Padding, Shape, Taps, TensorId, Weights, Window,
};
use microception_codegen::passes;

/// Extents of the input: planes, lines, columns, channels.
pub const INPUT: [usize; 4] = [7, 8, 9, 2];

/// The network in f32, with the same weights at every call.
pub fn network() -> Graph {
    let mut random = fastrand::Rng::with_seed(1);
    let mut numbers = |count: usize| (0..count).map(|_| random.f32() - 0.5).collect::<Vec<_>>();
    let mut graph = Graph::new("volume");
    let mut push = |name: &str, operator: Operator, inputs: &[TensorId]| {
        graph.push(name, operator, inputs.to_vec(), Shape(INPUT.to_vec()))
    };
    let dense =
        |size: usize, stride: usize, before: usize, after: usize| Taps { size, stride, before, after, ..Taps::POINT };
    let same = Window { size: [3, 3], padding: Padding::Same, depth: Some(dense(3, 1, 1, 1)), ..Window::POINT };
    let halved = Window { size: [2, 2], stride: [2, 2], depth: Some(dense(2, 2, 0, 0)), ..Window::POINT };

    let volume = push("volume", Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 }, &[]);
    let convolution = Operator::Convolution {
        weights: Weights::F32(numbers(8 * 27 * 2)),
        bias: Some(Bias::F32(numbers(8))),
        window: same,
        activation: Some(Function::Relu),
    };
    let filtered = push("filtered", convolution, &[volume]);
    let largest = push("largest", Operator::MaxPool { window: halved }, &[filtered]);
    let depthwise = Operator::Depthwise {
        weights: Weights::F32(numbers(27 * 8)),
        bias: None,
        window: same,
        multiplier: 1,
        activation: None,
    };
    let depthwise = push("separable/depthwise", depthwise, &[largest]);
    let pointwise = Operator::Convolution {
        weights: Weights::F32(numbers(6 * 8)),
        bias: Some(Bias::F32(numbers(6))),
        window: Window::POINT,
        activation: None,
    };
    let pointwise = push("separable/pointwise", pointwise, &[depthwise]);
    let means = Window { size: [3, 2], padding: Padding::Same, depth: Some(dense(2, 1, 0, 1)), ..Window::POINT };
    let means = push("means", Operator::AveragePool { window: means }, &[pointwise]);
    let sum = push("sum", Operator::add(None), &[means, pointwise]);
    let padded = push("padded", Operator::Pad { before: [1, 2, 1, 0], after: [0, 1, 0, 0], value: 0.25 }, &[sum]);
    let both = push("both", Operator::Concatenate { axis: Axis::Lines }, &[padded, padded]);
    let nearest = Nearest { align_corners: false, half_pixel_centers: true };
    let repeated = push("repeated", Operator::ResizeNearest { size: [8, 14, 10], nearest }, &[both]);
    let strided = Operator::Convolution {
        weights: Weights::F32(numbers(4 * 2 * 3 * 2 * 6)),
        bias: None,
        window: Window { size: [3, 2], stride: [2, 3], depth: Some(dense(2, 3, 1, 0)), ..Window::POINT },
        activation: None,
    };
    let strided = push("strided", strided, &[repeated]);
    let outputs = push("largest_of_all", Operator::GlobalMaxPool { keep_dims: false }, &[strided]);
    let scores =
        Operator::Dense { weights: Weights::F32(numbers(3 * 4)), bias: Some(Bias::F32(numbers(3))), activation: None };
    let scores = push("scores", scores, &[outputs]);
    graph.outputs = vec![scores];
    passes::run(graph).expect("layers that fit")
}

/// A frame of it.
pub fn frame(seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..INPUT.iter().product()).map(|_| random.f32() * 2.0 - 1.0).collect()
}
