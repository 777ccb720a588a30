//! Removes a Flatten where the flat tensor need not exist.
//!
//! A dense layer consumes its input row by row, with weights in the order of the flattened rows:
//! it can read the rows themselves, which then need not all stay in memory. A flat tensor is flat
//! already, and a global average pool can make one by itself. Elsewhere the Flatten stays: a
//! Softmax or an Add after it reads the flat shape.

use super::rewire::{fold_layer, only_readers};
use crate::error::Error;
use crate::graph::{Graph, Operator};

/// Removes every such Flatten.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut index = 0;
    while index < graph.layers.len() {
        match takers(graph, index) {
            Some(takers) => fold_layer(graph, index, &takers),
            None => index += 1,
        }
    }
    Ok(())
}

/// The layers that do the work of the Flatten at `index`, if it can go; makes its input flat where that is how.
fn takers(graph: &mut Graph, index: usize) -> Option<Vec<usize>> {
    if graph.layers[index].operator != Operator::Flatten {
        return None;
    }
    let (input, output) = (graph.layers[index].inputs[0], graph.layers[index].output);
    if graph.tensor(input).quantization != graph.tensor(output).quantization {
        return None;
    }
    let maker = graph.maker(input)?;
    if graph.tensor(input).shape.0.len() == 1 {
        return Some(vec![maker]);
    }
    let is_dense = |&reader: &usize| matches!(graph.layers[reader].operator, Operator::Dense { .. });
    let readers = only_readers(graph, output);
    if let Some(readers) = readers.filter(|readers| !readers.is_empty() && readers.iter().all(is_dense)) {
        return Some(readers);
    }
    let alone = graph.readers(input) == 1;
    match &mut graph.layers[maker].operator {
        Operator::GlobalAveragePool { keep_dims } | Operator::GlobalMaxPool { keep_dims } if alone => {
            *keep_dims = false;
            graph.tensors[input.0].shape = graph.tensors[output.0].shape.clone();
            Some(vec![maker])
        }
        _ => None,
    }
}
