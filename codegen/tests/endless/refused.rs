//! What has no endless form is an error that names the layer, the reason and a way out.

use microception_codegen::endless::windowed;
use microception_codegen::graph::{
    Axis, Constant, Element, Graph, Nearest, Numbers, Operator, Padding, PairFunction, Shape, TensorId, Weights, Window,
};
use microception_codegen::host::Machine;
use microception_codegen::passes;
use microception_codegen::plan::Strategy;

/// A series of 12 rows of 2 channels and what `layers` push after it.
fn graph(layers: impl Fn(&mut Graph, TensorId) -> TensorId) -> Graph {
    let mut graph = Graph::new("series");
    let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
    let input = graph.push("in", input, vec![], Shape(vec![12, 2]));
    graph.outputs = vec![layers(&mut graph, input)];
    passes::run(graph).expect("a graph")
}

/// The layer `it` after the input.
fn layer(operator: Operator) -> Graph {
    graph(|graph, input| graph.push("it", operator.clone(), vec![input], Shape(vec![])))
}

fn window(size: usize, stride: usize, padding: Padding) -> Window {
    Window { size: [size, 1], stride: [stride, 1], padding, ..Window::POINT }
}

fn convolution(window: Window) -> Operator {
    let weights = Weights::F32(vec![0.5; window.size[0] * 2 * 2]);
    Operator::Convolution { weights, bias: None, window, activation: None }
}

fn rows(before: usize, after: usize) -> Padding {
    Padding::Explicit { before: [before, 0], after: [after, 0] }
}

#[test]
fn layers_without_an_endless_form_are_named() {
    let constant = |extents: [usize; 2]| Operator::Pairwise {
        function: PairFunction::Prelu,
        constant: Some(Constant {
            numbers: Numbers::F32(vec![0.1; extents[0] * extents[1]]),
            shape: Shape(extents.to_vec()),
            first: false,
        }),
        activation: None,
    };
    let nearest = Nearest { align_corners: false, half_pixel_centers: false };
    let dense = Operator::Dense { weights: Weights::F32(vec![0.1; 24]), bias: None, activation: None };
    for (graph, words) in [
        (layer(convolution(window(3, 1, Padding::Same))), "same padding"),
        (layer(Operator::MaxPool { window: window(2, 2, Padding::Same) }), "padding=\"causal\" or \"valid\""),
        (layer(convolution(window(3, 1, rows(1, 1)))), "padded by 1 rows after the last"),
        (layer(convolution(window(3, 1, rows(3, 0)))), "reaches back over 2"),
        (layer(Operator::Pad { before: [2, 0, 0, 0], after: [1, 0, 0, 0], value: 1.0 }), "pads 1 rows after the last"),
        (layer(Operator::GlobalAveragePool { keep_dims: false }), "AveragePooling"),
        (layer(Operator::GlobalMaxPool { keep_dims: true }), "MaxPooling"),
        (layer(Operator::Flatten), "a convolution over as many rows"),
        (layer(dense), "needs all rows of its input (12 here)"),
        (layer(constant([12, 2])), "shared_axes=[1]"),
        (layer(Operator::Transpose { axes: vec![1, 0] }), "another place among the axes"),
        (layer(Operator::ResizeNearest { size: [24, 1, 1], nearest }), "24 rows of 12"),
        (layer(Operator::Reshape { shape: Shape(vec![6, 4]) }), "rows of another length"),
        (
            graph(|graph, input| {
                let pad = Operator::Pad { before: [0; 4], after: [0, 0, 0, 1], value: 0.0 };
                let wide = graph.push("wide", pad, vec![input], Shape(vec![]));
                let narrow = graph.push(
                    "wide too",
                    Operator::Pad { before: [0; 4], after: [0, 0, 0, 1], value: 0.0 },
                    vec![input],
                    Shape(vec![]),
                );
                graph.push("it", Operator::Concatenate { axis: Axis::Rows }, vec![wide, narrow], Shape(vec![]))
            }),
            "concatenate along the channels",
        ),
        (
            graph(|graph, input| {
                let pool = Operator::MaxPool { window: window(12, 1, Padding::Valid) };
                let pooled = graph.push("pooled", pool, vec![input], Shape(vec![]));
                graph.push("it", Operator::add(None), vec![input, pooled], Shape(vec![]))
            }),
            "repeats one row",
        ),
        (
            // Both have one row of 12: by a stride, and by a window.
            graph(|graph, input| {
                let first = graph.push("first", convolution(window(1, 12, Padding::Valid)), vec![input], Shape(vec![]));
                let second =
                    graph.push("second", convolution(window(12, 1, Padding::Valid)), vec![input], Shape(vec![]));
                graph.push("it", Operator::add(None), vec![first, second], Shape(vec![]))
            }),
            "the same strides on both ways",
        ),
    ] {
        let error = windowed(&graph).expect_err(words).to_string();
        assert!(error.contains("\"it\"") && error.contains(words), "{error}\n(expected {words})");
        assert_eq!(Machine::new(&graph, Strategy::Endless).expect_err(words).to_string(), error);
    }
}

#[test]
fn what_has_no_rows_is_no_series() {
    let mut graph = Graph::new("flat");
    let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
    let input = graph.push("it", input, vec![], Shape(vec![5]));
    graph.outputs = vec![graph.push("softmax", Operator::Softmax, vec![input], Shape(vec![5]))];
    let error = windowed(&passes::run(graph).expect("a graph")).expect_err("no rows").to_string();
    assert!(error.contains("\"it\"") && error.contains("not a series of rows"), "{error}");
}

#[test]
fn an_output_before_the_series_is_an_error() {
    let graph = layer(Operator::Pad { before: [2, 0, 0, 0], after: [0; 4], value: 1.0 });
    let error = Machine::new(&graph, Strategy::Endless).expect_err("rows of padding").to_string();
    assert!(error.contains("\"it\"") && error.contains("before the series begins"), "{error}");
}

#[test]
fn same_padding_of_single_rows_pads_nothing() {
    let graph = layer(convolution(window(1, 2, Padding::Same)));
    assert_eq!(windowed(&graph).expect("endless").tensor(graph.outputs[0]).shape, Shape(vec![1, 2]));
}
