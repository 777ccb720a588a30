//! Removes a Flatten where the flat tensor need not exist.
//!
//! A dense layer consumes its input row by row, with weights in the order of the flattened rows:
//! it can read the rows themselves, which then need not all stay in memory. A flat tensor is flat
//! already, and a global average pool can make one by itself. Elsewhere the Flatten stays: a
//! Softmax or an Add after it reads the flat shape.

use super::rewire::{only_readers, remove_layer};
use crate::error::Error;
use crate::graph::{Graph, Operator};

/// Removes every such Flatten.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut index = 0;
    while index < graph.layers.len() {
        if graph.layers[index].operator == Operator::Flatten && can_go(graph, index) {
            remove_layer(graph, index);
        } else {
            index += 1;
        }
    }
    Ok(())
}

/// Whether the Flatten at `index` can go; makes its input flat where that is how.
fn can_go(graph: &mut Graph, index: usize) -> bool {
    let (input, output) = (graph.layers[index].inputs[0], graph.layers[index].output);
    if graph.tensor(input).quantization != graph.tensor(output).quantization {
        return false;
    }
    if graph.tensor(input).shape.0.len() == 1 {
        return true;
    }
    let is_dense = |&reader: &usize| matches!(graph.layers[reader].operator, Operator::Dense { .. });
    if only_readers(graph, output).is_some_and(|readers| !readers.is_empty() && readers.iter().all(is_dense)) {
        return true;
    }
    let alone = graph.readers(input) == 1;
    let Some(maker) = graph.maker(input) else { return false };
    match &mut graph.layers[maker].operator {
        Operator::GlobalAveragePool { keep_dims } | Operator::GlobalMaxPool { keep_dims } if alone => {
            *keep_dims = false;
            graph.tensors[input.0].shape = graph.tensors[output.0].shape.clone();
            true
        }
        _ => false,
    }
}
