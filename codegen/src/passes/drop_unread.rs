//! Drops the layers that no output of the model depends on, but no inputs: the caller has their rows.

use std::collections::HashSet;

use crate::error::Error;
use crate::graph::{Graph, Operator};

/// Goes from the outputs backwards and keeps what it meets.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut needed: HashSet<_> = graph.outputs.iter().copied().collect();
    for layer in graph.layers.iter().rev() {
        if needed.contains(&layer.output) {
            needed.extend(&layer.inputs);
        }
    }
    let is_input = |operator: &Operator| matches!(operator, Operator::Input { .. });
    graph.layers.retain(|layer| needed.contains(&layer.output) || is_input(&layer.operator));
    Ok(())
}
