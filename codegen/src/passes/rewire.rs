//! What several passes do to a graph's edges.

use crate::graph::{Element, Graph, Operator, Part, TensorId};

/// Removes a layer whose work others do from now on, which keep it as a [part](Part); `takers` are their indices before it goes.
pub fn fold_layer(graph: &mut Graph, index: usize, takers: &[usize]) {
    let layer = &mut graph.layers[index];
    let kind = match &layer.operator {
        Operator::Activation(function) => function.name(),
        operator => operator.name(),
    };
    let mut parts = std::mem::take(&mut layer.parts);
    parts.push(Part { name: layer.name.clone(), kind });
    for &taker in takers {
        graph.layers[taker].parts.extend(parts.iter().cloned());
    }
    remove_layer(graph, index);
}

/// Removes a layer; whoever read its output reads its first input from now on.
pub fn remove_layer(graph: &mut Graph, index: usize) {
    let layer = graph.layers.remove(index);
    let source = layer.inputs[0];
    let reads = graph.layers.iter_mut().flat_map(|layer| &mut layer.inputs).chain(&mut graph.outputs);
    for read in reads.filter(|read| **read == layer.output) {
        *read = source;
    }
}

/// The indices of the layers that read a tensor, each once, or `None` when it is also an output
/// of the model: then it must stay what it is.
pub fn only_readers(graph: &Graph, tensor: TensorId) -> Option<Vec<usize>> {
    if graph.outputs.contains(&tensor) {
        return None;
    }
    let reads = |&index: &usize| graph.layers[index].inputs.contains(&tensor);
    Some((0..graph.layers.len()).filter(reads).collect())
}

/// Whether a tensor is not quantized, so that passes may change how it is computed.
pub fn is_float(graph: &Graph, tensor: TensorId) -> bool {
    graph.tensor(tensor).element == Element::F32
}
