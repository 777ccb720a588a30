//! Tensors that have one scale and zero point: a concatenation copies stored values, so what its inputs are made by,
//! over pools and whatever else copies, must agree.

use crate::graph::{Element, Function, Graph, Operator, TensorId};

/// Whether a layer passes on its inputs' scale and zero point.
pub fn copies(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::MaxPool { .. }
            | Operator::AveragePool { .. }
            | Operator::GlobalMaxPool { .. }
            | Operator::Flatten
            | Operator::Pad { .. }
            | Operator::Crop { .. }
            | Operator::Transpose { .. }
            | Operator::Concatenate { .. }
            | Operator::Reshape { .. }
            | Operator::ResizeNearest { .. }
            | Operator::ResizeBilinear { .. }
    )
}

/// Whether a layer's scale and zero point follow from what it is: a concatenation brings its values to another.
pub fn has_its_own(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::Softmax
            | Operator::Activation(Function::Sigmoid | Function::HardSigmoid { .. } | Function::Tanh)
            | Operator::Input { element: Element::U8, .. }
    )
}

/// The layers whose values concatenations put together, those that make `tensor` among them, in the graph's order;
/// none where no concatenation does.
pub fn joined(graph: &Graph, tensor: TensorId) -> Vec<usize> {
    let mut group = vec![false; graph.tensors.len()];
    group[tensor.0] = true;
    let mut concatenates = false;
    loop {
        let before = group.iter().filter(|&&member| member).count();
        for layer in graph.layers.iter().filter(|layer| copies(&layer.operator)) {
            let tied = || layer.inputs.iter().chain([&layer.output]);
            if tied().any(|tensor| group[tensor.0]) {
                tied().for_each(|tensor| group[tensor.0] = true);
                concatenates |= matches!(layer.operator, Operator::Concatenate { .. });
            }
        }
        if group.iter().filter(|&&member| member).count() == before {
            break;
        }
    }
    let makes = |&index: &usize| group[graph.layers[index].output.0] && !copies(&graph.layers[index].operator);
    if concatenates { (0..graph.layers.len()).filter(makes).collect() } else { Vec::new() }
}
