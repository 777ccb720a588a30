//! Plans at the limits of the runtime's steps: long tensors, large arenas, calls with many lines.

use microception_codegen::graph::{Element, Graph, Operator, Padding, Quantization, Shape, TensorId, Window};
use microception_codegen::plan::Strategy;

use crate::planned;

const ALL: [Strategy; 5] =
    [Strategy::Balanced, Strategy::Smallest, Strategy::Eager, Strategy::Whole, Strategy::Everything];

/// Max pools in a row, each of so many rows and strides, with same padding.
fn pools(shape: [usize; 3], element: Element, windows: &[(usize, usize)]) -> Graph {
    let mut graph = Graph::new("pools");
    let [mut rows, width, channels] = shape;
    let input = Operator::Input { element, scale: 1.0, offset: 0.0 };
    let mut tensor: TensorId = graph.push("input", input, vec![], Shape(shape.to_vec()));
    for (index, &(taps, stride)) in windows.iter().enumerate() {
        let window = Window { size: [taps, 1], stride: [stride, 1], padding: Padding::Same, ..Window::POINT };
        rows = rows.div_ceil(stride);
        let name = format!("pool_{index}");
        tensor = graph.push(name, Operator::MaxPool { window }, vec![tensor], Shape(vec![rows, width, channels]));
    }
    graph.outputs = vec![tensor];
    if element == Element::I8 {
        for tensor in &mut graph.tensors {
            (tensor.element, tensor.quantization) = (element, Some(Quantization { scale: 1.0, zero_point: 0 }));
        }
    }
    graph
}

/// More rows than one call can name, with windows that overlap from call to call.
#[test]
fn whole_tensors_take_several_calls() {
    for windows in [&[(3, 1), (5, 2)][..], &[(1, 1), (4, 3)], &[(200, 7), (2, 1)]] {
        let graph = pools([700, 1, 4], Element::I8, windows);
        for strategy in ALL {
            let checked = planned(&graph, strategy).unwrap_or_else(|reason| panic!("{windows:?}: {reason}"));
            let calls = checked.plan.steps.iter().filter(|step| step.layer == 1 && step.completes).count();
            let rows = checked.definitions[1].rows;
            assert!(calls == rows || (strategy != Strategy::Eager && calls < rows), "{calls} calls");
        }
    }
}

/// Rows of padding alone read none, and are made all the same: above, below, between two that read.
#[test]
fn rows_of_padding_alone_are_made() {
    for (taps, stride, dilation, before, after) in [(2, 2, 1, 4, 0), (2, 2, 1, 0, 4), (2, 1, 5, 1, 1), (3, 2, 1, 9, 9)]
    {
        let padding = Padding::Explicit { before: [before, 0], after: [after, 0] };
        let window = Window { size: [taps, 1], stride: [stride, 1], dilation: [dilation, 1], padding, depth: None };
        let rows = (4 + before + after - (taps - 1) * dilation - 1) / stride + 1;
        let mut graph = Graph::new("padded");
        let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
        let input = graph.push("input", input, vec![], Shape(vec![4, 3, 2]));
        graph.outputs = vec![graph.push("pool", Operator::MaxPool { window }, vec![input], Shape(vec![rows, 3, 2]))];
        for strategy in ALL {
            planned(&graph, strategy).unwrap_or_else(|reason| panic!("{window:?}, {strategy:?}: {reason}"));
        }
    }
}

/// Addresses have 16 bits; beyond 262,140 bytes they count in more than four bytes each.
#[test]
fn a_large_arena_has_a_larger_unit() {
    let graph = pools([12, 64, 256], Element::F32, &[(5, 1), (2, 2)]);
    for strategy in ALL {
        let plan = planned(&graph, strategy).unwrap_or_else(|reason| panic!("{reason}")).plan;
        assert!(plan.arena_bytes > 4 * 0xffff && plan.unit > 4, "{} bytes in units of {}", plan.arena_bytes, plan.unit);
    }
}

/// What the runtime's steps can't say is an error with the layer's name.
#[test]
fn what_no_step_can_say_is_an_error() {
    // 256 lines of one call, a first tap at -149, and rows of odd length where addresses can't be odd
    let cases = [
        pools([600, 1, 4], Element::I8, &[(256, 1)]),
        pools([600, 1, 4], Element::I8, &[(2, 1), (300, 1)]),
        pools([301, 1, 333], Element::I8, &[(1, 1)]),
    ];
    for (graph, layer) in cases.iter().zip(["pool_0", "pool_1", ""]) {
        for strategy in ALL {
            let reason = planned(graph, strategy).err().expect("an error");
            let named = reason.starts_with(&format!("layer \"{layer}"));
            assert!(named && reason.lines().count() == 1, "{strategy:?}: {reason}");
        }
    }
}
