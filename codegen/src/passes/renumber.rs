//! Drops the tensors that no layer makes any more: tensor i is then what layer i makes, and has
//! its name.

use crate::error::Error;
use crate::graph::{Graph, TensorId};

/// Puts the tensors in the order of the layers.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut place = vec![TensorId(usize::MAX); graph.tensors.len()];
    let mut tensors = Vec::with_capacity(graph.layers.len());
    for (index, layer) in graph.layers.iter().enumerate() {
        place[layer.output.0] = TensorId(index);
        let mut tensor = graph.tensor(layer.output).clone();
        tensor.name.clone_from(&layer.name);
        tensors.push(tensor);
    }
    for layer in &mut graph.layers {
        for tensor in layer.inputs.iter_mut().chain([&mut layer.output]) {
            *tensor = place[tensor.0];
        }
    }
    for output in &mut graph.outputs {
        *output = place[output.0];
    }
    graph.tensors = tensors;
    Ok(())
}
