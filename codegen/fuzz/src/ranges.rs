//! Ranges files, which a user may write by hand.

use std::sync::OnceLock;

use microception_codegen::graph::{Bias, Element, Function, Graph, Operator, Padding, Shape, Weights, Window};
use microception_codegen::optimize::transformed;
use microception_codegen::quantize::{Elements, Ranges, quantize_mixed};
use microception_codegen::{lower, passes};

/// A small graph with the names that the corpus has.
fn graph() -> &'static Graph {
    static GRAPH: OnceLock<Graph> = OnceLock::new();
    GRAPH.get_or_init(|| {
        let mut graph = Graph::new("small");
        let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
        let input = graph.push("input", input, vec![], Shape(vec![4, 4, 2]));
        let window = Window { size: [3, 3], padding: Padding::Same, ..Window::POINT };
        let weights = |count: usize| Weights::F32((0..count).map(|at| (at as f32 - 7.0) / 16.0).collect());
        let bias = |count: usize| Some(Bias::F32((0..count).map(|at| at as f32 / 4.0).collect()));
        let conv =
            Operator::Convolution { weights: weights(54), bias: bias(3), window, activation: Some(Function::Relu) };
        let conv = graph.push("conv", conv, vec![input], Shape(Vec::new()));
        let depthwise =
            Operator::Depthwise { weights: weights(27), bias: bias(3), window, multiplier: 1, activation: None };
        let depthwise = graph.push("depthwise", depthwise, vec![conv], Shape(Vec::new()));
        let sum = graph.push("sum", Operator::add(None), vec![conv, depthwise], Shape(Vec::new()));
        let tanh = graph.push("tanh", Operator::Activation(Function::Tanh), vec![sum], Shape(Vec::new()));
        let pool = Operator::GlobalAveragePool { keep_dims: false };
        let pool = graph.push("pool", pool, vec![tanh], Shape(Vec::new()));
        let dense = Operator::Dense { weights: weights(6), bias: bias(2), activation: None };
        let dense = graph.push("dense", dense, vec![pool], Shape(Vec::new()));
        graph.outputs = vec![graph.push("softmax", Operator::Softmax, vec![dense], Shape(Vec::new()))];
        passes::run(graph).unwrap_or_else(|error| panic!("the small graph: {error}"))
    })
}

/// Reads a ranges file; what is read is written as it is, and quantizes a graph or says why not.
///
/// # Panics
///
/// Where one of that does not hold: a finding.
pub fn check_ranges(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(ranges) = Ranges::from_json(text) else { return };
    let again = Ranges::from_json(&ranges.to_json());
    assert_eq!(again.as_ref(), Ok(&ranges), "is written as something else: {}", ranges.to_json());
    for element in [Element::I8, Element::I16] {
        let Ok(quantized) = quantize_mixed(graph(), &ranges, &Elements::all(element)) else { continue };
        let _ = transformed(&quantized, Default::default()).and_then(|layers| lower::kernels(&quantized, &layers));
    }
}
