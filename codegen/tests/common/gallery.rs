//! One small graph with every operator that moves values, for what is compiled or linked.

use microception_codegen::graph::{
    Axis, Bias, Element, Graph, Linear, Nearest, Operator, Padding, Shape, TensorId, Weights, Window,
};
use microception_codegen::passes;

/// The graph after the passes, in f32: pictures of 7x6 with three channels.
pub fn graph() -> Graph {
    let mut random = fastrand::Rng::with_seed(1);
    let mut numbers = |count: usize| (0..count).map(|_| random.f32() - 0.5).collect::<Vec<_>>();
    let mut graph = Graph::new("gallery");
    let mut push = |name: &str, operator: Operator, inputs: &[TensorId]| {
        graph.push(name, operator, inputs.to_vec(), Shape(vec![]))
    };
    let picture = push("picture", Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 }, &[]);
    let padded = push("padded", Operator::Pad { before: [2, 0, 1, 0], after: [1, 0, 0, 0], value: 0.25 }, &[picture]);
    let window = Window {
        size: [3, 2],
        stride: [1, 1],
        dilation: [2, 1],
        padding: Padding::Explicit { before: [3, 0], after: [1, 1] },
        depth: None,
    };
    let convolution = Operator::Convolution {
        weights: Weights::F32(numbers(4 * 3 * 2 * 3)),
        bias: Some(Bias::F32(numbers(4))),
        window,
        activation: None,
    };
    let filtered = push("filtered", convolution, &[padded]);
    let wider = push("wider", Operator::Pad { before: [0; 4], after: [0, 0, 0, 1], value: 0.0 }, &[padded]);
    let channels = push("channels", Operator::Concatenate { axis: Axis::Channels }, &[filtered, wider]);
    let columns = push("columns", Operator::Concatenate { axis: Axis::Columns }, &[channels, channels]);
    let rows = push("rows", Operator::Concatenate { axis: Axis::Rows }, &[columns, columns]);
    let nearest = Nearest { align_corners: false, half_pixel_centers: true };
    let resized = push("resized", Operator::ResizeNearest { size: [13, 1, 17], nearest }, &[rows]);
    let linear = Linear { align_corners: false, half_pixel_centers: true };
    let mixed = push("mixed", Operator::ResizeBilinear { size: [9, 21], linear }, &[resized]);
    let transposed = push("transposed", Operator::Transpose { axes: vec![1, 0, 2] }, &[mixed]);
    let crop = Operator::Crop { before: vec![1, 1, 1], shape: Shape(vec![20, 8, 6]) };
    let cropped = push("cropped", crop, &[transposed]);
    let series = push("series", Operator::Reshape { shape: Shape(vec![40, 24]) }, &[cropped]);
    let dense = Operator::PositionwiseDense {
        weights: Weights::F32(numbers(5 * 24)),
        bias: Some(Bias::F32(numbers(5))),
        activation: None,
    };
    let dense = push("dense", dense, &[series]);
    let largest = push("largest", Operator::GlobalMaxPool { keep_dims: false }, &[dense]);
    graph.outputs = vec![largest];
    let extents = &mut graph.tensors[0].shape;
    *extents = Shape(vec![7, 6, 3]);
    passes::run(graph).expect("passes")
}
